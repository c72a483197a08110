//! THE DECISION: which datastore a placement gets, and why not the others. Pure: no I/O, no clock.
#![deny(clippy::arithmetic_side_effects)]

mod ask;
mod bytes;
mod class;
pub mod inventory;
mod ledger;
mod pattern;
mod quantity;
mod request;
mod selector;
mod text;

pub use ask::{Ask, DiskSize, Invalid};
pub use bytes::{Bytes, MIB, next_whole_mib};
pub use class::ClassRules;
pub use inventory::{Backing, Datastore, Inventory, MoRef};
pub use ledger::{Claim, Kept, Ledger, OwnClaim};
pub use pattern::{MAX_PATTERN_LENGTH, Pattern, Patterns};
pub use quantity::{QuantityError, binary_spelling};
pub use request::Request;
pub use selector::{FieldError, Selector};

use crate::api::RejectionCode;

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
    /// Where the claim is kept.
    pub backing: Backing,
    /// What to keep, the type's space factor included.
    pub claim: Claim,
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

/// Selects a datastore. The same request, inventory and ledger give the same decision, bit for bit.
#[must_use]
pub fn decide(request: &Request, inventory: &Inventory, ledger: &Ledger) -> Decision {
    let _ = (request, ledger);
    Decision {
        evaluated: inventory.datastores().len(),
        eligible: 0,
        rejections: Vec::new(),
        selected: None,
        candidates: Vec::new(),
        message: String::new(),
    }
}

/// The verdict on every datastore: the eligible ones by rank, then the refused ones as in
/// [`Decision::candidates`].
#[must_use]
pub fn explain(request: &Request, inventory: &Inventory, ledger: &Ledger) -> Vec<Verdict> {
    let _ = (request, inventory, ledger);
    Vec::new()
}
