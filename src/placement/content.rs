//! The hash that an inventory is equal by. No I/O.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::compute::{Cluster, Datacenter, Host, HostSet, Mounts};
use super::inventory::{Datastore, Inventory, MoRef, Property};
use super::storage::{Alarm, AlarmStatus, DatastoreCluster, PolicyCheck, StoragePolicy, Tag};

/// Every field is written with its length or a presence mark, so that no two contents share a text.
pub(super) fn content_hash(inventory: &Inventory) -> String {
    let mut content = Content(Sha256::new());
    content.texts([&inventory.instance_uuid, &inventory.vcenter_version]);
    content.optional_text(inventory.consumer());
    content.list(inventory.policies(), |content, StoragePolicy { id, name }| content.texts([id, name]));
    content.list(inventory.datastore_clusters(), |content, DatastoreCluster { moref, name, path }| {
        content.texts([&moref.0, name, path]);
    });
    let compute = inventory.compute();
    content.list(Some(compute.datacenters()), |content, Datacenter { moref, name, path }| {
        content.texts([&moref.0, name, path]);
    });
    content.list(Some(compute.clusters()), |content, Cluster { moref, name, path }| {
        content.texts([&moref.0, name, path]);
    });
    content.list(Some(compute.hosts()), |content, host| {
        let Host { moref, name, path, cluster, datacenter, in_maintenance } = host;
        content.texts([&moref.0, name, path]);
        content.moref(cluster.as_ref());
        content.moref(datacenter.as_ref());
        content.flag(Some(*in_maintenance));
    });
    content.list(Some(inventory.datastores()), Content::datastore);
    content.hash()
}

/// What is hashed, part by part.
struct Content(Sha256);

impl Content {
    fn datastore(&mut self, datastore: &Datastore) {
        let Datastore {
            moref,
            name,
            datacenter,
            kind,
            url,
            accessible,
            maintenance_mode,
            capacity,
            free,
            uncommitted,
            multiple_host_access,
            max_virtual_disk,
            thin_provisioning,
            figures_time,
            mounts,
            datastore_cluster,
            tags,
            custom_attributes,
            alarms,
            policies,
            privileges,
            arrays,
            endpoints,
        } = datastore;
        self.texts([&moref.0, name, url]);
        self.moref(datacenter.as_ref());
        self.optional_text(kind.as_deref());
        self.optional_text(maintenance_mode.as_deref());
        for flag in [accessible, multiple_host_access] {
            self.flag(*flag);
        }
        for number in [capacity, free, uncommitted] {
            self.number(number.map(u64::to_be_bytes));
        }
        let disk = self.known(max_virtual_disk);
        self.number(disk.map(|most| most.to_be_bytes()));
        let thin = self.known(thin_provisioning);
        self.flag(thin.copied());
        self.number(figures_time.map(|time| time.as_second().to_be_bytes()));
        match mounts {
            Mounts::Unread => self.0.update([0]),
            Mounts::Missing => self.0.update([1]),
            Mounts::Read(hosts) => {
                self.0.update([2]);
                for set in [&hosts.usable, &hosts.read_only, &hosts.inaccessible] {
                    self.hosts(Some(set));
                }
            }
        }
        let cluster = self.known(datastore_cluster);
        self.moref(cluster);
        self.list(tags.as_ref(), |content, Tag { category, name }| content.texts([category, name]));
        self.list(custom_attributes.as_ref(), |content, (name, value)| content.texts([name, value]));
        self.list(alarms.as_ref(), |content, Alarm { name, status }| {
            content.text(name);
            content.flag(Some(*status == AlarmStatus::Red));
        });
        self.list(Some(policies), |content, (id, check)| {
            content.text(id);
            match check {
                PolicyCheck::Compatible { hosts } => content.hosts(hosts.as_ref()),
                PolicyCheck::Incompatible { why } => content.text(why),
            }
        });
        self.flags(privileges);
        self.flags(arrays);
        self.hosts(endpoints.as_ref());
    }

