//! The rules that a datastore must meet: one small function each, and the table that lists them. No I/O.

use super::bytes::Bytes;
use super::capacity::{NoRoom, Room};
use super::case::{Case, Outcome};
use super::inventory::{Datastore, Property};
use super::pattern::Pattern;
use super::request::Request;
use super::selector::{lists, shown};
use super::text;
use super::vvol::{self, VVOL};
use crate::api::{DiskType, ImageTransfer, RejectionCode, Sharing, WhenUnsatisfiable};

/// A rule: the code that it gives, the requests that it is for, whether it holds, and what to say when it fails.
pub(super) struct Rule {
    pub(super) code: RejectionCode,
    /// No datastore fails it for any other request.
    concerns: fn(&Request) -> bool,
    pub(super) check: fn(&Case) -> Outcome,
    pub(super) say: fn(&Case) -> String,
}

/// The rules that some datastore could fail. Every one of them is evaluated for every datastore.
pub(super) fn rules_for(request: &Request) -> Vec<&'static Rule> {
    RULES.iter().filter(|rule| (rule.concerns)(request)).collect()
}

/// The rule that gives this code; none gives `IncompleteData`, which any can come to.
pub(super) fn rule_of(code: RejectionCode) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code == code)
}

/// All rules.
static RULES: [Rule; 24] = [
    Rule::new(RejectionCode::TypeNotAllowed, type_allowed, say_type),
    Rule::new(RejectionCode::NotAccessible, accessible, say_accessible),
    Rule::new(RejectionCode::MaintenanceMode, maintenance, say_maintenance),
    Rule::new(RejectionCode::NameNotMatched, name_matched, say_not_matched),
    Rule::new(RejectionCode::NameExcluded, name_excluded, say_excluded)
        .concerning(|request| !request.excludes.is_empty()),
    Rule::new(RejectionCode::NotInScope, in_scope, say_out_of_scope),
    Rule::new(RejectionCode::NotShared, shared, say_not_shared),
    Rule::new(RejectionCode::NotMountedOnHosts, mounted_on_hosts, say_not_mounted),
    Rule::new(
        RejectionCode::PolicyIncompatible,
        |case| case.demands().check_policy(case.datastore),
        |case| case.demands().say_policy(case.datastore),
    )
    .concerning(|request| request.storage.iter().any(|ask| ask.policy.is_some())),
    Rule::new(
        RejectionCode::TagMissing,
        |case| case.demands().check_tags(case.datastore),
        |case| case.demands().say_tags(case.datastore),
    )
    .concerning(|request| request.storage.iter().any(|ask| !ask.tags.is_empty())),
    Rule::new(
        RejectionCode::NotInDatastoreCluster,
        |case| case.demands().check_cluster(case.datastore),
        say_not_in_cluster,
    )
    .concerning(|request| request.storage.iter().any(|ask| ask.datastore_cluster.is_some())),
    Rule::new(
        RejectionCode::MissingPrivilege,
        |case| case.demands().check_privileges(case.datastore),
        |case| case.demands().say_privileges(case.datastore),
    )
    .concerning(|request| request.guards.consumer.is_some()),
    Rule::new(
        RejectionCode::DatastoreSuspended,
        |case| case.demands().check_marks(case.datastore),
        |case| case.demands().say_marks(case.datastore),
    )
    .concerning(|request| !request.guards.suspend_marks.is_empty()),
    Rule::new(
        RejectionCode::AlarmTriggered,
        |case| case.demands().check_alarms(case.datastore),
        |case| case.demands().say_alarms(case.datastore),
    )
    .concerning(|request| request.guards.alarms.is_some()),
    Rule::new(RejectionCode::InsufficientFreeSpace, free_space, say_free_space),
    Rule::new(RejectionCode::OversubscriptionLimit, oversubscription, say_oversubscription)
        .concerning(|request| request.oversubscription.is_some()),
    Rule::new(RejectionCode::DiskTooLarge, disk_size, say_disk_too_large),
    Rule::new(RejectionCode::ProvisioningUnsupported, provisioning, say_provisioning)
        .concerning(|request| request.thin),
    Rule::new(RejectionCode::DiskTypeUnsupported, disk_type, say_disk_type)
        .concerning(|request| request.image_transfer != ImageTransfer::Import),
    Rule::new(RejectionCode::SizeNotMiBAligned, is_not_vvol, |case| {
        vvol::detail(case.request, RejectionCode::SizeNotMiBAligned)
    })
    .concerning(|request| vvol::refusals(request).has(RejectionCode::SizeNotMiBAligned)),
    Rule::new(RejectionCode::BelowMinimumSize, is_not_vvol, |case| {
        vvol::detail(case.request, RejectionCode::BelowMinimumSize)
    })
    .concerning(|request| vvol::refusals(request).has(RejectionCode::BelowMinimumSize)),
    Rule::new(RejectionCode::SizeUnknown, is_not_vvol, |case| {
        vvol::detail(case.request, RejectionCode::SizeUnknown)
    })
    .concerning(|request| vvol::refusals(request).has(RejectionCode::SizeUnknown)),
    Rule::new(RejectionCode::VvolUnavailable, vvol_available, say_vvol_unavailable),
    Rule::new(RejectionCode::SpreadConflict, spread, say_spread)
        .concerning(|request| request.when_unsatisfiable == WhenUnsatisfiable::DoNotPlace),
];

