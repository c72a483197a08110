//! From an object as the API server sends it to what the scheduler is told. No I/O.
//!
//! Metadata, spec and status are decoded apart, so that a broken spec does not hide what was promised, and
//! a broken status is read as far as it can be.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::api::{
    Claim, Condition, ConditionType, DEFAULT_CLASS_ANNOTATION, InstancePlacementStatus, SelectedDatastore,
    VCenterStatus,
};
use crate::scheduler::{Key, Meta, SeenClass, SeenPlacement, SeenVCenter};

use super::raw::RawObject;
use super::text::one_line;

/// The API server fills in all of these; an object without them is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("metadata.{0} is missing")]
pub(crate) struct Incomplete(&'static str);

pub(crate) fn placement(object: RawObject) -> Result<SeenPlacement, Incomplete> {
    let RawObject { metadata, spec, status } = object;
    let (status, foreign_status) = placement_status(&status);
    let meta = meta(&metadata)?;
    let deleting = metadata.deletion_timestamp.is_some();
    let (key, spec) = (key(metadata)?, decode_spec(&spec));
    Ok(SeenPlacement { key, meta, deleting, spec, status, foreign_status })
}

pub(crate) fn class(object: RawObject) -> Result<SeenClass, Incomplete> {
    let RawObject { metadata, spec, status: _ } = object;
    let is_default = metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(DEFAULT_CLASS_ANNOTATION))
        .is_some_and(|value| value == "true");
    Ok(SeenClass {
        meta: meta(&metadata)?,
        is_default,
        created: created(&metadata)?,
        spec: decode_spec(&spec),
        name: name(metadata)?,
    })
}

pub(crate) fn vcenter(object: RawObject) -> Result<SeenVCenter, Incomplete> {
    let RawObject { metadata, spec, status } = object;
    Ok(SeenVCenter {
        meta: meta(&metadata)?,
        created: created(&metadata)?,
        spec: decode_spec(&spec),
        status: vcenter_status(&status),
        name: name(metadata)?,
    })
}

/// Namespace and name.
pub(crate) fn key(metadata: ObjectMeta) -> Result<Key, Incomplete> {
    let namespace = metadata.namespace.ok_or(Incomplete("namespace"))?;
    Ok(Key { namespace, name: metadata.name.ok_or(Incomplete("name"))? })
}

pub(crate) fn name(metadata: ObjectMeta) -> Result<String, Incomplete> {
    metadata.name.ok_or(Incomplete("name"))
}

pub(crate) fn uid(metadata: &ObjectMeta) -> Result<String, Incomplete> {
    metadata.uid.clone().ok_or(Incomplete("uid"))
}

fn meta(metadata: &ObjectMeta) -> Result<Meta, Incomplete> {
    Ok(Meta {
        uid: uid(metadata)?,
        resource_version: metadata.resource_version.clone().ok_or(Incomplete("resourceVersion"))?,
        generation: metadata.generation.ok_or(Incomplete("generation"))?,
    })
}

fn created(metadata: &ObjectMeta) -> Result<Timestamp, Incomplete> {
    metadata.creation_timestamp.as_ref().map(|time| time.0).ok_or(Incomplete("creationTimestamp"))
}

/// The spec, or one line that names the field at fault when there is one.
fn decode_spec<T: DeserializeOwned>(spec: &Value) -> Result<T, String> {
    const LONGEST: usize = 512;
    if spec.is_null() {
        return Err("spec is missing".to_owned());
    }
    T::deserialize(spec).map_err(|error| {
        let words = error.to_string();
        let field = culprit::<T>(spec, &words).map(|field| format!(".{field}")).unwrap_or_default();
        one_line(&format!("spec{field}: {words}"), LONGEST)
    })
}

/// The field without which another error, or none, comes up. When a field is missing, to take another
/// required one away proves nothing.
fn culprit<'a, T: DeserializeOwned>(spec: &'a Value, error: &str) -> Option<&'a str> {
    let fields = spec.as_object()?;
    fields.keys().map(String::as_str).find(|field| {
        let mut without = fields.clone();
        without.remove(*field);
        let Err(other) = T::deserialize(&Value::Object(without)) else { return true };
        let other = other.to_string();
        let also_missing = error.starts_with("missing field") && other == format!("missing field `{field}`");
        other != error && !also_missing
    })
}

/// The status as far as it can be decoded, and whether it holds anything that Berth would not write.
fn placement_status(status: &Value) -> (InstancePlacementStatus, bool) {
    if status.is_null() {
        return (InstancePlacementStatus::default(), false);
    }
    if let Ok(decoded) = InstancePlacementStatus::deserialize(status) {
        let own = serde_json::to_value(&decoded).is_ok_and(|again| again == *status)
            && decoded.conditions.iter().all(is_own);
        return (decoded, !own);
    }
    let readable = InstancePlacementStatus {
        observed_generation: part(status, "observedGeneration"),
        revision: part(status, "revision"),
        conditions: conditions(status),
        instance_uuid: part(status, "instanceUUID"),
        datastore: datastore(status),
        compute: part(status, "compute"),
        image: part(status, "image"),
        claim: claim(status),
        decision: part(status, "decision"),
    };
    (readable, true)
}

