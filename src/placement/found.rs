//! Looking up by name what is asked for. No I/O.

use std::fmt;

use super::inventory::MoRef;
use super::text;
use crate::api::PlacementReason;

/// Something that is asked for is not in the vCenter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}: there is no {kind} {} in the vCenter", .kind.field(), text::quoted(.name))]
pub struct NotFound {
    kind: Kind,
    /// Name or path, as the user wrote it.
    name: String,
}

impl NotFound {
    pub(super) fn new(kind: Kind, name: &str) -> Self {
        Self { kind, name: name.to_owned() }
    }

    /// Why the placement is not ready.
    #[must_use]
    pub fn reason(&self) -> PlacementReason {
        match self.kind {
            Kind::Datacenter | Kind::Cluster | Kind::Host | Kind::DatastoreCluster => {
                PlacementReason::ScopeNotFound
            }
            Kind::StoragePolicy => PlacementReason::PolicyNotFound,
        }
    }
}

/// What can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Datacenter,
    Cluster,
    Host,
    DatastoreCluster,
    StoragePolicy,
}

impl Kind {
    /// Where it is asked for, below `spec`.
    fn field(self) -> &'static str {
        match self {
            Self::Datacenter | Self::Cluster | Self::Host => "compute",
            Self::DatastoreCluster | Self::StoragePolicy => "datastores",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Datacenter => "datacenter",
            Self::Cluster => "cluster",
            Self::Host => "host",
            Self::DatastoreCluster => "datastore cluster",
            Self::StoragePolicy => "storage policy",
        })
    }
}

/// The moRefs of everything with this name or path.
pub(super) fn found<'a, T>(
    wanted: &str,
    kind: Kind,
    all: &'a [T],
    names: impl Fn(&'a T) -> (&'a MoRef, &'a String, &'a String),
) -> Result<Vec<&'a MoRef>, NotFound> {
    let matching = all.iter().map(names).filter(|(_, name, path)| *name == wanted || *path == wanted);
    let morefs: Vec<_> = matching.map(|(moref, _, _)| moref).collect();
    if morefs.is_empty() { Err(NotFound::new(kind, wanted)) } else { Ok(morefs) }
}
