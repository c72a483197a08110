//! Lists: consistent, in pages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::call::Call;
use super::kinds::{Key, Kind};
use super::refusal::Refusal;
use super::store::Store;

/// One page of a list.
pub fn list(store: &Store, call: &Call) -> Result<Value, Refusal> {
    call.allow(&["limit", "continue", "resourceVersion", "resourceVersionMatch", "timeoutSeconds"])?;
    let (now, cached) = (store.history.revision(), call.parameter("resourceVersion") == Some("0"));
    let (revision, after) = match call.parameter("continue") {
        Some(token) => {
            let (revision, after) = decode(token)?;
            if call.parameter("resourceVersion").is_some() {
                return Err(Refusal::bad_request("resourceVersion may not be set with a continue token"));
            }
            if revision < store.history.compacted() || revision > now {
                let words = "The provided continue parameter is too old to display a consistent list result. You \
                             must start a new list without the continue parameter.";
                return Err(Refusal::new(410, "Expired", words));
            }
            (revision, Some(after))
        }
        None => (wanted(store, call)?, None),
    };
    let state = store.history.at(revision);
    let mut items = state
        .into_iter()
        .filter(|(key, _)| concerns(call, key))
        .filter(|(key, _)| {
            after.as_ref().is_none_or(|after| (&key.namespace, &key.name) > (&after.0, &after.1))
        })
        .peekable();
    let limit = match call.parameter("limit") {
        // The cache answers in one piece.
        Some(limit) if !cached => limit.parse().map_err(|_| Refusal::bad_request("limit is no number"))?,
        _ => 0_usize,
    };
    let mut page = Vec::new();
    let mut last = None;
    while let Some((key, object)) = items.next_if(|_| limit == 0 || page.len() < limit) {
        let mut item = shown(store, call, &object);
        if !call.kind.is_custom() && !call.metadata_only {
            // What the list says already.
            item.as_object_mut().unwrap().retain(|field, _| field != "kind" && field != "apiVersion");
        }
        page.push(item);
        last = Some(key);
    }
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let Some(last) = last.filter(|_| items.peek().is_some()) {
        metadata["continue"] = encode(revision, &last).into();
        metadata["remainingItemCount"] = items.count().into();
    }
    let (version, kind) = if call.metadata_only {
        ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList".to_owned())
    } else {
        (call.kind.api_version(), format!("{}List", call.kind.name))
    };
    Ok(json!({"apiVersion": version, "kind": kind, "metadata": metadata, "items": page}))
}

/// The version that a first page shows.
fn wanted(store: &Store, call: &Call) -> Result<u64, Refusal> {
    let now = store.history.revision();
    let Some(version) = call.parameter("resourceVersion") else { return Ok(now) };
    let asked: u64 = version.parse().map_err(|_| Refusal::bad_request("resourceVersion is no number"))?;
    if asked > now {
        return Err(Refusal::new(
            504,
            "Timeout",
            format!("Too large resource version: {asked}, current: {now}"),
        )
        .retry_after(1));
    }
    match call.parameter("resourceVersionMatch") {
        Some("Exact") if asked < store.history.compacted() => Err(Refusal::code(410)),
        Some("Exact") => Ok(asked),
        _ => Ok(now),
    }
}

/// The kind, the namespace and the name that are asked for.
pub fn concerns(call: &Call, key: &Key) -> bool {
    key.resource == call.kind.plural
        && (call.namespace.is_empty() || call.namespace == key.namespace)
        && (call.name.is_empty() || call.name == key.name)
}

/// An object as the reader wants it.
pub fn shown(store: &Store, call: &Call, object: &Value) -> Value {
    if call.metadata_only {
        return json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"],
        });
    }
    let kind: &Kind = call.kind;
    store.read(kind, object)
}

fn encode(revision: u64, last: &Key) -> String {
    STANDARD.encode(json!({"rv": revision, "namespace": last.namespace, "name": last.name}).to_string())
}

fn decode(token: &str) -> Result<(u64, (String, String)), Refusal> {
    let read = || {
        let token: Value = serde_json::from_slice(&STANDARD.decode(token).ok()?).ok()?;
        let text = |field: &str| token[field].as_str().map(str::to_owned);
        Some((token["rv"].as_u64()?, (text("namespace")?, text("name")?)))
    };
    read().ok_or_else(|| Refusal::bad_request("continue key is not valid"))
}
