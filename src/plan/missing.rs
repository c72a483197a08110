//! What the inputs lack, so that the answer may be another than the controller's. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::api::PlacementReason;
use crate::manifests::{Kind, Manifest};

use super::report::PlannedPlacement;
use super::{Inputs, Recorded};

/// What placements refer to and is in none of the inputs: one line each, that says what to add.
pub(super) fn find(
    inputs: &Inputs,
    recordings: &BTreeMap<String, Recorded>,
    placements: &[PlannedPlacement],
) -> Vec<String> {
    let mut missing = Vec::new();
    let mut add = |line: String| {
        if !missing.contains(&line) {
            missing.push(line);
        }
    };
    for placement in placements {
        let is = |reason: PlacementReason| placement.reason == reason.as_str();
        if is(PlacementReason::ClassNotFound) {
            let class = named(inputs, placement, "placementClassName");
            lacks(inputs, Kind::PlacementClass, class).into_iter().for_each(&mut add);
        } else if is(PlacementReason::VCenterNotAllowed) {
            lacks(inputs, Kind::VCenter, vcenter(inputs, placement)).into_iter().for_each(&mut add);
        } else if is(PlacementReason::VCenterUnavailable) {
            let vcenter = vcenter(inputs, placement);
            let known = of(inputs, Kind::VCenter).filter(|one| vcenter.is_none_or(|name| name == one.name()));
            for unknown in known.filter(|one| !recordings.contains_key(one.name())) {
                add(no_inventory(unknown));
            }
        }
    }
    missing
}

/// An object that is named, or one at all, that is in none of the inputs.
fn lacks(inputs: &Inputs, kind: Kind, name: Option<&str>) -> Option<String> {
    let mut known = of(inputs, kind);
    match name {
        Some(name) if !known.any(|one| one.name() == name) => {
            Some(format!("{kind} {name} is in none of the inputs: add its manifest with -f"))
        }
        None if known.next().is_none() => Some(format!(
            "no {kind} is in any of the inputs: add the manifests of those that the cluster has with -f"
        )),
        _ => None,
    }
}

fn no_inventory(vcenter: &Manifest) -> String {
    let name = vcenter.name();
    let server = vcenter.object.pointer("/spec/server").and_then(Value::as_str).unwrap_or_default();
    format!(
        "no --inventory is of VCenter {name} ({server}): record it with 'berth inventory --server {server} ...', or \
         say which file is its own with --inventory {name}=FILE"
    )
}

/// Namespaces whose labels matter and are not known.
pub(super) fn unknown_labels(inputs: &Inputs) -> Vec<String> {
    let selects = |one: &&Manifest| one.object.pointer("/spec/allowedNamespaces/selector").is_some();
    let all = inputs.placed.iter().chain(&inputs.manifests);
    if !all.clone().any(|one| selects(&one)) {
        return Vec::new();
    }
    let known: BTreeSet<&str> = of(inputs, Kind::Namespace).map(Manifest::name).collect();
    let used = all.filter(|one| one.kind == Kind::InstancePlacement).map(|one| namespace(inputs, one));
    let unknown = used.collect::<BTreeSet<_>>().into_iter().filter(|name| !known.contains(name));
    unknown
        .map(|name| {
            format!("the labels of namespace {name} are not known, and allowedNamespaces asks for some: add its manifest with -f")
        })
        .collect()
}

/// Inventories that no decision is made on: a wrong name, or another address than the `VCenter` has.
pub(super) fn unused_inventories(inputs: &Inputs, recordings: &BTreeMap<String, Recorded>) -> Vec<String> {
    let is_used =
        |one: &&Recorded| recordings.values().any(|used| Arc::ptr_eq(&used.inventory, &one.inventory));
    // Without any VCenter there is more to say than this.
    let has_vcenters = of(inputs, Kind::VCenter).next().is_some();
    let unused = inputs.inventories.iter().filter(|one| has_vcenters && !is_used(one));
    unused
        .map(|one| {
            let whose = match &one.vcenter {
                Some(name) => format!("{name}=..."),
                None => format!("of {}", one.server),
            };
            format!("the --inventory {whose} is not used: no VCenter in the inputs is its own, or another one is used for it")
        })
        .collect()
}

/// What a placement names in a field of its spec.
fn named<'a>(inputs: &'a Inputs, placement: &PlannedPlacement, field: &str) -> Option<&'a str> {
    let mut all = of(inputs, Kind::InstancePlacement).rev();
    let is_its =
        |one: &&Manifest| one.name() == placement.name && namespace(inputs, one) == placement.namespace;
    all.find(is_its)?.object.get("spec")?.get(field)?.as_str()
}

/// The `VCenter` that it, or else its class, names.
fn vcenter<'a>(inputs: &'a Inputs, placement: &PlannedPlacement) -> Option<&'a str> {
    named(inputs, placement, "vCenterName").or_else(|| {
        let class = named(inputs, placement, "placementClassName")?;
        let class = of(inputs, Kind::PlacementClass).rev().find(|one| one.name() == class)?;
        class.object.pointer("/spec/vCenterName")?.as_str()
    })
}

fn namespace<'a>(inputs: &'a Inputs, manifest: &'a Manifest) -> &'a str {
    manifest.namespace().unwrap_or(&inputs.namespace)
}

fn of(inputs: &Inputs, kind: Kind) -> impl DoubleEndedIterator<Item = &Manifest> {
    inputs.placed.iter().chain(&inputs.manifests).filter(move |one| one.kind == kind)
}
