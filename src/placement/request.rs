//! A placement, its class and the `VCenter`'s outer limits as one value. No I/O.

use std::collections::BTreeSet;

use super::ask::{Ask, DiskSize};
use super::bytes::Bytes;
use super::class::ClassRules;
use super::demands::{Guards, StorageAsk};
use super::instance::Instance;
use super::inventory::Backing;
use super::ledger::OwnClaim;
use super::pattern::Pattern;
use super::scope::ScopeAsk;
use super::selector::{Selector, lists};
use crate::api::{DiskType, ImageTransfer, Provisioning, Sharing, Strategy, WhenUnsatisfiable};

/// Allowed types of a class that names none: what Nova allows, and VVOL, which Cinder allows too.
const DEFAULT_TYPES: [&str; 5] = ["nfs", "nfs41", "vmfs", "vsan", "vvol"];

/// Everything that a datastore is measured against. All conditions must hold: a placement narrows what its
/// class allows and never widens it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// What does not exist for Berth.
    pub(super) limits: Selector,
    /// Allowed types in lower case.
    pub(super) types: Vec<String>,
    /// The whole name must match each.
    pub(super) names: Vec<Pattern>,
    /// The whole name must match none.
    pub(super) excludes: Vec<Pattern>,
    /// Every disk that is created on the datastore: the image at its native size, the root disk, the others.
    pub(super) disks: Vec<Disk>,
    /// The image's own size is known.
    pub(super) image_known: bool,
    /// The image's format, when it was said.
    pub(super) disk_type: Option<DiskType>,
    pub(super) image_transfer: ImageTransfer,
    /// Some disk is thin.
    pub(super) thin: bool,
    /// Final size of all disks, swap file and the class's allowance.
    pub(super) requested: Bytes,
    /// What of it is written at creation.
    pub(super) needed_now: Bytes,
    /// Where the VM will run: what the class and what the placement says.
    pub(super) scope: [ScopeAsk; 2],
    /// Policy, tags and datastore cluster: what the class and what the placement says.
    pub(super) storage: [StorageAsk; 2],
    /// What the `VCenter` keeps instances away from.
    pub(super) guards: Guards,
    pub(super) sharing: Sharing,
    pub(super) strategy: Strategy,
    /// The weight of the first pattern that matches counts; else 0.
    pub(super) weights: Vec<(Pattern, i32)>,
    /// Name, `datacenter/name` or moRef each.
    pub(super) preferred: Vec<String>,
    /// Percentage of the capacity that stays free.
    pub(super) headroom_percent: u32,
    /// Bytes that stay free.
    pub(super) headroom: u64,
    /// Percentage of the capacity that may be promised; none: no limit.
    pub(super) oversubscription: Option<u32>,
    /// Types in lower case, and what a byte costs on them in percent. The first entry counts.
    pub(super) space_factors: Vec<(Vec<String>, u32)>,
    /// The smallest disk that VVOL datastores take.
    pub(super) minimum_vvol_disk: Bytes,
    /// What becomes of it where another member of its group is.
    pub(super) when_unsatisfiable: WhenUnsatisfiable,
    /// Where other members of its group are.
    pub(super) spread_taken: BTreeSet<Backing>,
    /// Left out of the sums.
    pub(super) own: Option<OwnClaim>,
    /// The placement's VM, when there is one.
    pub(super) instance: Option<Instance>,
}

/// A disk by the name that messages give it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Disk {
    pub(super) label: String,
    pub(super) size: DiskSize,
}

impl Request {
    /// `limits` is `VCenter.spec.datastores`; `own` is the present claim of the placement that is to be
    /// decided afresh.
    #[must_use]
    pub fn compile(ask: &Ask, class: &ClassRules, limits: &Selector, own: Option<OwnClaim>) -> Self {
        let both = |part: fn(&Selector) -> &Option<Pattern>| {
            let mut patterns: Vec<Pattern> =
                [part(&class.datastores), part(&ask.datastores)].into_iter().flatten().cloned().collect();
            patterns.dedup();
            patterns
        };
        let extra = u128::from(class.per_instance);
        Self {
            limits: limits.clone(),
            types: allowed_types(&class.datastores.types, &ask.datastores.types),
            names: both(|selector| &selector.name),
            excludes: both(|selector| &selector.exclude),
            disks: disks(ask),
            image_known: ask.image.is_some(),
            disk_type: ask.disk_type,
            image_transfer: class.image_transfer,
            thin: is_thin(ask),
            requested: Bytes::saturating(ask.total().saturating_add(extra)),
            needed_now: Bytes::saturating(needed_now(ask).saturating_add(extra)),
            scope: [class.compute.clone(), ask.compute.clone()],
            storage: [class.storage.clone(), ask.storage.clone()],
            guards: Guards::default(),
            sharing: class.sharing,
            strategy: class.strategy,
            weights: class.weights.clone(),
            preferred: ask.preferred.clone(),
            headroom_percent: class.headroom_percent,
            headroom: class.headroom,
            oversubscription: class.oversubscription,
            space_factors: class.space_factors.clone(),
            minimum_vvol_disk: class.minimum_vvol_disk,
            when_unsatisfiable: ask.spread.as_ref().map(|s| s.when_unsatisfiable).unwrap_or_default(),
            spread_taken: BTreeSet::new(),
            own,
            instance: None,
        }
    }

    /// With what its `VCenter` keeps instances away from.
    #[must_use]
    pub fn guarded(mut self, guards: Guards) -> Self {
        self.guards = guards;
        self
    }

    /// With the placement's VM: its present datastore comes first while it is eligible, and there it needs no
    /// more room than it grows by.
    #[must_use]
    pub fn of_instance(mut self, instance: Instance) -> Self {
        self.instance = Some(instance);
        self
    }

    /// With the volumes that other members of the placement's spread group were given.
    #[must_use]
    pub fn spread_from(mut self, taken: BTreeSet<Backing>) -> Self {
        self.spread_taken = taken;
        self
    }
}

fn allowed_types(class: &[String], ask: &[String]) -> Vec<String> {
    let class = if class.is_empty() { DEFAULT_TYPES.map(str::to_owned).to_vec() } else { class.to_vec() };
    class.into_iter().filter(|kind| ask.is_empty() || lists(ask, kind)).collect()
}

/// The image is created at its native size and grown afterwards, so that both sizes of a root disk count.
fn disks(ask: &Ask) -> Vec<Disk> {
    let named = |label: &str, size: &Option<DiskSize>| {
        size.clone().map(|size| Disk { label: label.to_owned(), size })
    };
    let root = [named("image", &ask.image), named("root disk", &ask.root)];
    let additional =
        ask.additional.iter().map(|d| Disk { label: format!("disk {}", d.name), size: d.size.clone() });
    root.into_iter().flatten().chain(additional).collect()
}

fn is_thin(ask: &Ask) -> bool {
    ask.root_provisioning == Provisioning::Thin
        || ask.additional.iter().any(|disk| disk.provisioning == Provisioning::Thin)
}

/// A thin root disk is written as large as its image, in full when the image's size is not known; a thin blank
/// disk is not written at all.
fn needed_now(ask: &Ask) -> u128 {
    let root = match (ask.root_provisioning, &ask.image) {
        (Provisioning::Thin, Some(image)) => image.bytes,
        _ => ask.final_root(),
    };
    let additional = ask.additional.iter().filter(|disk| disk.provisioning != Provisioning::Thin);
    additional
        .map(|disk| u128::from(disk.size.bytes.get()))
        .fold(u128::from(root.get()), u128::saturating_add)
        .saturating_add(u128::from(ask.swap))
}