    fn text(&mut self, text: &str) {
        self.0.update([1]);
        self.0.update(text.len().to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn texts<const N: usize>(&mut self, texts: [&str; N]) {
        for text in texts {
            self.text(text);
        }
    }

    /// The mark of what is not shown, and the value if there is one.
    fn known<'a, T>(&mut self, property: &'a Property<T>) -> Option<&'a T> {
        self.0.update([u8::from(matches!(property, Property::Withheld))]);
        if let Property::Known(value) = property { Some(value) } else { None }
    }

    fn optional_text(&mut self, text: Option<&str>) {
        match text {
            None => self.0.update([0]),
            Some(text) => self.text(text),
        }
    }

    fn moref(&mut self, moref: Option<&MoRef>) {
        self.optional_text(moref.map(|moref| moref.0.as_str()));
    }

    fn flag(&mut self, flag: Option<bool>) {
        self.0.update([flag.map_or(0, |yes| if yes { 2 } else { 1 })]);
    }

    fn number(&mut self, number: Option<[u8; 8]>) {
        match number {
            None => self.0.update([0]),
            Some(bytes) => {
                self.0.update([1]);
                self.0.update(bytes);
            }
        }
    }

    fn flags(&mut self, flags: &BTreeMap<String, bool>) {
        self.list(Some(flags), |content, (name, flag)| {
            content.text(name);
            content.flag(Some(*flag));
        });
    }

    fn hosts(&mut self, set: Option<&HostSet>) {
        // A text begins with 1, which keeps what is a set of hosts or a text apart.
        self.0.update([if set.is_some() { 3 } else { 0 }]);
        let words = set.map(HostSet::words).unwrap_or_default();
        self.0.update(words.len().to_be_bytes());
        for word in words {
            self.0.update(word.to_be_bytes());
        }
    }

    /// A list that may not be there, and its end.
    fn list<T>(&mut self, all: Option<impl IntoIterator<Item = T>>, mut write: impl FnMut(&mut Self, T)) {
        self.0.update([u8::from(all.is_some())]);
        for one in all.into_iter().flatten() {
            self.0.update([1]);
            write(self, one);
        }
        self.0.update([9]);
    }

