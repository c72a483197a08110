//! Makes a change on whatever status is there. No I/O.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::{Claim, ClaimState, Condition, ConditionStatus, ConditionType, PlacementReason, RoomReason};

use super::change::{Change, Placed, Stance};
use super::condition::condition;

/// The status after the change. What is not Berth's stays, and so does the time of a condition whose
/// status does not change.
#[must_use]
pub fn apply(status: &Value, change: &Change, now: Timestamp) -> Value {
    let mut fields = status.as_object().cloned().unwrap_or_default();
    match change {
        Change::Placed(placed) => set_placed(&mut fields, placed),
        Change::NotReady(not_ready) => match &not_ready.decision {
            Some(decision) => set(&mut fields, "decision", decision),
            // The decision that led to a datastore is told as long as that datastore is.
            None if fields.contains_key("datastore") => {}
            None => drop(fields.remove("decision")),
        },
        Change::Observed { .. } => {}
        Change::ClaimExpired { revision } => match expired(&fields, *revision) {
            Some(claim) => set(&mut fields, "claim", &claim),
            // There is another claim by now.
            None => return status.clone(),
        },
    }
    let readiness = readiness(&fields, change);
    if let Some(readiness) = &readiness {
        set(&mut fields, "observedGeneration", &readiness.generation);
    }
    let conditions = conditions(&fields, readiness, now);
    fields.insert("conditions".to_owned(), Value::Array(conditions));
    Value::Object(fields)
}

fn set_placed(fields: &mut Map<String, Value>, placed: &Placed) {
    let Placed {
        generation: _,
        message: _,
        revision,
        instance_uuid,
        datastore,
        compute,
        image,
        claim,
        decision,
    } = placed;
    set(fields, "revision", revision);
    set(fields, "instanceUUID", instance_uuid);
    set(fields, "datastore", datastore);
    set(fields, "claim", claim);
    set(fields, "decision", decision);
    set_optional(fields, "compute", compute.as_ref());
    set_optional(fields, "image", image.as_ref());
}

/// The API's own types always serialize; one that would not leaves the field as it was.
fn set(fields: &mut Map<String, Value>, name: &str, value: &impl Serialize) {
    if let Ok(value) = serde_json::to_value(value) {
        fields.insert(name.to_owned(), value);
    }
}

fn set_optional(fields: &mut Map<String, Value>, name: &str, value: Option<&impl Serialize>) {
    match value {
        Some(value) => set(fields, name, value),
        None => drop(fields.remove(name)),
    }
}

/// The claim of this revision, expired; none when it is not open any more.
fn expired(fields: &Map<String, Value>, revision: i64) -> Option<Claim> {
    let claim = claim(fields).filter(|claim| claim.state == ClaimState::Open)?;
    let same = fields.get("revision").and_then(Value::as_i64).unwrap_or(0) == revision;
    same.then_some(Claim { state: ClaimState::Expired, ..claim })
}

fn claim(fields: &Map<String, Value>) -> Option<Claim> {
    fields.get("claim").and_then(|claim| Claim::deserialize(claim).ok())
}

/// What the Ready condition is to say, and which one goes with it.
struct Readiness {
    generation: i64,
    status: ConditionStatus,
    reason: PlacementReason,
    message: String,
    companion: Option<ConditionType>,
}

/// None: it stays as it is.
fn readiness(fields: &Map<String, Value>, change: &Change) -> Option<Readiness> {
    let placed = |generation, message| Readiness {
        generation,
        status: ConditionStatus::True,
        reason: PlacementReason::Placed,
        message,
        companion: None,
    };
    Some(match change {
        Change::Placed(new) => placed(new.generation, new.message.clone()),
        Change::Observed { generation } => placed(*generation, standing_message(fields)),
        Change::NotReady(not_ready) => Readiness {
            generation: not_ready.generation,
            status: ConditionStatus::False,
            reason: not_ready.reason,
            message: not_ready.message.clone(),
            companion: match not_ready.stance {
                Stance::Reconciling => Some(ConditionType::Reconciling),
                Stance::Stalled => Some(ConditionType::Stalled),
                Stance::Neither => None,
            },
        },
        Change::ClaimExpired { .. } => return None,
    })
}

