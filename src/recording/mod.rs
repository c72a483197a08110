//! Recorded inventories: one vCenter at one moment as a file, for decisions without a vCenter. No I/O.
//!
//! [`Recording::read`] takes nothing on trust: it refuses what no vCenter shows, and says where. Whatever a
//! recording writes, it reads.
//!
//! | file | owns |
//! |---|---|
//! | [`mod@file`] | the fields of the file |
//! | [`mod@bounded`] | lists and maps that are refused when they are too long |
//! | [`mod@read`] | from a file to an inventory, checked |
//! | [`mod@storage`] | the part of that which describes storage |
//! | [`mod@check`] | the checks of texts, sizes and references |
//! | [`mod@error`] | why a file is refused |
//! | [`mod@write`] | from an inventory to a file |
//! | [`mod@anonymize`] | the same inventory under other names |
//! | [`mod@table`] | the same for a terminal |
//!
//! # The file
//!
//! JSON in UTF-8 with one object per line, every list sorted by moRef, so that a change in vCenter is a small
//! difference. It does not have the time of the recording: recording an unchanged vCenter twice gives the same
//! bytes. `figuresTime` is vCenter's own: it moves on when vCenter takes new figures from the storage, which
//! it does periodically and on demand. It is kept because it says how old the figures are; a recording after that
//! is a recording of something else, even if every figure is as it was.
//!
//! A field that is absent was not returned by vCenter, and means the same to every rule as it does live. Sizes
//! are whole bytes from 0 to 2^63-1. A field that a version of Berth does not know is refused: leaving it out
//! could turn a no into a yes.
//!
//! | field | what it is | when absent |
//! |---|---|---|
//! | `apiVersion` | [`API_VERSION`] | refused |
//! | `vCenter.server` | its address: `https://host[:port]`, see [`server`] | refused |
//! | `vCenter.instanceUUID` | `about.instanceUuid` | refused |
//! | `vCenter.version` | `about.version`, for example `8.0.3` | not known |
//! | `vCenter.consumer` | the account that `privileges` are about | not read |
//! | `datastoreClusters` | list of `StoragePod`s, with `path` | not read |
//! | `policies` | list of storage policies: `id`, and `name` | not read |
//! | `datacenters`, `clusters`, `hosts`, `datastores` | lists; a standalone host is in a cluster of its own | empty |
//!
//! Every object has a `moRef`, which is there once in the whole file, and a `name` without vCenter's `%2f`, `%5c`
//! and `%25` escapes. All but datastores have a `path`, for example `/DC0/host/C0`, which is absent when vCenter
//! does not show the whole way up. Of a host:
//!
//! | field | what it is | when absent |
//! |---|---|---|
//! | `cluster` | moRef of its cluster | not shown: it is in none that can be asked for |
//! | `datacenter` | moRef of its datacenter | not shown: it is in none that can be asked for |
//! | `inMaintenance` | `runtime.inMaintenanceMode` | false |
//!
//! Of a datastore:
//!
//! | field | what it is | when absent |
//! |---|---|---|
//! | `datacenter` | moRef of its datacenter | in none that can be asked for |
//! | `type` | `summary.type` | not among any types |
//! | `url` | `summary.url`: datastores with the same url are one volume | a volume of its own |
//! | `accessible` | `summary.accessible` | not accessible |
//! | `maintenanceMode` | `summary.maintenanceMode` | `normal` |
//! | `capacityBytes` | `summary.capacity` | `IncompleteData` |
//! | `freeBytes` | `summary.freeSpace`; can exceed the capacity | `IncompleteData` |
//! | `uncommittedBytes` | `summary.uncommitted` | 0 |
//! | `multipleHostAccess` | `summary.multipleHostAccess` | usable mounts are counted |
//! | `maxVirtualDiskBytes` | `info.maxVirtualDiskCapacity`; 0: no limit known | no limit known, unless withheld |
//! | `thinProvisioning` | `capability.perFileThinProvisioningSupported` | supported, unless withheld |
//! | `figuresTime` | `info.timestamp`, RFC 3339 | not known |
//! | `withheld` | which of `maxVirtualDiskBytes`, `thinProvisioning` and `datastoreCluster` vCenter does not show | none |
//! | `mounts` | moRefs of the hosts that mount it, in three lists: `usable` (accessible and readWrite), `readOnly`, `inaccessible` (no path leads there) | not returned: `IncompleteData` |
//! | `datastoreCluster` | moRef of its datastore cluster | in none, unless withheld or no `datastoreClusters` were read |
//! | `tags` | its tags: `category` and `name` | not read |
//! | `customAttributes` | their values by their names | not read |
//! | `alarms` | triggered ones: `name`, and `status` `yellow` or `red` | not read |
//! | `policies` | what PBM says, by id of the policy: `compatible` with, perhaps, the only `hosts` on which it is; or not, and `why` | PBM was not asked |
//! | `privileges` | whether the consumer has them, by their ids | not asked |
//! | `arrays` | VVOL: whether each storage array is active, by its id | not reported |
//! | `endpoints` | VVOL: moRefs of the hosts that have a protocol endpoint | not reported |
//!
//! What is not read, or was not asked, is `IncompleteData` to whoever asks for it, and nothing to anybody else.

mod anonymize;
mod bounded;
mod check;
mod error;
mod file;
mod read;
mod storage;
mod table;
mod write;

#[cfg(test)]
mod tests;

pub use error::ReadError;
pub use read::MAX_BYTES;
pub use write::WriteError;

use url::Url;

use crate::placement::Inventory;

/// `apiVersion` of the files that are written and read.
pub const API_VERSION: &str = "berth.dev/inventory/v1";

/// One vCenter at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Its address, as [`server`] writes it: tells which `VCenter` object it stands for.
    pub server: String,
    /// Everything that it showed.
    pub inventory: Inventory,
}

/// An address in the one way in which addresses are compared: `https://host[:port]`, in lower case, without the
/// port that goes without saying. `https://` may be left out; none when it is something else.
#[must_use]
pub fn server(address: &str) -> Option<String> {
    let url =
        if address.contains("://") { Url::parse(address) } else { Url::parse(&format!("https://{address}")) };
    let url = url.ok().filter(|url| url.scheme() == "https" && url.path() == "/")?;
    let plain = url.username().is_empty() && url.password().is_none();
    (plain && url.query().is_none() && url.fragment().is_none()).then(|| url.origin().ascii_serialization())
}
