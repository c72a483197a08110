//! Recordings are written, read, refused, made anonymous and shown.

mod generated;
mod properties;
mod refusals;

use super::*;
use crate::placement::samples::{GIB, compute, datastore};
use crate::placement::{
    Alarm, AlarmStatus, Datastore, DatastoreCluster, HostMounts, MoRef, Mount, Mounts, Overview, PolicyCheck,
    Property, StoragePolicy, Tag,
};

const UUID: &str = "4d1a6d5e-8a7c-4c0b-9f0e-2b6f5c1d3e4f";

fn overview() -> Overview {
    Overview { instance_uuid: UUID.into(), version: "8.0.3".into(), ..Overview::default() }
}

fn recording(overview: Overview, datastores: Vec<Datastore>) -> Recording {
    let inventory = Inventory::new(overview, compute(), datastores);
    Recording { server: "https://vc-east.example.com".into(), inventory }
}

/// One datastore with everything, and one with nothing.
fn sample() -> Recording {
    let mounts = [(0, Mount::ReadOnly), (1, Mount::Inaccessible)];
    let pod = DatastoreCluster {
        moref: MoRef("group-p1".into()),
        name: "POD".into(),
        path: "/DC0/datastore/POD".into(),
    };
    let policy = |id: &str, name: &str| StoragePolicy { id: id.into(), name: name.into() };
    let overview = Overview {
        policies: Some(vec![policy("p-1", "Gold"), policy("p-2", "Silver")]),
        datastore_clusters: Some(vec![pod]),
        consumer: Some("consumer@vsphere.local".into()),
        ..overview()
    };
    let checks = [
        ("p-1", PolicyCheck::Compatible { hosts: Some([0].into_iter().collect()) }),
        ("p-2", PolicyCheck::Incompatible { why: "too slow".into() }),
    ];
    let full = Datastore {
        name: "a/b \"c\"".into(),
        max_virtual_disk: Property::Known(62 << 40),
        thin_provisioning: Property::Withheld,
        figures_time: Some("2026-01-02T03:04:05.5Z".parse().unwrap()),
        mounts: Mounts::Read(mounts.into_iter().collect::<HostMounts>()),
        free: Some(GIB),
        datastore_cluster: Property::Known(MoRef("group-p1".into())),
        tags: Some([Tag { category: "tier".into(), name: "gold".into() }].into()),
        custom_attributes: Some([("owner".into(), "storage team".into())].into()),
        alarms: Some([Alarm { name: "usage".into(), status: AlarmStatus::Red }].into()),
        policies: checks.map(|(id, check)| (id.into(), check)).into(),
        privileges: [("Datastore.AllocateSpace".into(), true)].into(),
        arrays: [("array-1".into(), false)].into(),
        endpoints: Some([1].into_iter().collect()),
        ..datastore("datastore-1", "", "VMFS")
    };
    let bare = Datastore {
        max_virtual_disk: Property::Absent,
        thin_provisioning: Property::Absent,
        datastore_cluster: Property::Absent,
        mounts: Mounts::Missing,
        ..Datastore::unread(MoRef("datastore-2".into()))
    };
    recording(overview, vec![full, bare])
}

const FILE: &str = r#"{
"apiVersion": "berth.dev/inventory/v1",
"vCenter": {"server":"https://vc-east.example.com","instanceUUID":"4d1a6d5e-8a7c-4c0b-9f0e-2b6f5c1d3e4f","version":"8.0.3","consumer":"consumer@vsphere.local"},
"datacenters": [
{"moRef":"datacenter-0","name":"DC0","path":"/DC0"}
],
"clusters": [
{"moRef":"domain-c0","name":"C0","path":"/DC0/host/C0"}
],
"hosts": [
{"moRef":"host-h1","name":"h1","path":"/DC0/host/C0/h1","cluster":"domain-c0","datacenter":"datacenter-0"},
{"moRef":"host-h2","name":"h2","path":"/DC0/host/C0/h2","cluster":"domain-c0","datacenter":"datacenter-0"}
],
"datastoreClusters": [
{"moRef":"group-p1","name":"POD","path":"/DC0/datastore/POD"}
],
"policies": [
{"id":"p-1","name":"Gold"},
{"id":"p-2","name":"Silver"}
],
"datastores": [
{"moRef":"datastore-1","name":"a/b \"c\"","datacenter":"datacenter-0","type":"VMFS","url":"ds:///vmfs/volumes/datastore-1/","accessible":true,"maintenanceMode":"normal","capacityBytes":1099511627776,"freeBytes":1073741824,"uncommittedBytes":0,"multipleHostAccess":true,"maxVirtualDiskBytes":68169720922112,"figuresTime":"2026-01-02T03:04:05.5Z","withheld":["thinProvisioning"],"mounts":{"readOnly":["host-h1"],"inaccessible":["host-h2"]},"datastoreCluster":"group-p1","tags":[{"category":"tier","name":"gold"}],"customAttributes":{"owner":"storage team"},"alarms":[{"name":"usage","status":"red"}],"policies":{"p-1":{"compatible":true,"hosts":["host-h1"]},"p-2":{"compatible":false,"why":"too slow"}},"privileges":{"Datastore.AllocateSpace":true},"arrays":{"array-1":false},"endpoints":["host-h2"]},
{"moRef":"datastore-2"}
]
}
"#;

