//! What the scheduler is told: everything that the shell saw, as plain values. No I/O.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{
    InstancePlacementSpec, InstancePlacementStatus, PlacementClassSpec, VCenterSpec, VCenterStatus,
};
use crate::placement::Inventory;
use crate::status::Target;

use super::journal::Journal;

/// The time of a step: `wall` for what people read, `monotonic` (since the process began) for time-outs
/// and back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Now {
    /// Time of day.
    pub wall: Timestamp,
    /// Time since the process began.
    pub monotonic: Duration,
}

impl Now {
    /// This long before.
    pub(super) fn before(self, age: Duration) -> Self {
        let wall = jiff::SignedDuration::try_from(age).ok().and_then(|age| self.wall.checked_sub(age).ok());
        Self { wall: wall.unwrap_or(self.wall), monotonic: self.monotonic.saturating_sub(age) }
    }
}

/// Namespace and name of a placement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// For the write of its status at this version.
    #[must_use]
    pub fn status_target<'a>(&'a self, uid: &'a str, resource_version: &'a str) -> Target<'a> {
        let (namespace, name) = (Some(self.namespace.as_str()), self.name.as_str());
        Target { kind: "InstancePlacement", namespace, name, uid, resource_version }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A kind of object that is listed and watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `InstancePlacement`, in every namespace.
    Placement,
    /// `PlacementClass`.
    Class,
    /// `VCenter`.
    VCenter,
    /// `Namespace`.
    Namespace,
    /// `Secret`, in Berth's own namespace.
    Secret,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Placement, Self::Class, Self::VCenter, Self::Namespace, Self::Secret];

    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placement => "InstancePlacement",
            Self::Class => "PlacementClass",
            Self::VCenter => "VCenter",
            Self::Namespace => "Namespace",
            Self::Secret => "Secret",
        }
    }
}

/// What every object has. `resource_version` is opaque, but for the hint that a smaller number is older.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Meta {
    /// Tells an object from a later one of the same name.
    pub uid: String,
    /// Changes with every write of the object.
    pub resource_version: String,
    /// Changes with every write of its spec.
    pub generation: i64,
}

/// A placement as the API server showed it. Spec and status are decoded apart, so that a broken one of
/// them does not hide the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeenPlacement {
    /// Namespace and name.
    pub key: Key,
    /// Identity and versions.
    pub meta: Meta,
    /// It is being deleted, and a finalizer keeps it: nothing new is decided for it.
    pub deleting: bool,
    /// The spec, or in one line why it cannot be decoded.
    pub spec: Result<InstancePlacementSpec, String>,
    /// The status, as far as it can be decoded.
    pub status: InstancePlacementStatus,
    /// The status has something that is not Berth's or cannot be decoded, so that it must be read before
    /// it is written.
    pub foreign_status: bool,
}

/// What a read of one placement gave.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReadOutcome {
    /// The object, and its whole status as JSON text (`{}` when it has none).
    Found {
        /// As the watch would show it.
        placement: Box<SeenPlacement>,
        /// The whole status, foreign parts included.
        status: String,
    },
    /// There is no such object.
    NotFound,
    /// It could not be read; the message is for the log.
    Failed(String),
}

/// A class as the API server showed it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenClass {
    /// Its name.
    pub name: String,
    /// Identity and versions.
    pub meta: Meta,
    /// It carries the annotation of the default class.
    pub is_default: bool,
    /// When it was created: of two defaults the newest wins.
    pub created: Timestamp,
    /// The spec, or in one line why it cannot be decoded.
    pub spec: Result<PlacementClassSpec, String>,
}

/// A `VCenter` as the API server showed it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenVCenter {
    /// Its name.
    pub name: String,
    /// Identity and versions.
    pub meta: Meta,
    /// When it was created: of two that are the same vCenter, the older one is used.
    pub created: Timestamp,
    /// The spec, or in one line why it cannot be decoded.
    pub spec: Result<VCenterSpec, String>,
    /// The status, as far as it can be decoded.
    pub status: VCenterStatus,
}

/// A Secret in Berth's own namespace, without its content.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeenSecret {
    /// Its name.
    pub name: String,
    /// Changes with every write.
    pub resource_version: String,
    /// Which of the keys `username` and `password` it lacks or has empty.
    pub missing_keys: Vec<&'static str>,
}

/// Counts the connections of the process, so that what an abandoned one still says is not mistaken for
/// news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u64);

