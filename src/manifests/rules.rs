//! What the API server holds a new object of one kind to: structure, defaults and the CEL rules of its CRD. No
//! I/O.

use kube::core::cel::{CompiledSchema, Validator, apply_defaults, compile_schema};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::schema::{At, Findings, Schema, shown};
use super::tree::{Content, Node};

/// Names of most objects: a DNS subdomain.
const SUBDOMAIN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// Names of namespaces: a DNS label.
const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// Keys of labels and annotations.
const QUALIFIED_NAME: &str = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?\
    [A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
const LABEL_VALUE: &str = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
/// Of all annotations of an object together.
const MAX_ANNOTATION_BYTES: usize = 256 << 10;
/// What an object can have in its metadata besides names, labels and annotations.
const MORE_METADATA: [&str; 11] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The rules of one kind, compiled once for all of its objects.
#[derive(Debug)]
pub(super) struct Rules {
    structure: Schema,
    /// The CRD's schema, for its defaults.
    defaults: Value,
    cel: CompiledSchema,
    validator: Validator,
    namespaced: bool,
}

impl Rules {
    /// Of a kind that has a CRD.
    ///
    /// # Errors
    /// When the schema has a keyword that is not understood here.
    pub(super) fn of_crd(crd: &Value) -> Result<Self, serde_json::Error> {
        let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap_or(&Value::Null);
        let mut structure = Schema::deserialize(schema)?;
        let root = json!({"properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": metadata(&json!({"type": "string", "maxLength": 253, "pattern": SUBDOMAIN})),
            // Whatever a manifest says here counts for nothing: the status has its own endpoint.
            "status": {"x-kubernetes-preserve-unknown-fields": true},
        }});
        structure.properties.extend(Schema::deserialize(root)?.properties);
        let namespaced = crd.pointer("/spec/scope").is_some_and(|scope| scope == "Namespaced");
        Ok(Self::new(structure, schema.clone(), namespaced))
    }

    /// Of `v1` `Namespace`, as far as names and labels go.
    ///
    /// # Errors
    /// As [`Rules::of_crd`].
    pub(super) fn of_namespaces() -> Result<Self, serde_json::Error> {
        let structure = Schema::deserialize(json!({
            "type": "object",
            "properties": {"metadata": metadata(&json!({"type": "string", "maxLength": 63, "pattern": LABEL}))},
            "additionalProperties": {"x-kubernetes-preserve-unknown-fields": true},
        }))?;
        Ok(Self::new(structure, Value::Null, false))
    }

    fn new(structure: Schema, defaults: Value, namespaced: bool) -> Self {
        let cel = compile_schema(&defaults);
        Self { structure, defaults, cel, validator: Validator::new(), namespaced }
    }

    /// The object as the API server would store it, or what it would be refused for.
    pub(super) fn admit(&self, node: &Node) -> Result<Value, Findings> {
        let mut findings = Findings::default();
        check_name(node, &mut findings);
        check_annotations(node, &mut findings);
        let mut object = self.structure.read(node, At { spot: node.spot, path: "" }, &mut findings);
        if let Some(object) = object.as_object_mut() {
            object.remove("status");
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
            && !self.namespaced
        {
            metadata.remove("namespace");
        }
        let object = apply_defaults(&self.defaults, &object);
        if !findings.blocking {
            self.obey(&object, node, &mut findings);
        }
        if findings.list.is_empty() { Ok(object) } else { Err(findings) }
    }

    /// What a stored object cannot be changed into, by the rules that compare the two; its status stays.
    pub(super) fn check_update(&self, stored: &Value, wanted: &Value) -> Vec<String> {
        let mut changed = wanted.clone();
        if let (Some(changed), Some(status)) = (changed.as_object_mut(), stored.get("status")) {
            changed.insert("status".to_owned(), status.clone());
        }
        let checked = self.validator.validate_compiled(&self.cel, &changed, Some(stored));
        let errors = checked.err().into_iter().flatten();
        errors.map(|error| format!("{}: {}", error.field_path, error.message)).collect()
    }

    /// Rules that compare with what was stored do not apply to a new object.
    fn obey(&self, object: &Value, node: &Node, findings: &mut Findings) {
        let Err(errors) = self.validator.validate_compiled(&self.cel, object, None) else { return };
        for error in errors {
            let path = &error.field_path;
            let (spot, at) = node.at(path);
            let words = match error.reason.as_deref() {
                Some("FieldValueRequired") => "Required value".to_owned(),
                _ => format!("Invalid value: {}", shown(&at.to_value())),
            };
            findings.add(spot, format!("{path}: {words}: {}", error.message));
        }
    }
}

fn check_name(node: &Node, findings: &mut Findings) {
    let metadata = node.get("metadata");
    let is_given =
        |field: &str| metadata.and_then(|metadata| metadata.get(field)).is_some_and(|value| !value.is_null());
    if !is_given("name") {
        let why = if is_given("generateName") {
            ": with generateName only the cluster knows the name; give it one to plan with"
        } else {
            ""
        };
        findings.add(node.spot_of_key("metadata"), format!("metadata.name: Required value{why}"));
    }
}

fn check_annotations(node: &Node, findings: &mut Findings) {
    let Some(metadata) = node.get("metadata") else { return };
    let Some(Content::Map(entries)) = metadata.get("annotations").map(|node| &node.content) else { return };
    let bytes = entries.iter().map(|(key, value)| key.name.len() + value.as_str().map_or(0, str::len));
    if bytes.sum::<usize>() > MAX_ANNOTATION_BYTES {
        let message =
            format!("metadata.annotations: Too long: may not be more than {MAX_ANNOTATION_BYTES} bytes");
        findings.add(metadata.spot_of_key("annotations"), message);
    }
}

fn metadata(name: &Value) -> Value {
    let keys = |pattern: String| json!({"type": "string", "maxLength": 317, "pattern": pattern});
    let mut metadata = json!({"type": "object", "properties": {
        "name": name,
        "namespace": {"type": "string", "maxLength": 63, "pattern": LABEL},
        "labels": {
            "type": "object",
            "propertyNames": keys(QUALIFIED_NAME.to_owned()),
            "additionalProperties": {"type": "string", "maxLength": 63, "pattern": LABEL_VALUE},
        },
        "annotations": {
            "type": "object",
            "propertyNames": keys(format!("(?i){QUALIFIED_NAME}")),
            "additionalProperties": {"type": "string"},
        },
    }});
    if let Some(properties) = metadata.pointer_mut("/properties").and_then(Value::as_object_mut) {
        let more = MORE_METADATA
            .map(|field| (field.to_owned(), json!({"x-kubernetes-preserve-unknown-fields": true})));
        properties.extend(more);
    }
    metadata
}
