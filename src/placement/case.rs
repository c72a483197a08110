//! One datastore as a case of a question: what the rules look at. No I/O.

use super::bytes::Bytes;
use super::capacity::{Need, NoRoom, Room};
use super::codes::CodeSet;
use super::compute::Datacenter;
use super::demands::Demands;
use super::inventory::{Datastore, Property};
use super::pattern::Pattern;
use super::question::Question;
use super::request::{Disk, Request};
use super::rules::rule_of;
use super::scope::{HostView, Reach};
use crate::api::RejectionCode;

/// One datastore, measured against one request.
pub(super) struct Case<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) request: &'a Request,
    pub(super) datastore: &'a Datastore,
    pub(super) datacenter: Option<&'a Datacenter>,
    /// None when vCenter did not return the mounts.
    pub(super) reach: Option<Reach<'a>>,
    /// What the hosts in scope make of it; none as above.
    pub(super) hosts: Option<HostView>,
    pub(super) room: Result<Room, NoRoom>,
    /// What the placement needs there, whether there is room for it or not.
    pub(super) need: Need,
    /// Another member of the placement's spread group is there.
    pub(super) has_member: bool,
    /// The placement's VM is there.
    pub(super) is_present: bool,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Holds,
    Fails,
    /// vCenter did not return a property that the rule needs: `IncompleteData`, never a pass.
    Lacks,
}

impl Outcome {
    pub(super) const fn fails_if(fails: bool) -> Self {
        if fails { Self::Fails } else { Self::Holds }
    }

    pub(super) const fn lacks_if(lacks: bool) -> Self {
        if lacks { Self::Lacks } else { Self::Holds }
    }
}

impl Case<'_> {
    /// The codes of every rule that fails; none: the datastore is eligible.
    pub(super) fn codes(&self) -> CodeSet {
        self.question.rules.iter().fold(CodeSet::default(), |codes, rule| match (rule.check)(self) {
            Outcome::Holds => codes,
            Outcome::Fails => codes.with(rule.code),
            Outcome::Lacks => codes.with(RejectionCode::IncompleteData),
        })
    }

    /// Why the datastore has this code, with numbers.
    pub(super) fn say(&self, code: RejectionCode) -> String {
        match rule_of(code) {
            Some(rule) => (rule.say)(self),
            None => format!("vCenter did not return {}", self.missing().join(", ")),
        }
    }

    pub(super) fn demands(&self) -> &Demands<'_> {
        &self.question.demands
    }

    /// The properties that rules need and vCenter did not return.
    fn missing(&self) -> Vec<String> {
        let Datastore { name, kind, capacity, free, max_virtual_disk, thin_provisioning, .. } =
            self.datastore;
        let measured = self.is_measured();
        let thin = self.request.thin;
        [
            ("name", name.is_empty()),
            ("summary.type", kind.is_none()),
            ("summary.capacity", measured && capacity.is_none()),
            ("summary.freeSpace", measured && free.is_none()),
            ("host", measured && self.hosts.is_none()),
            ("info.maxVirtualDiskCapacity", measured && *max_virtual_disk == Property::Withheld),
            ("capability.perFileThinProvisioningSupported", thin && *thin_provisioning == Property::Withheld),
        ]
        .into_iter()
        .filter(|(_, missing)| *missing)
        .map(|(property, _)| property.to_owned())
        .chain(self.demands().missing(self.datastore))
        .collect()
    }

    /// Figures and mounts mean something: vCenter does not guarantee those of a datastore that it cannot
    /// reach.
    pub(super) fn is_measured(&self) -> bool {
        self.room != Err(NoRoom::Meaningless)
    }

    /// What the mounts say, where they mean something.
    pub(super) fn of_mounts(&self, fails: impl FnOnce(HostView) -> bool) -> Outcome {
        if !self.is_measured() {
            return Outcome::Holds;
        }
        self.hosts.map_or(Outcome::Lacks, |hosts| Outcome::fails_if(fails(hosts)))
    }

    pub(super) fn has_type(&self, kind: &str) -> bool {
        self.datastore.kind.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(kind))
    }

    pub(super) fn too_large(&self) -> impl Iterator<Item = &Disk> {
        let most = self.largest_disk();
        self.request.disks.iter().filter(move |disk| most.is_some_and(|most| disk.size.bytes > most))
    }

    /// 0 is no limit known.
    pub(super) fn largest_disk(&self) -> Option<Bytes> {
        match self.datastore.max_virtual_disk {
            Property::Known(most) if most > 0 => Bytes::new(most),
            _ => None,
        }
    }

    pub(super) fn failing_names(&self) -> impl Iterator<Item = &Pattern> {
        self.request.names.iter().filter(|pattern| !pattern.matches(&self.datastore.name))
    }

    pub(super) fn excluding_names(&self) -> impl Iterator<Item = &Pattern> {
        self.request.excludes.iter().filter(|pattern| pattern.matches(&self.datastore.name))
    }
}
