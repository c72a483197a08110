//! What holds of every field: bounded, described, typed; and every spec field is either final or not.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::crd_files::schemas;

/// May change at any time.
const MUTABLE: &[&str] = &["revision", "suspend", "progressDeadlineSeconds"];
/// Part of what is decided on: compared by the root rule.
const IMMUTABLE: &[&str] = &[
    "placementClassName",
    "vCenterName",
    "image",
    "rootDisk",
    "additionalDisks",
    "memory",
    "compute",
    "datastores",
    "spread",
];

/// Calls `look` with every schema node and its path.
fn walk(path: &str, node: &Value, look: &mut dyn FnMut(&str, &Value)) {
    look(path, node);
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), child, look);
    }
    for part in ["items", "additionalProperties"] {
        if node[part].is_object() {
            walk(&format!("{path}[]"), &node[part], look);
        }
    }
}

fn complaints(look: impl Fn(&str, &Value) -> Option<String>) {
    let mut wrong = Vec::new();
    for (kind, schema) in schemas() {
        walk(&kind, &schema, &mut |path, node| {
            wrong.extend(look(path, node).map(|what| format!("{path}: {what}")));
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn everything_is_bounded() {
    complaints(|_, node| {
        let is_whole = |bound: &str| node[bound].is_i64();
        let good = match node["type"].as_str() {
            Some("string") => node["maxLength"].is_u64() || node["enum"].is_array(),
            Some("integer") => {
                let format = node["format"].as_str();
                is_whole("minimum") && is_whole("maximum") && matches!(format, Some("int32" | "int64"))
            }
            Some("array") => node["maxItems"].is_u64(),
            Some("object") => node["properties"].is_object() || node["maxProperties"].is_u64(),
            Some("boolean") => true,
            None => node["x-kubernetes-int-or-string"] == true && node["maxLength"] == 32,
            Some(_) => false,
        };
        (!good).then(|| format!("not bounded: {node}"))
    });
}

#[test]
fn lists_say_how_they_merge() {
    complaints(|path, node| {
        (node["type"] == "array").then_some(())?;
        let expected = match path.rsplit('.').next() {
            Some("conditions" | "additionalDisks") => "map",
            _ => "atomic",
        };
        (node["x-kubernetes-list-type"] != expected).then(|| format!("not {expected}"))
    });
}

#[test]
fn every_field_is_described_in_users_words() {
    complaints(|path, node| {
        if path.ends_with("[]") {
            return None;
        }
        let text = node["description"].as_str().unwrap_or_default();
        let jargon = ["Option<", "Vec<", "${", "](", "[`", "enum", "struct", "\n", "TODO"];
        let found = jargon.iter().find(|word| text.contains(**word));
        match found {
            _ if text.len() < 8 => Some("not described".into()),
            Some(word) => Some(format!("says {word:?}: {text}")),
            None if !text.ends_with('.') => Some(format!("not a sentence: {text}")),
            None => None,
        }
    });
}

#[test]
fn what_the_derive_leaves_is_tidied() {
    complaints(|_, node| {
        for key in ["nullable", "anyOf", "oneOf", "allOf", "x-kubernetes-preserve-unknown-fields"] {
            if !node[key].is_null() {
                return Some(format!("has {key}"));
            }
        }
        let words = node["enum"].as_array()?;
        let camel = |word: &Value| word.as_str().is_some_and(|word| word.starts_with(char::is_uppercase));
        (!words.iter().all(camel)).then(|| format!("enum {words:?}"))
    });
}

#[test]
fn defaults_are_few_and_none_is_in_a_list() {
    let mut found = BTreeSet::new();
    for (kind, schema) in schemas() {
        walk(&kind, &schema, &mut |path, node| {
            if !node["default"].is_null() {
                found.insert(format!("{path} = {}", node["default"]));
            }
        });
    }
    let expected = [
        "InstancePlacement.spec.revision = 0",
        "InstancePlacement.spec.suspend = false",
        "InstancePlacement.status = {\"observedGeneration\":-1}",
        "VCenter.spec.inventoryMaxAgeSeconds = 60",
        "VCenter.status = {\"observedGeneration\":-1}",
    ];
    assert_eq!(found, expected.map(String::from).into());
}

#[test]
fn every_spec_field_of_a_placement_is_final_or_not() {
    let schema = &schemas()["InstancePlacement"];
    let properties = schema["properties"]["spec"]["properties"].as_object().unwrap();
    let fields: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
    assert_eq!(fields, MUTABLE.iter().chain(IMMUTABLE).copied().collect());
    let rule = schema["x-kubernetes-validations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["rule"].as_str().unwrap())
        .find(|rule| rule.contains("self.spec.revision > oldSelf.status.revision"))
        .unwrap();
    for field in IMMUTABLE {
        assert!(rule.contains(&format!("has(self.spec.{field}) == has(oldSelf.spec.{field})")), "{field}");
    }
}

#[test]
fn only_rules_about_a_change_or_about_spec_and_status_stand_at_the_root() {
    for (kind, schema) in schemas() {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let rule = rule["rule"].as_str().unwrap();
            let both = rule.contains("self.spec") && rule.contains("self.status");
            assert!(rule.contains("oldSelf") || both, "{kind}: {rule}");
        }
    }
}
