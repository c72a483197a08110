//! The VM of a placement: what is known of it, its adoption, and whether it is where it was placed. No I/O.
//!
//! A consumer creates the VM with the placement's instance UUID; by that it is found again. A decision is final for
//! its revision: nothing here moves anything.

use super::inventory::{Datastore, Inventory, MoRef, Property};
use super::ledger::Usage;
use super::storage::PolicyCheck;
use super::text;
use crate::api::DriftReason;

/// The VM with the placement's instance UUID, as vCenter shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    /// The datastore of its boot disk.
    pub datastore: MoRef,
    /// What its files take there: `storage.perDatastoreUsage[]` of that datastore.
    pub usage: Usage,
}

/// What is known of the VM of a placement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sighting {
    /// Nobody looked yet, or the last look failed.
    Unread,
    /// The vCenter has no such VM.
    Absent,
    /// It is there.
    Seen(Instance),
}

/// What a placement was given, as its status says it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Given {
    /// `status.datastore.vCenter.instanceUUID`.
    pub vcenter: String,
    /// `status.datastore.moRef`.
    pub datastore: MoRef,
    /// `status.datastore.name`.
    pub name: String,
    /// `status.datastore.datastoreCluster`: the name of the datastore cluster that it was in.
    pub datastore_cluster: Option<String>,
    /// `status.storagePolicy.id`.
    pub policy: Option<String>,
    /// The VM has been seen: its claim was `Consuming` or is `Consumed`.
    pub appeared: bool,
}

/// What became of a placement's datastore and VM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Drift {
    /// Everything that is not as it was decided, the gravest first, with a message each. Empty: nothing.
    pub drifted: Vec<(DriftReason, String)>,
    /// What is worth a message and no more: a move within the datastore cluster.
    pub note: Option<String>,
}

impl Drift {
    /// The VM was there and is gone: the room kept for it is to be released.
    #[must_use]
    pub fn releases_claim(&self) -> bool {
        self.drifted.iter().any(|(reason, _)| *reason == DriftReason::InstanceGone)
    }

    pub(super) fn add(&mut self, reason: DriftReason, message: String) {
        self.drifted.push((reason, message));
    }
}

/// Compares what was given with what is. What was not read is no drift. Neither is what class and `VCenter` say
/// now: they touch no placed object.
#[must_use]
pub fn drift(given: &Given, inventory: &Inventory, vm: &Sighting) -> Drift {
    let mut drift = Drift::default();
    if inventory.instance_uuid != given.vcenter {
        // Neither datastores nor VMs of another vCenter say anything.
        let (now, then) = (text::words(&inventory.instance_uuid), text::words(&given.vcenter));
        drift.add(DriftReason::OtherVCenter, format!("the vCenter is {now}; it was decided on {then}"));
        return drift;
    }
    let mut home = inventory.datastore(&given.datastore);
    match vm {
        Sighting::Absent if given.appeared => {
            drift.add(DriftReason::InstanceGone, "the VM was deleted; no room is kept for it".to_owned());
        }
        Sighting::Seen(instance) if instance.datastore != given.datastore => {
            let present = inventory.datastore(&instance.datastore);
            let name = text::words(present.map_or(&instance.datastore.0, |datastore| &datastore.name));
            if let Some(cluster) = present.and_then(|there| shared_cluster(given, inventory, home, there)) {
                drift.note = Some(format!("the VM is on {name}, within datastore cluster {cluster}"));
                // From there on that datastore is the one that matters.
                home = present;
            } else {
                let given = text::words(&given.name);
                drift.add(DriftReason::InstanceMoved, format!("the VM is on {name}; it was given {given}"));
            }
        }
        _ => {}
    }
    match home {
        None => {
            let name = text::words(&given.name);
            let message =
                format!("datastore {name} ({}) is not in the vCenter", text::words(&given.datastore.0));
            drift.add(DriftReason::DatastoreGone, message);
        }
        Some(datastore) => datastore_drift(given, datastore, &mut drift),
    }
    drift
}

fn datastore_drift(given: &Given, datastore: &Datastore, drift: &mut Drift) {
    let name = text::words(&datastore.name);
    if datastore.accessible == Some(false) {
        drift.add(DriftReason::NotAccessible, format!("no host can reach datastore {name}"));
    }
    if let Some(mode) = datastore.maintenance_mode.as_deref().filter(|mode| *mode != "normal") {
        let message = format!("maintenanceMode of datastore {name} is {}", text::words(mode));
        drift.add(DriftReason::MaintenanceMode, message);
    }
    let check = given.policy.as_ref().and_then(|policy| datastore.policies.get(policy));
    if let Some(PolicyCheck::Incompatible { why }) = check {
        let message = format!("datastore {name} no longer meets the storage policy: {}", text::words(why));
        drift.add(DriftReason::PolicyIncompatible, message);
    }
    if datastore.moref == given.datastore && !datastore.name.is_empty() && datastore.name != given.name {
        let before = text::words(&given.name);
        drift.add(DriftReason::DatastoreRenamed, format!("datastore {before} is now called {name}"));
    }
}

/// The name of the datastore cluster that both datastores are in. Of one that is gone, the status has the name.
fn shared_cluster(
    given: &Given,
    inventory: &Inventory,
    home: Option<&Datastore>,
    present: &Datastore,
) -> Option<String> {
    let cluster = inventory.datastore_cluster_of(present)?;
    let same = match home.map(|home| &home.datastore_cluster) {
        Some(Property::Known(moref)) => *moref == cluster.moref,
        _ => given.datastore_cluster.as_ref() == Some(&cluster.name),
    };
    same.then(|| text::words(&cluster.name))
}
