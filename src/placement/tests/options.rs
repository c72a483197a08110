//! The option in which Glance names datastores and their weights, as the fields that a class has instead.

use serde_json::{Value, json};

use super::vectors::Vector;
use super::*;
use crate::manifests::{Reader, Source};

pub(super) fn replay(vector: &Vector) {
    let (id, expected) = (&vector.id, &vector.expected);
    let input = vector.input["option"].as_str().map(|option| vec![option]);
    let options = input.unwrap_or_else(|| {
        vector.input["options"].as_array().unwrap().iter().map(|option| option.as_str().unwrap()).collect()
    });
    let class = class_of(&options);
    if expected.get("error").is_some() {
        assert_ne!(class.unwrap_err(), [] as [String; 0], "{id}");
        return;
    }
    let class = class.unwrap_or_else(|problems| panic!("{id}: {problems:?}"));
    let Some(groups) = expected["groups"].as_array() else {
        let datastore = expected["datastore"].as_str().unwrap();
        let weight = class.weights.iter().find(|(pattern, _)| pattern.matches(datastore));
        assert_eq!(json!(class.compute.datacenter), expected["datacenterPath"], "{id}");
        assert_eq!(json!(weight.map_or(0, |(_, weight)| *weight)), expected["weight"], "{id}");
        return;
    };
    // Free space decides within a group and nowhere else.
    let groups = groups.iter().map(|group| group["datastores"].as_array().unwrap().iter().map(name_in));
    let groups: Vec<Vec<String>> = groups.map(Iterator::collect).collect();
    let names: Vec<String> = groups.concat();
    let turned = groups.iter().flat_map(|group| group.iter().rev().cloned());
    assert_eq!(ranked(&class, names.iter()), names, "{id}");
    assert_eq!(ranked(&class, names.iter().rev()), turned.collect::<Vec<_>>(), "{id}");
}

/// The name in `datacenter:datastore`.
fn name_in(option: &Value) -> String {
    option.as_str().unwrap().split(':').nth(1).unwrap().to_owned()
}

/// What is between the colons of `datacenter:datastore:weight`, as somebody would write it into a class. A
/// datastore without weight has no entry. A class has one datacenter, so that of several options names none.
fn class_of(options: &[&str]) -> Result<ClassRules, Vec<String>> {
    let mut spec = json!({"weights": []});
    for option in options {
        let mut parts = option.splitn(3, ':').map(str::trim);
        if let ([_], Some(datacenter)) = (options, parts.next()) {
            spec["compute"] = json!({"datacenter": datacenter});
        }
        let entry = match (parts.next(), parts.next()) {
            (Some(_), None) => continue,
            (None, _) => json!({}),
            (Some(name), Some(weight)) => {
                let weight = weight.parse().map_or(json!(weight), |weight: i64| json!(weight));
                json!({"namePattern": regex::escape(name), "weight": weight})
            }
        };
        spec["weights"].as_array_mut().unwrap().push(entry);
    }
    let class = json!({
        "apiVersion": "berth.dev/v1alpha1",
        "kind": "PlacementClass",
        "metadata": {"name": "images"},
        "spec": spec,
    });
    let source = Source { name: "class.yaml".to_owned(), text: class.to_string() };
    let reading = Reader::new().unwrap().read(&source);
    if !reading.problems.is_empty() {
        return Err(reading.problems.iter().map(ToString::to_string).collect());
    }
    let spec = serde_json::from_value(reading.manifests[0].object["spec"].clone()).unwrap();
    ClassRules::parse(&spec, &mut Patterns::default()).map_err(|why| vec![why.message])
}

/// The names in the order of their ranks, where each has less free space than the one before it.
fn ranked<'a>(class: &ClassRules, names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let seen = names.zip(1..).map(|(name, n)| Datastore {
        free: Some((100 - n) * GIB),
        ..datastore(&format!("datastore-{n}"), name, "VMFS")
    });
    let request = Request::compile(&ask(Some("1Gi"), None), class, &Selector::default(), None);
    let mut verdicts = explain(&request, &inventory(seen.collect()), &Ledger::default());
    verdicts.sort_by_key(|verdict| verdict.rank);
    verdicts.into_iter().map(|verdict| verdict.name).collect()
}