    fn hash(self) -> String {
        let start = self.0.finalize().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        format!("{start:016x}")
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::compute::{Compute, HostMounts};
    use super::super::inventory::Overview;
    use super::super::samples::{compute, datastore};
    use super::*;

    fn one(moref: &str) -> Datastore {
        datastore(moref, "name", "VMFS")
    }

    fn tag(category: &str, name: &str) -> Tag {
        Tag { category: category.into(), name: name.into() }
    }

    fn alarm(status: AlarmStatus) -> Alarm {
        Alarm { name: "usage".into(), status }
    }

    fn pod(name: &str, path: &str) -> DatastoreCluster {
        DatastoreCluster { moref: MoRef("group-p1".into()), name: name.into(), path: path.into() }
    }

    #[test]
    fn every_property_changes_the_version() {
        let base = Inventory::new("vc", compute(), vec![one("datastore-1")]);
        let changes: [fn(&mut Datastore); 42] = [
            |d| d.moref = MoRef("datastore-9".into()),
            |d| d.name.push('x'),
            |d| d.datacenter = None,
            |d| d.kind = None,
            |d| d.url.push('x'),
            |d| d.accessible = Some(false),
            |d| d.maintenance_mode = Some("inMaintenance".into()),
            |d| d.capacity = Some(1),
            |d| d.free = Some(1),
            |d| d.uncommitted = None,
            |d| d.multiple_host_access = None,
            |d| d.max_virtual_disk = Property::Known(1),
            |d| d.max_virtual_disk = Property::Withheld,
            |d| d.thin_provisioning = Property::Absent,
            |d| d.thin_provisioning = Property::Withheld,
            |d| d.figures_time = Some(Timestamp::UNIX_EPOCH),
            |d| d.mounts = Mounts::Unread,
            |d| d.mounts = Mounts::Missing,
            |d| d.mounts = Mounts::Read(HostMounts::default()),
            |d| d.datastore_cluster = Property::Absent,
            |d| d.datastore_cluster = Property::Known(MoRef("group-p1".into())),
            |d| d.tags = Some([].into()),
            |d| d.tags = Some([tag("a", "b")].into()),
            |d| d.tags = Some([tag("ab", "")].into()),
            |d| d.custom_attributes = Some([].into()),
            |d| d.custom_attributes = Some([("a".into(), "b".into())].into()),
            |d| d.custom_attributes = Some([("a".into(), "c".into())].into()),
            |d| d.alarms = Some([].into()),
            |d| d.alarms = Some([alarm(AlarmStatus::Red)].into()),
            |d| d.alarms = Some([alarm(AlarmStatus::Yellow)].into()),
            |d| d.policies = [("p".into(), PolicyCheck::Compatible { hosts: None })].into(),
            |d| {
                d.policies =
                    [("p".into(), PolicyCheck::Compatible { hosts: Some([].into_iter().collect()) })].into();
            },
            |d| {
                d.policies =
                    [("p".into(), PolicyCheck::Compatible { hosts: Some([0].into_iter().collect()) })].into();
            },
            |d| d.policies = [("p".into(), PolicyCheck::Incompatible { why: String::new() })].into(),
            |d| d.policies = [("p".into(), PolicyCheck::Incompatible { why: "x".into() })].into(),
            |d| d.privileges = [("p".into(), true)].into(),
            |d| d.privileges = [("p".into(), false)].into(),
            |d| d.arrays = [("p".into(), true)].into(),
            |d| d.arrays = [("p".into(), false)].into(),
            |d| d.endpoints = Some([].into_iter().collect()),
            |d| d.endpoints = Some([0].into_iter().collect()),
            |d| d.endpoints = Some([1].into_iter().collect()),
        ];

        let mut versions = std::collections::BTreeSet::from([base.version().to_owned()]);
        for change in changes {
            let mut other = one("datastore-1");
            change(&mut other);
            versions.insert(Inventory::new("vc", compute(), vec![other]).version().to_owned());
        }
        let host_changes: [fn(&mut Host); 5] = [
            |host| host.name.push('x'),
            |host| host.path.push('x'),
            |host| host.cluster = None,
            |host| host.datacenter = None,
            |host| host.in_maintenance = true,
        ];
        for change in host_changes {
            let whole = compute();
            let mut hosts = whole.hosts().to_vec();
            hosts.iter_mut().take(1).for_each(change);
            let other = Compute::new(whole.datacenters().to_vec(), whole.clusters().to_vec(), hosts);
            versions.insert(Inventory::new("vc", other, vec![one("datastore-1")]).version().to_owned());
        }
        let overviews: [fn(&mut Overview); 8] = [
            |all| all.instance_uuid = "other".into(),
            |all| all.version = "9.0.0".into(),
            |all| all.consumer = Some(String::new()),
            |all| all.policies = Some(vec![]),
            |all| all.policies = Some(vec![StoragePolicy { id: "p".into(), name: "gold".into() }]),
            |all| all.datastore_clusters = Some(vec![]),
            |all| all.datastore_clusters = Some(vec![pod("POD-A", "")]),
            |all| all.datastore_clusters = Some(vec![pod("POD-A", "/POD-A")]),
        ];
        for change in overviews {
            let mut overview = Overview::from("vc");
            change(&mut overview);
            versions
                .insert(Inventory::new(overview, compute(), vec![one("datastore-1")]).version().to_owned());
        }
        assert_eq!(versions.len(), 1 + 42 + 5 + 8);
    }
}
