//! Who mounts the datastores: read beside the watch, against a scripted vCenter.

use std::time::Duration;

use super::{
    fake::{Fake, Reply},
    running::{datastore, nothing, page, start, tree},
    samples,
};
use crate::placement::{HostMounts, Inventory, Mounts};

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
    let fake = Fake::start(vec![
        page("1", false, &[tree(), datastore(1, 10), datastore(2, 10), datastore(3, 10)]),
        nothing(),
    ])
    .await;
    let gone = samples::fault("ManagedObjectNotFound", "<obj type=\"Datastore\">datastore-2</obj>");
    fake.instead("RetrievePropertiesEx", Reply::Status(500, "", gone));
    let mut running = start(&fake);
    running.connected().await;
    let (first, _) = running.inventory().await;
    let mounts: Vec<_> = first.datastores().iter().map(|datastore| &datastore.mounts).collect();
    assert_eq!(mounts, [&Mounts::Unread, &Mounts::Missing, &Mounts::Unread]);
    let (second, _) = running.inventory().await;
    assert!(matches!(second.datastores()[0].mounts, Mounts::Read(_)));
    assert_eq!(second.datastores()[1].mounts, Mounts::Missing);
    assert!(matches!(second.datastores()[2].mounts, Mounts::Read(_)));
    assert_eq!(fake.seen("RetrievePropertiesEx").len(), 2, "not one by one");
}

#[tokio::test]
async fn the_pages_of_one_answer_are_read_between_waits() {
    let fake = Fake::start(vec![
        page("1", false, &[tree(), datastore(17, 10), datastore(18, 10), datastore(19, 10)]),
        nothing(),
        nothing(),
    ])
    .await;
    let part = |id: &str, token: &str| {
        let token = if token.is_empty() { String::new() } else { format!("<token>{token}</token>") };
        let answer = samples::mounts(&[(id, &["host-1"])]);
        Reply::Ok(answer.replacen("<returnval>", &format!("<returnval>{token}"), 1))
    };
    let more = |id: &str, token: &str| match part(id, token) {
        Reply::Ok(text) => Reply::Ok(text.replace("RetrievePropertiesEx", "ContinueRetrievePropertiesEx")),
        other => other,
    };
    fake.instead("RetrievePropertiesEx", part("datastore-17", "7"));
    fake.instead("ContinueRetrievePropertiesEx", more("datastore-18", "8"));
    fake.instead("ContinueRetrievePropertiesEx", more("datastore-19", ""));
    let mut running = start(&fake);
    running.connected().await;
    let mut unread = Vec::new();
    for _ in 0..3 {
        let (inventory, _) = running.inventory().await;
        unread.push(inventory.datastores().iter().filter(|d| d.mounts == Mounts::Unread).count());
    }
    assert_eq!(unread, [2, 1, 0]);
    while fake.seen("WaitForUpdatesEx").len() < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let order = fake.methods();
    let after = order.iter().position(|method| method == "WaitForUpdatesEx").unwrap();
    let (wait, more) = ("WaitForUpdatesEx", "ContinueRetrievePropertiesEx");
    assert_eq!(order[after..], [wait, "RetrievePropertiesEx", wait, more, wait, more, wait]);
    let seconds = fake.seen(wait);
    let seconds = seconds.iter().map(|wait| wait.body.contains("<maxWaitSeconds>0<"));
    assert_eq!(seconds.collect::<Vec<_>>(), [false, true, true, false]);
    let tokens = fake.seen(more);
    assert!(tokens[0].body.contains("<token>7<") && tokens[1].body.contains("<token>8<"));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_smaller_parts() {
    let fake = Fake::start(vec![
        page("1", false, &[tree(), cluster(), host("host-1", false), datastore(1, 10), datastore(2, 10)]),
        nothing(),
        nothing(),
    ])
    .await;
    fake.instead("RetrievePropertiesEx", Reply::Endless);
    fake.instead("RetrievePropertiesEx", Reply::Endless);
    let mut running = start(&fake);
    running.connected().await;
    assert_eq!(running.inventory().await.0.datastores().len(), 2);
    // One whose mounts alone are too many makes no sense.
    let (second, skipped) = running.inventory().await;
    assert_eq!((second.datastores().len(), skipped), (1, 1));
    let (third, skipped) = running.inventory().await;
    assert_eq!((usable(&third), skipped), (Some(1), 1));
    let asked: Vec<_> =
        fake.seen("RetrievePropertiesEx").iter().map(|seen| seen.body.matches("<obj ").count()).collect();
    assert_eq!(asked, [2, 1, 1]);
}

#[tokio::test]
async fn a_datastore_without_mounts_is_mounted_by_no_host() {
    let fake = Fake::start(vec![page("1", false, &[tree(), datastore(17, 10), datastore(18, 10)])]).await;
    let from = samples::MOUNTS_PAGE.find("<propSet>").unwrap();
    let to = samples::MOUNTS_PAGE.find("</propSet>").unwrap() + "</propSet>".len();
    let answer = samples::MOUNTS_PAGE.replace(&samples::MOUNTS_PAGE[from..to], "");
    fake.instead("RetrievePropertiesEx", Reply::Ok(answer.replace("<token>7</token>", "")));
    let mut running = start(&fake);
    running.connected().await;
    let (inventory, _) = running.inventory().await;
    assert_eq!(inventory.datastores()[0].mounts, Mounts::Read(HostMounts::default()));
    assert_eq!(inventory.datastores()[1].mounts, Mounts::Missing, "withheld is something else");
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
