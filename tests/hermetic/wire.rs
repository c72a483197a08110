//! What the types read and write: the objects that users write come back as they were.

use std::collections::BTreeSet;
use std::fmt::Display;

use berth::api::{
    DriftReason, InstancePlacement, InstancePlacementSpec, InstancePlacementStatus, PlacementClass,
    PlacementReason, Quantity, RejectionCode, VCenter, VCenterReason, VCenterSpec,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cel_cases::{Expect, load, object};

/// Reads and writes; the second time nothing may change any more.
fn round_trip<K: DeserializeOwned + Serialize>(value: &Value) -> Value {
    let read: K = serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{e}: {value}"));
    let written = serde_json::to_value(&read).unwrap();
    let again: K = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), written);
    written
}

/// Every value of `given` is in `written`: nothing that was accepted is lost.
fn lost(path: &str, given: &Value, written: &Value) -> Vec<String> {
    match given {
        Value::Null => Vec::new(),
        Value::Object(map) => {
            map.iter().flat_map(|(k, v)| lost(&format!("{path}.{k}"), v, &written[k])).collect()
        }
        Value::Array(list) if list.is_empty() => Vec::new(),
        Value::Number(number) if written.is_string() => {
            (written != &json!(number.to_string())).then(|| path.to_owned()).into_iter().collect()
        }
        other => {
            (other != written).then(|| format!("{path}: {other} became {written}")).into_iter().collect()
        }
    }
}

#[test]
fn whatever_is_accepted_is_kept() {
    for (file, cases) in load() {
        for case in cases.cases.iter().filter(|case| matches!(case.expect, Expect::Accepted)) {
            let stored = case.stored.as_ref();
            let spec = case.spec.as_ref().or(stored.map(|stored| &stored.spec)).unwrap();
            let given = object(&cases.kind, "x", spec, case.status.as_ref());
            let written = match cases.kind.as_str() {
                "InstancePlacement" => round_trip::<InstancePlacement>(&given),
                "PlacementClass" => round_trip::<PlacementClass>(&given),
                "VCenter" => round_trip::<VCenter>(&given),
                other => panic!("{other}"),
            };
            let lost = lost("", &given, &written);
            assert!(lost.is_empty(), "{file}: {}: {lost:?}", case.name);
        }
    }
}

#[test]
fn a_quantity_is_a_number_or_a_string() {
    let read = |text: &str| serde_json::from_str::<Quantity>(text).map(|quantity| quantity.0);
    assert_eq!(read("21474836480").unwrap(), "21474836480");
    assert_eq!(read("\"20Gi\"").unwrap(), "20Gi");
    assert_eq!(read("\"2.147483648e+10\"").unwrap(), "2.147483648e+10");
    // Helm writes large whole numbers like this. The text may differ, the value may not.
    assert_eq!(
        read("2.147483648e+10").unwrap().parse::<f64>().unwrap().to_bits(),
        21_474_836_480_f64.to_bits()
    );
    assert_eq!(read("-1").unwrap(), "-1");
    for not_a_quantity in ["null", "true", "[]", "{}"] {
        assert!(read(not_a_quantity).is_err(), "{not_a_quantity}");
    }
    assert_eq!(serde_json::to_value(Quantity("20Gi".into())).unwrap(), json!("20Gi"));
}

#[test]
fn what_is_absent_has_the_default_of_the_schema() {
    let spec: InstancePlacementSpec = serde_json::from_value(json!({"rootDisk": {"size": 1}})).unwrap();
    assert_eq!((spec.revision, spec.suspend), (0, false));
    let spec: VCenterSpec =
        serde_json::from_value(json!({"server": "https://vc", "credentialsSecretName": "vc"})).unwrap();
    assert_eq!(spec.inventory_max_age_seconds, 60);
    assert!(spec.allowed_namespaces.is_none());
    let status: InstancePlacementStatus = serde_json::from_value(json!({"observedGeneration": -1})).unwrap();
    assert_eq!(status.observed_generation, Some(-1));
    assert_eq!(serde_json::to_value(InstancePlacementStatus::default()).unwrap(), json!({}));
}

#[test]
fn every_reason_is_unique_and_described() {
    fn check<T: Copy + Display>(all: &[T], describe: impl Fn(T) -> &'static str) {
        let words: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
        let descriptions: BTreeSet<&str> = all.iter().map(|word| describe(*word)).collect();
        assert_eq!((words.len(), descriptions.len()), (all.len(), all.len()));
        for word in words {
            let camel = word.starts_with(char::is_uppercase) && word.chars().all(char::is_alphanumeric);
            assert!(camel && word.len() <= 64, "{word}");
        }
        for text in descriptions {
            assert!(text.len() > 10 && text.ends_with('.') && text.trim() == text, "{text:?}");
        }
    }
    check(PlacementReason::ALL, PlacementReason::description);
    check(VCenterReason::ALL, VCenterReason::description);
    check(RejectionCode::ALL, RejectionCode::description);
    check(DriftReason::ALL, DriftReason::description);
}
