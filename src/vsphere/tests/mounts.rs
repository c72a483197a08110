//! Who mounts the datastores: read beside the watch, against a scripted vCenter.

use super::{
    fake::{Fake, Reply},
    running::{datastore, page, start, tree},
    samples,
};
use crate::placement::{Inventory, Mounts};

/// A host in the cluster `domain-c8`.
fn host(id: &str, maintenance: bool) -> String {
    samples::container_enter("HostSystem", id, id, Some("domain-c8")).replacen(
        "</objectSet>",
        &format!(
            "<changeSet><name>runtime.inMaintenanceMode</name><op>assign</op>\
             <val xsi:type=\"xsd:boolean\">{maintenance}</val></changeSet></objectSet>"
        ),
        1,
    )
}

fn cluster() -> String {
    samples::container_enter("Folder", "group-h4", "host", Some("datacenter-3"))
        + &samples::container_enter("ClusterComputeResource", "domain-c8", "C/0", Some("group-h4"))
}

/// How many hosts can use the first datastore; none when that is not known.
fn usable(inventory: &Inventory) -> Option<usize> {
    match &inventory.datastores()[0].mounts {
        Mounts::Read(mounts) => Some(mounts.usable.len()),
        Mounts::Unread | Mounts::Missing => None,
    }
}

#[tokio::test]
async fn hosts_and_mounts_come_with_the_first_inventory() {
    let objects = [tree(), cluster(), host("host-1", false), host("host-2", true), datastore(1, 10)];
    let fake = Fake::start(vec![page("1", false, &objects)]).await;
    fake.instead(
        "RetrievePropertiesEx",
        Reply::Ok(samples::mounts(&[("datastore-1", &["host-1", "host-2", "host-7"])])),
    );
    let mut running = start(&fake);
    running.connected().await;
    let (inventory, _) = running.inventory().await;
    let compute = inventory.compute();
    let hosts: Vec<_> =
        compute.hosts().iter().map(|host| (host.name.as_str(), host.in_maintenance)).collect();
    assert_eq!(hosts, [("host-1", false), ("host-2", true)]);
    assert_eq!(compute.hosts()[0].cluster, Some(compute.clusters()[0].moref.clone()));
    assert_eq!(compute.clusters()[0].name, "C/0");
    assert_eq!(compute.hosts()[0].path, "/DC0/host/C%2f0/host-1");
    assert_eq!(compute.hosts()[0].datacenter, Some(compute.datacenters()[0].moref.clone()));
    assert_eq!(usable(&inventory), Some(2), "a host that vCenter does not show says nothing");
}

#[tokio::test]
async fn more_than_one_request_can_read_is_read_beside_the_watch() {
    let datastores: Vec<_> = (1..=150).map(|n| datastore(n, 10)).collect();
    let fake = Fake::start(vec![
        page("1", false, &[vec![tree()], datastores].concat()),
        page("2", false, &[datastore(1, 11)]),
    ])
    .await;
    let mut running = start(&fake);
    running.connected().await;
    let unread = |inventory: &Inventory| {
        inventory.datastores().iter().filter(|datastore| datastore.mounts == Mounts::Unread).count()
    };
    let (first, _) = running.inventory().await;
    assert_eq!(unread(&first), 50);
    let (second, _) = running.inventory().await;
    assert_eq!((unread(&second), second.datastores()[0].free), (0, Some(11)));
    let waits = fake.seen("WaitForUpdatesEx");
    assert!(waits[1].body.contains("<maxWaitSeconds>0</maxWaitSeconds>"));
}

#[tokio::test]
async fn a_datastore_that_is_gone_does_not_hide_the_others() {
    let fake = Fake::start(vec![page("1", false, &[tree(), datastore(1, 10), datastore(2, 10)])]).await;
    let gone = samples::fault("ManagedObjectNotFound", "<obj type=\"Datastore\">datastore-2</obj>");
    let refused = || Reply::Status(500, "", gone.clone());
    fake.instead("RetrievePropertiesEx", refused());
    fake.instead("RetrievePropertiesEx", Reply::Ok(samples::mounts(&[("datastore-1", &["host-1"])])));
    fake.instead("RetrievePropertiesEx", refused());
    let mut running = start(&fake);
    running.connected().await;
    let (inventory, _) = running.inventory().await;
    assert!(matches!(inventory.datastores()[0].mounts, Mounts::Read(_)));
    assert_eq!(inventory.datastores()[1].mounts, Mounts::Missing);
}

#[tokio::test]
async fn mounts_are_read_again_when_the_set_of_hosts_changes() {
    let fake = Fake::start(vec![
        page("1", false, &[tree(), cluster(), host("host-1", false), datastore(1, 10)]),
        page("2", false, &[datastore(1, 11)]),
        page("3", false, &[host("host-2", false)]),
    ])
    .await;
    let both = Reply::Ok(samples::mounts(&[("datastore-1", &["host-1", "host-2"])]));
    let mut running = start(&fake);
    running.connected().await;
    assert_eq!(usable(&running.inventory().await.0), Some(1));
    assert_eq!(usable(&running.inventory().await.0), Some(1));
    fake.instead("RetrievePropertiesEx", both);
    assert_eq!(usable(&running.inventory().await.0), Some(2));
    assert_eq!(fake.seen("RetrievePropertiesEx").len(), 2, "not because of a figure");
}

#[tokio::test]
async fn a_session_that_dies_while_mounts_are_read_ends_the_connection() {
    let fake = Fake::start(vec![page("1", false, &[tree(), datastore(17, 10)])]).await;
    let dead = samples::MOUNTS_PAGE.replace("NoPermission", "NotAuthenticated");
    fake.instead("RetrievePropertiesEx", Reply::Ok(dead));
    let mut running = start(&fake);
    running.connected().await;
    assert!(running.end().await.is_err_and(|error| error.label() == "not_authenticated"));
}
