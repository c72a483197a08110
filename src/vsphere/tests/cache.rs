//! The cache: odd objects, and incremental reading against reading anew.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tokio::time::Instant;

use super::samples;
use crate::vsphere::{
    cache::{Cache, Snapshot},
    decode::{
        mounts::RawMount,
        updates::UpdateSet,
        value::{Field, Reason},
    },
    soap,
};

fn apply(cache: &mut Cache, objects: &str) {
    let document = samples::updates("1", false, objects);
    let set = soap::answer(&document, "WaitForUpdatesEx", UpdateSet::read).unwrap().unwrap().unwrap();
    set.objects.into_iter().for_each(|object| cache.apply(object));
}

fn snapshot_of(objects: &str) -> Snapshot {
    let mut cache = Cache::default();
    apply(&mut cache, objects);
    cache.snapshot("u".into())
}

fn tree() -> String {
    samples::container_enter("Datacenter", "datacenter-3", "DC%2f0", Some("group-d1"))
        + &samples::container_enter("Folder", "group-s5", "datastore", Some("datacenter-3"))
}

#[test]
fn the_datacenter_is_found_above_folders_and_datastore_clusters() {
    let in_pod = samples::datastore_enter("datastore-2", "two", 2, 1).replace("group-s5", "group-p9");
    let objects = samples::datastore_enter("datastore-1", "one", 2, 1)
        + &in_pod
        + &samples::container_enter("StoragePod", "group-p9", "pod", Some("group-s5"))
        + &tree();
    let snapshot = snapshot_of(&objects);
    let inventory = &snapshot.inventory;
    let seen: Vec<_> = inventory
        .datastores()
        .iter()
        .filter_map(|d| Some(inventory.datacenter_of(d)?.name.as_str()))
        .collect();
    assert_eq!(seen, ["DC/0", "DC/0"]);
    assert_eq!(snapshot.inventory.instance_uuid, "u");
}

#[test]
fn folders_in_a_circle_have_no_datacenter() {
    let objects = samples::datastore_enter("datastore-1", "one", 2, 1)
        + &samples::container_enter("Folder", "group-s5", "a", Some("group-s6"))
        + &samples::container_enter("Folder", "group-s6", "b", Some("group-s5"));
    assert_eq!(snapshot_of(&objects).inventory.datastores()[0].datacenter, None);
}

#[test]
fn what_is_in_an_object_that_is_left_out_is_in_none() {
    let cluster = |name: &str| {
        samples::container_enter("ClusterComputeResource", "domain-c8", name, Some("datacenter-3"))
    };
    let host = samples::container_enter("HostSystem", "host-1", "h1", Some("domain-c8"));
    let all = |objects: &str| {
        let objects =
            objects.to_owned() + &tree() + &host + &samples::datastore_enter("datastore-1", "one", 2, 1);
        snapshot_of(&objects).inventory
    };
    let sane = all(&cluster("C0"));
    let dc = &sane.compute().datacenters()[0].moref;
    assert_eq!(sane.compute().hosts()[0].cluster, Some(sane.compute().clusters()[0].moref.clone()));
    assert_eq!(sane.datastores()[0].datacenter.as_ref(), Some(dc));
    let odd = all(&cluster(&"n".repeat(300)));
    assert_eq!((odd.compute().clusters().len(), &odd.compute().hosts()[0].cluster), (0, &None));
    assert_eq!(odd.compute().hosts()[0].datacenter.as_ref(), Some(dc), "the way up is known all the same");
    let rename = "<objectSet><kind>modify</kind><obj type=\"Datacenter\">datacenter-3</obj><changeSet>\
                  <name>name</name><op>assign</op><val>a\u{202e}b</val></changeSet></objectSet>";
    let mut cache = Cache::default();
    apply(&mut cache, &(tree() + &host + &samples::datastore_enter("datastore-1", "one", 2, 1) + rename));
    let inventory = cache.snapshot("u".into()).inventory;
    assert_eq!(inventory.datastores()[0].datacenter, None);
}

