//! The rules once more, written from the design alone: plain, slow, and without the code they check.

use std::collections::BTreeSet;

use super::*;
use crate::api::{DiskType, HostAccess, ImageTransfer, Strategy};

/// Patterns that the oracle understands without regular expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Any,
    StartingWithA,
    EndingWithOld,
}

impl Names {
    pub(super) fn pattern(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::StartingWithA => "a.*",
            Self::EndingWithOld => ".*old",
        }
    }
    fn holds(self, name: &str, absent: bool) -> bool {
        match self {
            Self::Any => absent,
            Self::StartingWithA => name.starts_with('a'),
            Self::EndingWithOld => name.ends_with("old"),
        }
    }
}

/// Types, names and excluded names, as all three levels have them.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    pub(super) types: Vec<&'static str>,
    pub(super) names: Names,
    pub(super) excludes: Names,
}

/// How a host has a datastore: `Usable`, `ReadOnly`, `Inaccessible`, or none.
pub(super) type HostMount = Option<Mount>;

/// Five hosts: two in cluster C0 and two in C1, both in datacenter DC0, and one in C2 in DC1.
pub(super) const HOSTS: [(&str, &str, &str); 5] =
    [("h0", "C0", "DC0"), ("h1", "C0", "DC0"), ("h2", "C1", "DC0"), ("h3", "C1", "DC0"), ("h4", "C2", "DC1")];

/// A datastore with its mounts in plain words; none when vCenter does not return them.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) datastore: Datastore,
    pub(super) datacenter: &'static str,
    pub(super) mounts: Option<[HostMount; 5]>,
}

/// Where a VM is to run, as class and placement have it.
#[derive(Clone, Debug)]
pub(super) struct Where {
    pub(super) datacenter: Option<&'static str>,
    pub(super) clusters: Vec<&'static str>,
    pub(super) hosts: Vec<&'static str>,
    pub(super) access: Option<HostAccess>,
}

/// What class or placement ask of storage.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// `gold` or `silver`; their ids are `id of gold` and `id of silver`.
    pub(super) policy: Option<&'static str>,
    /// `POD-A` or `POD-B`; their moRefs are `group-POD-A` and `group-POD-B`.
    pub(super) pod: Option<&'static str>,
    /// Names of tags of category `tier`.
    pub(super) tags: Vec<&'static str>,
}

/// A mark that keeps instances away: the custom attribute `drain` with value `yes`, or the tag `tier/drain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Attribute,
    Tag,
}

/// Everything that a decision is made from, in plain words.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that can be so or not")]
pub(super) struct World {
    pub(super) datastores: Vec<Seen>,
    /// Which hosts are in maintenance.
    pub(super) away: [bool; 5],
    pub(super) claims: Vec<(String, u64, u64)>,
    /// Which of the claims is the placement's own.
    pub(super) own: Option<usize>,
    pub(super) image: Option<u64>,
    pub(super) root: Option<u64>,
    pub(super) root_thick: bool,
    /// Sizes of additional disks, and whether they are thick.
    pub(super) additional: Vec<(u64, bool)>,
    pub(super) swap: u64,
    pub(super) disk_type: Option<DiskType>,
    pub(super) limits: Conditions,
    pub(super) class: Conditions,
    pub(super) ask: Conditions,
    pub(super) class_where: Where,
    pub(super) ask_where: Where,
    pub(super) any_sharing: bool,
    pub(super) strategy: Strategy,
    /// Datastores whose name starts with `a` have this weight.
    pub(super) weight: i32,
    pub(super) preferred: Vec<String>,
    pub(super) percent: u32,
    pub(super) headroom: u64,
    pub(super) oversubscription: Option<u32>,
    /// What a byte costs on NFS in percent, when it is said.
    pub(super) nfs_factor: Option<u32>,
    pub(super) per_instance: u64,
    pub(super) minimum: u64,
    pub(super) transfer: ImageTransfer,
    pub(super) do_not_place: bool,
    pub(super) taken: Vec<String>,
    pub(super) class_wish: Wish,
    pub(super) ask_wish: Wish,
    pub(super) marks: Vec<Mark>,
    pub(super) alarms: Option<AlarmStatus>,
    /// Whose privileges are asked about, and which.
    pub(super) consumer: Option<(&'static str, Vec<&'static str>)>,
    pub(super) policies_read: bool,
    pub(super) pods_read: bool,
    /// Whose privileges the datastores tell.
    pub(super) known_consumer: Option<&'static str>,
    /// The moRef of the datastore that the VM is on, and what it has written and may still write there.
    pub(super) instance: Option<(String, u64, u64)>,
}

