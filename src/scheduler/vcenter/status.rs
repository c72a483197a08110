//! What the status of a `VCenter` says. No I/O.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::{
    Condition, ConditionStatus, ConditionType, DatastoreTypeCount, VCenterReason, VCenterStatus,
};
use crate::status::condition;

use super::super::Scheduler;
use super::super::action::{Announcement, Subject};
use super::super::input::Now;
use super::super::outbox::Job;
use super::{Availability, VCenter};

/// As many types as the status holds; vSphere knows about ten.
const MOST_TYPES: usize = 32;

impl Scheduler {
    /// Writes the status of this `VCenter` if it would say something else.
    pub(in crate::scheduler) fn say_vcenter(&mut self, name: &str, now: Now) {
        if !self.term.is_running() {
            return;
        }
        let Some(status) = self.vcenter_status(name, now) else { return };
        let Some(vcenter) = self.vcenters.get_mut(name) else { return };
        if !vcenter.may_write(now) || same(&vcenter.status, &status) {
            return;
        }
        vcenter.start_writing(None);
        self.outbox.push(Job::VCenter(name.to_owned()));
    }

    /// What the status of this `VCenter` is to say; nothing while the first try is under way.
    pub(in crate::scheduler) fn vcenter_status(&self, name: &str, now: Now) -> Option<VCenterStatus> {
        let vcenter = self.vcenters.get(name)?;
        let (reason, message) = self.vcenter_reason(name, vcenter, now)?;
        let mut types: BTreeMap<&str, i32> = BTreeMap::new();
        if let (Some(confirmed), Ok(setup)) = (&vcenter.confirmed, &vcenter.setup) {
            let shown = confirmed.inventory.datastores().iter().filter(|d| setup.limits.admits(d));
            for datastore in shown {
                let count = types.entry(datastore.kind.as_deref().unwrap_or("unknown")).or_default();
                *count = count.saturating_add(1);
            }
        }
        let allowed = self
            .namespaces
            .values()
            .filter(|labels| vcenter.setup.as_ref().is_ok_and(|setup| setup.allowed.admits(labels)));
        let generation = vcenter.meta.generation;
        Some(VCenterStatus {
            observed_generation: Some(generation),
            conditions: conditions(reason, &message, generation, now.wall),
            version: vcenter.version.clone(),
            instance_uuid: vcenter.instance_uuid.clone(),
            credentials_version: vcenter.tried_version().map(str::to_owned),
            datastore_count: vcenter
                .confirmed
                .as_ref()
                .map(|_| types.values().fold(0_i32, |sum, count| sum.saturating_add(*count))),
            datastores: types
                .into_iter()
                .take(MOST_TYPES)
                .map(|(type_, count)| DatastoreTypeCount { type_: type_.to_owned(), count })
                .collect(),
            allowed_namespace_count: Some(i32::try_from(allowed.count()).unwrap_or(i32::MAX)),
        })
    }

    fn vcenter_reason(&self, name: &str, vcenter: &VCenter, now: Now) -> Option<(VCenterReason, String)> {
        if let Some(older) = self.older_twin(name) {
            let message = format!("VCenter {older} is the same vCenter and is older: delete one of them");
            return Some((VCenterReason::DuplicateVCenter, message));
        }
        if let Some((reason, message)) = &vcenter.failure {
            return Some((*reason, message.clone()));
        }
        let connected = vcenter.is_connected();
        match vcenter.availability(now) {
            Availability::Fresh(_) if connected => {
                Some((VCenterReason::Connected, "the inventory is watched".to_owned()))
            }
            Availability::Unavailable { .. } if connected => {
                let message =
                    "the vCenter has given no complete answer within inventoryMaxAgeSeconds".to_owned();
                Some((VCenterReason::InventoryStale, message))
            }
            // Between two connections the next try decides what is said.
            _ => None,
        }
    }

    /// The event that goes with a status that was written.
    pub(in crate::scheduler) fn vcenter_announcement(
        &self,
        name: &str,
        status: &VCenterStatus,
    ) -> Option<Announcement> {
        let vcenter = self.vcenters.get(name)?;
        let ready = |status: &VCenterStatus| {
            status.conditions.iter().find(|c| c.type_ == ConditionType::Ready.as_str()).cloned()
        };
        let now = ready(status)?;
        if ready(&vcenter.status).is_some_and(|before| before.reason == now.reason) {
            return None;
        }
        let reasons =
            [VCenterReason::Connected, VCenterReason::ConnectionFailed, VCenterReason::InvalidCredentials];
        let reason = reasons.into_iter().find(|reason| reason.as_str() == now.reason)?;
        Some(Announcement {
            subject: Subject::VCenter(name.to_owned()),
            uid: vcenter.meta.uid.clone(),
            warning: reason != VCenterReason::Connected,
            reason: reason.as_str(),
            message: now.message,
        })
    }
}

fn conditions(reason: VCenterReason, message: &str, generation: i64, now: Timestamp) -> Vec<Condition> {
    let say = |type_, status| condition(type_, status, reason.as_str(), message, generation, now);
    match reason {
        VCenterReason::Connected => vec![say(ConditionType::Ready, ConditionStatus::True)],
        VCenterReason::InvalidSpec | VCenterReason::DuplicateVCenter => {
            vec![
                say(ConditionType::Ready, ConditionStatus::False),
                say(ConditionType::Stalled, ConditionStatus::True),
            ]
        }
        VCenterReason::ConnectionFailed
        | VCenterReason::InventoryStale
        | VCenterReason::Forbidden
        | VCenterReason::SecretNotFound
        | VCenterReason::InvalidCredentials
        | VCenterReason::CertificateInvalid => vec![
            say(ConditionType::Ready, ConditionStatus::False),
            say(ConditionType::Reconciling, ConditionStatus::True),
        ],
    }
}

/// Two statuses that differ in times alone, or in conditions that are not Berth's, say the same.
fn same(before: &VCenterStatus, after: &VCenterStatus) -> bool {
    let plain = |status: &VCenterStatus| {
        let mut status = status.clone();
        status.conditions.retain(|c| ConditionType::of(&c.type_).is_some());
        for condition in &mut status.conditions {
            condition.last_transition_time = Timestamp::UNIX_EPOCH;
        }
        status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
        status
    };
    plain(before) == plain(after)
}
