//! Tests of the decision through its public door, and what they share.
#![allow(clippy::arithmetic_side_effects)]

mod claims;
mod instances;
mod messages;
mod options;
mod oracle;
mod parsing;
mod peers;
mod promises;
mod properties;
mod selection;
mod sizes;
mod storage;
mod survey;
mod vectors;
mod worlds;

use super::samples::{GIB, compute, datastore};
use super::*;
use crate::api;

fn inventory(datastores: Vec<Datastore>) -> Inventory {
    Inventory::new("vc-1", compute(), datastores)
}

fn bytes(count: u64) -> Bytes {
    Bytes::new(count).unwrap()
}

fn quantity(text: &str) -> api::Quantity {
    api::Quantity(text.to_owned())
}

/// The spec of a placement with an image of this size, and a root disk when one is given.
fn spec(image: Option<&str>, root: Option<&str>) -> api::InstancePlacementSpec {
    let size = |size: Option<&str>| size.map(|size| serde_json::json!(size));
    let mut spec = serde_json::json!({});
    if let Some(image) = size(image) {
        spec["image"] = serde_json::json!({"virtualSize": image});
    }
    if let Some(root) = size(root) {
        spec["rootDisk"] = serde_json::json!({"size": root});
    }
    serde_json::from_value(spec).unwrap()
}

/// The decision of a request whose scope exists.
fn decide(request: &Request, inventory: &Inventory, ledger: &Ledger) -> Decision {
    super::decide(request, inventory, ledger).unwrap()
}

/// As [`decide`].
fn explain(request: &Request, inventory: &Inventory, ledger: &Ledger) -> Vec<Verdict> {
    super::explain(request, inventory, ledger).unwrap()
}

fn ask(image: Option<&str>, root: Option<&str>) -> Ask {
    Ask::parse(&spec(image, root), &mut Patterns::default()).unwrap()
}

/// A request of a class without conditions.
fn request(image: Option<&str>, root: Option<&str>) -> Request {
    Request::compile(&ask(image, root), &ClassRules::default(), &Selector::default(), None)
}

fn selector(types: &[&str], name: &str, exclude: &str) -> Selector {
    let spec = api::DatastoreSelector {
        types: types.iter().map(ToString::to_string).collect(),
        name_pattern: Some(name.to_owned()),
        exclude_pattern: Some(exclude.to_owned()),
    };
    Selector::parse(&spec, &mut Patterns::default()).unwrap()
}

/// Codes and messages of the only datastore.
fn reasons(request: &Request, datastore: Datastore) -> Vec<(RejectionCode, String)> {
    let verdicts = explain(request, &inventory(vec![datastore]), &Ledger::default());
    assert_eq!(verdicts.len(), 1);
    verdicts[0].reasons.clone()
}