#[test]
fn odd_objects_are_left_out_one_reason_each() {
    let good = samples::datastore_enter("datastore-1", "good", 10, 20);
    let objects = good.clone()
        + &samples::datastore_enter("datastore-2", &"n".repeat(300), 2, 1)
        + &samples::datastore_enter("datastore-3", "three", 2, 1).replace("<capacity>2", "<capacity>-2")
        + &samples::datastore_enter("datastore-4", "four", 2, 1)
            .replace("accessible>true", "accessible>maybe")
        + &samples::datastore_enter("datastore-5", "five", 2, 1).replace("<op>assign", "<op>invent")
        + &samples::datastore_enter("datastore 6", "six", 2, 1)
        + &samples::datastore_enter("datastore-7", "seven", 2, 1).replace("<kind>enter", "<kind>vanish")
        + &samples::container_enter("HostSystem", "host-1", "not watched", None)
        + &good
        + &tree();
    let snapshot = snapshot_of(&objects);
    assert_eq!(snapshot.skipped_count(), 6);
    let [kept] = snapshot.inventory.datastores() else { panic!() };
    assert_eq!((kept.capacity, kept.free, kept.uncommitted), (Some(10), Some(20), None));
    let expected = [
        ("datastore-2", Reason::Text),
        ("datastore-3", Reason::Size),
        ("datastore-4", Reason::Flag),
        ("datastore-5", Reason::Operation),
        ("datastore-7", Reason::Operation),
    ];
    assert_eq!(snapshot.skipped, expected.map(|(id, reason)| (id.to_owned(), reason)));
    assert_eq!(snapshot.skipped_for(Reason::Reference), 1);
}

#[test]
fn an_odd_object_comes_back_when_it_makes_sense_again() {
    let mut cache = Cache::default();
    apply(
        &mut cache,
        &samples::datastore_enter("datastore-1", "one", 2, 1).replace("<freeSpace>1", "<freeSpace>x"),
    );
    assert_eq!(cache.snapshot("u".into()).skipped_count(), 1);
    let repair = samples::datastore_enter("datastore-1", "one", 2, 1).replace("<kind>enter", "<kind>modify");
    apply(&mut cache, &repair);
    assert_eq!(cache.snapshot("u".into()).skipped_count(), 0);
    assert_eq!(cache.snapshot("u".into()).inventory.datastores()[0].free, Some(1));
}

#[test]
fn what_vcenter_withholds_is_unknown_not_absent_from_the_inventory() {
    let document = samples::DEAD_SESSION.replace("NotAuthenticated", "NoPermission");
    let set = soap::answer(&document, "WaitForUpdatesEx", UpdateSet::read).unwrap().unwrap().unwrap();
    let mut cache = Cache::default();
    set.objects.into_iter().for_each(|object| cache.apply(object));
    let snapshot = cache.snapshot("u".into());
    let [kept] = snapshot.inventory.datastores() else { panic!() };
    assert_eq!((kept.capacity, kept.accessible, kept.kind.as_ref()), (None, None, None));
    assert_eq!((snapshot.withheld, snapshot.skipped_count()), (1, 0));
}

#[test]
fn a_removed_property_is_unknown_and_a_late_change_resurrects_nothing() {
    let mut cache = Cache::default();
    let enter = samples::datastore_enter("datastore-1", "one", 2, 1);
    apply(&mut cache, &enter);
    let change = |name: &str, op: &str, val: &str| {
        format!(
            "<objectSet><kind>modify</kind><obj type=\"Datastore\">datastore-1</obj>\
             <changeSet><name>{name}</name><op>{op}</op>{val}</changeSet></objectSet>"
        )
    };
    apply(&mut cache, &change("summary.freeSpace", "assign", "<val xsi:type=\"xsd:long\">2</val>"));
    assert_eq!(cache.snapshot("u".into()).inventory.datastores()[0].free, Some(2));
    apply(&mut cache, &change("summary.freeSpace", "remove", ""));
    assert_eq!(cache.snapshot("u".into()).inventory.datastores()[0].free, None);
    apply(&mut cache, &change("summary", "indirectRemove", ""));
    assert_eq!(cache.snapshot("u".into()).inventory.datastores()[0].capacity, None);
    let leave = "<objectSet><kind>leave</kind><obj type=\"Datastore\">datastore-1</obj></objectSet>";
    apply(&mut cache, &format!("{leave}{leave}"));
    apply(&mut cache, &change("name", "assign", "<val>late</val>"));
    assert!(cache.snapshot("u".into()).inventory.datastores().is_empty());
}

