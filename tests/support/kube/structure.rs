//! The structural part of a schema: what is pruned, and what an object may hold. Messages are the API
//! server's.

use regex::Regex;
use serde_json::Value;

/// Drops unknown fields, and nulls of fields without a default.
pub fn prune(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let properties = &schema["properties"];
            let more = &schema["additionalProperties"];
            let known = |key: &str| !properties[key].is_null() || more.is_object();
            if schema["type"] == "object" && schema["x-kubernetes-preserve-unknown-fields"] != true {
                let gone = map.keys().filter(|key| !known(key)).map(|key| format!("{path}.{key}"));
                unknown.extend(gone);
                map.retain(|key, _| known(key));
            }
            // With a default, a null means: not given.
            map.retain(|_, value| !value.is_null());
            for (key, value) in map {
                let schema = if properties[key].is_null() { more } else { &properties[key] };
                prune(schema, value, &format!("{path}.{key}"), unknown);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter_mut().enumerate() {
                prune(&schema["items"], value, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

/// Appends what is wrong, unless the value was the same before.
pub fn check(schema: &Value, value: &Value, old: Option<&Value>, path: &str, wrong: &mut Vec<String>) {
    if old == Some(value) {
        return;
    }
    let shown = if path.is_empty() { "<nil>" } else { path };
    let mut invalid =
        |words: String| wrong.push(format!("{shown}: Invalid value: {value}: {shown} in body {words}"));
    let int_or_string = schema["x-kubernetes-int-or-string"] == true;
    let fits = match value {
        Value::Null => false,
        Value::Bool(_) => schema["type"] == "boolean",
        Value::Number(number) => {
            let whole = number.is_i64() || number.is_u64();
            schema["type"] == "number" || whole && (schema["type"] == "integer" || int_or_string)
        }
        Value::String(_) => schema["type"] == "string" || int_or_string,
        Value::Array(_) => schema["type"] == "array",
        Value::Object(_) => schema["type"] == "object",
    };
    let any = schema["type"].is_null() && !int_or_string;
    if !fits && !any {
        let expected =
            if int_or_string { "integer,string" } else { schema["type"].as_str().unwrap_or_default() };
        invalid(format!("must be of type {expected}: {:?}", type_of(value)));
        return;
    }
    if let Some(number) = value.as_f64() {
        if schema["maximum"].as_f64().is_some_and(|most| number > most) {
            invalid(format!("should be less than or equal to {}", schema["maximum"]));
        }
        if schema["minimum"].as_f64().is_some_and(|least| number < least) {
            invalid(format!("should be greater than or equal to {}", schema["minimum"]));
        }
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && value.as_str().is_some_and(|text| !Regex::new(pattern).unwrap().is_match(text))
    {
        invalid(format!("should match '{pattern}'"));
    }
    let length = value.as_str().map(|text| text.chars().count() as u64);
    if let (Some(length), Some(most)) = (length, schema["maxLength"].as_u64())
        && length > most
    {
        wrong.push(format!("{shown}: Too long: may not be more than {most} bytes"));
    }
    if let (Some(length), Some(least)) = (length, schema["minLength"].as_u64())
        && length < least
    {
        wrong.push(format!(
            "{shown}: Invalid value: {value}: {shown} in body should be at least {least} chars long"
        ));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let allowed: Vec<_> = allowed.iter().map(Value::to_string).collect();
        wrong.push(format!("{shown}: Unsupported value: {value}: supported values: {}", allowed.join(", ")));
    }
    match value {
        Value::Array(list) => check_list(schema, list, old, path, wrong),
        Value::Object(map) => {
            let fields = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for field in fields.filter(|field| !map.contains_key(*field)) {
                wrong.push(format!("{}: Required value", join(path, field)));
            }
            if let Some(most) = schema["maxProperties"].as_u64()
                && map.len() as u64 > most
            {
                wrong.push(format!("{shown}: Too many: {}: must have at most {most} items", map.len()));
            }
            for (key, value) in map {
                let property = &schema["properties"][key];
                let schema = if property.is_null() { &schema["additionalProperties"] } else { property };
                check(schema, value, old.and_then(|old| old.get(key)), &join(path, key), wrong);
            }
        }
        _ => {}
    }
}

fn check_list(schema: &Value, list: &[Value], old: Option<&Value>, path: &str, wrong: &mut Vec<String>) {
    if let Some(most) = schema["maxItems"].as_u64()
        && list.len() as u64 > most
    {
        wrong.push(format!("{path}: Too many: {}: must have at most {most} items", list.len()));
    }
    let keys: Vec<_> = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().collect();
    let identity =
        |item: &Value| keys.iter().map(|key| item[key.as_str().unwrap()].clone()).collect::<Vec<_>>();
    for (index, item) in list.iter().enumerate() {
        let twin = !keys.is_empty() && list[..index].iter().any(|before| identity(before) == identity(item));
        if twin {
            wrong.push(format!("{path}[{index}]: Duplicate value: {:?}", identity(item)));
        }
        let old = old.and_then(|old| old.get(index));
        check(&schema["items"], item, old, &format!("{path}[{index}]"), wrong);
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
