//! The record of the fake API server, before the observer.

use crate::kube_server::{Change, Kube};
use crate::observed::{self, Stored};

/// Checks everything that was ever stored; see [`observed::check`].
pub(crate) fn check(kube: &Kube, capacity: i64) -> usize {
    let record = kube.record();
    let stored = record.iter().map(|version| Stored {
        resource: version.key.resource,
        deleted: version.change == Change::Deleted,
        object: &version.object,
    });
    observed::check(stored, capacity)
}
