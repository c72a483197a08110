//! `docs/reference/api.md`, from the CRDs, and for the words of enumerations from the types.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use berth::api;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use crate::generated::{cell, compare};

const INTRODUCTION: &str = "\
# API

<!-- Written from the CRDs; a test compares. -->

The three kinds of `berth.dev/v1alpha1`, all in the category `berth`: `kubectl get berth`. `kubectl explain` shows the same.

A *size* is a Kubernetes quantity: `40Gi`, `512Mi` or plain bytes such as `21474836480`. `10G` is 10,000,000,000 bytes, which
is no whole number of MiB. Limits of texts count characters. The kinds' status is written by Berth alone.
";

/// The words of every enumeration and what each means; the CRDs have the words only.
fn meanings() -> BTreeMap<Vec<String>, Vec<(String, String)>> {
    let mut meanings = BTreeMap::new();
    let mut learn = |schema: schemars::Schema| {
        let schema = schema.to_value();
        let one_of = schema["oneOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        let words: Vec<_> = one_of
            .iter()
            .map(|one| {
                let word = one["const"].as_str().or_else(|| one["enum"][0].as_str()).unwrap();
                (word.to_owned(), one["description"].as_str().unwrap_or_default().to_owned())
            })
            .collect();
        meanings.insert(words.iter().map(|(word, _)| word.clone()).collect(), words);
    };
    learn(schema_of::<api::ClaimState>());
    learn(schema_of::<api::ConditionStatus>());
    learn(schema_of::<api::DecisionSource>());
    learn(schema_of::<api::DiskType>());
    learn(schema_of::<api::HostAccess>());
    learn(schema_of::<api::ImageSource>());
    learn(schema_of::<api::ImageTransfer>());
    learn(schema_of::<api::NamespacesFrom>());
    learn(schema_of::<api::Oversubscription>());
    learn(schema_of::<api::Provisioning>());
    learn(schema_of::<api::Sharing>());
    learn(schema_of::<api::Strategy>());
    learn(schema_of::<api::WhenUnsatisfiable>());
    meanings
}

fn schema_of<T: JsonSchema>() -> schemars::Schema {
    SchemaGenerator::default().into_root_schema_for::<T>()
}

/// The tables of one kind.
struct Page<'a> {
    meanings: &'a BTreeMap<Vec<String>, Vec<(String, String)>>,
    fields: String,
    rules: String,
    count: usize,
}

impl Page<'_> {
    /// The fields of an object, and of those within it.
    fn object(&mut self, path: &str, schema: &Value) {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let place = if path.is_empty() { "the object".to_owned() } else { format!("`{path}`") };
            writeln!(self.rules, "| {place} | {} |", cell(&message(rule))).unwrap();
        }
        let required: BTreeSet<_> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.field(&path, field, required.contains(name.as_str()));
        }
    }

    fn field(&mut self, path: &str, field: &Value, required: bool) {
        self.count += 1;
        let default = match &field["default"] {
            _ if required => "required".to_owned(),
            Value::Null => String::new(),
            default => format!("`{default}`"),
        };
        let mut description = cell(field["description"].as_str().unwrap_or_default());
        assert!(!description.is_empty(), "{path} has no description");
        if let Some(words) = field["enum"].as_array() {
            let words: Vec<_> = words.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
            for (word, meaning) in self.meanings.get(&words).map(Vec::as_slice).unwrap_or_default() {
                write!(description, "<br>`{word}`: {}", cell(meaning)).unwrap();
            }
            let operator = path.ends_with(".operator");
            assert!(operator || self.meanings.contains_key(&words), "{path}: what do {words:?} mean?");
        }
        let (kind, limits) = (type_of(field), limits(field).join(", "));
        writeln!(self.fields, "| `{path}` | {kind} | {default} | {} | {description} |", cell(&limits))
            .unwrap();
        match field["type"].as_str() {
            Some("array") => self.object(&format!("{path}[]"), &field["items"]),
            _ => self.object(path, field),
        }
    }
}

/// A rule's message; where it is computed, with an ellipsis for what is computed.
fn message(rule: &Value) -> String {
    match (rule["message"].as_str(), rule["messageExpression"].as_str()) {
        (_, Some(expression)) => {
            let text = expression.split('\'').nth(1).unwrap();
            text.replace("%d", "…").replace("%s", "…")
        }
        (Some(message), None) => message.to_owned(),
        (None, None) => panic!("a rule without a message: {rule}"),
    }
}

