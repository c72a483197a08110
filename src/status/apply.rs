//! Makes a change on whatever status is there. No I/O.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::{Condition, ConditionStatus, ConditionType, PlacementReason};

use super::change::{Change, Placed, Stance};
use super::condition::condition;

/// The status after the change. What is not Berth's stays, and so does the time of a condition whose
/// status does not change.
#[must_use]
pub fn apply(status: &Value, change: &Change, now: Timestamp) -> Value {
    let mut fields = status.as_object().cloned().unwrap_or_default();
    let conditions = conditions(&fields, change, now);
    fields.insert("conditions".to_owned(), Value::Array(conditions));
    set(&mut fields, "observedGeneration", &change.generation());
    match change {
        Change::Placed(placed) => set_placed(&mut fields, placed),
        Change::NotReady(not_ready) => match &not_ready.decision {
            Some(decision) => set(&mut fields, "decision", decision),
            // The decision that led to a datastore is told as long as that datastore is.
            None if fields.contains_key("datastore") => {}
            None => drop(fields.remove("decision")),
        },
        Change::Observed { .. } => {}
    }
    Value::Object(fields)
}

fn set_placed(fields: &mut Map<String, Value>, placed: &Placed) {
    let Placed { generation: _, message: _, revision, instance_uuid, datastore, image, claim, decision } =
        placed;
    set(fields, "revision", revision);
    set(fields, "instanceUUID", instance_uuid);
    set(fields, "datastore", datastore);
    set(fields, "claim", claim);
    set(fields, "decision", decision);
    match image {
        Some(image) => set(fields, "image", image),
        None => drop(fields.remove("image")),
    }
}

/// The API's own types always serialize; one that would not leaves the field as it was.
fn set(fields: &mut Map<String, Value>, name: &str, value: &impl Serialize) {
    if let Ok(value) = serde_json::to_value(value) {
        fields.insert(name.to_owned(), value);
    }
}

/// Berth's conditions first, then everybody else's as they are.
fn conditions(fields: &Map<String, Value>, change: &Change, now: Timestamp) -> Vec<Value> {
    let old = fields.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let ready = find(old, ConditionType::Ready);
    let (status, reason, message) = match change {
        Change::Placed(placed) => (ConditionStatus::True, PlacementReason::Placed, placed.message.clone()),
        Change::Observed { .. } => {
            (ConditionStatus::True, PlacementReason::Placed, standing_message(fields, ready.as_ref()))
        }
        Change::NotReady(not_ready) => (ConditionStatus::False, not_ready.reason, not_ready.message.clone()),
    };
    let companion = match change {
        Change::NotReady(not_ready) => match not_ready.stance {
            Stance::Reconciling => Some(ConditionType::Reconciling),
            Stance::Stalled => Some(ConditionType::Stalled),
            Stance::Neither => None,
        },
        Change::Placed(_) | Change::Observed { .. } => None,
    };
    let say = |type_, status, before: Option<Condition>| {
        let mut said = condition(type_, status, reason.as_str(), &message, change.generation(), now);
        if let Some(before) = before.filter(|before| before.status == status) {
            said.last_transition_time = before.last_transition_time;
        }
        said
    };
    let mut own = vec![say(ConditionType::Ready, status, ready)];
    own.extend(companion.map(|type_| say(type_, ConditionStatus::True, find(old, type_))));
    let foreign = old.iter().filter(|c| own_type(c).is_none()).cloned();
    own.into_iter().filter_map(|condition| serde_json::to_value(condition).ok()).chain(foreign).collect()
}

fn own_type(condition: &Value) -> Option<ConditionType> {
    condition.get("type").and_then(Value::as_str).and_then(ConditionType::of)
}

fn find(conditions: &[Value], type_: ConditionType) -> Option<Condition> {
    conditions.iter().find(|c| own_type(c) == Some(type_)).and_then(|c| Condition::deserialize(c).ok())
}