impl Rule {
    /// One for every request.
    const fn new(code: RejectionCode, check: fn(&Case) -> Outcome, say: fn(&Case) -> String) -> Self {
        Self { code, concerns: |_| true, check, say }
    }

    const fn concerning(self, concerns: fn(&Request) -> bool) -> Self {
        Self { concerns, ..self }
    }
}

/// As in Nova, which has a fixed set, and Cinder, whose set has VVOL; compared without case.
fn type_allowed(case: &Case) -> Outcome {
    match &case.datastore.kind {
        None => Outcome::Lacks,
        Some(kind) => Outcome::fails_if(!lists(&case.request.types, kind)),
    }
}

fn say_type(case: &Case) -> String {
    let kind = text::words(case.datastore.kind.as_deref().unwrap_or_default());
    if case.request.types.is_empty() {
        return format!("type {kind}: class and placement allow no type in common");
    }
    format!("type {kind} is not one of {}", text::words(&shown(&case.request.types)))
}

/// As in Nova and Cinder: it must be true, so that an absent value fails too.
fn accessible(case: &Case) -> Outcome {
    Outcome::fails_if(case.datastore.accessible != Some(true))
}

fn say_accessible(case: &Case) -> String {
    match case.datastore.accessible {
        None => "vCenter did not return summary.accessible".to_owned(),
        Some(_) => "vCenter reports that no host can reach it".to_owned(),
    }
}

/// As in Nova: an absent mode is `normal`, any other word is not.
fn maintenance(case: &Case) -> Outcome {
    Outcome::fails_if(case.datastore.maintenance_mode.as_deref().is_some_and(|mode| mode != "normal"))
}

fn say_maintenance(case: &Case) -> String {
    let mode = case.datastore.maintenance_mode.as_deref().unwrap_or_default();
    format!("maintenanceMode is {}", text::words(mode))
}

/// Class and placement can each have a pattern. Nova's matches a prefix; these match the whole name. Every
/// datastore has a name: one whose name vCenter did not return can be any.
fn name_matched(case: &Case) -> Outcome {
    if case.datastore.name.is_empty() {
        return Outcome::Lacks;
    }
    Outcome::fails_if(case.failing_names().next().is_some())
}

fn say_not_matched(case: &Case) -> String {
    format!("name does not match {}", listed(case.failing_names(), " and "))
}

fn name_excluded(case: &Case) -> Outcome {
    Outcome::fails_if(case.excluding_names().next().is_some())
}

fn say_excluded(case: &Case) -> String {
    format!("name matches {}", listed(case.excluding_names(), " and "))
}

fn listed<'a>(patterns: impl Iterator<Item = &'a Pattern>, separator: &str) -> String {
    patterns.map(|pattern| text::quoted(pattern.as_str())).collect::<Vec<_>>().join(separator)
}

fn in_scope(case: &Case) -> Outcome {
    if !case.question.scope.has_datacenter_of(case.datastore) {
        return Outcome::Fails;
    }
    if !case.question.scope.is_narrowed() {
        return Outcome::Holds;
    }
    case.of_mounts(|hosts| !hosts.in_scope)
}

fn say_out_of_scope(case: &Case) -> String {
    case.question.scope.say_out_of_scope(case.datastore)
}

/// Local disks are not for instances, unless the class says so. vCenter's own word counts; without it the hosts
/// that can use the datastore are counted.
fn shared(case: &Case) -> Outcome {
    match (case.request.sharing, case.datastore.multiple_host_access) {
        (Sharing::Any, _) | (Sharing::Shared, Some(true)) => Outcome::Holds,
        (Sharing::Shared, Some(false)) => Outcome::fails_if(case.is_measured()),
        (Sharing::Shared, None) => case.of_mounts(|hosts| hosts.usable_anywhere < 2),
    }
}

fn say_not_shared(case: &Case) -> String {
    match (case.datastore.multiple_host_access, case.hosts) {
        (None, Some(hosts)) => format!("usable on {} hosts; the class wants two", hosts.usable_anywhere),
        _ => "one host alone has access; the class wants two".to_owned(),
    }
}

/// As in Cinder, but all of the hosts that a VM can be moved to.
fn mounted_on_hosts(case: &Case) -> Outcome {
    case.of_mounts(|hosts| !hosts.satisfied)
}

fn say_not_mounted(case: &Case) -> String {
    let reach = case.reach.as_ref();
    reach.map(|reach| case.question.scope.say_not_mounted(case.datastore, reach)).unwrap_or_default()
}

fn say_not_in_cluster(case: &Case) -> String {
    match case.question.inventory.datastore_cluster_of(case.datastore) {
        Some(cluster) => format!("in datastore cluster {}", text::words(&cluster.name)),
        None => "not in the datastore cluster asked for".to_owned(),
    }
}

