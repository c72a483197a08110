//! Every status that Berth writes in the scenarios: held to the rules of those who wait for it, and kept as samples
//! for Argo CD's health check.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use berth::api::{PlacementReason, RoomReason, VCenterReason};
use regex::Regex;
use serde_json::{Value, json};

use crate::kube_server::{Change, Version};
use crate::scenario;
use crate::scenarios::{Played, played};
use crate::statuses::{KINDS, Outcome, committed, condition, conditions, folder, name, outcome};
use crate::words::unsaid;

/// All scenarios, played once for the tests of this file.
fn all() -> &'static [Played] {
    static ALL: OnceLock<Vec<Played>> = OnceLock::new();
    ALL.get_or_init(|| scenario::files().iter().map(|file| played(file).unwrap()).collect())
}

/// Objects of Berth's kinds as they were stored after each write of their status.
fn written(played: &Played) -> Vec<Arc<Version>> {
    let mut last = BTreeMap::new();
    let mut written = Vec::new();
    for version in &played.record {
        let before = last.insert(version.key.clone(), version.object["status"].clone());
        let is_ours = KINDS.iter().any(|kind| version.object["kind"] == *kind);
        let is_new = before.is_some_and(|before| before != version.object["status"]);
        if is_ours && is_new && version.change == Change::Modified {
            written.push(Arc::clone(version));
        }
    }
    written
}

/// The rule of Flux's status checks that an object breaks at the end of a reconciliation (`runtime/conditions/check` of
/// fluxcd/pkg, where 0010 does not exist).
fn broken_rule(object: &Value) -> Option<&'static str> {
    let conditions = conditions(object);
    let status_of = |type_| condition(object, type_).map(|condition| condition["status"].as_str().unwrap());
    let (ready, reconciling, stalled) = (status_of("Ready"), status_of("Reconciling"), status_of("Stalled"));
    let is_ready = ready == Some("True");
    let generation = object["metadata"]["generation"].as_i64().unwrap();
    let observed = object["status"]["observedGeneration"].as_i64().unwrap();
    let of = |condition: &Value| condition["observedGeneration"].as_i64().unwrap_or(0);
    let rules = [
        ("FAIL0001", is_ready && (reconciling == Some("True") || stalled == Some("True"))),
        ("FAIL0002", ready.is_none()),
        ("FAIL0003", reconciling == Some("True") && ready != Some("False")),
        ("FAIL0004", stalled == Some("True") && ready != Some("False")),
        ("FAIL0005", reconciling.is_some() && stalled.is_some()),
        ("FAIL0006", observed > generation),
        ("FAIL0007", is_ready && observed < generation),
        ("FAIL0008", is_ready && conditions.iter().any(|condition| of(condition) < generation)),
        ("FAIL0009", is_ready && conditions.iter().any(|condition| of(condition) != observed)),
        ("FAIL0011", ready == Some("Unknown") && reconciling != Some("True")),
    ];
    rules.into_iter().find_map(|(rule, broken)| broken.then_some(rule))
}

/// An object of generation 2 with these conditions, each `Type=Status`, of these generations.
fn object(observed: i64, conditions: &[(&str, i64)]) -> Value {
    let condition = |(said, of): &(&str, i64)| {
        let (type_, status) = said.split_once('=').unwrap();
        json!({"type": type_, "status": status, "observedGeneration": of})
    };
    let conditions: Vec<_> = conditions.iter().map(condition).collect();
    json!({
        "metadata": {"generation": 2},
        "status": {"observedGeneration": observed, "conditions": conditions},
    })
}

#[test]
fn the_rules_of_flux_can_be_broken() {
    for (broken, observed, conditions) in [
        (Some("FAIL0001"), 2, &[("Ready=True", 2), ("Reconciling=True", 2)][..]),
        (Some("FAIL0001"), 2, &[("Ready=True", 2), ("Stalled=True", 2)]),
        (Some("FAIL0002"), 2, &[("RoomKept=True", 2)]),
        (Some("FAIL0003"), 2, &[("Ready=Unknown", 2), ("Reconciling=True", 2)]),
        (Some("FAIL0004"), 2, &[("Ready=Unknown", 2), ("Stalled=True", 2)]),
        (Some("FAIL0005"), 2, &[("Ready=False", 2), ("Reconciling=False", 2), ("Stalled=True", 2)]),
        (Some("FAIL0006"), 3, &[("Ready=False", 3)]),
        (Some("FAIL0007"), 1, &[("Ready=True", 1)]),
        (Some("FAIL0008"), 2, &[("Ready=True", 2), ("RoomKept=True", 1)]),
        (Some("FAIL0009"), 2, &[("Ready=True", 2), ("RoomKept=True", 3)]),
        (Some("FAIL0011"), 2, &[("Ready=Unknown", 2)]),
        (None, 2, &[("Ready=True", 2), ("RoomKept=False", 2)]),
        (None, 2, &[("Ready=False", 2), ("Reconciling=True", 2)]),
    ] {
        assert_eq!(broken_rule(&object(observed, conditions)), broken, "{conditions:?}");
    }
}

#[test]
fn every_status_keeps_the_rules_of_flux() {
    let mut statuses = 0;
    for played in all() {
        for version in written(played) {
            let broken = broken_rule(&version.object);
            assert_eq!(broken, None, "{}: {:#}", played.file, version.object);
            statuses += 1;
        }
    }
    assert!(statuses > 100, "{statuses} statuses");
}