/// A step in the life of a small vCenter.
#[derive(Clone, Debug)]
enum Event {
    /// The datastore exists with these figures and in this folder; `bad` makes its capacity malformed.
    Put {
        n: u8,
        free: u64,
        folder: u8,
        bad: bool,
    },
    Free {
        n: u8,
        free: u64,
    },
    Rename {
        n: u8,
        to: u8,
    },
    Gone {
        n: u8,
    },
    Folder {
        folder: u8,
        datacenter: u8,
    },
    FolderGone {
        folder: u8,
    },
    /// The host is in this cluster and mounts the datastores of these bits.
    Host {
        host: u8,
        cluster: u8,
        mounts: u8,
    },
    HostGone {
        host: u8,
    },
    /// The cluster makes sense or not.
    Cluster {
        cluster: u8,
        bad: bool,
    },
    /// The server sends everything again, as the simulator does.
    All,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (0..5_u8, 0..4_u64, 0..3_u8, any::<bool>())
            .prop_map(|(n, free, folder, bad)| Event::Put { n, free, folder, bad: bad && free == 0 }),
        2 => (0..5_u8, 0..9_u64).prop_map(|(n, free)| Event::Free { n, free }),
        1 => (0..5_u8, 0..9_u8).prop_map(|(n, to)| Event::Rename { n, to }),
        2 => (0..5_u8).prop_map(|n| Event::Gone { n }),
        1 => (0..3_u8, 0..2_u8).prop_map(|(folder, datacenter)| Event::Folder { folder, datacenter }),
        1 => (0..3_u8).prop_map(|folder| Event::FolderGone { folder }),
        2 => (0..4_u8, 0..2_u8, any::<u8>())
            .prop_map(|(host, cluster, mounts)| Event::Host { host, cluster, mounts }),
        1 => (0..4_u8).prop_map(|host| Event::HostGone { host }),
        1 => (0..2_u8, any::<bool>()).prop_map(|(cluster, bad)| Event::Cluster { cluster, bad }),
        1 => Just(Event::All),
    ];
    prop::collection::vec(event, 0..40)
}

/// The vCenter: objects by id, with the text of their `enter`.
#[derive(Default)]
struct World {
    datastores: BTreeMap<u8, (String, u64, u8, bool)>,
    folders: BTreeMap<u8, u8>,
    /// Cluster and mounts of each.
    hosts: BTreeMap<u8, (u8, u8)>,
    clusters: BTreeMap<u8, bool>,
}

impl World {
    fn datastore(&self, n: u8) -> String {
        let (name, free, folder, bad) = &self.datastores[&n];
        let text = samples::datastore_enter(&format!("datastore-{n}"), name, 9, *free)
            .replace("group-s5", &format!("group-s{folder}"));
        if *bad { text.replace("<capacity>9", "<capacity>-9") } else { text }
    }

    fn folder(&self, folder: u8) -> String {
        let datacenter = format!("datacenter-{}", self.folders[&folder]);
        samples::container_enter("Folder", &format!("group-s{folder}"), "f", Some(&datacenter))
    }

    fn cluster(&self, cluster: u8) -> String {
        let name = "n".repeat(if self.clusters[&cluster] { 300 } else { 3 });
        let id = format!("domain-{cluster}");
        samples::container_enter("ClusterComputeResource", &id, &name, Some("datacenter-1"))
    }

    fn host(&self, host: u8) -> String {
        let cluster = format!("domain-{}", self.hosts[&host].0);
        samples::container_enter("HostSystem", &format!("host-{host}"), "h", Some(&cluster))
    }

    /// Reads what the cache wants to know of mounts, as the connection does. One more host mounts everything:
    /// it is not shown.
    fn read_mounts(&self, cache: &mut Cache) {
        cache.hosts_have_changed();
        for id in cache.mounts.wanted(usize::MAX) {
            let n: u32 = id.strip_prefix("datastore-").unwrap().parse().unwrap();
            let mounting = self.hosts.iter().filter(|(_, (_, mounts))| mounts & (1 << n) != 0);
            let mounts = mounting.map(|(host, _)| host.to_string()).chain(["hidden".to_owned()]);
            let mount = |host| RawMount {
                host: format!("host-{host}"),
                mounted: Some(true),
                accessible: None,
                writable: n.is_multiple_of(2),
            };
            cache.mounts.set(&id, Field::Known(mounts.map(mount).collect()), Instant::now());
        }
    }

