//! An object of one of Berth's kinds, decoded only as far as no object can fail. No I/O.
//!
//! One object that cannot be decoded would otherwise fail the whole list that it is in. What is not needed
//! (`managedFields` above all) is skipped while reading, not dropped afterwards.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::core::{ApiResource, DynamicResourceScope, Resource};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Metadata, spec and status of an object, the latter two as they came.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RawObject {
    /// Names, versions, labels and annotations; nothing else.
    #[serde(default, deserialize_with = "slim")]
    pub(crate) metadata: ObjectMeta,
    /// `Null` when absent.
    #[serde(default)]
    pub(crate) spec: Value,
    /// `Null` when absent.
    #[serde(default)]
    pub(crate) status: Value,
}

fn slim<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Slim {
        name: Option<String>,
        namespace: Option<String>,
        uid: Option<String>,
        resource_version: Option<String>,
        generation: Option<i64>,
        creation_timestamp: Option<Time>,
        annotations: Option<BTreeMap<String, String>>,
    }
    let Slim { name, namespace, uid, resource_version, generation, creation_timestamp, annotations } =
        Slim::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name,
        namespace,
        uid,
        resource_version,
        generation,
        creation_timestamp,
        annotations,
        ..ObjectMeta::default()
    })
}

impl Resource for RawObject {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        kind.kind.as_str().into()
    }

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        kind.group.as_str().into()
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        kind.version.as_str().into()
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        kind.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use kube::core::GroupVersionKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_of_the_kind_that_was_asked_for_and_keeps_what_is_needed() {
        let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("g", "v1", "Kind"), "kinds");
        assert_eq!(RawObject::kind(&kind), "Kind");
        assert_eq!((RawObject::group(&kind), RawObject::version(&kind)), ("g".into(), "v1".into()));
        assert_eq!(RawObject::plural(&kind), "kinds");
        let metadata = json!({
            "name": "a", "namespace": "n", "uid": "u-1", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": {"k": "v"},
        });
        let mut with_more = metadata.clone();
        with_more["managedFields"] = json!([{"manager": "kubectl"}]);
        let mut object: RawObject = serde_json::from_value(json!({"metadata": with_more})).unwrap();
        assert_eq!(json!(object.meta()), metadata);
        object.meta_mut().name = Some("b".to_owned());
        assert_eq!(object.metadata.name.as_deref(), Some("b"));
    }
}
