//! Which of several datastores comes first: total orders on integers and names. No I/O.

use std::cmp::Reverse;

use super::capacity::{Fraction, Room};
use super::case::Case;
use super::codes::CodeSet;
use super::inventory::{Datastore, MoRef};
use crate::api::Strategy;

/// Among eligible datastores: where the instance is, weight, spread, preferred, strategy, then name and moRef. Nova takes the first of
/// equals as vCenter lists them; a fixed order can be reproduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing<'a> {
    /// The instance would have to be moved.
    elsewhere: bool,
    weight: Reverse<i32>,
    /// Another member of the spread group is there.
    shared_with_member: bool,
    not_preferred: bool,
    merit: Merit,
    name: &'a str,
    moref: &'a MoRef,
}

/// What the class's strategy compares. All of one decision are of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Merit {
    MostFree(Reverse<u128>),
    LeastUtilized(Fraction),
    MostShared(Reverse<usize>, Fraction),
    Pack(u128),
}

impl<'a> Standing<'a> {
    pub(super) fn new(case: &Case<'a>, room: &Room) -> Self {
        let (request, datastore) = (case.request, case.datastore);
        let weight = request.weights.iter().find(|(pattern, _)| pattern.matches(&datastore.name));
        Self {
            elsewhere: !case.is_present,
            weight: Reverse(weight.map_or(0, |(_, weight)| *weight)),
            shared_with_member: case.has_member,
            not_preferred: !request.preferred.iter().any(|entry| is_named(case, entry)),
            merit: match request.strategy {
                Strategy::MostFree => Merit::MostFree(Reverse(room.writable())),
                Strategy::LeastUtilized => Merit::LeastUtilized(room.utilization()),
                Strategy::MostShared => {
                    let hosts = case.hosts.map_or(0, |hosts| hosts.usable);
                    Merit::MostShared(Reverse(hosts), room.utilization())
                }
                Strategy::Pack => Merit::Pack(room.writable()),
            },
            name: &datastore.name,
            moref: &datastore.moref,
        }
    }
}

/// An entry of `preferred` is a name, `datacenter/name` or a moRef.
fn is_named(case: &Case, entry: &str) -> bool {
    let datastore = case.datastore;
    entry == datastore.name
        || entry == datastore.moref.0
        || case.datacenter.is_some_and(|datacenter| {
            let rest = entry.strip_prefix(datacenter.name.as_str()).and_then(|rest| rest.strip_prefix('/'));
            rest == Some(datastore.name.as_str())
        })
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