fn among(types: &[&str], kind: &str) -> bool {
    types.iter().any(|t| t.to_lowercase() == kind.to_lowercase())
}

/// What an eligible datastore is compared by.
#[derive(Clone, Debug)]
pub(super) struct Merits {
    present: bool,
    weight: i32,
    member: bool,
    preferred: bool,
    writable: i128,
    used: i128,
    capacity: i128,
    hosts: usize,
}

/// The order of two eligible datastores, names aside.
pub(super) fn better(w: &World, a: &Merits, b: &Merits) -> std::cmp::Ordering {
    let present = b.present.cmp(&a.present);
    let first = present
        .then(b.weight.cmp(&a.weight))
        .then(a.member.cmp(&b.member))
        .then(b.preferred.cmp(&a.preferred));
    // Capacities and uses are small here. Nothing is the worst whole.
    let utilized = match (a.capacity, b.capacity) {
        (0, 0) => std::cmp::Ordering::Equal,
        (0, _) => std::cmp::Ordering::Greater,
        (_, 0) => std::cmp::Ordering::Less,
        _ => (a.used * b.capacity).cmp(&(b.used * a.capacity)),
    };
    first.then(match w.strategy {
        Strategy::MostFree => b.writable.cmp(&a.writable),
        Strategy::LeastUtilized => utilized,
        Strategy::MostShared => b.hosts.cmp(&a.hosts).then(utilized),
        Strategy::Pack => a.writable.cmp(&b.writable),
    })
}

fn in_scope(w: &World, host: usize) -> bool {
    let (name, cluster, datacenter) = HOSTS[host];
    [&w.class_where, &w.ask_where].into_iter().all(|asked| {
        asked.datacenter.is_none_or(|dc| dc == datacenter)
            && (asked.clusters.is_empty() || asked.clusters.contains(&cluster))
            && (asked.hosts.is_empty() || asked.hosts.contains(&name))
    })
}

fn policies(w: &World) -> Vec<String> {
    [&w.class_wish, &w.ask_wish]
        .iter()
        .filter_map(|wish| wish.policy)
        .map(|name| format!("id of {name}"))
        .collect()
}

/// What is asked of storage besides type, name, hosts and room.
fn judge_storage(w: &World, d: &Datastore) -> BTreeSet<&'static str> {
    let mut failed = BTreeSet::new();
    let wishes = [&w.class_wish, &w.ask_wish];
    let checks: Vec<_> = policies(w).iter().map(|id| d.policies.get(id)).collect();
    if !checks.is_empty() {
        let refused = checks.iter().any(|check| matches!(check, Some(PolicyCheck::Incompatible { .. })));
        if w.policies_read && refused {
            failed.insert("PolicyIncompatible");
        } else if !w.policies_read || checks.contains(&None) {
            failed.insert("IncompleteData");
        }
    }
    let has = |name: &str| {
        d.tags.as_ref().map(|tags| tags.contains(&Tag { category: "tier".into(), name: name.into() }))
    };
    for name in wishes.iter().flat_map(|wish| &wish.tags) {
        match has(name) {
            None => failed.insert("IncompleteData"),
            Some(false) => failed.insert("TagMissing"),
            Some(true) => false,
        };
    }
    let pods: Vec<_> = wishes.iter().filter_map(|wish| wish.pod).collect();
    if !pods.is_empty() {
        match &d.datastore_cluster {
            _ if !w.pods_read => failed.insert("IncompleteData"),
            Property::Withheld => failed.insert("IncompleteData"),
            Property::Known(own) if pods.iter().all(|pod| own.0 == format!("group-{pod}")) => false,
            _ => failed.insert("NotInDatastoreCluster"),
        };
    }
    if let Some((user, privileges)) = &w.consumer {
        let granted: Vec<_> = privileges.iter().map(|privilege| d.privileges.get(*privilege)).collect();
        if w.known_consumer.is_none_or(|known| known.to_lowercase() != user.to_lowercase()) {
            failed.insert("IncompleteData");
        } else if granted.contains(&Some(&false)) {
            failed.insert("MissingPrivilege");
        } else if granted.contains(&None) {
            failed.insert("IncompleteData");
        }
    }
    let marked: Vec<Option<bool>> = w
        .marks
        .iter()
        .map(|mark| match mark {
            Mark::Tag => has("drain"),
            Mark::Attribute => {
                d.custom_attributes.as_ref().map(|all| all.get("drain").is_some_and(|v| v == "yes"))
            }
        })
        .collect();
    if marked.contains(&Some(true)) {
        failed.insert("DatastoreSuspended");
    } else if marked.contains(&None) {
        failed.insert("IncompleteData");
    }
    match (w.alarms, &d.alarms) {
        (None, _) => {}
        (Some(_), None) => {
            failed.insert("IncompleteData");
        }
        (Some(least), Some(all)) => {
            let red = all.iter().any(|alarm| alarm.status == AlarmStatus::Red);
            if red || (least == AlarmStatus::Yellow && !all.is_empty()) {
                failed.insert("AlarmTriggered");
            }
        }
    }
    failed
}

