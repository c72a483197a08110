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
//! | [`mod@table`] | the same for a terminal |

mod anonymize;
mod file;
mod read;
mod table;
mod write;

#[cfg(test)]
mod tests;

pub use read::{MAX_BYTES, ReadError};

use url::Url;

use crate::placement::Inventory;

/// `apiVersion` of the files that are written and read.
pub const API_VERSION: &str = "berth.dev/inventory/v1";

/// One vCenter at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Its address, as [`server`] writes it: tells which `VCenter` object it stands for.
    pub server: String,
    /// `about.version`, for example `8.0.3`; empty when not known.
    pub version: String,
    /// Everything that it showed.
    pub inventory: Inventory,
}

/// An address in the one way in which addresses are compared: `https://host[:port]`, in lower case, without the
/// port that goes without saying. None when it is something else.
#[must_use]
pub fn server(address: &str) -> Option<String> {
    let url =
        if address.contains("://") { Url::parse(address) } else { Url::parse(&format!("https://{address}")) };
    let url = url.ok().filter(|url| url.scheme() == "https" && url.path() == "/")?;
    let plain = url.username().is_empty() && url.password().is_none();
    (plain && url.query().is_none() && url.fragment().is_none()).then(|| url.origin().ascii_serialization())
}