#[test]
fn a_file_has_one_object_per_line_and_says_nothing_of_what_is_absent() {
    assert_eq!(sample().to_json().unwrap(), FILE);
    assert_eq!(Recording::read(FILE).unwrap(), sample());
}

#[test]
fn an_empty_vcenter_can_be_recorded() {
    let inventory = Inventory::new(UUID, crate::placement::Compute::default(), vec![]);
    let empty = Recording { inventory, ..sample() };
    let file = empty.to_json().unwrap();
    assert!(file.ends_with("\"clusters\": [],\n\"hosts\": [],\n\"datastores\": []\n}\n"), "{file}");
    assert_eq!(Recording::read(&file).unwrap(), empty);
}

#[test]
fn an_inventory_that_is_not_complete_cannot_be_recorded() {
    let unread = Datastore { mounts: Mounts::Unread, ..datastore("datastore-7", "a", "VMFS") };
    let error =
        recording(overview(), vec![datastore("datastore-1", "b", "NFS"), unread]).to_json().unwrap_err();
    assert_eq!(error.to_string(), "the hosts that mount datastore-7 were not read yet");
}

/// Only what is written out in full is spelled as it is compared.
#[test]
fn one_address_is_spelled_in_one_way() {
    for (given, spelled) in [
        ("vc.example.com", "https://vc.example.com"),
        ("https://VC.Example.com/", "https://vc.example.com"),
        ("HTTPS://vc.example.com:443", "https://vc.example.com"),
        ("vc.example.com:8443", "https://vc.example.com:8443"),
        ("127.0.0.1:80", "https://127.0.0.1:80"),
        ("[2001:DB8:0::1]", "https://[2001:db8::1]"),
    ] {
        assert_eq!(server(given).as_deref(), Some(spelled), "{given}");
        assert_eq!(server(spelled).as_deref(), Some(spelled));
    }
    for given in [
        "",
        "http://vc.example.com",
        "https://vc.example.com/sdk",
        "vc.example.com/sdk",
        "user@vc.example.com",
        "https://user:word@vc.example.com",
        "vc.example.com?a",
        "vc.example.com#a",
        "vc.example.com:99999",
        "vc example.com",
        "file:///etc/passwd",
    ] {
        assert_eq!(server(given), None, "{given}");
    }
}

#[test]
fn a_table_is_for_eyes() {
    let bell = Datastore { name: "bell\u{7}".into(), ..datastore("datastore-3", "", "NFS41") };
    let shown = recording(overview(), [sample().inventory.datastores(), &[bell]].concat());
    assert_eq!(
        shown.to_table(),
        "NAME      MOREF         TYPE    CAPACITY   FREE      UNCOMMITTED   ACCESSIBLE   MAINTENANCE   HOSTS   DATACENTER\n\
         a/b \"c\"   datastore-1   VMFS    1.0 TiB    1.0 GiB   0 B           true         normal        0/2     DC0\n\
         \u{20}         datastore-2   ?       ?          ?         ?             ?            normal        ?       ?\n\
         bell\u{fffd}     datastore-3   NFS41   1.0 TiB    1.0 TiB   0 B           true         normal        2/2     DC0\n"
    );
}

#[test]
fn an_anonymous_recording_has_other_names_and_the_same_shape() {
    let mut expected = FILE.to_owned();
    for (name, instead) in [
        ("vc-east.example.com", "vcenter-ae59612e.invalid"),
        (UUID, "ae59612e-3600-5004-8208-f72f1f67bcc6"),
        ("\"DC0\"", "\"datacenter-1\""),
        ("/DC0", "/datacenter-1"),
        ("\"C0\"", "\"cluster-1\""),
        ("/C0", "/cluster-1"),
        ("\"h1\"", "\"host-1\""),
        ("/h1\"", "/host-1\""),
        ("\"h2\"", "\"host-2\""),
        ("/h2\"", "/host-2\""),
        ("a/b \\\"c\\\"", "datastore-1"),
        ("volumes/datastore-1/", "volumes/3f303d26-9acb-5a61-b2bc-966e8fd41feb/"),
        ("consumer@vsphere.local", "consumer"),
        ("\"POD\"", "\"datastore-cluster-1\""),
        ("/datastore/POD", "/folder-1/datastore-cluster-1"),
        ("p-1\"", "policy-id-1\""),
        ("p-2\"", "policy-id-2\""),
        ("Gold", "policy-1"),
        ("Silver", "policy-2"),
        ("tier", "category-1"),
        ("gold", "tag-1"),
        ("owner", "attribute-1"),
        ("storage team", "value-1"),
        ("usage", "alarm-1"),
        ("too slow", "incompatible"),
        ("array-1", "array-1"),
    ] {
        assert!(expected.contains(name), "{name}");
        expected = expected.replace(name, instead);
    }
    assert_eq!(sample().anonymized().to_json().unwrap(), expected);
}
