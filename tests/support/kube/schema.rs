//! What a CRD makes of an object: pruning, defaults, structure and CEL rules.

use kube::core::cel::{CompiledSchema, Validator, apply_defaults, compile_schema};
use serde_json::Value;

use super::structure;

/// The schema of a custom kind.
pub struct Schema {
    value: Value,
    rules: CompiledSchema,
    validator: Validator,
    /// The status has its own endpoint.
    pub status_apart: bool,
}

impl Schema {
    /// From one of a CRD's versions.
    pub fn new(version: &Value) -> Self {
        let value = version["schema"]["openAPIV3Schema"].clone();
        let rules = compile_schema(&value);
        let status_apart = version.pointer("/subresources/status").is_some();
        Self { value, rules, validator: Validator::new(), status_apart }
    }

    /// Drops what the schema does not know and nulls, and adds the defaults. Returns the unknown fields.
    pub fn tidy(&self, object: &mut Value) -> Vec<String> {
        let mut unknown = Vec::new();
        for part in ["spec", "status"] {
            let schema = &self.value["properties"][part];
            if let Some(value) = object.get_mut(part) {
                structure::prune(schema, value, part, &mut unknown);
            }
        }
        if let Some(object) = object.as_object_mut() {
            object.retain(|_, value| !value.is_null());
        }
        *object = apply_defaults(&self.value, object);
        unknown
    }

    /// What is wrong with an object, one line for each. What was wrong before and has not changed is let
    /// through, as the API server does since 1.30.
    pub fn check(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let mut wrong = Vec::new();
        structure::check(&self.value, new, old, "", &mut wrong);
        if !wrong.is_empty() {
            return wrong;
        }
        let broken = |object: &Value, old: Option<&Value>| match self.validator.validate_compiled(
            &self.rules,
            object,
            old,
        ) {
            Ok(()) => Vec::new(),
            Err(errors) => errors.into_vec(),
        };
        let errors = broken(new, old);
        let before = match old {
            Some(old) if !errors.is_empty() => broken(old, Some(old)),
            _ => Vec::new(),
        };
        let unchanged = |path: &str| old.is_some_and(|old| at(old, path) == at(new, path));
        errors
            .into_iter()
            .filter(|error| {
                let known =
                    before.iter().any(|b| b.field_path == error.field_path && b.message == error.message);
                !(known && unchanged(&error.field_path))
            })
            .map(|error| format!("{}: Invalid value: {}", error.field_path, error.message))
            .collect()
    }
}

/// What stands at a path such as `spec.rootDisk.size` or `status.conditions[0].type`.
fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split(['.', '[', ']']).filter(|part| !part.is_empty()).try_fold(object, |value, part| match value {
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    })
}
