//! THE DECISION: which datastore a placement gets, and why not the others. Pure: no I/O, no clock.
//!
//! What users wrote is parsed once: a placement into an [`Ask`], a class into [`ClassRules`], each with its
//! [`Selector`] and exact [`Bytes`]. [`Request::compile`] makes one value of them. [`decide`] then measures
//! every datastore of an [`Inventory`] against it (`rules` lists the rules, `capacity` and `vvol` have the
//! arithmetic), with the room that the [`Ledger`] keeps for others; `rank` puts the eligible ones in order and
//! `explain` says why. [`explain()`] says it of every datastore, and [`survey()`] in fewer words.
//!
//! Promising room is the caller's: whoever accepts a decision adds [`Selected::claim`] to the ledger before
//! the next one, and so no interleaving oversells a volume.
#![deny(clippy::arithmetic_side_effects)]

mod ask;
mod bytes;
mod capacity;
mod class;
mod codes;
mod compute;
mod explain;
mod field;
pub mod inventory;
mod ledger;
mod pattern;
mod quantity;
mod rank;
mod request;
mod rules;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
pub(crate) mod samples;
mod scope;
mod selector;
mod survey;
#[cfg(test)]
mod tests;
mod text;
mod vvol;

pub use ask::{AdditionalDisk, Ask, DiskSize, Invalid, Spread};
pub use bytes::{Bytes, MIB, next_whole_mib};
pub use class::ClassRules;
pub use codes::CodeSet;
pub use compute::{Cluster, Compute, Datacenter, Host, HostMounts, HostSet, Mount, Mounts};
pub use explain::bounded_message;
pub use field::FieldError;
pub use inventory::{Backing, Datastore, Inventory, MoRef, Property};
pub use ledger::{Claim, Kept, Ledger, OwnClaim};
pub use pattern::{MAX_PATTERN_LENGTH, Pattern, Patterns};
pub use quantity::{QuantityError, binary_spelling};
pub use request::Request;
pub use scope::{ScopeAsk, ScopeNotFound};
pub use selector::Selector;
pub use survey::{Finding, survey};
pub(crate) use text::clean;

use std::collections::BTreeMap;

use crate::api::RejectionCode;
use capacity::Room;
use explain::Tally;
use rank::{First, Nearness, Standing};
use rules::Case;
use scope::{HostView, Scope};

/// The answer to one request: a datastore or none, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// How many datastores were looked at.
    pub evaluated: usize,
    /// How many of them are eligible.
    pub eligible: usize,
    /// How many datastores each code excluded, the most first, then by the code's word. A datastore
    /// counts under each of its codes.
    pub rejections: Vec<(RejectionCode, usize)>,
    /// The first of the eligible ones.
    pub selected: Option<Selected>,
    /// The selected datastore and up to two more eligible ones; when there is none, up to ten refused
    /// ones, those with the fewest codes first, then by name and moRef.
    pub candidates: Vec<Verdict>,
    /// One sentence for the condition and the event, at most 1,024 bytes.
    pub message: String,
}

/// The datastore that was selected, and the room to keep on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selected {
    /// As in the inventory.
    pub datastore: Datastore,
    /// Name of its datacenter; empty when vCenter does not show one.
    pub datacenter: String,
    /// Where the claim is kept.
    pub backing: Backing,
    /// What to keep, the type's space factor included.
    pub claim: Claim,
    /// Where the VM can run with it; none when no host in scope is in a cluster.
    pub cluster: Option<ServedCluster>,
}

/// The cluster in scope that can best use a datastore.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServedCluster {
    /// Its name, for display: control characters are replaced.
    pub name: String,
    /// How many of its hosts can use the datastore and are not in maintenance.
    pub usable_hosts: usize,
    /// How many of its hosts are in scope.
    pub hosts: usize,
}

/// What is to be said of one datastore.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// Its name, for display: control characters are replaced.
    pub name: String,
    /// Its identity.
    pub moref: MoRef,
    /// Its type in vSphere's spelling, for display; empty when vCenter did not return it.
    pub kind: String,
    /// Its place among the eligible ones, from 1. None when it is not eligible.
    pub rank: Option<usize>,
    /// Every rule that it fails, with a message of at most 256 bytes.
    pub reasons: Vec<(RejectionCode, String)>,
}

/// Up to this many eligible datastores are named, the selected one among them.
const ELIGIBLE_SHOWN: usize = 3;
/// Up to this many refused datastores are named when none is eligible.
const REFUSED_SHOWN: usize = 10;

