//! What the watch has seen so far, and the inventory it amounts to. Pure: no I/O, no clock.
//!
//! Updates come in pages, repeat themselves, and can be wrong in places. Applying them one after the other
//! gives the same inventory as reading everything anew.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::decode::{
    updates::{
        IN_MAINTENANCE, INFO_TIMESTAMP, Kind, MAX_VIRTUAL_DISK, ObjectUpdate, Patch, THIN_PROVISIONING,
    },
    value::{Field, Reason, Summary, flag, size},
};
use super::mounts::{HostNumbers, MountTable};
use super::soap::Ref;
use crate::placement::{Cluster, Compute, Datacenter, Datastore, Host, Inventory, MoRef, Overview, Property};

/// The rows of all watched objects, by id.
#[derive(Default)]
pub(crate) struct Cache {
    /// Id of the folder that everything is below.
    root: String,
    datastores: BTreeMap<String, Row>,
    /// Folders, datastore clusters and datacenters.
    containers: BTreeMap<String, Row>,
    /// Clusters, and the compute resources that standalone hosts are.
    clusters: BTreeMap<String, Row>,
    hosts: BTreeMap<String, Row>,
    /// A host or cluster came, went or moved since the last complete answer.
    hosts_changed: bool,
    /// Of all datastores.
    pub mounts: MountTable,
    /// Rows whose object has no usable reference: they cannot be kept, only counted.
    nameless: usize,
}

/// One object. Only a datastore has a summary.
#[derive(Default)]
struct Row {
    datacenter: bool,
    name: Field<String>,
    parent: Field<Ref>,
    summary: Summary,
    figures_time: Field<Timestamp>,
    max_virtual_disk: Field<u64>,
    thin_provisioning: Field<bool>,
    in_maintenance: Field<bool>,
    /// A change that could not be understood; cleared when the object enters anew.
    spoiled: Option<Reason>,
}

/// What does not change without the mounts: of a datastore, who reaches it; of a host or cluster, where it is.
#[derive(PartialEq)]
struct Bearing {
    parent: Option<String>,
    accessible: Option<bool>,
    multiple_host_access: Option<bool>,
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

/// No vCenter has more objects than this; a page that never ends does.
const MAX_OBJECTS: usize = 1_000_000;
/// Levels from a datastore or host up to its datacenter, at most; folders cannot nest deeper than this in
/// practice, and a malformed answer could make a circle of them.
const MAX_LEVELS: usize = 64;

impl Cache {
    /// An empty one for what is below this folder.
    pub fn below(root: &Ref) -> Self {
        Self { root: root.id.clone(), ..Self::default() }
    }

    /// It holds more than any vCenter has.
    pub fn is_too_large(&self) -> bool {
        let rows = [&self.datastores, &self.containers, &self.clusters, &self.hosts];
        let objects = rows.into_iter().fold(0, |sum: usize, rows| sum.saturating_add(rows.len()));
        objects > MAX_OBJECTS || self.mounts.is_too_large()
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
            "ComputeResource" | "ClusterComputeResource" => &mut self.clusters,
            "HostSystem" => &mut self.hosts,
            _ => return,
        };
        let before = rows.get(&object.id).map(Row::bearing);
        match update.kind {
            Kind::Leave => {
                rows.remove(&object.id);
            }
            Kind::Enter => {
                let mut row = Row { datacenter: object.kind == "Datacenter", ..Row::default() };
                update.patches.into_iter().for_each(|patch| row.patch(patch));
                rows.insert(object.id.clone(), row);
            }
            // For an object that has not entered, or has left, a change means nothing.
            Kind::Modify => {
                if let Some(row) = rows.get_mut(&object.id) {
                    update.patches.into_iter().for_each(|patch| row.patch(patch));
                }
            }
            Kind::Unknown => {
                rows.entry(object.id.clone()).or_default().spoiled = Some(Reason::Operation);
            }
        }
        let after = rows.get(&object.id).map(Row::bearing);
        match object.kind.as_str() {
            "Datastore" if after.is_none() => self.mounts.remove(&object.id),
            "Datastore" if before != after => self.mounts.want(object.id),
            "HostSystem" | "ComputeResource" | "ClusterComputeResource" => {
                self.hosts_changed |= before != after;
            }
            _ => {}
        }
    }

    /// Whether a host or cluster came, went or moved since this was asked last. All mounts are wanted then:
    /// which of them changed is not said anywhere.
    pub fn hosts_have_changed(&mut self) -> bool {
        let changed = std::mem::take(&mut self.hosts_changed);
        if changed {
            self.mounts.want_all();
        }
        changed
    }

    /// The inventory as it is now. Only to be asked for after a complete answer.
    pub fn snapshot(&self, overview: Overview) -> Snapshot {
        let mut skipped = Vec::new();
        let mut kept = Vec::with_capacity(self.datastores.len());
        let mut withheld = 0_usize;
        let compute = self.compute();
        let hosts = self.mounts.hosts_in(&compute);
        for (id, row) in &self.datastores {
            if let Some(reason) = row.malformed().or_else(|| self.mounts.malformed(id)) {
                skipped.push((id.clone(), reason));
                continue;
            }
            if row.is_withheld() {
                withheld = withheld.saturating_add(1);
            }
            kept.push(self.datastore(id, row, &hosts));
        }
        for (id, row) in self.containers.iter().chain(&self.clusters).chain(&self.hosts) {
            skipped.extend(row.malformed().map(|reason| (id.clone(), reason)));
        }
        Snapshot {
            inventory: Inventory::new(overview, compute, kept),
            skipped,
            nameless: self.nameless,
            withheld,
        }
    }

