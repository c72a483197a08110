//! Looking without changing: for metrics, probes, plans and explanations. No I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::placement::{self, Datastore, Finding, Inventory, Kept, Ledger, Request, Verdict};
use crate::resolve;

use super::Scheduler;
use super::evaluate::state_of;
use super::input::{Key, Now};
use super::vcenter::{Availability, VCenter};

/// What one `VCenter` has to choose from.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// Its name.
    pub vcenter: &'a str,
    /// Its newest inventory.
    pub inventory: &'a Inventory,
    /// The datastores that its own limits show, by moRef.
    pub datastores: Vec<&'a Datastore>,
}

/// What there is now, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many placements are in each of [`Self::STATES`]; one that is not named has none.
    pub placements: BTreeMap<&'static str, usize>,
    /// How many of them wait for their turn.
    pub queued: usize,
    /// The room that is kept, everywhere.
    pub claimed: Kept,
    /// Every `VCenter` by name: it is connected, and there is an inventory of it to decide on.
    pub vcenters: Vec<(String, bool)>,
}

impl Figures {
    /// The states of a placement.
    pub const STATES: [&'static str; 5] = ["placed", "waiting", "stalled", "suspended", "pending"];
}

impl Scheduler {
    /// What there is now, for metrics.
    #[must_use]
    pub fn figures(&self, now: Now) -> Figures {
        let mut placements: BTreeMap<_, usize> = BTreeMap::new();
        for (_, row) in self.rows.iter() {
            let count = placements.entry(state_of(row)).or_default();
            *count = count.saturating_add(1);
        }
        let is_up = |vcenter: &VCenter| {
            vcenter.is_connected() && matches!(vcenter.availability(now), Availability::Fresh(_))
        };
        Figures {
            placements,
            queued: self.rows.queued(),
            claimed: self.ledger.total(),
            vcenters: self.vcenters.iter().map(|(name, one)| (name.clone(), is_up(one))).collect(),
        }
    }

    /// Everything that a decision needs has been listed, and the term runs.
    #[must_use]
    pub fn is_deciding(&self) -> bool {
        self.may_decide()
    }

    /// The `VCenter` objects that cannot be used until somebody changes them or their Secret, by name, with the
    /// reason. One that only does not answer is not among them.
    pub fn misconfigured(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vcenters.iter().filter_map(|(name, vcenter)| Some((name.as_str(), vcenter.misconfigured()?)))
    }

    /// The room that is kept.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Every `VCenter` with an inventory to decide on, by name.
    #[must_use]
    pub fn offers(&self, now: Now) -> Vec<Offer<'_>> {
        let vcenters = self.vcenters.iter().filter(|(name, _)| self.older_twin(name).is_none());
        let offers = vcenters.filter_map(|(name, vcenter)| {
            let (Availability::Fresh(confirmed), Ok(setup)) = (vcenter.availability(now), &vcenter.setup)
            else {
                return None;
            };
            let inventory: &Inventory = &confirmed.inventory;
            let shown = inventory.datastores().iter().filter(|datastore| setup.limits.admits(datastore));
            Some(Offer { vcenter: name, inventory, datastores: shown.collect() })
        });
        offers.collect()
    }

    /// What every connected vCenter showed last: name of its `VCenter`, server, and inventory.
    pub fn inventories(&self) -> impl Iterator<Item = (&str, &str, &Arc<Inventory>)> {
        self.vcenters.iter().filter_map(|(name, vcenter)| {
            let (confirmed, setup) = (vcenter.confirmed.as_ref()?, vcenter.setup.as_ref().ok()?);
            Some((name.as_str(), setup.endpoint.server.as_str(), &confirmed.inventory))
        })
    }

    /// What a placement would find if it were decided now, its own claim left out: the name of its `VCenter`,
    /// and one finding for each of [`Offer::datastores`]. None when nothing can be decided for it.
    #[must_use]
    pub fn survey(&self, key: &Key, now: Now, words: bool) -> Option<(&str, Vec<Finding>)> {
        let (vcenter, inventory, request) = self.question(key, now)?;
        let findings = placement::survey(&request, inventory, &self.ledger, words).ok()?;
        Some((vcenter, findings))
    }

    /// As [`Self::survey`], every datastore by name, the best first.
    #[must_use]
    pub fn explain(&self, key: &Key, now: Now) -> Option<(&str, Vec<Verdict>)> {
        let (vcenter, inventory, request) = self.question(key, now)?;
        let verdicts = placement::explain(&request, inventory, &self.ledger).ok()?;
        Some((vcenter, verdicts))
    }

    /// What a placement asks for, and of which inventory.
    fn question(&self, key: &Key, now: Now) -> Option<(&str, &Inventory, Request)> {
        let row = self.rows.get(key)?;
        let ask = row.ask.as_ref().ok()?;
        let resolved = resolve::resolve(ask, &key.namespace, &self.world()).ok()?;
        let vcenter =
            self.vcenters.get(resolved.vcenter).filter(|_| self.older_twin(resolved.vcenter).is_none())?;
        let (Availability::Fresh(confirmed), Ok(setup)) = (vcenter.availability(now), &vcenter.setup) else {
            return None;
        };
        let request = self.request(key, row, ask, &resolved, &setup.limits, &confirmed.inventory);
        Some((resolved.vcenter, &confirmed.inventory, request))
    }
}
