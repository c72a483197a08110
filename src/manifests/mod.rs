//! From YAML as people and pipelines write it to objects of Berth's kinds, and where each came from. No I/O.

use std::fmt;

use serde_json::Value;

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
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
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

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Manifest {
    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
    }
}