    fn everything(&self) -> String {
        let datacenters = (0..2).map(|n| {
            samples::container_enter("Datacenter", &format!("datacenter-{n}"), &format!("DC{n}"), None)
        });
        let folders = self.folders.keys().map(|f| self.folder(*f));
        let clusters = self.clusters.keys().map(|cluster| self.cluster(*cluster));
        let hosts = self.hosts.keys().map(|host| self.host(*host));
        let folders = folders.chain(clusters).chain(hosts);
        let datastores = self.datastores.keys().map(|n| self.datastore(*n));
        datastores.chain(folders).chain(datacenters).collect()
    }

    /// Changes the world and says what the server would send.
    fn happen(&mut self, event: &Event) -> String {
        let known = |n: &u8| self.datastores.contains_key(n);
        match event {
            Event::Put { n, free, folder, bad } => {
                self.datastores.insert(*n, (format!("d{n}"), *free, *folder, *bad));
                self.datastore(*n)
            }
            Event::Free { n, free } if known(n) => {
                self.datastores.entry(*n).and_modify(|d| d.1 = *free);
                format!(
                    "<objectSet><kind>modify</kind><obj type=\"Datastore\">datastore-{n}</obj><changeSet>\
                     <name>summary.freeSpace</name><op>assign</op><val>{free}</val></changeSet></objectSet>"
                )
            }
            Event::Rename { n, to } if known(n) => {
                self.datastores.entry(*n).and_modify(|d| d.0 = format!("r{to}"));
                format!(
                    "<objectSet><kind>modify</kind><obj type=\"Datastore\">datastore-{n}</obj><changeSet>\
                     <name>name</name><op>assign</op><val>r{to}</val></changeSet></objectSet>"
                )
            }
            Event::Free { .. } | Event::Rename { .. } => String::new(),
            Event::Gone { n } => {
                self.datastores.remove(n);
                format!(
                    "<objectSet><kind>leave</kind><obj type=\"Datastore\">datastore-{n}</obj></objectSet>"
                )
            }
            Event::Folder { folder, datacenter } => {
                self.folders.insert(*folder, *datacenter);
                self.folder(*folder)
            }
            Event::FolderGone { folder } => {
                self.folders.remove(folder);
                format!("<objectSet><kind>leave</kind><obj type=\"Folder\">group-s{folder}</obj></objectSet>")
            }
            Event::Host { host, cluster, mounts } => {
                // A mount that changes by itself shows nowhere: here it does when the host moves.
                let before = self.hosts.insert(*host, (*cluster, *mounts));
                if let Some((same, before)) = before.filter(|before| before.0 == *cluster) {
                    self.hosts.insert(*host, (same, before));
                }
                self.host(*host)
            }
            Event::HostGone { host } => {
                self.hosts.remove(host);
                format!("<objectSet><kind>leave</kind><obj type=\"HostSystem\">host-{host}</obj></objectSet>")
            }
            Event::Cluster { cluster, bad } => {
                self.clusters.insert(*cluster, *bad);
                self.cluster(*cluster)
            }
            Event::All => self.everything(),
        }
    }
}

proptest! {
    #[test]
    fn following_changes_gives_what_reading_anew_gives(events in events()) {
        let mut world = World::default();
        let mut cache = Cache::default();
        apply(&mut cache, &world.everything());
        world.read_mounts(&mut cache);
        for event in &events {
            let sent = world.happen(event);
            apply(&mut cache, &sent);
            world.read_mounts(&mut cache);
            let followed = cache.snapshot("u".into());
            let mut fresh = Cache::default();
            apply(&mut fresh, &world.everything());
            world.read_mounts(&mut fresh);
            let anew = fresh.snapshot("u".into());
            prop_assert_eq!(followed.inventory.datastores(), anew.inventory.datastores());
            prop_assert_eq!(followed.inventory.compute(), anew.inventory.compute());
            prop_assert_eq!(followed.inventory.version(), anew.inventory.version());
            prop_assert_eq!(&followed.skipped, &anew.skipped);
        }
    }
}
