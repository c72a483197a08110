//! `charts/berth` without Helm: what is copied or generated is up to date, and the values, their schema and
//! their description speak of the same things.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::generated;

const MARKER: &str = "<!-- The table is written from the comments in values.yaml; a test compares. -->\n";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn chart() -> PathBuf {
    repository().join("charts/berth")
}

fn read(name: &str) -> String {
    fs::read_to_string(chart().join(name)).unwrap()
}

fn values() -> Value {
    serde_saphyr::from_str(&read("values.yaml")).unwrap()
}

/// One value as `values.yaml` describes it.
struct Row {
    /// Its keys from the root, joined by dots.
    path: String,
    description: String,
}

/// The keys whose comment begins with two dashes.
fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    // The keys that the present line is in, with their indents.
    let mut keys: Vec<(usize, &str)> = Vec::new();
    let mut comment: Option<String> = None;
    for line in text.lines() {
        let content = line.trim_start();
        if let Some(begin) = content.strip_prefix("# -- ") {
            comment = Some(begin.to_owned());
        } else if let Some(more) = content.strip_prefix("# ") {
            if let Some(comment) = &mut comment {
                *comment += " ";
                *comment += more;
            }
        } else if let Some((key, _)) = content.split_once(':') {
            let indent = line.len() - content.len();
            keys.retain(|(outer, _)| *outer < indent);
            keys.push((indent, key));
            if let Some(description) = comment.take() {
                let path = keys.iter().map(|(_, key)| *key).collect::<Vec<_>>().join(".");
                rows.push(Row { path, description });
            }
        } else {
            assert!(comment.is_none(), "a description of nothing before {line:?}");
        }
    }
    rows
}

fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

fn table() -> String {
    let (text, values) = (read("values.yaml"), values());
    let mut table = "\n| Value | Default | Description |\n|---|---|---|\n".to_owned();
    for Row { path, description } in rows(&text) {
        let default = values.pointer(&pointer(&path)).unwrap();
        writeln!(table, "| `{path}` | `{default}` | {} |", description.replace('|', r"\|")).unwrap();
    }
    table
}

#[test]
fn the_readme_describes_every_value() {
    let readme = read("README.md");
    let (prose, _) = readme.split_once(MARKER).expect("README.md has the marker of the table");
    let expected = format!("{prose}{MARKER}{}", table());
    generated::compare("charts/berth/README.md", &expected);
}

/// The paths of all values that are no map, and of those maps that have a description of their own.
fn leaves(value: &Value, path: &str, described: &BTreeSet<String>, leaves: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if !described.contains(path) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                self::leaves(value, &path, described, leaves);
            }
        }
        _ => drop(leaves.insert(path.to_owned())),
    }
}

#[test]
fn every_value_has_a_description() {
    let described: BTreeSet<_> = rows(&read("values.yaml")).into_iter().map(|row| row.path).collect();
    let mut found = BTreeSet::new();
    leaves(&values(), "", &described, &mut found);
    assert_eq!(found, described);
}

/// A schema, or what it refers to.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect(reference),
        None => schema,
    }
}

/// Every value is in the schema, and what the schema has at the chart's own levels is a value.
#[test]
fn the_schema_has_the_same_keys_as_the_values() {
    fn compare(root: &Value, schema: &Value, value: &Value, described: &BTreeSet<String>, path: &str) {
        // A map that is described as a whole shows only the keys that have a default.
        if described.contains(path) {
            return;
        }
        let schema = resolve(root, schema);
        let (properties, map) = (schema["properties"].as_object(), value.as_object());
        let (properties, map) = (properties.expect(path), map.expect(path));
        let keys: BTreeSet<_> = map.keys().collect();
        let contained = |key: &&String| path.is_empty() && ["global", "enabled"].contains(&key.as_str());
        let known: BTreeSet<_> = properties.keys().filter(|key| !contained(key)).collect();
        assert_eq!(known, keys, "at {path:?}");
        for (key, value) in map {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            compare(root, &properties[key], value, described, &path);
        }
    }
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let described: BTreeSet<_> = rows(&read("values.yaml")).into_iter().map(|row| row.path).collect();
    compare(&schema, &schema, &values(), &described, "");
}

#[test]
fn the_crds_are_those_of_the_crate() {
    let files = |folder: PathBuf| {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
            .into_iter()
            .map(|file| {
                assert!(!file.is_symlink(), "GitOps tools drop links: {}", file.display());
                (file.file_name().unwrap().to_owned(), fs::read(&file).unwrap())
            })
            .collect::<Vec<_>>()
    };
    assert!(
        files(repository().join("crds")) == files(chart().join("files/crds")),
        "charts/berth/files/crds is not a copy of crds: cp crds/* charts/berth/files/crds/"
    );
    for (name, text) in files(repository().join("crds")) {
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.matches("\nmetadata:\n").count(), 1, "{name:?}: where the chart puts its labels");
        // Flux would replace it.
        assert!(!text.contains("${"), "{name:?}");
    }
}

#[test]
fn chart_and_program_have_one_version() {
    let chart: Value = serde_saphyr::from_str(&read("Chart.yaml")).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

/// The same values give the same objects, whatever the cluster, the time and chance.
#[test]
fn the_templates_depend_on_their_values_alone() {
    let mut folders = vec![chart().join("templates")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            read += 1;
            let text = fs::read_to_string(&path).unwrap();
            for word in
                ["lookup", "rand", "uuid", "now", "gen", "date", "derivePassword", "env", "getHostByName"]
            {
                let called = text.match_indices(word).any(|(at, _)| {
                    let before = text[..at].chars().next_back();
                    let code = text[..at].rfind("{{") > text[..at].rfind("}}");
                    code && before.is_none_or(|c| !c.is_alphanumeric() && c != '.' && c != '"')
                });
                assert!(!called, "{}: {word}", path.display());
            }
        }
    }
    assert!(read > 10, "{read}");
}
