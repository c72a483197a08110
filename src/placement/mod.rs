//! THE DECISION: which datastore a placement gets, and why not the others. Pure: no I/O, no clock.
//!
//! What users wrote is parsed once: a placement into an [`Ask`], a class into [`ClassRules`], each with its
//! [`Selector`] and exact [`Bytes`]. [`Request::compile`] makes one value of them. [`decide`] then measures
//! every datastore of an [`Inventory`] against it (`rules` lists the rules, `capacity` and `vvol` have the
//! arithmetic), with the room that the [`Ledger`] keeps for others; `rank` puts the eligible ones in order and
//! `explain` says why. [`explain()`] says it of every datastore, and [`survey()`] in fewer words.
//!
//! An instance that was there before its placement is [adopted](adopt); whether a placed one is still where and as it
//! was placed, [`drift()`] says.
//!
//! Promising room is the caller's: whoever accepts a decision adds [`Selected::claim`] to the ledger before
//! the next one, and so no interleaving oversells a volume.
#![deny(clippy::arithmetic_side_effects)]

mod adoption;
mod ask;
mod bytes;
mod capacity;
mod case;
mod class;
mod codes;
mod compute;
mod content;
mod demands;
mod explain;
mod field;
mod found;
mod instance;
pub mod inventory;
mod ledger;
mod pattern;
mod quantity;
mod question;
mod rank;
mod request;
mod rules;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
pub(crate) mod samples;
mod scope;
mod selector;
mod storage;
mod survey;
#[cfg(test)]
mod tests;
mod text;
mod vvol;

pub use adoption::{Adoption, adopt};
pub use ask::{AdditionalDisk, Ask, DiskSize, Invalid, Spread};
pub use bytes::{Bytes, MIB, next_whole_mib};
pub use class::ClassRules;
pub use codes::CodeSet;
pub use compute::{Cluster, Compute, Datacenter, Host, HostMounts, HostSet, Mount, Mounts};
pub use demands::{Consumer, Guards, StorageAsk, SuspendMark};
pub use explain::bounded_message;
pub use field::FieldError;
pub use found::NotFound;
pub use instance::{Drift, Given, Instance, Sighting, drift};
pub use inventory::{Backing, Datastore, Inventory, MoRef, Overview, Property};
pub use ledger::{Claim, Kept, Ledger, OwnClaim, Usage};
pub use pattern::{MAX_PATTERN_LENGTH, Pattern, Patterns};
pub use quantity::{QuantityError, binary_spelling};
pub use request::Request;
pub use scope::ScopeAsk;
pub use selector::Selector;
pub use storage::{Alarm, AlarmStatus, DatastoreCluster, PolicyCheck, StoragePolicy, Tag};
pub use survey::{Finding, survey};
pub(crate) use text::clean;

use std::time::Duration;

use jiff::Timestamp;

use crate::api::RejectionCode;
use capacity::Room;
use case::Case;
use explain::{Choice, Tally};
use question::Question;
use rank::{First, Nearness, Standing};

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
    /// The storage policy for the instance's disks; none was asked for when none.
    pub policy: Option<StoragePolicy>,
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
    /// When vCenter last took its figures from the storage; none when vCenter does not say. No message has it, so
    /// that a decision stays the same while nothing but time passes.
    pub figures_time: Option<Timestamp>,
}

impl Verdict {
    /// How old the figures are. One from the future, by a clock that runs ahead, is new.
    #[must_use]
    pub fn figures_age(&self, now: Timestamp) -> Option<Duration> {
        let age = self.figures_time?.until(now).ok()?;
        Some(Duration::try_from(age).unwrap_or_default())
    }
}

/// Up to this many eligible datastores are named, the selected one among them.
const ELIGIBLE_SHOWN: usize = 3;
/// Up to this many refused datastores are named when none is eligible.
const REFUSED_SHOWN: usize = 10;

/// Selects a datastore. The same request, inventory and ledger give the same decision, bit for bit.
///
/// A request [of an instance](Request::of_instance) keeps its present datastore while that is eligible; when another
/// one wins, the message says that the VM must be moved.
///
/// # Errors
/// When a datacenter, cluster, host, datastore cluster or storage policy that is asked for is not in the inventory.
pub fn decide(request: &Request, inventory: &Inventory, ledger: &Ledger) -> Result<Decision, NotFound> {
    let question = Question::new(request, inventory, ledger)?;
    let judged = Judged::of(&question);
    let selected = judged.eligible.first().map(|(_, case)| Selected::new(case));
    let candidates = if judged.eligible.is_empty() {
        judged.refused.iter().map(|(case, codes)| Verdict::new(case, *codes, None)).collect()
    } else {
        ranked(judged.eligible.iter().map(|(_, case)| case)).collect()
    };
    let message = judged.tally.message(&question, selected.as_ref().map(|s| Choice::Selected(&s.datastore)));
    Ok(judged.tally.decision(selected, candidates, message))
}

/// The verdict on every datastore: the eligible ones by rank, then the refused ones as in
/// [`Decision::candidates`].
///
/// # Errors
/// As [`decide`].
pub fn explain(request: &Request, inventory: &Inventory, ledger: &Ledger) -> Result<Vec<Verdict>, NotFound> {
    let question = Question::new(request, inventory, ledger)?;
    let mut eligible = Vec::new();
    let mut refused = Vec::new();
    for case in question.cases() {
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

/// All datastores counted, and the first few of each kind.
struct Judged<'a> {
    tally: Tally,
    eligible: Vec<(Room, Case<'a>)>,
    refused: Vec<(Case<'a>, CodeSet)>,
}

impl<'a> Judged<'a> {
    fn of(question: &'a Question<'a>) -> Self {
        let mut tally = Tally::default();
        let mut eligible = First::of(ELIGIBLE_SHOWN);
        let mut refused = First::of(REFUSED_SHOWN);
        for case in question.cases() {
            let codes = case.codes();
            tally.count(codes);
            match case.room {
                Ok(room) if codes.is_empty() => {
                    eligible.offer(Standing::new(&case, &room), || (room, case));
                }
                _ => refused.offer(Nearness::new(codes, case.datastore), || (case, codes)),
            }
        }
        let (eligible, refused) = (eligible.into_values().collect(), refused.into_values().collect());
        Self { tally, eligible, refused }
    }
}

impl Selected {
    fn new(case: &Case) -> Self {
        let best_cluster = case.reach.as_ref().and_then(|reach| case.question.scope.best_cluster(reach));
        Self {
            datastore: case.datastore.clone(),
            datacenter: case.datacenter.map(|datacenter| datacenter.name.clone()).unwrap_or_default(),
            backing: case.question.inventory.backing_of(case.datastore),
            claim: case.need.claim(),
            cluster: best_cluster.map(|(name, usable_hosts, hosts)| ServedCluster {
                name: text::clean(name),
                usable_hosts,
                hosts,
            }),
            policy: case.question.demands.policy().cloned(),
        }
    }
}

fn ranked<'a>(eligible: impl Iterator<Item = &'a Case<'a>>) -> impl Iterator<Item = Verdict> {
    eligible.zip(1..).map(|(case, rank)| Verdict::new(case, CodeSet::default(), Some(rank)))
}
