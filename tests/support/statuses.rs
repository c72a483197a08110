//! Samples of every status that Berth writes, as `docs/gitops/argocd/` has them, and what whoever waits for such an
//! object is to make of it. Reads files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::scenario::meaning;

/// The kinds that Berth writes a status of.
pub const KINDS: [&str; 2] = ["InstancePlacement", "VCenter"];

/// What kstatus makes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is what was asked for.
    Current,
    /// It is worth waiting.
    InProgress,
    /// It is not.
    Failed,
}

/// The folder of a kind, in the layout of Argo CD's own `resource_customizations/`.
pub fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gitops/argocd/berth.dev").join(kind)
}

/// The committed samples of a kind by their names.
pub fn committed(kind: &str) -> Vec<(String, Value)> {
    let entries = fs::read_dir(folder(kind).join("testdata")).unwrap();
    let mut samples: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect();
    samples.sort_by(|one, other| one.0.cmp(&other.0));
    samples
}

/// The name of the sample that shows what this object's status shows. None: an edit that Berth has not seen yet,
/// of an object that was not ready before either.
pub fn name(object: &Value) -> Option<String> {
    let status = &object["status"];
    let Some(ready) = condition(object, "Ready") else { return Some("created".to_owned()) };
    let mut name = kebab(ready["reason"].as_str().unwrap());
    if object["metadata"]["generation"] != status["observedGeneration"] {
        return (ready["status"] == "True").then(|| name + "-edited");
    }
    if ready["status"] != "True" && status.get("datastore").is_some() {
        name += "-again";
    }
    if condition(object, "RoomKept").is_some_and(|room| room["status"] == "False") {
        name += "-room-expired";
    }
    Some(name)
}

/// Checks that what the status of an object shows is among the committed samples.
///
/// # Errors
/// When it is not.
pub fn has_sample(object: &Value) -> anyhow::Result<()> {
    let Some(name) = name(object) else { return Ok(()) };
    let samples = folder(object["kind"].as_str().context("an object without kind")?).join("testdata");
    ensure!(samples.join(format!("{name}.yaml")).is_file(), "no sample {name} shows {object:#}");
    Ok(())
}

/// What the table of conditions in the API contract makes of an object.
pub fn outcome(object: &Value) -> anyhow::Result<Outcome> {
    let Some(ready) = condition(object, "Ready") else { return Ok(Outcome::InProgress) };
    if object["metadata"]["generation"] != object["status"]["observedGeneration"] {
        return Ok(Outcome::InProgress);
    }
    Ok(match meaning(ready["reason"].as_str().unwrap_or_default())? {
        ("True", _) => Outcome::Current,
        (_, Some("Stalled")) => Outcome::Failed,
        _ => Outcome::InProgress,
    })
}

/// The conditions of an object.
pub fn conditions(object: &Value) -> &[Value] {
    object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Its condition of this type.
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    conditions(object).iter().find(|condition| condition["type"] == type_)
}

/// `NoEligibleDatastore` as `no-eligible-datastore`.
fn kebab(word: &str) -> String {
    let mut text = String::new();
    let mut before = ' ';
    for letter in word.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
        before = letter;
    }
    text
}
