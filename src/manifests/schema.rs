//! The structure that an object must have: the part of a CRD's schema without CEL, as the API server holds
//! objects to it, and in its words. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny};
use serde_json::{Map, Value};

use super::tree::{Content, Key, Node, Spot};
use crate::objects::nearest;

/// One node of a schema. A keyword that is not here is an error: it would be left unchecked.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Schema {
    #[serde(rename = "type")]
    kind: Option<Type>,
    #[serde(rename = "x-kubernetes-int-or-string")]
    int_or_string: bool,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    preserve_unknown_fields: bool,
    pub(super) properties: BTreeMap<String, Schema>,
    additional_properties: Option<Box<Schema>>,
    /// What keys must be. Only the schema of metadata has it: a CRD cannot.
    property_names: Option<Box<Schema>>,
    required: Vec<String>,
    max_properties: Option<usize>,
    items: Option<Box<Schema>>,
    min_items: Option<usize>,
    max_items: Option<usize>,
    #[serde(rename = "x-kubernetes-list-type")]
    list_type: ListType,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    list_map_keys: Vec<String>,
    #[serde(rename = "enum")]
    allowed: Option<Vec<Value>>,
    pattern: Option<Pattern>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    minimum: Option<i64>,
    maximum: Option<i64>,
    default: Option<Value>,
    // Said for people, said more exactly by the bounds, or checked elsewhere.
    #[serde(rename = "title")]
    _title: IgnoredAny,
    #[serde(rename = "description")]
    _description: IgnoredAny,
    #[serde(rename = "format")]
    _format: IgnoredAny,
    #[serde(rename = "x-kubernetes-map-type")]
    _map_type: IgnoredAny,
    #[serde(rename = "x-kubernetes-validations")]
    _validations: IgnoredAny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
enum Type {
    Array,
    Boolean,
    Integer,
    Object,
    String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
enum ListType {
    #[default]
    Atomic,
    Map,
    Set,
}

#[derive(Clone, Debug)]
struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Regex::new(&text).map(Self).map_err(D::Error::custom)
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) spot: Spot,
    /// The path of the field and what is wrong with it.
    pub(super) message: String,
}

/// What is wrong with one object, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    /// Something is wrong that rules could stumble over.
    pub(super) blocking: bool,
}

impl Findings {
    const MOST: usize = 100;

    pub(super) fn add(&mut self, spot: Spot, message: String) {
        if self.list.len() < Self::MOST {
            self.list.push(Finding { spot, message });
        }
    }

    fn block(&mut self, spot: Spot, message: String) {
        self.blocking = true;
        self.add(spot, message);
    }
}

/// Where a value is: the place that messages name, and its path.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) spot: Spot,
    pub(super) path: &'a str,
}

