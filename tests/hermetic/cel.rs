//! The cases of `tests/cel/`, judged by the CEL evaluator on the generated files.

use kube::core::cel::Validator;
use serde_json::{Value, json};

use crate::cel_cases::{Case, Expect, load, object};

/// As the API server does with nulls in fields that have no default.
fn without_nulls(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, child| !child.is_null());
        map.values_mut().for_each(without_nulls);
    }
}

/// What the API server would have before and after: each endpoint keeps the other half.
fn before_and_after(kind: &str, case: &Case) -> (Option<Value>, Value) {
    let stored = case.stored.as_ref();
    let old = stored.map(|stored| object(kind, "x", &stored.spec, stored.status.as_ref()));
    let mut new = old.clone().unwrap_or_else(|| object(kind, "x", &json!({}), None));
    if let Some(spec) = &case.spec {
        new["spec"] = spec.clone();
    }
    if let Some(status) = &case.status {
        new["status"] = status.clone();
    }
    without_nulls(&mut new);
    (old, new)
}

#[test]
fn the_rules_accept_and_refuse_what_they_should() {
    let schemas = crate::crd_files::schemas();
    let mut wrong = Vec::new();
    for (file, cases) in load() {
        let schema = &schemas[&cases.kind];
        for case in cases.cases.iter().filter(|case| case.only_server.is_none()) {
            let (old, new) = before_and_after(&cases.kind, case);
            if let Some(old) = old.as_ref().filter(|_| !case.stored_before_rules) {
                let result = Validator::new().validate(schema, old, None);
                assert!(result.is_ok(), "{file}: {}: what is stored: {result:?}", case.name);
            }
            let result = Validator::new().validate(schema, &new, old.as_ref());
            let good = match (&case.expect, &result) {
                (Expect::Accepted, Ok(())) => true,
                (Expect::Refused(text), Err(errors)) => errors.iter().any(|e| e.message.contains(text)),
                _ => false,
            };
            if !good {
                wrong.push(format!(
                    "{file}: {}: expected {:?}, got {}",
                    case.name,
                    case.expect,
                    result.map_or_else(|errors| errors.to_string(), |()| "accepted".into())
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_refuses_something() {
    let all: Vec<String> = load()
        .into_iter()
        .flat_map(|(_, file)| file.cases)
        .filter_map(|case| match case.expect {
            Expect::Refused(text) => Some(text),
            Expect::Accepted => None,
        })
        .collect();
    for schema in crate::crd_files::schemas().values() {
        for rule in rules(schema) {
            let message = rule["message"].as_str().or(rule["messageExpression"].as_str()).unwrap();
            // A message that is computed is recognised by its words up to the first figure.
            let start = message.trim_start_matches('\'').split(" %").next().unwrap();
            let seen = all.iter().any(|text| text.contains(start) || start.contains(text.as_str()));
            assert!(seen, "no case is refused by: {message}");
        }
    }
}

fn rules(schema: &Value) -> Vec<Value> {
    let own = schema.get("x-kubernetes-validations").and_then(Value::as_array).cloned();
    let below = match schema {
        Value::Object(map) => map.values().flat_map(rules).collect::<Vec<_>>(),
        Value::Array(list) => list.iter().flat_map(rules).collect(),
        _ => Vec::new(),
    };
    own.into_iter().flatten().chain(below).collect()
}