/// See [`Room::is_insufficient`].
fn free_space(case: &Case) -> Outcome {
    space(case, Room::is_insufficient)
}

fn say_free_space(case: &Case) -> String {
    case.room.as_ref().map(Room::say_insufficient).unwrap_or_default()
}

/// See [`Room::is_oversubscribed`].
fn oversubscription(case: &Case) -> Outcome {
    space(case, Room::is_oversubscribed)
}

fn say_oversubscription(case: &Case) -> String {
    case.room.as_ref().map(Room::say_oversubscribed).unwrap_or_default()
}

fn space(case: &Case, fails: fn(&Room) -> bool) -> Outcome {
    match &case.room {
        Ok(room) => Outcome::fails_if(fails(room)),
        Err(NoRoom::Unknown) => Outcome::Lacks,
        Err(NoRoom::Meaningless) => Outcome::Holds,
    }
}

/// A size limit of a datastore that cannot be reached means nothing.
fn disk_size(case: &Case) -> Outcome {
    match case.datastore.max_virtual_disk {
        _ if !case.is_measured() => Outcome::Holds,
        Property::Withheld => Outcome::Lacks,
        Property::Absent | Property::Known(_) => Outcome::fails_if(case.too_large().next().is_some()),
    }
}

fn say_disk_too_large(case: &Case) -> String {
    let most = case.largest_disk().unwrap_or(Bytes::MAX);
    let disks = case.too_large().map(|disk| format!("{} is {} B", disk.label, disk.size.bytes.get()));
    format!("{}; the largest here is {} B", disks.collect::<Vec<_>>().join(", "), most.get())
}

/// A capability that vCenter does not have is there; one that it does not show may be missing.
fn provisioning(case: &Case) -> Outcome {
    match case.datastore.thin_provisioning {
        Property::Withheld => Outcome::Lacks,
        Property::Absent => Outcome::Holds,
        Property::Known(supported) => Outcome::fails_if(!supported),
    }
}

fn say_provisioning(_: &Case) -> String {
    "thin disks are not supported here; ask for Thick".to_owned()
}

/// As in Nova's driver and Cinder's. No flat file can be put on vSAN or VVOL.
fn disk_type(case: &Case) -> Outcome {
    let flat = matches!(case.request.disk_type, Some(DiskType::Flat | DiskType::Sparse));
    Outcome::fails_if(match case.request.image_transfer {
        ImageTransfer::Import => false,
        ImageTransfer::DirectUpload => {
            (flat || case.request.disk_type.is_none()) && (case.has_type("vsan") || case.has_type(VVOL))
        }
        ImageTransfer::NovaDriver => flat && case.has_type("vsan"),
    })
}

fn say_disk_type(case: &Case) -> String {
    let kind = text::words(case.datastore.kind.as_deref().unwrap_or_default());
    let what = match case.request.disk_type {
        None => "an image of unknown diskType".to_owned(),
        Some(disk_type) => format!("an image of diskType {disk_type:?}"),
    };
    format!("{what} cannot be uploaded to {kind}; StreamOptimized can")
}

fn spread(case: &Case) -> Outcome {
    Outcome::fails_if(case.has_member)
}

fn say_spread(_: &Case) -> String {
    "another member of the spread group is here".to_owned()
}

/// See [`vvol`]: a size excludes datastores of type VVOL, and no others.
fn is_not_vvol(case: &Case) -> Outcome {
    match &case.datastore.kind {
        None => Outcome::Lacks,
        Some(_) => Outcome::fails_if(case.has_type(VVOL)),
    }
}

/// A storage array of a virtual volume must be active, and a host needs a protocol endpoint to it. What is not
/// reported holds.
fn vvol_available(case: &Case) -> Outcome {
    let Datastore { arrays, endpoints, .. } = case.datastore;
    if (arrays.is_empty() && endpoints.is_none()) || !case.has_type(VVOL) {
        return Outcome::Holds;
    }
    if !arrays.is_empty() && !arrays.values().any(|active| *active) {
        return Outcome::Fails;
    }
    match (endpoints, &case.reach) {
        (Some(endpoints), Some(reach)) => case.of_mounts(|hosts| {
            hosts.usable > 0 && case.question.scope.usable_among(case.datastore, reach, endpoints) == 0
        }),
        _ => Outcome::Holds,
    }
}

fn say_vvol_unavailable(case: &Case) -> String {
    let arrays = &case.datastore.arrays;
    if !arrays.is_empty() && !arrays.values().any(|active| *active) {
        let ids = arrays.keys().map(|id| text::words(id)).collect::<Vec<_>>().join(", ");
        return format!("no storage array is active: {ids}");
    }
    let usable = case.hosts.map_or(0, |hosts| hosts.usable);
    format!("no protocol endpoint for any of {usable} usable hosts")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people read about the rules is written from the codes.
    #[test]
    fn every_code_has_its_rule_in_the_same_order() {
        let codes = RULES.iter().map(|rule| rule.code).chain([RejectionCode::IncompleteData]);
        assert_eq!(codes.collect::<Vec<_>>(), RejectionCode::ALL);
    }
}
