//! A placement, its class and the `VCenter`'s outer limits as one value. No I/O.

use super::ask::{Ask, DiskSize};
use super::bytes::Bytes;
use super::class::ClassRules;
use super::ledger::OwnClaim;
use super::pattern::Pattern;
use super::selector::{Selector, lists};

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
    /// The image's native size.
    pub(super) image: Option<DiskSize>,
    /// The root disk's size.
    pub(super) root: Option<DiskSize>,
    /// Final size of all disks.
    pub(super) requested: Bytes,
    /// What is written at creation.
    pub(super) needed_now: Bytes,
    /// Percentage of the capacity that stays free.
    pub(super) headroom_percent: u32,
    /// Bytes that stay free.
    pub(super) headroom: u64,
    /// The smallest disk that VVOL datastores take.
    pub(super) minimum_vvol_disk: Bytes,
    /// Left out of the sums.
    pub(super) own: Option<OwnClaim>,
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
        let size = |disk: &Option<DiskSize>| disk.as_ref().map(|disk| disk.bytes);
        // `Ask::parse` gives at least one size. Without any, nothing would fit.
        let requested = size(&ask.root).or(size(&ask.image)).unwrap_or(Bytes::MAX);
        Self {
            limits: limits.clone(),
            types: allowed_types(&class.datastores.types, &ask.datastores.types),
            names: both(|selector| &selector.name),
            excludes: both(|selector| &selector.exclude),
            image: ask.image.clone(),
            root: ask.root.clone(),
            requested,
            // A thin root disk is written as large as its image; without one it counts in full.
            needed_now: size(&ask.image).unwrap_or(requested),
            headroom_percent: class.headroom_percent,
            headroom: class.headroom,
            minimum_vvol_disk: class.minimum_vvol_disk,
            own,
        }
    }
}

fn allowed_types(class: &[String], ask: &[String]) -> Vec<String> {
    let class = if class.is_empty() { DEFAULT_TYPES.map(str::to_owned).to_vec() } else { class.to_vec() };
    class.into_iter().filter(|kind| ask.is_empty() || lists(ask, kind)).collect()
}
