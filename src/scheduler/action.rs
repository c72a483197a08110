//! What the scheduler wants done: the shell performs it and decides nothing. No I/O.

use std::time::Duration;

use crate::api::{PlacementReason, RejectionCode, VCenterStatus};
use crate::status::Change;

use super::input::{Attempt, Key, WriteId};
use super::journal::Journal;

/// How to reach a vCenter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// `https://host[:port]`.
    pub server: String,
    /// CA certificates in PEM.
    pub ca_bundle: Option<String>,
    /// SHA-256 thumbprint of the certificate, as the user wrote it.
    pub thumbprint: Option<String>,
    /// No decision is made on an answer older than this.
    pub max_age: Duration,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A placement.
    Placement(Key),
    /// A class.
    Class(String),
    /// A `VCenter`.
    VCenter(String),
}

/// An event for people: it tells of a change and may be lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Announcement {
    /// What it is about.
    pub subject: Subject,
    /// uid of the object.
    pub uid: String,
    /// It asks for attention.
    pub warning: bool,
    /// One word for programs.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// One decision, for log and metrics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DecisionRecord {
    /// Whose.
    pub key: Key,
    /// `Placed`, or why not.
    pub reason: PlacementReason,
    /// Name of the selected datastore.
    pub datastore: Option<String>,
    /// How many datastores were looked at.
    pub evaluated: usize,
    /// How many of them are eligible.
    pub eligible: usize,
    /// How many each reason excluded.
    pub rejections: Vec<(RejectionCode, usize)>,
}

/// Everything that the scheduler can want.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Read the journal: answer with `JournalRead` or `JournalUnreadable`.
    ReadJournal,
    /// Write the journal if it still has this version; without a version, create it.
    WriteJournal {
        /// The version that is replaced.
        resource_version: Option<String>,
        /// The new content.
        journal: Journal,
    },
    /// List all placements consistently, then watch them. A list or watch of placements that is under way
    /// is abandoned first.
    ListPlacements,
    /// Read one placement: answer with `PlacementRead`.
    ReadPlacement(Key),
    /// PUT this body to the placement's status.
    PutStatus {
        /// For the answer.
        id: WriteId,
        /// Whose status.
        key: Key,
        /// The exact bytes.
        body: String,
    },
    /// Read the placement, change its status and PUT it, unless the change changes nothing.
    ReadThenPut {
        /// For the answer.
        id: WriteId,
        /// Whose status.
        key: Key,
        /// It must still have this uid.
        uid: String,
        /// To be applied by `status::apply`.
        change: Box<Change>,
    },
    /// Read the `VCenter`, replace what is Berth's in its status and PUT it, unless that changes nothing.
    PutVCenterStatus {
        /// For the answer.
        id: WriteId,
        /// Whose status.
        name: String,
        /// It must still have this uid.
        uid: String,
        /// The new status; the times of unchanged conditions stay.
        status: Box<VCenterStatus>,
    },
    /// Connect and log in once, then report until it ends.
    TryLogin {
        /// Name of the `VCenter`.
        vcenter: String,
        /// Which connection.
        attempt: Attempt,
        /// How to reach it.
        endpoint: Endpoint,
        /// Secret with the credentials.
        secret: String,
        /// The version of the Secret that is meant.
        secret_version: String,
    },
    /// End this connection; its end need not be reported.
    Disconnect {
        /// Name of the `VCenter`.
        vcenter: String,
        /// Which connection.
        attempt: Attempt,
    },
    /// Publish an event.
    Announce(Announcement),
    /// Log and count a decision.
    Decided(DecisionRecord),
    /// Placements had their turns, each after this time in the queue: for metrics.
    Waited(Vec<Duration>),
    /// The status of a placement answers what was first seen so long ago: for metrics.
    Answered(Duration),
    /// Say in the log, once: the operator must know.
    Warn(String),
    /// Send a `Tick` at this monotonic time; a later wish replaces an earlier one.
    WakeAt(Duration),
    /// All writes are settled: the process may end.
    Stopped,
}
