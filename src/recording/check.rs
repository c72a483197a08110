//! What holds of every text, size and reference of a file. No I/O.

use std::collections::BTreeSet;

use super::error::{ReadError, nonsense};
use super::file;
use crate::placement::{Bytes, Compute, HostSet, MoRef, Mount, Mounts, Property, clean};

/// Bytes of a reference, and of vSphere's own words.
pub(super) const MAX_WORD: usize = 128;
/// Bytes of a version or identity; vCenter's own have 36 at most.
pub(super) const MAX_SHOWN: usize = 1024;
/// Bytes of a name. vCenter's own limit is 80 characters.
pub(super) const MAX_NAME: usize = 256;
/// Bytes of an address or url.
pub(super) const MAX_URL: usize = 1024;
/// Bytes of an inventory path: 64 levels of the longest names.
pub(super) const MAX_PATH: usize = 64 << 10;

pub(super) fn text(object: &str, field: &str, text: &str, most: usize) -> Result<(), ReadError> {
    if text.len() > most {
        return Err(nonsense(object, &format!("{field} is longer than {most} bytes")));
    }
    if clean(text) != text {
        return Err(nonsense(object, &format!("{field} has control characters")));
    }
    Ok(())
}

pub(super) fn size(
    object: &MoRef,
    field: &str,
    number: Option<file::Size>,
) -> Result<Option<u64>, ReadError> {
    let Some(number) = number else { return Ok(None) };
    let bytes = u64::try_from(number).ok().and_then(Bytes::new).map(Bytes::get);
    let why = || format!("{field} is {number}; a size is from 0 to {} bytes", Bytes::MAX.get());
    bytes.map(Some).ok_or_else(|| nonsense(&object.0, &why()))
}

pub(super) fn reference(
    object: &MoRef,
    field: &str,
    to: Option<String>,
    known: &BTreeSet<MoRef>,
) -> Result<Option<MoRef>, ReadError> {
    match to.map(MoRef) {
        Some(to) if !known.contains(&to) => {
            Err(nonsense(&object.0, &format!("{field} is {:?}, which is not in the file", to.0)))
        }
        to => Ok(to),
    }
}

/// The value of a property that vCenter can withhold.
pub(super) fn told<T>(
    object: &MoRef,
    field: &str,
    value: Option<T>,
    withheld: bool,
) -> Result<Property<T>, ReadError> {
    match (value, withheld) {
        (Some(_), true) => Err(nonsense(&object.0, &format!("{field} has a value and is withheld"))),
        (Some(value), false) => Ok(Property::Known(value)),
        (None, true) => Ok(Property::Withheld),
        (None, false) => Ok(Property::Absent),
    }
}

pub(super) fn mounts(
    datastore: &MoRef,
    mounts: Option<file::Mounts>,
    compute: &Compute,
) -> Result<Mounts, ReadError> {
    let Some(file::Mounts { usable, read_only, inaccessible }) = mounts else { return Ok(Mounts::Missing) };
    let lists = [(usable, Mount::Usable), (read_only, Mount::ReadOnly), (inaccessible, Mount::Inaccessible)];
    let (mut seen, mut read) = (BTreeSet::new(), Vec::new());
    for (host, mount) in
        lists.into_iter().flat_map(|(hosts, mount)| hosts.into_iter().map(move |h| (h, mount)))
    {
        let host = MoRef(host);
        let number = host_number(datastore, "mounts", &host, compute)?;
        if !seen.insert(number) {
            return Err(nonsense(&datastore.0, &format!("mounts has {host} twice")));
        }
        read.push((number, mount));
    }
    Ok(Mounts::Read(read.into_iter().collect()))
}

pub(super) fn hosts(
    datastore: &MoRef,
    field: &str,
    all: Vec<String>,
    compute: &Compute,
) -> Result<HostSet, ReadError> {
    let mut read = HostSet::default();
    for host in all.into_iter().map(MoRef) {
        let number = host_number(datastore, field, &host, compute)?;
        if read.contains(number) {
            return Err(nonsense(&datastore.0, &format!("{field} has {host} twice")));
        }
        read.insert(number);
    }
    Ok(read)
}

fn host_number(datastore: &MoRef, field: &str, host: &MoRef, compute: &Compute) -> Result<usize, ReadError> {
    let why = || format!("{field} has {:?}, which is not among the hosts", host.0);
    compute.number_of(host).ok_or_else(|| nonsense(&datastore.0, &why()))
}
