//! Conditions, with the meaning that kstatus and `kubectl wait` give them. No I/O.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// `Ready` is always there once an object was observed; `Reconciling` and `Stalled` only while True, and never
/// both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// Whether the object is what its users wait for.
    Ready,
    /// Not yet, but it can still succeed without an edit.
    Reconciling,
    /// It cannot succeed without an edit, or not within the time given.
    Stalled,
    /// Room is kept for a placed instance. Only on placements, once placed.
    RoomKept,
}

impl ConditionType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ready, Self::Reconciling, Self::Stalled, Self::RoomKept];

    /// The one of this name; nothing when the condition is somebody else's.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.as_str() == name)
    }

    /// The name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::RoomKept => "RoomKept",
        }
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It is not known whether it holds.
    Unknown,
}

/// One aspect of an object's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Name of the condition.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// One word for programs that says why.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// The reason in words for people.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// When the status last changed.
    #[schemars(with = "String", length(max = 64), extend("format" = "date-time"))]
    pub last_transition_time: Timestamp,
    /// The generation of the object that this was said of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = schema::LARGEST_EXACT))]
    pub observed_generation: Option<i64>,
}