impl At<'_> {
    fn invalid(self, shown: &str, words: &str) -> String {
        let path = self.path;
        format!("{path}: Invalid value: {shown}: {path} in body {words}")
    }

    fn child(self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

impl Schema {
    /// The value as the API server would go on with it: without nulls, which mean nothing here.
    pub(super) fn read(&self, node: &Node, at: At<'_>, findings: &mut Findings) -> Value {
        match (&node.content, self.kind) {
            _ if self.preserve_unknown_fields => node.to_value(),
            (Content::Map(entries), Some(Type::Object)) => self.read_object(entries, at, findings),
            (Content::List(items), Some(Type::Array)) => self.read_list(items, at, findings),
            (Content::Scalar(value), _) if self.takes(value) => {
                self.check_scalar(value, at, findings);
                value.clone()
            }
            _ => {
                let found = format!("\"{}\"", type_of(node));
                let words = format!("must be of type {}: {found}", self.expected_type());
                findings.block(at.spot, at.invalid(&found, &words));
                Value::Null
            }
        }
    }

    fn takes(&self, value: &Value) -> bool {
        match value {
            Value::Bool(_) => self.kind == Some(Type::Boolean),
            Value::Number(number) => {
                number.is_i64() && (self.int_or_string || self.kind == Some(Type::Integer))
            }
            Value::String(_) => self.int_or_string || self.kind == Some(Type::String),
            _ => false,
        }
    }

    fn expected_type(&self) -> &'static str {
        match self.kind {
            Some(Type::Array) => "array",
            Some(Type::Boolean) => "boolean",
            Some(Type::Integer) => "integer",
            Some(Type::Object) => "object",
            Some(Type::String) => "string",
            None => "integer,string",
        }
    }

    fn check_scalar(&self, value: &Value, at: At<'_>, findings: &mut Findings) {
        let shown = shown(value);
        if let Some(number) = value.as_i64() {
            if let Some(most) = self.maximum.filter(|most| number > *most) {
                findings.add(at.spot, at.invalid(&shown, &format!("should be less than or equal to {most}")));
            }
            if let Some(least) = self.minimum.filter(|least| number < *least) {
                findings
                    .add(at.spot, at.invalid(&shown, &format!("should be greater than or equal to {least}")));
            }
        }
        if let Some(text) = value.as_str() {
            self.check_text(text, &shown, at, findings);
        }
        if let Some(allowed) = self.allowed.as_ref().filter(|allowed| !allowed.contains(value)) {
            let allowed: Vec<_> = allowed.iter().map(Value::to_string).collect();
            let message =
                format!("{}: Unsupported value: {shown}: supported values: {}", at.path, allowed.join(", "));
            findings.add(at.spot, message);
        }
    }

    fn check_text(&self, text: &str, shown: &str, at: At<'_>, findings: &mut Findings) {
        let length = text.chars().count();
        if let Some(most) = self.max_length.filter(|most| length > *most) {
            findings.block(at.spot, format!("{}: Too long: may not be more than {most} bytes", at.path));
            return;
        }
        if let Some(least) = self.min_length.filter(|least| length < *least) {
            findings.add(at.spot, at.invalid(shown, &format!("should be at least {least} chars long")));
        }
        if let Some(Pattern(pattern)) = self.pattern.as_ref().filter(|pattern| !pattern.0.is_match(text)) {
            findings.add(at.spot, at.invalid(shown, &format!("should match '{pattern}'")));
        }
    }

    fn read_object(&self, entries: &[(Key, Node)], at: At<'_>, findings: &mut Findings) -> Value {
        if let Some(most) = self.max_properties.filter(|most| entries.len() > *most) {
            let count = entries.len();
            findings
                .block(at.spot, format!("{}: Too many: {count}: must have at most {most} items", at.path));
            return Value::Null;
        }
        let mut object = Map::new();
        let mut seen: BTreeMap<&str, Spot> = BTreeMap::new();
        for (key, node) in entries {
            let path = at.child(&key.name);
            if let Some(first) = seen.insert(&key.name, key.spot) {
                findings.block(key.spot, format!("{path}: already set in line {}", first.line));
                continue;
            }
            let known = self.properties.get(&key.name).or(self.additional_properties.as_deref());
            let Some(schema) = known else {
                findings.block(key.spot, format!("{path}: unknown field{}", self.advice(&key.name)));
                continue;
            };
            let at = At { spot: key.spot, path: &path };
            if let Some(names) = &self.property_names {
                names.check_scalar(&key.name.as_str().into(), at, findings);
            }
            if !node.is_null() {
                object.insert(key.name.clone(), schema.read(node, at, findings));
            }
        }
        for name in self.required.iter().filter(|name| !object.contains_key(*name)) {
            if self.properties.get(name).is_none_or(|schema| schema.default.is_none()) {
                findings.block(at.spot, format!("{}: Required value", at.child(name)));
            }
        }
        Value::Object(object)
    }

    fn read_list(&self, items: &[Node], at: At<'_>, findings: &mut Findings) -> Value {
        if let Some(most) = self.max_items.filter(|most| items.len() > *most) {
            let count = items.len();
            findings
                .block(at.spot, format!("{}: Too many: {count}: must have at most {most} items", at.path));
            return Value::Null;
        }
        if let Some(least) = self.min_items.filter(|least| items.len() < *least) {
            findings.add(at.spot, at.invalid("\"array\"", &format!("should have at least {least} items")));
        }
        let Some(schema) = &self.items else { return items.iter().map(Node::to_value).collect() };
        let mut list = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", at.path);
            let value = schema.read(item, At { spot: item.spot, path: &path }, findings);
            if let Some(identity) = self.identity(&value)
                && !seen.insert(identity.clone())
            {
                findings.add(item.spot, format!("{path}: Duplicate value: {identity}"));
            }
            list.push(value);
        }
        Value::Array(list)
    }

    /// What no two items of the list may have in common.
    fn identity(&self, item: &Value) -> Option<String> {
        match self.list_type {
            ListType::Atomic => None,
            ListType::Set => Some(item.to_string()),
            ListType::Map => {
                let keys = self.list_map_keys.iter();
                let keys = keys.map(|key| Some((key.clone(), item.get(key)?.clone())));
                keys.collect::<Option<Map<_, _>>>().map(|keys| Value::Object(keys).to_string())
            }
        }
    }

    /// The known field that was probably meant.
    fn advice(&self, name: &str) -> String {
        let known = nearest(name, self.properties.keys().map(String::as_str));
        known.map(|known| format!("; did you mean {known}?")).unwrap_or_default()
    }
}

