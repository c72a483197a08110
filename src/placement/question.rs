//! One request to one inventory: what is looked up once, and then every datastore as a case of it. No I/O.

use std::collections::BTreeMap;

use super::NotFound;
use super::capacity::{Need, Room};
use super::case::Case;
use super::compute::HostMounts;
use super::demands::Demands;
use super::inventory::{Datastore, Inventory, MoRef};
use super::ledger::{Kept, Ledger, Usage};
use super::request::Request;
use super::rules::{Rule, rules_for};
use super::scope::{HostView, Reach, Scope};

/// A request, the inventory that it is put to, and what is looked up once for all datastores.
pub(super) struct Question<'a> {
    pub(super) request: &'a Request,
    pub(super) inventory: &'a Inventory,
    ledger: &'a Ledger,
    pub(super) scope: Scope<'a>,
    pub(super) demands: Demands<'a>,
    /// The rules that some datastore could fail.
    pub(super) rules: Vec<&'static Rule>,
}

/// The datastores of a cluster are mounted by the same hosts: each such set is looked at once.
type Views<'a> = BTreeMap<(Option<&'a MoRef>, Reach<'a>), HostView>;

impl<'a> Question<'a> {
    pub(super) fn new(
        request: &'a Request,
        inventory: &'a Inventory,
        ledger: &'a Ledger,
    ) -> Result<Self, NotFound> {
        let [class, ask] = &request.scope;
        Ok(Self {
            request,
            inventory,
            ledger,
            scope: Scope::resolve([class, ask], inventory.compute())?,
            demands: Demands::resolve(request, inventory)?,
            rules: rules_for(request),
        })
    }

    /// Every datastore that exists for Berth, ready to be measured.
    pub(super) fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        let mut views = Views::new();
        let datastores = self.inventory.datastores().iter();
        datastores.filter_map(move |datastore| self.case(datastore, &mut views))
    }

    /// The datastore that the placement's VM is on.
    pub(super) fn present(&self) -> Option<Case<'_>> {
        let instance = self.request.instance.as_ref()?;
        self.case(self.inventory.datastore(&instance.datastore)?, &mut Views::new())
    }

    /// None: it is hidden, so it does not exist.
    fn case<'q>(&'q self, datastore: &'q Datastore, views: &mut Views<'q>) -> Option<Case<'q>> {
        if !self.request.limits.admits(datastore) {
            return None;
        }
        let reach = datastore.mounts.read().map(|mounts| self.reach(datastore, mounts));
        let hosts = reach.as_ref().map(|reach| {
            let view = views.entry((datastore.datacenter.as_ref(), reach.clone()));
            *view.or_insert_with(|| self.scope.view(datastore, reach))
        });
        let instance = self.request.instance.as_ref().filter(|vm| vm.datastore == datastore.moref);
        let usage = instance.map_or_else(Usage::default, |instance| instance.usage);
        // On a type that is not known a byte costs what it does on most.
        let need = Need::of(self.request, datastore.kind.as_deref().unwrap_or_default(), usage);
        Some(Case {
            question: self,
            request: self.request,
            datastore,
            datacenter: self.inventory.datacenter_of(datastore),
            reach,
            hosts,
            room: Room::of(self.request, datastore, self.kept(datastore), need),
            need,
            has_member: self.has_member(datastore),
            is_present: instance.is_some(),
        })
    }

    fn reach<'q>(&self, datastore: &Datastore, mounts: &'q HostMounts) -> Reach<'q> {
        Reach { mounts, usable: self.demands.matching(datastore, &mounts.usable) }
    }

    fn has_member(&self, datastore: &Datastore) -> bool {
        let taken = &self.request.spread_taken;
        !taken.is_empty() && taken.contains(&self.inventory.backing_of(datastore))
    }

    /// What others were promised on the datastore's backing: all claims but the placement's own.
    fn kept(&self, datastore: &Datastore) -> Kept {
        let (ledger, own) = (self.ledger, self.request.own.as_ref());
        // The backing of a datastore with a url is the url: looked up without a copy.
        let (all, own) = if datastore.url.is_empty() {
            let backing = self.inventory.backing_of(datastore);
            (ledger.on(&backing), own.filter(|own| own.backing == backing))
        } else {
            (ledger.on_key(&datastore.url), own.filter(|own| own.backing.0 == datastore.url))
        };
        own.map_or(all, |own| all.without(&own.claim))
    }
}
