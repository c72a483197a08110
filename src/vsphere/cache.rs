//! What the watch has seen so far, and the inventory it amounts to. Pure: no I/O, no clock.
//!
//! Updates come in pages, repeat themselves, and can be wrong in places. Applying them one after the other
//! gives the same inventory as reading everything anew.

use std::collections::BTreeMap;

use super::decode::{
    updates::{Kind, ObjectUpdate, Patch},
    value::{Field, Reason, Summary},
};
use super::soap::Ref;
use crate::placement::{Compute, Datacenter, Datastore, Inventory, MoRef, Mounts};

/// The rows of all watched objects, by id.
#[derive(Default)]
pub(crate) struct Cache {
    datastores: BTreeMap<String, Row>,
    /// Folders, datastore clusters and datacenters.
    containers: BTreeMap<String, Row>,
    /// Rows whose object has no usable reference: they cannot be kept, only counted.
    nameless: usize,
}

/// One object. A container has no summary.
#[derive(Default)]
struct Row {
    datacenter: bool,
    name: Field<String>,
    parent: Field<Ref>,
    summary: Summary,
    /// A change that could not be understood; cleared when the object enters anew.
    spoiled: Option<Reason>,
}

/// What the cache amounts to.
pub(crate) struct Snapshot {
    pub inventory: Inventory,
    /// Objects that are left out, with the first reason of each. Objects without a usable reference are
    /// not among them, see [`Snapshot::nameless`].
    pub skipped: Vec<(String, Reason)>,
    /// Objects without a usable reference.
    pub nameless: usize,
    /// Datastores with a property that vCenter withholds.
    pub withheld: usize,
}

impl Snapshot {
    /// All objects that are left out.
    pub fn skipped_count(&self) -> usize {
        self.skipped.len().saturating_add(self.nameless)
    }

    /// How many objects are left out for `reason`.
    pub fn skipped_for(&self, reason: Reason) -> usize {
        let named = self.skipped.iter().filter(|(_, r)| *r == reason).count();
        if reason == Reason::Reference { named.saturating_add(self.nameless) } else { named }
    }
}

/// Levels from a datastore up to its datacenter, at most; folders cannot nest deeper than this in practice,
/// and a malformed answer could make a circle of them.
const MAX_LEVELS: usize = 64;

impl Cache {
    /// Objects kept.
    pub fn len(&self) -> usize {
        self.datastores.len().saturating_add(self.containers.len())
    }

    /// Applies one row.
    pub fn apply(&mut self, update: ObjectUpdate) {
        let object = match update.object {
            Field::Known(object) => object,
            Field::Absent | Field::Withheld | Field::Malformed(_) => {
                if update.kind != Kind::Leave {
                    self.nameless = self.nameless.saturating_add(1);
                }
                return;
            }
        };
        let rows = match object.kind.as_str() {
            "Datastore" => &mut self.datastores,
            "Folder" | "StoragePod" | "Datacenter" => &mut self.containers,
            _ => return,
        };
        match update.kind {
            Kind::Leave => {
                rows.remove(&object.id);
            }
            Kind::Enter => {
                let mut row = Row { datacenter: object.kind == "Datacenter", ..Row::default() };
                update.patches.into_iter().for_each(|patch| row.patch(patch));
                rows.insert(object.id, row);
            }
            // For an object that has not entered, or has left, a change means nothing.
            Kind::Modify => {
                if let Some(row) = rows.get_mut(&object.id) {
                    update.patches.into_iter().for_each(|patch| row.patch(patch));
                }
            }
            Kind::Unknown => {
                rows.entry(object.id).or_default().spoiled = Some(Reason::Operation);
            }
        }
    }

    /// The inventory as it is now. Only to be asked for after a complete answer.
    pub fn snapshot(&self, instance_uuid: &str) -> Snapshot {
        let mut skipped = Vec::new();
        let mut kept = Vec::with_capacity(self.datastores.len());
        let mut withheld = 0_usize;
        for (id, row) in &self.datastores {
            if let Some(reason) = row.malformed() {
                skipped.push((id.clone(), reason));
                continue;
            }
            if row.is_withheld() {
                withheld = withheld.saturating_add(1);
            }
            kept.push(self.datastore(id, row));
        }
        for (id, row) in &self.containers {
            skipped.extend(row.malformed().map(|reason| (id.clone(), reason)));
        }
        Snapshot {
            inventory: Inventory::new(instance_uuid, self.compute(), kept),
            skipped,
            nameless: self.nameless,
            withheld,
        }
    }

    fn datastore(&self, id: &str, row: &Row) -> Datastore {
        let summary = &row.summary;
        Datastore {
            moref: MoRef(id.to_owned()),
            name: row.name.known().cloned().unwrap_or_default(),
            datacenter: self.datacenter_above(row).map(|id| MoRef(id.to_owned())),
            kind: summary.kind.known().cloned(),
            url: summary.url.known().cloned().unwrap_or_default(),
            accessible: summary.accessible.known().copied(),
            maintenance_mode: summary.maintenance_mode.known().cloned(),
            capacity: summary.capacity.known().copied(),
            free: summary.free.known().copied(),
            uncommitted: summary.uncommitted.known().copied(),
            multiple_host_access: None,
            max_virtual_disk: None,
            thin_provisioning: None,
            figures_time: None,
            mounts: Mounts::Missing,
        }
    }

    fn compute(&self) -> Compute {
        let datacenters = self.containers.iter().filter(|(_, row)| row.datacenter).map(|(id, row)| {
            let name = row.name.known().cloned().unwrap_or_default();
            Datacenter { moref: MoRef(id.clone()), path: format!("/{name}"), name }
        });
        Compute::new(datacenters.collect(), Vec::new(), Vec::new())
    }

    /// The id of the datacenter above, when vCenter shows the whole way up.
    fn datacenter_above<'a>(&'a self, below: &'a Row) -> Option<&'a str> {
        let mut row = below;
        for _ in 0..MAX_LEVELS {
            let id = &row.parent.known()?.id;
            row = self.containers.get(id)?;
            if row.datacenter {
                return Some(id);
            }
        }
        None
    }
}

impl Row {
    fn patch(&mut self, patch: Patch) {
        match patch {
            Patch::Name(name) => self.name = name,
            Patch::Parent(parent) => self.parent = parent,
            Patch::Spoiled(reason) => self.spoiled = Some(reason),
            summary @ (Patch::Summary(_) | Patch::SummaryPart(..)) => summary.apply_to(&mut self.summary),
        }
    }

    fn malformed(&self) -> Option<Reason> {
        let own = self.spoiled.or(self.name.malformed()).or(self.parent.malformed());
        own.or_else(|| self.summary.malformed())
    }

    fn is_withheld(&self) -> bool {
        self.name.is_withheld() || self.parent.is_withheld() || self.summary.is_withheld()
    }
}
