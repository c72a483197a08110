//! From YAML as people and pipelines write it to objects of Berth's kinds, and where each came from. No I/O.
//!
//! A source is cut into documents, each becomes a tree that knows its places, and objects of Berth's kinds are
//! held to what the API server would hold them to: a plan must not place what `kubectl apply` would refuse.

mod read;
mod rules;
mod schema;
mod split;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;

use serde_json::Value;

use crate::api::{GROUP, VERSION};

pub use read::{Reader, Reading, duplicates};

/// The largest source, in bytes: as much as 6,000 placements with managed fields and full statuses have.
pub const MAX_SOURCE_BYTES: usize = 64 << 20;
/// Problems of one source that are told one by one.
pub const MAX_PROBLEMS: usize = 100;

/// A file, or what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As messages name it: its path, or `-` for standard input.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// A place in a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// [`Source::name`].
    pub source: String,
    /// From 1; 0 is the source as a whole.
    pub line: usize,
    /// From 1; 0 is the source as a whole.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.source),
            (line, column) => write!(f, "{}:{line}:{column}", self.source),
        }
    }
}

/// The kinds that mean something here; every other is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `berth.dev` `InstancePlacement`.
    InstancePlacement,
    /// `berth.dev` `PlacementClass`.
    PlacementClass,
    /// `berth.dev` `VCenter`.
    VCenter,
    /// `v1` `Namespace`.
    Namespace,
}

impl Kind {
    fn of(group: &str, version: &str, kind: &str) -> Option<Self> {
        match (group, version, kind) {
            (GROUP, VERSION, "InstancePlacement") => Some(Self::InstancePlacement),
            (GROUP, VERSION, "PlacementClass") => Some(Self::PlacementClass),
            (GROUP, VERSION, "VCenter") => Some(Self::VCenter),
            ("", "v1", "Namespace") => Some(Self::Namespace),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InstancePlacement => "InstancePlacement",
            Self::PlacementClass => "PlacementClass",
            Self::VCenter => "VCenter",
            Self::Namespace => "Namespace",
        })
    }
}

/// One object that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
    /// All of it, as JSON; `metadata.name` is there.
    pub object: Value,
}

/// Something that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong and what was expected there, in one line.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl Manifest {
    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
    }

    /// `metadata.namespace`, when it names one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.object.pointer("/metadata/namespace").and_then(Value::as_str)
    }
}