fn vcenter_status(status: &Value) -> VCenterStatus {
    VCenterStatus::deserialize(status).unwrap_or_else(|_| VCenterStatus {
        observed_generation: part(status, "observedGeneration"),
        conditions: conditions(status),
        version: part(status, "version"),
        instance_uuid: part(status, "instanceUUID"),
        credentials_version: part(status, "credentialsVersion"),
        datastore_count: part(status, "datastoreCount"),
        datastores: part(status, "datastores").unwrap_or_default(),
        allowed_namespace_count: part(status, "allowedNamespaceCount"),
    })
}

fn part<T: DeserializeOwned>(object: &Value, field: &str) -> Option<T> {
    object.get(field).and_then(|value| T::deserialize(value).ok())
}

/// The selected datastore, without what cannot be decoded: a placement that has one is not decided again.
fn datastore(status: &Value) -> Option<SelectedDatastore> {
    let nothing = json!({
        "name": "", "moRef": "", "type": "", "url": "", "datacenter": "", "vCenter": {"name": "", "instanceUUID": ""},
    });
    decodable(status.get("datastore")?, nothing)
}

/// The claim, without what cannot be decoded: the room stays kept. One whose state or time is not understood
/// is open without an end.
fn claim(status: &Value) -> Option<Claim> {
    let nothing = json!({"bytes": 0, "immediateBytes": 0, "state": "Open", "expirationTime": null});
    let claim: Claim = decodable(status.get("claim")?, nothing)?;
    Some(Claim { bytes: claim.bytes.max(claim.immediate_bytes), ..claim })
}

/// An object with the fields of `nothing`: each as it is stored where that can be decoded, and as it is there
/// elsewhere.
fn decodable<T: DeserializeOwned>(stored: &Value, nothing: Value) -> Option<T> {
    let (stored, Value::Object(mut whole)) = (stored.as_object()?, nothing) else { return None };
    for (field, instead) in whole.clone() {
        whole.extend(stored.get(&field).map(|value| (field.clone(), value.clone())));
        if T::deserialize(Value::Object(whole.clone())).is_err() {
            whole.insert(field, instead);
        }
    }
    T::deserialize(Value::Object(whole)).ok()
}

/// Every condition that can be decoded.
fn conditions(status: &Value) -> Vec<Condition> {
    let all = status.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|condition| Condition::deserialize(condition).ok()).collect()
}