fn type_of(node: &Node) -> &'static str {
    match &node.content {
        Content::Scalar(Value::Bool(_)) => "boolean",
        Content::Scalar(Value::Number(number)) if number.is_i64() => "integer",
        Content::Scalar(Value::Number(_)) => "number",
        Content::Scalar(Value::String(_)) => "string",
        Content::Scalar(_) => "null",
        Content::List(_) => "array",
        Content::Map(_) => "object",
    }
}

/// A scalar for a message.
pub(super) fn shown(value: &Value) -> String {
    const LONGEST: usize = 120;
    match value {
        Value::String(text) if text.len() > LONGEST => {
            let cut = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
            format!("{}...", Value::from(cut))
        }
        Value::Object(_) => "\"object\"".to_owned(),
        Value::Array(_) => "\"array\"".to_owned(),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tree::parse;
    use super::*;

    fn findings(schema: Value, text: &str) -> Vec<String> {
        let node = parse(text, Spot { line: 1, column: 1 }, &mut 10_000).unwrap().unwrap();
        let mut findings = Findings::default();
        let schema = Schema::deserialize(schema).unwrap();
        schema.read(&node, At { spot: node.spot, path: "x" }, &mut findings);
        findings.list.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_keyword_that_is_not_understood_is_an_error() {
        assert!(Schema::deserialize(json!({"type": "string", "multipleOf": 2})).is_err());
        assert!(Schema::deserialize(json!({"type": "number"})).is_err());
        assert!(Schema::deserialize(json!({"pattern": "("})).is_err());
    }

    #[test]
    fn what_is_counted_and_compared_in_lists_and_maps() {
        let text = json!({"type": "string"});
        for (schema, good, bad, expected) in [
            (
                json!({"type": "array", "items": text, "x-kubernetes-list-type": "set"}),
                "[a, b]",
                "[a, b, a]",
                "x[2]: Duplicate value: \"a\"",
            ),
            (json!({"type": "array", "items": text}), "[a, a]", "[5]", "x[0]: Invalid value: \"integer\""),
            (
                json!({"type": "array", "items": text, "minItems": 1}),
                "[a]",
                "[]",
                "x: Invalid value: \"array\": x in body should have at least 1 items",
            ),
            (
                json!({"type": "array", "items": text, "maxItems": 1}),
                "[a]",
                "[a, b]",
                "x: Too many: 2: must have at most 1 items",
            ),
            (
                json!({"type": "object", "additionalProperties": text, "maxProperties": 1}),
                "{a: b}",
                "{a: b, c: d}",
                "x: Too many: 2: must have at most 1 items",
            ),
            (
                json!({"type": "object", "required": ["a"], "properties": {"a": text}}),
                "{a: b}",
                "{a: ~}",
                "x.a: Required",
            ),
            (
                json!({"type": "string", "maxLength": 2}),
                "äö",
                "aoe",
                "x: Too long: may not be more than 2 bytes",
            ),
            (
                json!({"type": "string", "minLength": 2}),
                "äö",
                "a",
                "x: Invalid value: \"a\": x in body should be at least 2 chars long",
            ),
            (
                json!({"type": "integer", "maximum": 7}),
                "7",
                "8",
                "x: Invalid value: 8: x in body should be less than or equal to 7",
            ),
            (
                json!({"type": "integer", "minimum": 7}),
                "7",
                "6",
                "x: Invalid value: 6: x in body should be greater than or equal to 7",
            ),
        ] {
            assert_eq!(findings(schema.clone(), good), [""; 0], "{schema}");
            let found = findings(schema.clone(), bad);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{schema}: {found:?}");
        }
    }

    #[test]
    fn as_many_findings_as_anybody_reads() {
        let text = format!("{{{}}}", (0..500).map(|n| format!("k{n}: v, ")).collect::<Vec<_>>().concat());
        assert_eq!(findings(json!({"type": "object"}), &text).len(), Findings::MOST);
    }

    #[test]
    fn long_texts_are_cut_in_messages() {
        assert_eq!(shown(&json!("ä".repeat(60))), format!("\"{}\"", "ä".repeat(60)));
        assert_eq!(shown(&json!("ä".repeat(100))), format!("\"{}\"...", "ä".repeat(60)));
        assert_eq!(shown(&json!({"a": 1})), "\"object\"");
    }
}