/// Berth's conditions first, then everybody else's as they are.
fn conditions(fields: &Map<String, Value>, readiness: Option<Readiness>, now: Timestamp) -> Vec<Value> {
    let old = old_conditions(fields);
    let generation = fields.get("observedGeneration").and_then(Value::as_i64).unwrap_or(0);
    let say = |type_, status, reason: &str, message: &str| {
        let mut said = condition(type_, status, reason, message, generation, now);
        if let Some(before) = find(old, type_).filter(|before| before.status == status) {
            said.last_transition_time = before.last_transition_time;
        }
        said
    };
    let mut own: Vec<Condition> = Vec::new();
    if let Some(Readiness { status, reason, message, companion, .. }) = readiness {
        own.push(say(ConditionType::Ready, status, reason.as_str(), &message));
        let companion = companion.map(|type_| say(type_, ConditionStatus::True, reason.as_str(), &message));
        own.extend(companion);
    } else {
        let unchanged = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled];
        own.extend(unchanged.into_iter().filter_map(|type_| find(old, type_)));
    }
    own.extend(claim(fields).map(|claim| {
        let (status, reason, message) = room(&claim);
        say(ConditionType::RoomKept, status, reason.as_str(), &message)
    }));
    let foreign = old.iter().filter(|c| own_type(c).is_none()).cloned();
    own.into_iter().filter_map(|condition| serde_json::to_value(condition).ok()).chain(foreign).collect()
}

/// What the `RoomKept` condition says of a claim.
fn room(claim: &Claim) -> (ConditionStatus, RoomReason, String) {
    match claim.state {
        ClaimState::Open => {
            let until = claim.expiration_time.map_or_else(String::new, |time| format!(" until {time}"));
            let message = format!("room is kept{until} for the instance to appear");
            (ConditionStatus::True, RoomReason::Open, message)
        }
        ClaimState::Expired => {
            let message = "the instance did not appear in time, so no room is kept for it any more; raise \
                           spec.revision to ask for a new decision";
            (ConditionStatus::False, RoomReason::Expired, message.to_owned())
        }
    }
}

fn old_conditions(fields: &Map<String, Value>) -> &[Value] {
    fields.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn own_type(condition: &Value) -> Option<ConditionType> {
    condition.get("type").and_then(Value::as_str).and_then(ConditionType::of)
}

fn find(conditions: &[Value], type_: ConditionType) -> Option<Condition> {
    conditions.iter().find(|c| own_type(c) == Some(type_)).and_then(|c| Condition::deserialize(c).ok())
}

/// What a selection that stands is told with: its own words while they are there.
fn standing_message(fields: &Map<String, Value>) -> String {
    match find(old_conditions(fields), ConditionType::Ready) {
        Some(ready) if ready.status == ConditionStatus::True => ready.message,
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

    #[test]
    fn an_expired_claim_changes_the_claim_and_what_is_said_of_it_alone() {
        let claim = json!({"bytes": 5, "immediateBytes": 5, "state": "Open", "expirationTime": "1970-01-01T00:01:00Z"});
        let waiting = json!({"revision": 1, "datastore": {"name": "gold-1"}, "claim": claim});
        let change = not_ready(4, PlacementReason::ClassNotFound, Stance::Reconciling, None);
        let waiting = apply(&waiting, &change, at(1));
        assert_eq!(types(&waiting), ["Ready=False", "Reconciling=True", "RoomKept=True"]);
        let after = apply(&waiting, &Change::ClaimExpired { revision: 1 }, at(60));
        assert_eq!(types(&after), ["Ready=False", "Reconciling=True", "RoomKept=False"]);
        assert_eq!((&after["claim"]["state"], &after["claim"]["bytes"]), (&json!("Expired"), &json!(5)));
        assert_eq!(after["conditions"][2]["reason"], "Expired");
        assert_eq!(
            (&after["conditions"][0], &after["observedGeneration"]),
            (&waiting["conditions"][0], &json!(4))
        );
        assert_eq!(apply(&after, &Change::ClaimExpired { revision: 1 }, at(99)), after, "once");
        assert_eq!(apply(&waiting, &Change::ClaimExpired { revision: 2 }, at(99)), waiting, "another claim");
    }
}