/// The part of an object that is the same whenever and wherever a scenario is played.
fn timeless(played: &Played, object: &Value) -> Value {
    let mut sample = object.clone();
    let metadata = &object["metadata"];
    sample["metadata"] = json!({"name": metadata["name"], "generation": metadata["generation"]});
    if let Some(namespace) = metadata.get("namespace") {
        sample["metadata"]["namespace"] = namespace.clone();
    }
    if object["kind"] == "VCenter" {
        for of_this_run in ["caBundle", "thumbprintSHA256"] {
            sample["spec"].as_object_mut().unwrap().remove(of_this_run);
        }
    }
    let mut text = sample.to_string().replace(&played.thumbprint, "THUMBPRINT");
    for (of_this_run, always) in [
        (r"127\.0\.0\.1:\d+", "vc-east.example.com"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-01T00:00:00Z"),
        // Identities that the API server gives, and versions.
        (r"00000000-0000-4000-8000-\d{12}", "00000000-0000-4000-8000-000000000001"),
        (r#""credentialsVersion":"\d+""#, r#""credentialsVersion":"1""#),
    ] {
        text = Regex::new(of_this_run).unwrap().replace_all(&text, always).into_owned();
    }
    serde_json::from_str(&text).unwrap()
}

/// One sample for everything that a status of a kind can show: the shortest of all that were stored.
fn samples(kind: &str) -> BTreeMap<String, Value> {
    let mut samples: BTreeMap<String, String> = BTreeMap::new();
    for played in all() {
        for version in played.record.iter().filter(|version| version.object["kind"] == kind) {
            let Some(name) = name(&version.object) else { continue };
            let text = timeless(played, &version.object).to_string();
            let best = samples.entry(name).or_insert_with(|| text.clone());
            if (text.len(), &text) < (best.len(), best) {
                *best = text;
            }
        }
    }
    samples.into_iter().map(|(name, text)| (name, serde_json::from_str(&text).unwrap())).collect()
}

/// Argo CD's own list of cases.
fn health_test(samples: &BTreeMap<String, Value>) -> String {
    let mut text = String::from("tests:\n");
    for (name, object) in samples {
        let status = match outcome(object).unwrap() {
            Outcome::Current => "Healthy",
            Outcome::InProgress => "Progressing",
            Outcome::Failed => "Degraded",
        };
        let seen = object["metadata"]["generation"] == object["status"]["observedGeneration"];
        let message = match condition(object, "Ready") {
            Some(ready) if seen => ready["message"].clone(),
            _ => json!("Berth has not seen this version yet"),
        };
        let health = format!("- healthStatus:\n    status: {status}\n    message: {message}\n");
        writeln!(text, "{health}  inputPath: testdata/{name}.yaml").unwrap();
    }
    text
}

/// The files that are made for a kind, by their paths below `docs/gitops/argocd/`.
fn files(kind: &str) -> BTreeMap<String, String> {
    let samples = samples(kind);
    let folder = format!("berth.dev/{kind}");
    let mut files: BTreeMap<_, _> = samples
        .iter()
        .map(|(name, object)| {
            (format!("{folder}/testdata/{name}.yaml"), serde_saphyr::to_string(object).unwrap())
        })
        .collect();
    files.insert(format!("{folder}/health_test.yaml"), health_test(&samples));
    files
}

#[test]
fn the_samples_are_what_berth_writes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (written, docs) = (root.join("target/argocd"), root.join("docs/gitops/argocd"));
    // Of an earlier run, if there was one.
    drop(fs::remove_dir_all(&written));
    let mut differ = Vec::new();
    for kind in KINDS {
        let files = files(kind);
        for (path, text) in &files {
            if fs::read_to_string(docs.join(path)).ok().as_ref() != Some(text) {
                differ.push(path.clone());
            }
            fs::create_dir_all(written.join(path).parent().unwrap()).unwrap();
            fs::write(written.join(path), text).unwrap();
        }
        for entry in fs::read_dir(folder(kind).join("testdata")).into_iter().flatten() {
            let path = format!("berth.dev/{kind}/testdata/{}", entry.unwrap().file_name().display());
            assert!(files.contains_key(&path), "no status is like docs/gitops/argocd/{path} any more");
        }
    }
    assert!(
        differ.is_empty(),
        "{} of docs/gitops/argocd is not what is written now; if that is meant: cp -r target/argocd/* docs/gitops/argocd/",
        differ.join(", ")
    );
}

/// A new reason has to be in a scenario, and then in the samples.
#[test]
fn every_reason_has_a_sample() {
    let reasons = |kind: &str| -> BTreeSet<String> {
        let samples = committed(kind);
        let conditions = samples.iter().flat_map(|(_, object)| conditions(object));
        conditions.map(|condition| condition["reason"].as_str().unwrap().to_owned()).collect()
    };
    let (of_placements, of_vcenters) = (reasons("InstancePlacement"), reasons("VCenter"));
    let placement = PlacementReason::ALL.iter().map(|reason| (&of_placements, reason.as_str()));
    let room = RoomReason::ALL.iter().map(|reason| (&of_placements, reason.as_str()));
    let vcenter = VCenterReason::ALL.iter().map(|reason| (&of_vcenters, reason.as_str()));
    for (samples, reason) in placement.chain(room).chain(vcenter) {
        assert_eq!(samples.contains(reason), !unsaid().contains(reason), "{reason}");
    }
}
