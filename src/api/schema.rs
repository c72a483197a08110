//! The CRDs: derived from the types, then tidied. No I/O.

use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{GROUP, InstancePlacement, PlacementClass, VCenter, rules};

/// First line of every file.
const HEADER: &str = "# Written by `berth crd` from src/api. Do not edit.\n";
/// Names of Kubernetes objects.
pub(super) const OBJECT_NAME: &str = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";
/// Whether a text can be the name of an object: it has the form of `OBJECT_NAME`, and no path to elsewhere.
#[must_use]
pub fn is_object_name(text: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.len() <= 253
        && bytes.iter().all(|byte| alphanumeric(byte) || matches!(byte, b'-' | b'.'))
        && bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
}

/// Names within an object.
pub(super) const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// `https://host[:port]`: no path, no user info.
pub(super) const SERVER: &str =
    r"^https://([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$";
/// 32 bytes in hexadecimal, with or without colons.
pub(super) const THUMBPRINT: &str = "^([0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31})$";
/// The largest whole number that every JSON reader keeps exact.
pub(super) const LARGEST_EXACT: i64 = 1 << 53;
/// The largest whole number below 2^63 that a schema can state: bounds are floating-point numbers in the API
/// server, and 2^63 itself does not fit its int64.
pub(super) const LARGEST_INT64: i64 = i64::MAX - 1023;

/// One file of `crds/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrdFile {
    /// Its name in the folder.
    pub name: String,
    /// Its text: one `CustomResourceDefinition` in YAML.
    pub text: String,
}

/// The three `CustomResourceDefinition`s, as JSON. A typed CRD would write whole numbers as `0.0`.
#[must_use]
pub fn crds() -> Vec<Value> {
    let mut crds = vec![json!(InstancePlacement::crd()), json!(PlacementClass::crd()), json!(VCenter::crd())];
    crds.iter_mut().for_each(tidy);
    crds
}

/// The files of `crds/`, each with one CRD.
///
/// # Errors
/// When the YAML writer fails, which it does for no CRD that the tests have seen.
pub fn crd_files() -> Result<Vec<CrdFile>, serde_saphyr::ser::Error> {
    crds()
        .iter()
        .map(|crd| {
            let plural = crd.pointer("/spec/names/plural").and_then(Value::as_str).unwrap_or_default();
            let yaml = serde_saphyr::to_string(crd)?;
            Ok(CrdFile { name: format!("{GROUP}_{plural}.yaml"), text: format!("{HEADER}{yaml}") })
        })
        .collect()
}

/// All CRDs as one YAML stream, to pipe into `kubectl apply --server-side -f -`.
///
/// # Errors
/// As [`crd_files`].
pub fn crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    let files = crd_files()?;
    Ok(files.iter().map(|file| file.text.as_str()).collect::<Vec<_>>().join("---\n"))
}

/// The schema of a label selector, with bounds: the imported type has none.
pub(super) fn namespace_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels that a namespace must have, with these values.",
                "type": "object",
                "maxProperties": 32,
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
            "matchExpressions": {
                "description": "Conditions on a namespace's labels. All must hold.",
                "type": "array",
                "maxItems": 32,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {
                            "description": "Key of the label.",
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 317,
                        },
                        "operator": {
                            "description": "How the label's value is compared with the values.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "Values to compare with; for In and NotIn only.",
                            "type": "array",
                            "maxItems": 64,
                            "x-kubernetes-list-type": "atomic",
                            "items": {"type": "string", "maxLength": 63},
                        },
                    },
                    "x-kubernetes-validations": [rules::values_as_operator_says()],
                },
            },
        },
    })
}

/// Takes out of a derived schema what the derive cannot leave out: `nullable` (every optional field gets it,
/// and a status stored as null would lose its default), null among enum values, fractions in bounds, `anyOf`
/// where int-or-string says it already, and line breaks in descriptions.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("nullable") == Some(&Value::Bool(true)) {
                map.remove("nullable");
            }
            if map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
                map.remove("anyOf");
            }
            if let Some(Value::Array(values)) = map.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            for bound in ["minimum", "maximum"] {
                if let Some(number) = map.get_mut(bound).filter(|value| value.is_f64()) {
                    whole(number);
                }
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(list) => list.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// `0.0` -> `0`. A bound that is no whole number stays, and a test objects to it.
fn whole(number: &mut Value) {
    let whole: Option<i64> = number.as_f64().and_then(|float| format!("{float:.0}").parse().ok());
    if let Some(whole) = whole
        && number.as_f64() == serde_json::Number::from(whole).as_f64()
    {
        *number = whole.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(mut value: Value) -> Value {
        tidy(&mut value);
        value
    }

    #[test]
    fn what_the_derive_adds_goes() {
        assert_eq!(tidied(json!({"type": "string", "nullable": true})), json!({"type": "string"}));
        assert_eq!(tidied(json!({"enum": ["A", null]})), json!({"enum": ["A"]}));
        let size = json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}]});
        assert_eq!(tidied(size), json!({"x-kubernetes-int-or-string": true}));
        assert_eq!(tidied(json!([{"description": "One\nline."}])), json!([{"description": "One line."}]));
    }

    #[test]
    fn bounds_become_whole_numbers() {
        for (given, expected) in [
            (0.0, json!(0)),
            (-1.0, json!(-1)),
            (9_007_199_254_740_992.0, json!(LARGEST_EXACT)),
            (9_223_372_036_854_774_784.0, json!(LARGEST_INT64)),
            (0.5, json!(0.5)),
            (1e30, json!(1e30)),
        ] {
            assert_eq!(
                tidied(json!({"minimum": given, "maximum": 1})),
                json!({"minimum": expected, "maximum": 1})
            );
        }
    }

    #[test]
    fn fields_with_the_name_of_a_keyword_stay() {
        let fields = json!({"properties": {
            "nullable": {"type": "boolean"},
            "enum": {"type": "string"},
            "minimum": {"type": "integer"},
            "description": {"type": "string"},
        }});
        assert_eq!(tidied(fields.clone()), fields);
    }
}
