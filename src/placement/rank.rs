//! Which of several datastores comes first: total orders on integers and names. No I/O.

use std::cmp::Reverse;

use super::codes::CodeSet;
use super::inventory::{Datastore, MoRef};

/// Among eligible datastores: `MostFree`, then name, then moRef. Nova takes the first of equals as vCenter
/// lists them; a fixed order can be reproduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing<'a> {
    writable: Reverse<u128>,
    name: &'a str,
    moref: &'a MoRef,
}

impl<'a> Standing<'a> {
    /// `writable` in bytes, as [`super::capacity::Room::writable`] counts it.
    pub(super) fn new(writable: u128, datastore: &'a Datastore) -> Self {
        Self { writable: Reverse(writable), name: &datastore.name, moref: &datastore.moref }
    }
}

/// Among refused datastores: those nearest to being eligible, by the number of their codes and never by
/// figures, so that their order is as calm as their codes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nearness<'a> {
    codes: u32,
    name: &'a str,
    moref: &'a MoRef,
}

impl<'a> Nearness<'a> {
    pub(super) fn new(codes: CodeSet, datastore: &'a Datastore) -> Self {
        Self { codes: codes.len(), name: &datastore.name, moref: &datastore.moref }
    }
}

/// The first few of many, in order.
pub(super) struct First<K, T> {
    limit: usize,
    kept: Vec<(K, T)>,
}

impl<K: Ord, T> First<K, T> {
    pub(super) fn of(limit: usize) -> Self {
        Self { limit, kept: Vec::with_capacity(limit) }
    }

    pub(super) fn offer(&mut self, key: K, value: impl FnOnce() -> T) {
        if self.kept.len() == self.limit {
            if self.kept.last().is_none_or(|(last, _)| key >= *last) {
                return;
            }
            self.kept.pop();
        }
        let at = self.kept.partition_point(|(kept, _)| *kept < key);
        self.kept.insert(at, (key, value()));
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.kept.into_iter().map(|(_, value)| value)
    }
}