fn is_own(condition: &Condition) -> bool {
    ConditionType::of(&condition.type_).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ClaimState;

    fn object(spec: &Value, status: &Value) -> RawObject {
        RawObject::deserialize(json!({
            "apiVersion": "berth.dev/v1alpha1", "kind": "InstancePlacement",
            "metadata": {
                "name": "web-01", "namespace": "team-a", "uid": "u-1", "resourceVersion": "7", "generation": 2,
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
            },
            "spec": spec, "status": status,
        }))
        .unwrap()
    }

    fn own_status() -> Value {
        json!({
            "observedGeneration": 2, "revision": 1, "instanceUUID": "7f0c",
            "conditions": [{"type": "Ready", "status": "True", "reason": "Placed", "message": "selected",
                "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 2}],
            "datastore": {"name": "gold-1", "moRef": "datastore-42", "type": "VVOL", "url": "ds:///x/",
                "datacenter": "DC0", "vCenter": {"name": "vc", "instanceUUID": "9c8b"}},
            "claim": {"bytes": 10, "immediateBytes": 5, "state": "Open"},
            "decision": {"source": "Selected", "evaluated": 7, "eligible": 2},
        })
    }

    #[test]
    fn what_berth_wrote_is_not_foreign() {
        let seen = placement(object(&json!({"rootDisk": {"size": "40Gi"}}), &own_status())).unwrap();
        assert_eq!(seen.key.to_string(), "team-a/web-01");
        assert_eq!(seen.meta, Meta { uid: "u-1".into(), resource_version: "7".into(), generation: 2 });
        assert!(seen.spec.is_ok());
        assert!(!seen.foreign_status);
        assert_eq!(seen.status.datastore.unwrap().mo_ref, "datastore-42");
        // The default that the CRD sets, and no status at all.
        for status in [json!({"observedGeneration": -1}), Value::Null] {
            assert!(!placement(object(&json!({}), &status)).unwrap().foreign_status);
        }
    }

    /// Of two default classes, and of two objects for one vCenter, the times decide.
    #[test]
    fn a_class_knows_when_it_was_created() {
        let class = class(object(&json!({}), &Value::Null)).unwrap();
        assert_eq!(class.created, "2026-01-01T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn unknown_keys_and_foreign_conditions_are_foreign() {
        let mut unknown = own_status();
        unknown["datastore"]["pod"] = json!("x");
        let mut condition = own_status();
        condition["conditions"][0]["type"] = json!("Audited");
        for status in [unknown, condition, json!({"note": 1})] {
            assert!(placement(object(&json!({}), &status)).unwrap().foreign_status, "{status}");
        }
    }

    #[test]
    fn a_broken_status_is_read_as_far_as_it_can_be() {
        let mut status = own_status();
        status["decision"]["evaluated"] = json!("many");
        status["conditions"].as_array_mut().unwrap().push(json!({"type": 5}));
        let seen = placement(object(&json!({}), &status)).unwrap();
        assert!(seen.foreign_status);
        assert_eq!(seen.status.claim.unwrap().bytes, 10);
        assert_eq!(seen.status.revision, Some(1));
        assert_eq!(seen.status.conditions.len(), 1);
        assert_eq!(seen.status.decision, None);
        let seen = placement(object(&json!({}), &json!("nonsense"))).unwrap();
        assert!(seen.foreign_status);
    }

    #[test]
    fn a_broken_claim_keeps_room_and_a_broken_datastore_stays_selected() {
        let with = |pointer: &str, value: Value| {
            let mut status = own_status();
            *status.pointer_mut(pointer).unwrap() = value;
            let seen = placement(object(&json!({}), &status)).unwrap();
            assert!(seen.foreign_status, "{pointer}");
            (seen.status.datastore.unwrap(), seen.status.claim.unwrap())
        };
        let (datastore, claim) = with("/claim/state", json!("Doubled"));
        assert_eq!((claim.bytes, claim.state), (10, ClaimState::Open));
        assert_eq!(datastore.mo_ref, "datastore-42");
        let (_, claim) = with("/claim/bytes", json!("many"));
        assert_eq!((claim.bytes, claim.immediate_bytes), (5, 5));
        let (_, claim) = with("/claim", json!({"bytes": 10, "immediateBytes": 5, "expirationTime": "soon"}));
        assert_eq!((claim.bytes, claim.expiration_time), (10, None));
        let (datastore, claim) = with("/datastore/type", json!(7));
        assert_eq!(
            (datastore.type_.as_str(), datastore.mo_ref.as_str(), claim.bytes),
            ("", "datastore-42", 10)
        );
        let (datastore, _) = with("/datastore/vCenter", json!([]));
        assert_eq!(
            (datastore.vcenter.instance_uuid.as_str(), datastore.mo_ref.as_str()),
            ("", "datastore-42")
        );
    }

    #[test]
    fn a_broken_spec_names_the_field_in_one_line() {
        let seen = placement(object(&json!({"suspend": "no\nway", "revision": 1}), &own_status())).unwrap();
        let why = seen.spec.unwrap_err();
        assert!(why.starts_with("spec.suspend: invalid type"), "{why}");
        assert!(!why.contains('\n') && why.len() <= 512);
        assert!(seen.status.claim.is_some());
        let seen = placement(object(&json!({"suspend": "x".repeat(5000)}), &Value::Null)).unwrap();
        assert!(seen.spec.unwrap_err().len() <= 512);
        assert_eq!(
            placement(object(&Value::Null, &Value::Null)).unwrap().spec.unwrap_err(),
            "spec is missing"
        );
        let required = vcenter(object(&json!({"server": "https://vc"}), &Value::Null)).unwrap();
        assert_eq!(required.spec.unwrap_err(), "spec: missing field `credentialsSecretName`");
        let wrong = json!({"server": 5, "credentialsSecretName": "vc"});
        let why = vcenter(object(&wrong, &Value::Null)).unwrap().spec.unwrap_err();
        assert!(why.starts_with("spec.server: invalid type"), "{why}");
        let nested = placement(object(&json!({"suspend": true, "image": {}}), &Value::Null)).unwrap();
        assert_eq!(nested.spec.unwrap_err(), "spec.image: missing field `virtualSize`");
    }

    #[test]
    fn an_object_without_identity_is_none() {
        let mut bare = object(&json!({}), &Value::Null);
        bare.metadata.uid = None;
        assert_eq!(placement(bare).unwrap_err().to_string(), "metadata.uid is missing");
    }

    #[test]
    fn the_default_class_is_marked_by_its_annotation() {
        let mut marked = object(&json!({}), &Value::Null);
        marked.metadata.annotations = Some([(DEFAULT_CLASS_ANNOTATION.into(), "true".into())].into());
        assert!(class(marked).unwrap().is_default);
        assert!(!class(object(&json!({}), &Value::Null)).unwrap().is_default);
    }
}
