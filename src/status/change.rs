//! The changes that Berth makes to a placement's status. No I/O.

use crate::api::{Claim, ComputeStatus, Decision, ImageStatus, PlacementReason, SelectedDatastore};

/// What is to become of a status.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A datastore was selected.
    Placed(Box<Placed>),
    /// Nothing is selected for this revision, for a reason.
    NotReady(Box<NotReady>),
    /// What was selected stands; this generation changes nothing about it.
    Observed {
        /// Generation of the object.
        generation: i64,
    },
    /// The instance did not appear in time: no room is kept for it any more. Nothing else changes.
    ClaimExpired {
        /// The revision whose claim it is.
        revision: i64,
    },
}

/// A selected datastore with everything that goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Placed {
    /// Generation of the object.
    pub generation: i64,
    /// The revision that is answered.
    pub revision: i64,
    /// For people.
    pub message: String,
    /// UUID that the VM is to be created with.
    pub instance_uuid: String,
    /// The datastore.
    pub datastore: SelectedDatastore,
    /// Where the VM can run with it.
    pub compute: Option<ComputeStatus>,
    /// The image, when its size is known.
    pub image: Option<ImageStatus>,
    /// The room kept.
    pub claim: Claim,
    /// How it came about.
    pub decision: Decision,
}

/// Whether waiting can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stance {
    /// It can still succeed without an edit.
    Reconciling,
    /// It cannot succeed without an edit.
    Stalled,
    /// Neither: it is suspended.
    Neither,
}

/// Why nothing is selected for this revision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NotReady {
    /// Generation of the object.
    pub generation: i64,
    /// Reason of the Ready condition.
    pub reason: PlacementReason,
    /// For people.
    pub message: String,
    /// Whether waiting can help.
    pub stance: Stance,
    /// The decision that found nothing, if there was one.
    pub decision: Option<Decision>,
}