    fn datastore(&self, id: &str, row: &Row, hosts: &HostNumbers) -> Datastore {
        let summary = &row.summary;
        let accessible = summary.accessible.known().copied();
        Datastore {
            name: row.name.known().cloned().unwrap_or_default(),
            datacenter: self.datacenter_above(row),
            kind: summary.kind.known().cloned(),
            url: summary.url.known().cloned().unwrap_or_default(),
            accessible,
            maintenance_mode: summary.maintenance_mode.known().cloned(),
            capacity: summary.capacity.known().copied(),
            free: summary.free.known().copied(),
            uncommitted: summary.uncommitted.known().copied(),
            multiple_host_access: summary.multiple_host_access.known().copied(),
            max_virtual_disk: property(&row.max_virtual_disk),
            thin_provisioning: property(&row.thin_provisioning),
            figures_time: row.figures_time.known().copied(),
            mounts: self.mounts.of(id, accessible, hosts),
            ..Datastore::unread(MoRef(id.to_owned()))
        }
    }

    fn compute(&self) -> Compute {
        let sane = |(_, row): &(&String, &Row)| row.malformed().is_none();
        let name = |row: &Row| row.name.known().cloned().unwrap_or_default();
        let moref = |id: &String| MoRef(id.clone());
        let datacenters = self.containers.iter().filter(|(_, row)| row.datacenter).filter(sane);
        let clusters = self.clusters.iter().filter(sane);
        let hosts = self.hosts.iter().filter(sane);
        Compute::new(
            datacenters
                .map(|(id, row)| Datacenter { moref: moref(id), name: name(row), path: self.path(row) })
                .collect(),
            clusters
                .map(|(id, row)| Cluster { moref: moref(id), name: name(row), path: self.path(row) })
                .collect(),
            hosts
                .map(|(id, row)| {
                    let above = row.parent.known().and_then(|parent| self.clusters.get_key_value(&parent.id));
                    Host {
                        moref: moref(id),
                        name: name(row),
                        path: self.path(row),
                        cluster: above.filter(sane).map(|(id, _)| moref(id)),
                        datacenter: self.datacenter_above(row),
                        in_maintenance: row.in_maintenance.known() == Some(&true),
                    }
                })
                .collect(),
        )
    }

    /// The datacenter, unless it is one that is left out.
    fn datacenter_above(&self, row: &Row) -> Option<MoRef> {
        let (id, datacenter) = self.way_up(row).find(|(_, row)| row.datacenter)?;
        datacenter.malformed().is_none().then(|| MoRef(id.to_owned()))
    }

    /// The objects above, nearest first, as far as vCenter shows the way.
    fn way_up<'a>(&'a self, below: &'a Row) -> impl Iterator<Item = (&'a str, &'a Row)> {
        let mut row = below;
        std::iter::from_fn(move || {
            let id = &row.parent.known()?.id;
            row = self.containers.get(id).or_else(|| self.clusters.get(id))?;
            Some((id.as_str(), row))
        })
        .take(MAX_LEVELS)
    }

    /// The inventory path; empty when vCenter does not show the whole way up. A `/` within a name stays escaped.
    fn path(&self, row: &Row) -> String {
        let rows: Vec<&Row> = std::iter::once(row).chain(self.way_up(row).map(|(_, row)| row)).collect();
        let top = rows.last().and_then(|row| row.parent.known()).map(|parent| parent.id.as_str());
        if top != Some(self.root.as_str()) {
            return String::new();
        }
        let names = rows.iter().rev().map(|row| row.name.known().map(String::as_str).unwrap_or_default());
        names.fold(String::new(), |path, name| format!("{path}/{}", name.replace('/', "%2f")))
    }
}

fn property<T: Copy>(field: &Field<T>) -> Property<T> {
    match field {
        Field::Absent => Property::Absent,
        Field::Known(value) => Property::Known(*value),
        Field::Withheld | Field::Malformed(_) => Property::Withheld,
    }
}

impl Row {
    fn patch(&mut self, patch: Patch) {
        match patch {
            Patch::Name(name) => self.name = name,
            Patch::Parent(parent) => self.parent = parent,
            Patch::Spoiled(reason) => self.spoiled = Some(reason),
            Patch::Part(part, value) => self.set(part, value.as_deref()),
            summary @ (Patch::Summary(_) | Patch::SummaryPart(..)) => summary.apply_to(&mut self.summary),
        }
    }

    fn set(&mut self, part: &str, value: Field<&str>) {
        match part {
            MAX_VIRTUAL_DISK => self.max_virtual_disk = value.and_then(size),
            THIN_PROVISIONING => self.thin_provisioning = value.and_then(flag),
            IN_MAINTENANCE => self.in_maintenance = value.and_then(flag),
            // A time that cannot be read is only not told.
            INFO_TIMESTAMP => {
                self.figures_time =
                    value.and_then(|text| text.trim().parse().map_or(Field::Absent, Field::Known));
            }
            _ => {}
        }
    }

    fn bearing(&self) -> Bearing {
        let Summary { accessible, multiple_host_access, .. } = &self.summary;
        Bearing {
            parent: self.parent.known().map(|parent| parent.id.clone()),
            accessible: accessible.known().copied(),
            multiple_host_access: multiple_host_access.known().copied(),
        }
    }

    fn malformed(&self) -> Option<Reason> {
        let own = self.spoiled.or(self.name.malformed()).or(self.parent.malformed());
        own.or_else(|| self.summary.malformed())
            .or(self.max_virtual_disk.malformed())
            .or(self.thin_provisioning.malformed())
            .or(self.in_maintenance.malformed())
    }

    fn is_withheld(&self) -> bool {
        self.name.is_withheld()
            || self.parent.is_withheld()
            || self.summary.is_withheld()
            || self.max_virtual_disk.is_withheld()
            || self.thin_provisioning.is_withheld()
    }
}