/// What a connection to a vCenter says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionNews {
    /// It is logged in.
    Connected {
        /// `about.version`, such as 8.0.3.
        version: String,
        /// `about.instanceUuid`.
        instance_uuid: String,
    },
    /// A complete answer that changed something.
    Inventory {
        /// Everything that vCenter shows.
        inventory: Arc<Inventory>,
        /// Time since the answer: what was read beside it, or waited, does not make it younger.
        age: Duration,
    },
    /// A complete answer without a change.
    Confirmed {
        /// Time since the answer.
        age: Duration,
    },
    /// It has ended, whether it was ever logged in or not.
    Ended {
        /// What to make of it.
        failure: ConnectionFailure,
        /// One line for people: no credentials, no addresses but the VCenter's own.
        message: String,
    },
}

/// Why a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionFailure {
    /// Not reached, timed out, answered nonsense.
    Unavailable,
    /// The session is gone: log in again.
    SessionLost,
    /// User name and password were refused.
    InvalidCredentials,
    /// Chain, name or thumbprint do not fit.
    CertificateInvalid,
    /// The account lacks a privilege.
    Forbidden,
    /// The endpoint's own settings (CA bundle, address) cannot be used.
    InvalidSpec,
    /// It was asked to stop.
    Stopped,
}

/// Names a write in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// Why a write did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteFailure {
    /// 409: the object has changed since.
    Conflict,
    /// 404, or another uid: the object is gone.
    Gone,
    /// The API server refuses the content; it was not written.
    Rejected,
    /// RBAC; it was not written.
    Forbidden,
    /// 429, before anything was done.
    Throttled,
    /// It may have been written: 5xx, time-out, connection lost.
    Ambiguous,
}

/// Everything that the scheduler can be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A list of this kind begins: what it does not show is gone.
    ListStarted(Kind),
    /// The list of this kind is complete.
    Synced(Kind),
    /// A placement was created or changed, or is in the list.
    PlacementSeen(Box<SeenPlacement>),
    /// A placement was deleted.
    PlacementGone {
        /// Which.
        key: Key,
        /// Which of that name.
        uid: String,
    },
    /// The answer to `ReadPlacement`.
    PlacementRead {
        /// Which.
        key: Key,
        /// What the read gave.
        outcome: ReadOutcome,
    },
    /// A class was created or changed, or is in the list.
    ClassSeen(Box<SeenClass>),
    /// A class was deleted.
    ClassGone(String),
    /// A `VCenter` was created or changed, or is in the list.
    VCenterSeen(Box<SeenVCenter>),
    /// A `VCenter` was deleted.
    VCenterGone(String),
    /// A namespace was created or changed, or is in the list.
    NamespaceSeen {
        /// Its name.
        name: String,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// A namespace was deleted.
    NamespaceGone(String),
    /// A Secret of Berth's own namespace was created or changed, or is in the list.
    SecretSeen(SeenSecret),
    /// A Secret was deleted.
    SecretGone(String),
    /// A connection to a vCenter has news.
    Connection {
        /// Name of the `VCenter`.
        vcenter: String,
        /// Which connection.
        attempt: Attempt,
        /// The news.
        news: ConnectionNews,
    },
    /// This process may lead.
    LeaseHeld,
    /// This process may not lead, or no longer.
    LeaseLost,
    /// The journal; `resource_version` is `None` when there is none yet.
    JournalRead {
        /// Its version, for the next write.
        resource_version: Option<String>,
        /// Its content.
        journal: Journal,
    },
    /// The journal could not be read, or not decoded; it is read again later.
    JournalUnreadable(String),
    /// The journal was written.
    JournalWritten {
        /// Its version, for the next write.
        resource_version: String,
    },
    /// Somebody else has written the journal, or removed it.
    JournalConflict,
    /// Whether the journal was written is not known.
    JournalAmbiguous(String),
    /// A status was written, or was found to be what it should be.
    WriteDone {
        /// Which write.
        id: WriteId,
        /// The object's version now.
        resource_version: String,
    },
    /// A status was not written, or it is not known whether it was.
    WriteFailed {
        /// Which write.
        id: WriteId,
        /// Why.
        failure: WriteFailure,
        /// The API server's words, one line.
        message: String,
    },
    /// Time has passed.
    Tick,
    /// Stop taking work.
    Shutdown,
}

impl Input {
    /// It tells of placements, or of writes, alone: the many inputs that no connection depends on.
    #[must_use]
    pub const fn is_of_placement(&self) -> bool {
        matches!(
            self,
            Self::PlacementSeen(_)
                | Self::PlacementGone { .. }
                | Self::PlacementRead { .. }
                | Self::WriteDone { .. }
                | Self::WriteFailed { .. }
        )
    }
}