/// Failed codes and merits of one datastore; none when it is hidden.
#[expect(clippy::too_many_lines, reason = "a list of rules is best read as one")]
pub(super) fn judge(w: &World, seen: &Seen) -> Option<(BTreeSet<&'static str>, Merits)> {
    let d = &seen.datastore;
    let kind = d.kind.as_deref();
    let is = |word: &str| kind.is_some_and(|k| k.to_lowercase() == word);
    let outside = !w.limits.types.is_empty() && !kind.is_some_and(|k| among(&w.limits.types, k));
    if outside || !w.limits.names.holds(&d.name, true) || w.limits.excludes.holds(&d.name, false) {
        return None;
    }
    let mut failed = judge_storage(w, d);
    let class_types = if w.class.types.is_empty() {
        vec!["VMFS", "NFS", "NFS41", "vsan", "VVOL"]
    } else {
        w.class.types.clone()
    };
    match kind {
        None => failed.insert("IncompleteData"),
        Some(k) if among(&class_types, k) && (w.ask.types.is_empty() || among(&w.ask.types, k)) => false,
        Some(_) => failed.insert("TypeNotAllowed"),
    };
    if !matches!(d.maintenance_mode.as_deref(), None | Some("normal")) {
        failed.insert("MaintenanceMode");
    }
    if !(w.class.names.holds(&d.name, true) && w.ask.names.holds(&d.name, true)) {
        failed.insert("NameNotMatched");
    }
    if w.class.excludes.holds(&d.name, false) || w.ask.excludes.holds(&d.name, false) {
        failed.insert("NameExcluded");
    }
    let sizes = || w.image.into_iter().chain(w.root).chain(w.additional.iter().map(|a| a.0));
    if is("vvol") {
        for size in sizes() {
            if size < w.minimum {
                failed.insert("BelowMinimumSize");
            } else if size % 1_048_576 != 0 {
                failed.insert("SizeNotMiBAligned");
            }
        }
        if w.image.is_none() {
            failed.insert("SizeUnknown");
        }
    }
    let is_down = is("vvol") && !d.arrays.is_empty() && d.arrays.values().all(|active| !active);
    if is_down {
        failed.insert("VvolUnavailable");
    }
    let any_thin = !w.root_thick || w.additional.iter().any(|(_, thick)| !thick);
    if any_thin && d.thin_provisioning == Property::Known(false) {
        failed.insert("ProvisioningUnsupported");
    }
    if any_thin && d.thin_provisioning == Property::Withheld {
        failed.insert("IncompleteData");
    }
    let flat = matches!(w.disk_type, Some(DiskType::Flat | DiskType::Sparse));
    if match w.transfer {
        ImageTransfer::Import => false,
        ImageTransfer::DirectUpload => (flat || w.disk_type.is_none()) && (is("vsan") || is("vvol")),
        ImageTransfer::NovaDriver => flat && is("vsan"),
    } {
        failed.insert("DiskTypeUnsupported");
    }
    let volume = if d.url.is_empty() { format!("vc-1/{}", d.moref) } else { d.url.clone() };
    let member = w.taken.contains(&volume);
    if member && w.do_not_place {
        failed.insert("SpreadConflict");
    }
    let wheres = [&w.class_where, &w.ask_where];
    if wheres.iter().any(|asked| asked.datacenter.is_some_and(|dc| dc != seen.datacenter)) {
        failed.insert("NotInScope");
    }
    let mut hosts = 0;
    let vm = w.instance.as_ref().filter(|(moref, _, _)| *moref == d.moref.0);
    let mut merits = Merits {
        present: vm.is_some(),
        weight: if d.name.starts_with('a') { w.weight } else { 0 },
        member,
        preferred: w
            .preferred
            .iter()
            .any(|p| *p == d.name || *p == d.moref.0 || *p == format!("{}/{}", seen.datacenter, d.name)),
        writable: 0,
        used: 0,
        capacity: 0,
        hosts: 0,
    };
    if d.accessible != Some(true) {
        failed.insert("NotAccessible");
        return Some((failed, merits));
    }
    match d.max_virtual_disk {
        Property::Known(most) if most > 0 && sizes().any(|size| size > most) => failed.insert("DiskTooLarge"),
        Property::Withheld => failed.insert("IncompleteData"),
        _ => false,
    };
    let narrowed = wheres.iter().any(|asked| !asked.clusters.is_empty() || !asked.hosts.is_empty());
    match seen.mounts {
        None => {
            failed.insert("IncompleteData");
        }
        Some(mounts) => {
            let everywhere = mounts.iter().filter(|mount| **mount == Some(Mount::Usable)).count();
            let usable = |h: usize| {
                mounts[h] == Some(Mount::Usable)
                    && policies(w).iter().all(|id| match d.policies.get(id) {
                        Some(PolicyCheck::Compatible { hosts: Some(named) }) if w.policies_read => {
                            named.contains(h)
                        }
                        _ => true,
                    })
            };
            if !w.any_sharing && !d.multiple_host_access.unwrap_or(everywhere >= 2) {
                failed.insert("NotShared");
            }
            let scope: Vec<usize> = (0..5).filter(|h| in_scope(w, *h)).collect();
            if narrowed && !scope.iter().any(|h| mounts[*h].is_some()) {
                failed.insert("NotInScope");
            }
            let awake: Vec<usize> = scope.iter().copied().filter(|h| !w.away[*h]).collect();
            let concerned: Vec<usize> =
                awake.iter().copied().filter(|h| narrowed || HOSTS[*h].2 == seen.datacenter).collect();
            hosts = concerned.iter().filter(|h| usable(**h)).count();
            let access =
                wheres.iter().filter_map(|asked| asked.access).max().unwrap_or(HostAccess::OneCluster);
            let enough = match access {
                HostAccess::AnyHost => true,
                HostAccess::AllHosts => concerned.iter().all(|h| usable(*h)),
                HostAccess::OneCluster => ["C0", "C1", "C2"].iter().any(|cluster| {
                    let mut of = awake.iter().filter(|h| HOSTS[**h].1 == *cluster).peekable();
                    of.peek().is_some() && of.all(|h| usable(*h))
                }),
            };
            if hosts == 0 || !enough {
                failed.insert("NotMountedOnHosts");
            }
            let mut usable_hosts = concerned.iter().filter(|h| usable(**h));
            let ends_nowhere =
                d.endpoints.as_ref().is_some_and(|ends| !usable_hosts.any(|h| ends.contains(*h)));
            if is("vvol") && hosts > 0 && ends_nowhere {
                failed.insert("VvolUnavailable");
            }
        }
    }
    if !w.any_sharing && seen.mounts.is_none() && d.multiple_host_access == Some(false) {
        failed.insert("NotShared");
    }
    let (Some(_), Some(capacity), Some(free)) = (kind, d.capacity, d.free) else {
        failed.insert("IncompleteData");
        return Some((failed, merits));
    };
    let capacity = i128::from(capacity).min(i128::from(i64::MAX));
    let free = i128::from(free).min(capacity);
    let factor = i128::from(match w.nfs_factor {
        Some(factor) if is("nfs") => factor,
        _ if is("vsan") => 200,
        _ => 100,
    });
    let cost = |bytes: i128| (bytes * factor + 99) / 100;
    let others = w.claims.iter().enumerate().filter(|(n, c)| c.0 == volume && w.own != Some(*n));
    let (kept, kept_now) =
        others.fold((0, 0), |(all, now), (_, c)| (all + i128::from(c.1), now + i128::from(c.2)));
    let percentage = (capacity * i128::from(w.percent) + 99) / 100;
    let usable = free - percentage.max(i128::from(w.headroom)) - kept_now;
    let more = i128::from(w.swap) + i128::from(w.per_instance);
    let grown = i128::from(w.root.or(w.image).unwrap());
    let written = if w.root_thick { grown } else { w.image.map_or(grown, i128::from) };
    let thick: i128 = w.additional.iter().filter(|a| a.1).map(|a| i128::from(a.0)).sum();
    let (has_written, may_write) = vm.map_or((0, 0), |(_, c, u)| (i128::from(*c), i128::from(*u)));
    if usable < (cost(written + thick + more) - has_written).max(0) {
        failed.insert("InsufficientFreeSpace");
    }
    let requested = cost(grown + w.additional.iter().map(|a| i128::from(a.0)).sum::<i128>() + more);
    let requested = (requested - has_written - may_write).max(0);
    let promised = capacity - free + i128::from(d.uncommitted.unwrap_or(0)) + kept + requested;
    if w.oversubscription.is_some_and(|limit| promised * 100 > capacity * i128::from(limit)) {
        failed.insert("OversubscriptionLimit");
    }
    merits.writable = usable * 100 / factor;
    merits.used = capacity - free + kept_now;
    merits.capacity = capacity;
    merits.hosts = hosts;
    Some((failed, merits))
}