/// What a selection that stands is told with: its own words while they are there.
fn standing_message(fields: &Map<String, Value>, ready: Option<&Condition>) -> String {
    match ready {
        Some(ready) if ready.status == ConditionStatus::True => ready.message.clone(),
        _ => {
            let name = fields.get("datastore").and_then(|d| d.get("name")).and_then(Value::as_str);
            format!("selected {}", name.unwrap_or("a datastore"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::Decision;
    use crate::status::NotReady;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn not_ready(
        generation: i64,
        reason: PlacementReason,
        stance: Stance,
        decision: Option<Decision>,
    ) -> Change {
        Change::NotReady(Box::new(NotReady {
            generation,
            reason,
            message: "because".into(),
            stance,
            decision,
        }))
    }

    fn types(status: &Value) -> Vec<String> {
        let conditions = status["conditions"].as_array().unwrap();
        conditions
            .iter()
            .map(|c| format!("{}={}", c["type"].as_str().unwrap(), c["status"].as_str().unwrap()))
            .collect()
    }

    #[test]
    fn waiting_says_reconciling_and_a_hopeless_spec_says_stalled_never_both() {
        let waiting = not_ready(1, PlacementReason::ClassNotFound, Stance::Reconciling, None);
        let first = apply(&json!({"observedGeneration": -1}), &waiting, at(100));
        assert_eq!(types(&first), ["Ready=False", "Reconciling=True"]);
        assert_eq!(first["observedGeneration"], 1);
        let hopeless = not_ready(2, PlacementReason::InvalidSpec, Stance::Stalled, None);
        let second = apply(&first, &hopeless, at(200));
        assert_eq!(types(&second), ["Ready=False", "Stalled=True"]);
        let suspended = not_ready(3, PlacementReason::Suspended, Stance::Neither, None);
        assert_eq!(types(&apply(&second, &suspended, at(300))), ["Ready=False"]);
    }

    #[test]
    fn the_time_of_a_condition_moves_only_with_its_status() {
        let waiting = not_ready(1, PlacementReason::ClassNotFound, Stance::Reconciling, None);
        let first = apply(&json!({}), &waiting, at(100));
        let later = not_ready(1, PlacementReason::VCenterUnavailable, Stance::Reconciling, None);
        let second = apply(&first, &later, at(200));
        assert_eq!(second["conditions"][0]["lastTransitionTime"], "1970-01-01T00:01:40Z");
        assert_eq!(second["conditions"][0]["reason"], "VCenterUnavailable");
    }

    #[test]
    fn what_is_not_berths_stays() {
        let status = json!({
            "conditions": [{"type": "Inspected", "status": "True"}],
            "notes": {"by": "someone"},
        });
        let change = not_ready(1, PlacementReason::ClassNotFound, Stance::Reconciling, None);
        let after = apply(&status, &change, at(1));
        assert_eq!(types(&after), ["Ready=False", "Reconciling=True", "Inspected=True"]);
        assert_eq!(after["notes"]["by"], "someone");
    }

    #[test]
    fn a_selection_outlives_a_new_revision_that_nothing_fits() {
        let status = json!({"revision": 1, "datastore": {"name": "gold-1"}, "decision": {"eligible": 2}});
        let refused = Decision { evaluated: 3, ..Decision::default() };
        let change = not_ready(5, PlacementReason::NoEligibleDatastore, Stance::Reconciling, Some(refused));
        let after = apply(&status, &change, at(1));
        assert_eq!(after["datastore"]["name"], "gold-1");
        assert_eq!(after["decision"]["evaluated"], 3);
        let back = apply(&after, &Change::Observed { generation: 6 }, at(2));
        assert_eq!(types(&back), ["Ready=True"]);
        assert_eq!(back["conditions"][0]["message"], "selected gold-1");
        assert_eq!(back["observedGeneration"], 6);
    }
}