fn type_of(field: &Value) -> String {
    if field["x-kubernetes-int-or-string"] == true {
        return "size".to_owned();
    }
    match field["type"].as_str().unwrap() {
        "array" => format!("list of {}", type_of(&field["items"])),
        "object" if field.get("additionalProperties").is_some() => {
            format!("map of {}", type_of(&field["additionalProperties"]))
        }
        "string" if field["format"] == "date-time" => "time".to_owned(),
        other => other.to_owned(),
    }
}

/// What bounds a field, or the entries of a list or map.
fn limits(field: &Value) -> Vec<String> {
    let mut limits = Vec::new();
    let (least, most) = (&field["minimum"], &field["maximum"]);
    if !most.is_null() {
        limits.push(format!("{least} to {most}"));
    }
    let quantity = field["x-kubernetes-int-or-string"] == true;
    match (field["minLength"].as_i64(), field["maxLength"].as_i64()) {
        (Some(least), Some(most)) => limits.push(format!("{least} to {most} characters")),
        (None, Some(most)) if !quantity => limits.push(format!("up to {most} characters")),
        _ => {}
    }
    if let Some(pattern) = field["pattern"].as_str() {
        limits.push(format!("`{pattern}`"));
    }
    match (field["minItems"].as_i64(), field["maxItems"].as_i64()) {
        (Some(least), Some(most)) => limits.push(format!("{least} to {most} entries")),
        (None, Some(most)) => limits.push(format!("up to {most} entries")),
        _ => {}
    }
    if let Some(most) = field["maxProperties"].as_i64() {
        limits.push(format!("up to {most} entries"));
    }
    for inner in ["items", "additionalProperties"] {
        if field[inner]["type"] == "string" {
            limits.extend(self::limits(&field[inner]).into_iter().map(|limit| format!("each {limit}")));
        }
    }
    limits
}

fn kind(crd: &Value, text: &mut String) {
    let (spec, version) = (&crd["spec"], &crd["spec"]["versions"][0]);
    let schema = &version["schema"]["openAPIV3Schema"];
    let names = &spec["names"];
    let scope = if spec["scope"] == "Cluster" { "Cluster-scoped" } else { "Namespaced" };
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    writeln!(text, "\n## {}\n", word(&names["kind"])).unwrap();
    writeln!(
        text,
        "{} {scope}; `kubectl get {}`, or `{}` for short.\n",
        word(&schema["description"]),
        word(&names["plural"]),
        word(&names["shortNames"][0])
    )
    .unwrap();
    let meanings = meanings();
    let mut page = Page { meanings: &meanings, fields: String::new(), rules: String::new(), count: 0 };
    page.object("", schema);
    assert!(page.count > 20, "{} fields", page.count);
    writeln!(
        text,
        "### Fields of {}\n\n| Field | Type | Default | Limits | Meaning |\n|---|---|---|---|---|",
        word(&names["kind"])
    )
    .unwrap();
    text.push_str(&page.fields);
    if !page.rules.is_empty() {
        write!(
            text,
            "\n### Rules of {}\n\nThe API server refuses what breaks one, with this message:\n\n| Where | Message |\n|---|---|\n{}",
            word(&names["kind"]),
            page.rules
        )
        .unwrap();
    }
    writeln!(text, "\n### Columns of {}\n\n| Column | Shows | With |\n|---|---|---|", word(&names["kind"]))
        .unwrap();
    for column in version["additionalPrinterColumns"].as_array().unwrap() {
        let with = if column["priority"] == 1 { "`-o wide`" } else { "" };
        writeln!(text, "| {} | `{}` | {with} |", word(&column["name"]), word(&column["jsonPath"])).unwrap();
    }
    let selectable: Vec<_> = version["selectableFields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|field| format!("`{}`", word(&field["jsonPath"]).trim_start_matches('.')))
        .collect();
    if !selectable.is_empty() {
        writeln!(text, "\nSelectable with `--field-selector`: {}.", selectable.join(", ")).unwrap();
    }
}

#[test]
fn the_api_is_up_to_date() {
    let mut text = INTRODUCTION.to_owned();
    for crd in api::crds() {
        kind(&crd, &mut text);
    }
    compare("docs/reference/api.md", &text);
}
