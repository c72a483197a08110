//! What of a status only the moment of writing knows, taken away. No I/O.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::api::ConditionType;

/// A status without times, without the uid of a class that has none yet, and without the instanceUUID unless
/// the cluster's name is known.
pub(super) fn status(mut status: Value, named_cluster: bool, invented: &BTreeSet<String>) -> Value {
    let Some(fields) = status.as_object_mut() else { return status };
    if !named_cluster {
        fields.remove("instanceUUID");
    }
    let expiry = part(fields, "claim").and_then(|claim| claim.remove("expirationTime"));
    let decision = part(fields, "decision");
    if let Some(decision) = decision {
        if let Some(inventory) = part(decision, "inventory") {
            inventory.remove("time");
        }
        if let Some(class) = part(decision, "placementClass")
            && class.get("uid").and_then(Value::as_str).is_some_and(|uid| invented.contains(uid))
        {
            class.remove("uid");
        }
    }
    let until = expiry.as_ref().and_then(Value::as_str).map(|expiry| format!(" until {expiry}"));
    let conditions = fields.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten().filter_map(Value::as_object_mut) {
        condition.remove("lastTransitionTime");
        let is_room = condition.get("type").and_then(Value::as_str) == Some(ConditionType::RoomKept.as_str());
        if let (true, Some(until), Some(Value::String(message))) =
            (is_room, &until, condition.get_mut("message"))
        {
            *message = message.replace(until.as_str(), "");
        }
    }
    status
}

/// The Ready condition.
pub(super) fn ready(status: &Value) -> Option<&Value> {
    let conditions = status.get("conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().find(|condition| {
        condition.get("type").and_then(Value::as_str) == Some(ConditionType::Ready.as_str())
    })
}

fn part<'a>(fields: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    fields.get_mut(name).and_then(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_moment_knows_is_taken_away_and_nothing_else() {
        let full = json!({
            "observedGeneration": 2, "revision": 1, "instanceUUID": "7f0c",
            "conditions": [
                {"type": "Ready", "status": "True", "message": "selected", "lastTransitionTime": "2026-01-01T00:00:00Z"},
                {"type": "RoomKept", "status": "True", "message": "room is kept until 2026-01-01T01:00:00Z for the instance to appear",
                 "lastTransitionTime": "2026-01-01T00:00:00Z"},
            ],
            "claim": {"bytes": 10, "state": "Open", "expirationTime": "2026-01-01T01:00:00Z"},
            "decision": {"inventory": {"version": "abc", "time": "2026-01-01T00:00:00Z"},
                         "placementClass": {"name": "gold", "uid": "planned-1", "generation": 1}},
        });
        let invented = BTreeSet::from(["planned-1".to_owned()]);
        let expected = json!({
            "observedGeneration": 2, "revision": 1,
            "conditions": [
                {"type": "Ready", "status": "True", "message": "selected"},
                {"type": "RoomKept", "status": "True", "message": "room is kept for the instance to appear"},
            ],
            "claim": {"bytes": 10, "state": "Open"},
            "decision": {"inventory": {"version": "abc"}, "placementClass": {"name": "gold", "generation": 1}},
        });
        assert_eq!(status(full.clone(), false, &invented), expected);
        let known = status(full, true, &BTreeSet::new());
        assert_eq!(known["instanceUUID"], "7f0c");
        assert_eq!(known["decision"]["placementClass"]["uid"], "planned-1");
        assert_eq!(status(Value::Null, false, &invented), Value::Null);
    }
}
