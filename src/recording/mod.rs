//! Recorded inventories: one vCenter at one moment as a file, for decisions without a vCenter. No I/O.
//!
//! The file is JSON with one object per line, sorted by moRef, without the time of the recording: recording an
//! unchanged vCenter twice gives the same bytes, and a change is a small difference. What is absent in it was
//! not returned by vCenter, and means the same to every rule as it does live. [`Recording::read`] takes
//! nothing on trust: it refuses what no vCenter shows, and says where.
//!
//! | file | owns |
//! |---|---|
//! | [`mod@file`] | the fields of the file |
//! | [`mod@read`] | from a file to an inventory, checked |
//! | [`mod@write`] | from an inventory to a file |
//! | [`mod@anonymize`] | the same inventory under other names |

mod anonymize;
mod file;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::{MAX_BYTES, ReadError};

use crate::placement::Inventory;

/// `apiVersion` of the files that are written and read.
pub const API_VERSION: &str = "berth.dev/inventory/v1";

/// One vCenter at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Name of the `VCenter` object that it stands for.
    pub name: String,
    /// `about.version`, for example `8.0.3`; empty when not known.
    pub version: String,
    /// Everything that it showed.
    pub inventory: Inventory,
}