/// Selects a datastore. The same request, inventory and ledger give the same decision, bit for bit.
///
/// # Errors
/// When a datacenter, cluster or host that is asked for is not in the inventory.
pub fn decide(request: &Request, inventory: &Inventory, ledger: &Ledger) -> Result<Decision, ScopeNotFound> {
    let scope = scope(request, inventory)?;
    let mut tally = Tally::default();
    let mut eligible = First::of(ELIGIBLE_SHOWN);
    let mut refused = First::of(REFUSED_SHOWN);
    for case in cases(request, &scope, inventory, ledger) {
        let codes = case.codes();
        tally.count(codes);
        match case.room {
            Ok(room) if codes.is_empty() => {
                eligible.offer(Standing::new(&case, &room), || (room, case));
            }
            _ => refused.offer(Nearness::new(codes, case.datastore), || (case, codes)),
        }
    }
    let eligible: Vec<_> = eligible.into_values().collect();
    let selected = eligible.first().map(|(room, case)| Selected {
        datastore: case.datastore.clone(),
        datacenter: case.datacenter.map(|datacenter| datacenter.name.clone()).unwrap_or_default(),
        backing: backing(inventory, case.datastore),
        claim: room.claim(),
        cluster: served_cluster(&scope, case.datastore),
    });
    let candidates = if eligible.is_empty() {
        refused.into_values().map(|(case, codes)| Verdict::new(&case, codes, None)).collect()
    } else {
        ranked(eligible.iter().map(|(_, case)| case)).collect()
    };
    Ok(Decision {
        evaluated: tally.evaluated(),
        eligible: tally.eligible,
        rejections: tally.rejections(),
        message: tally.message(request, selected.as_ref().map(|selected| &selected.datastore)),
        selected,
        candidates,
    })
}

/// The verdict on every datastore: the eligible ones by rank, then the refused ones as in
/// [`Decision::candidates`].
///
/// # Errors
/// As [`decide`].
pub fn explain(
    request: &Request,
    inventory: &Inventory,
    ledger: &Ledger,
) -> Result<Vec<Verdict>, ScopeNotFound> {
    let scope = scope(request, inventory)?;
    let mut eligible = Vec::new();
    let mut refused = Vec::new();
    for case in cases(request, &scope, inventory, ledger) {
        let codes = case.codes();
        match case.room {
            Ok(room) if codes.is_empty() => eligible.push((Standing::new(&case, &room), case)),
            _ => refused.push((Nearness::new(codes, case.datastore), case, codes)),
        }
    }
    eligible.sort_by(|a, b| a.0.cmp(&b.0));
    refused.sort_by(|a, b| a.0.cmp(&b.0));
    let refused = refused.iter().map(|(_, case, codes)| Verdict::new(case, *codes, None));
    Ok(ranked(eligible.iter().map(|(_, case)| case)).chain(refused).collect())
}

fn scope<'a>(request: &'a Request, inventory: &'a Inventory) -> Result<Scope<'a>, ScopeNotFound> {
    let [class, ask] = &request.scope;
    Scope::resolve([class, ask], inventory.compute())
}

/// Every datastore that exists for Berth, ready to be measured.
fn cases<'a>(
    request: &'a Request,
    scope: &'a Scope<'a>,
    inventory: &'a Inventory,
    ledger: &'a Ledger,
) -> impl Iterator<Item = Case<'a>> {
    let vvol = vvol::refusals(request);
    // The datastores of a cluster are mounted by the same hosts: each such set is looked at once.
    let mut views = BTreeMap::<(Option<&MoRef>, &HostMounts), HostView>::new();
    inventory.datastores().iter().filter(|datastore| request.limits.admits(datastore)).map(move |datastore| {
        let kept = kept(request, inventory, ledger, datastore);
        let hosts = datastore.mounts.read().map(|mounts| {
            let view = views.entry((datastore.datacenter.as_ref(), mounts));
            *view.or_insert_with(|| scope.view(datastore, mounts))
        });
        Case {
            request,
            datastore,
            datacenter: inventory.datacenter_of(datastore),
            scope,
            hosts,
            room: Room::of(request, datastore, kept),
            has_member: has_member(request, inventory, datastore),
            vvol,
        }
    })
}

fn served_cluster(scope: &Scope, datastore: &Datastore) -> Option<ServedCluster> {
    let (name, usable_hosts, hosts) = scope.best_cluster(datastore.mounts.read()?)?;
    Some(ServedCluster { name: text::clean(name), usable_hosts, hosts })
}

fn has_member(request: &Request, inventory: &Inventory, datastore: &Datastore) -> bool {
    !request.spread_taken.is_empty() && request.spread_taken.contains(&backing(inventory, datastore))
}

/// What others were promised on the datastore's backing: all claims but the placement's own.
fn kept(request: &Request, inventory: &Inventory, ledger: &Ledger, datastore: &Datastore) -> Kept {
    if ledger.is_empty() {
        return Kept::default();
    }
    // The backing of a datastore with a url is the url: looked up without a copy.
    let (all, own) = if datastore.url.is_empty() {
        let backing = backing(inventory, datastore);
        (ledger.on(&backing), request.own.as_ref().filter(|own| own.backing == backing))
    } else {
        let own = request.own.as_ref().filter(|own| own.backing.0 == datastore.url);
        (ledger.on_key(&datastore.url), own)
    };
    own.map_or(all, |own| all.without(&own.claim))
}

fn backing(inventory: &Inventory, datastore: &Datastore) -> Backing {
    Backing::of(&datastore.url, &inventory.instance_uuid, &datastore.moref)
}

fn ranked<'a>(eligible: impl Iterator<Item = &'a Case<'a>>) -> impl Iterator<Item = Verdict> {
    eligible.zip(1..).map(|(case, rank)| Verdict::new(case, CodeSet::default(), Some(rank)))
}
