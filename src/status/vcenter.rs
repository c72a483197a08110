//! Puts Berth's part into the status of a `VCenter`. No I/O.

use serde_json::{Map, Value};

use crate::api::{ConditionType, VCenterStatus};

/// Every field of a `VCenter`'s status that is Berth's.
const OWN_FIELDS: [&str; 8] = [
    "observedGeneration",
    "conditions",
    "version",
    "instanceUUID",
    "credentialsVersion",
    "datastoreCount",
    "datastores",
    "allowedNamespaceCount",
];

/// The status of a `VCenter` as it is to become: foreign fields and conditions stay, and so does the time of a condition
/// whose status does not change.
///
/// # Errors
/// Never in fact: the API's own types always serialize.
pub fn apply_vcenter(current: &Value, status: &VCenterStatus) -> Result<Value, serde_json::Error> {
    let mut fields: Map<String, Value> = current.as_object().cloned().unwrap_or_default();
    let before = fields.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    for field in OWN_FIELDS {
        fields.remove(field);
    }
    if let Value::Object(own) = serde_json::to_value(status)? {
        fields.extend(own);
    }
    let mut own = fields.remove("conditions").and_then(into_list).unwrap_or_default();
    let mut conditions = Vec::new();
    // In the order that they have, so that an unchanged status compares equal.
    for old in before {
        match own.iter().position(|new| kind_of(new) == kind_of(&old)) {
            Some(place) => conditions.push(keep_time(own.remove(place), &old)),
            None if kind_of(&old).and_then(ConditionType::of).is_some() => {}
            None => conditions.push(old),
        }
    }
    conditions.append(&mut own);
    if !conditions.is_empty() {
        fields.insert("conditions".to_owned(), Value::Array(conditions));
    }
    Ok(Value::Object(fields))
}

fn keep_time(mut new: Value, old: &Value) -> Value {
    if new.get("status") == old.get("status")
        && let (Some(since), Some(fields)) = (old.get("lastTransitionTime"), new.as_object_mut())
    {
        fields.insert("lastTransitionTime".to_owned(), since.clone());
    }
    new
}

fn kind_of(condition: &Value) -> Option<&str> {
    condition.get("type").and_then(Value::as_str)
}

fn into_list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(list) => Some(list),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{ConditionStatus, DatastoreTypeCount};
    use crate::status::condition;

    fn status(ready: ConditionStatus, at: &str) -> VCenterStatus {
        VCenterStatus {
            observed_generation: Some(1),
            conditions: vec![condition(
                ConditionType::Ready,
                ready,
                "Connected",
                "m",
                1,
                at.parse().unwrap(),
            )],
            datastore_count: Some(1),
            datastores: vec![DatastoreTypeCount { type_: "VMFS".into(), count: 1 }],
            ..VCenterStatus::default()
        }
    }

    const EARLY: &str = "2026-01-01T00:00:00Z";
    const LATE: &str = "2026-02-02T00:00:00Z";

    #[test]
    fn foreign_parts_and_times_stay_and_old_fields_go() {
        let audited = json!({"type": "Audited", "status": "True"});
        let mut current = apply_vcenter(&json!({}), &status(ConditionStatus::True, EARLY)).unwrap();
        current["note"] = json!("theirs");
        current["version"] = json!("8.0.2");
        current["conditions"].as_array_mut().unwrap().insert(0, audited.clone());

        let again = apply_vcenter(&current, &status(ConditionStatus::True, LATE)).unwrap();
        assert_eq!(again["conditions"][0], audited);
        assert_eq!(again["conditions"][1]["lastTransitionTime"], EARLY);
        assert_eq!((&again["note"], again.get("version")), (&json!("theirs"), None));
        assert_eq!(apply_vcenter(&again, &status(ConditionStatus::True, LATE)).unwrap(), again);

        let turned = apply_vcenter(&again, &status(ConditionStatus::False, LATE)).unwrap();
        assert_eq!(turned["conditions"][1]["lastTransitionTime"], LATE);
    }

    #[test]
    fn the_list_of_own_fields_is_complete() {
        let full = VCenterStatus {
            version: Some("8".into()),
            instance_uuid: Some("u".into()),
            credentials_version: Some("1".into()),
            allowed_namespace_count: Some(1),
            ..status(ConditionStatus::True, EARLY)
        };
        let value = serde_json::to_value(full).unwrap();
        let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut own = OWN_FIELDS.to_vec();
        names.sort_unstable();
        own.sort_unstable();
        assert_eq!(names, own);
    }
}
