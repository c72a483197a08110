//! What describes storage, from a file and checked: policies, tags, attributes and alarms. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{MAX_NAME, MAX_URL, MAX_WORD, hosts, text};
use super::error::{ReadError, nonsense};
use super::file;
use super::read::Known;
use crate::placement::{Alarm, AlarmStatus, MoRef, PolicyCheck, StoragePolicy, Tag};

pub(super) fn storage_policies(all: Vec<file::Policy>) -> Result<Vec<StoragePolicy>, ReadError> {
    let mut seen = BTreeSet::new();
    let read = all.into_iter().map(|file::Policy { id, name }| {
        text("policies", "id", &id, MAX_WORD)?;
        text("policies", "name", &name, MAX_NAME)?;
        if !seen.insert(id.clone()) {
            return Err(nonsense("policies", &format!("{id:?} is there twice")));
        }
        Ok(StoragePolicy { id, name })
    });
    read.collect()
}

pub(super) fn tags(datastore: &MoRef, all: Vec<file::Tag>) -> Result<BTreeSet<Tag>, ReadError> {
    let mut read = BTreeSet::new();
    for file::Tag { category, name } in all {
        text(&datastore.0, "tags", &category, MAX_NAME)?;
        text(&datastore.0, "tags", &name, MAX_NAME)?;
        if !read.insert(Tag { category, name }) {
            return Err(nonsense(&datastore.0, "tags has one of them twice"));
        }
    }
    Ok(read)
}

pub(super) fn attributes(
    datastore: &MoRef,
    all: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ReadError> {
    for (name, value) in &all {
        text(&datastore.0, "customAttributes", name, MAX_NAME)?;
        text(&datastore.0, "customAttributes", value, MAX_URL)?;
    }
    Ok(all)
}

pub(super) fn alarms(datastore: &MoRef, all: Vec<file::Alarm>) -> Result<BTreeSet<Alarm>, ReadError> {
    let mut read = BTreeSet::new();
    for file::Alarm { name, status } in all {
        text(&datastore.0, "alarms", &name, MAX_NAME)?;
        let status = match status {
            file::AlarmStatus::Yellow => AlarmStatus::Yellow,
            file::AlarmStatus::Red => AlarmStatus::Red,
        };
        if !read.insert(Alarm { name, status }) {
            return Err(nonsense(&datastore.0, "alarms has one of them twice"));
        }
    }
    Ok(read)
}

pub(super) fn policy_checks(
    datastore: &MoRef,
    all: BTreeMap<String, file::PolicyCheck>,
    known: &Known<'_>,
) -> Result<BTreeMap<String, PolicyCheck>, ReadError> {
    let read = all.into_iter().map(|(id, file::PolicyCheck { compatible, hosts: on, why })| {
        if !known.policies.contains(&id) {
            return Err(nonsense(&datastore.0, &format!("policies has {id:?}, which is not in the file")));
        }
        let check = match (compatible, on, why) {
            (true, on, None) => {
                let on = on.map(|all| hosts(datastore, "policies", all, known.compute)).transpose()?;
                PolicyCheck::Compatible { hosts: on }
            }
            (false, None, why) => {
                let why = why.unwrap_or_default();
                text(&datastore.0, "policies", &why, MAX_URL)?;
                PolicyCheck::Incompatible { why }
            }
            (true, _, Some(_)) => {
                return Err(nonsense(&datastore.0, &format!("policies: {id:?} is compatible and has a why")));
            }
            (false, Some(_), _) => {
                return Err(nonsense(
                    &datastore.0,
                    &format!("policies: {id:?} is not compatible and has hosts"),
                ));
            }
        };
        Ok((id, check))
    });
    read.collect()
}

/// Yes or no, by names.
pub(super) fn flags(
    datastore: &MoRef,
    field: &str,
    all: BTreeMap<String, bool>,
) -> Result<BTreeMap<String, bool>, ReadError> {
    all.keys().try_for_each(|name| text(&datastore.0, field, name, MAX_NAME))?;
    Ok(all)
}
