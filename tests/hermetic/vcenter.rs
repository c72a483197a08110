//! The public vCenter adapter against the strict fake, and with it the fake's own strictness.

use std::{collections::BTreeMap, time::Duration};

use berth::{
    placement::{Inventory, Mounts},
    vsphere::{CertificateProblem, Error, Report, Trust},
};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    adapter::{start, start_with},
    fake_vcenter::{Action, FakeVcenter, Fault, Options},
};

fn three() -> Options {
    Options::with_datastores(&json!([
        {"name": "gold/1", "capacity": 1000, "free": 400, "uncommitted": 7},
        {"name": "silver", "type": "vsan", "maintenanceMode": null},
        {"name": "in-pod", "type": "NFS41", "pod": "p%d", "accessible": false},
    ]))
}

#[tokio::test(start_paused = true)]
async fn the_first_inventory_is_complete_and_the_session_ends_with_the_connection() {
    let fake = FakeVcenter::start(three()).await;
    let mut running = start(&fake);
    let inventory = running.inventory().await;
    let [gold, silver, pod] = inventory.datastores() else { panic!() };
    assert_eq!((gold.moref.0.as_str(), gold.name.as_str()), ("datastore-10001", "gold/1"));
    assert_eq!((gold.capacity, gold.free, gold.uncommitted), (Some(1000), Some(400), Some(7)));
    assert_eq!((silver.kind.as_deref(), silver.maintenance_mode.as_deref()), (Some("vsan"), None));
    assert!(silver.url.starts_with("ds:///vmfs/volumes/vsan:"));
    let datacenter = inventory.datacenter_of(pod).map(|datacenter| datacenter.name.as_str());
    assert_eq!((pod.accessible, datacenter), (Some(false), Some("DC0")));
    assert_eq!(inventory.instance_uuid, Options::default().instance_uuid);
    assert_eq!((fake.sessions(), fake.session_objects()), (1, 3));
    running.stop().await.unwrap();
    assert_eq!((fake.sessions(), fake.session_objects()), (0, 0));
    assert_eq!(fake.logins().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn changes_creations_and_removals_arrive_one_by_one() {
    let fake = FakeVcenter::start(three()).await;
    let mut running = start(&fake);
    running.inventory().await;
    fake.set_datastore("silver", &json!({"freeSpace": 5, "maintenanceMode": "inMaintenance"}));
    let inventory = running.inventory().await;
    assert_eq!(inventory.datastores()[1].free, Some(5));
    assert_eq!(inventory.datastores()[1].maintenance_mode.as_deref(), Some("inMaintenance"));
    fake.set_datastore("silver", &json!({"maintenanceMode": null}));
    assert_eq!(running.inventory().await.datastores()[1].maintenance_mode, None);
    let created = fake.create_datastore("", &json!({"name": "bronze", "free": 1}));
    let inventory = running.inventory().await;
    assert_eq!(inventory.datastores()[3].moref.0, created.id);
    fake.delete_datastore("gold/1");
    assert_eq!(running.inventory().await.datastores().len(), 3);
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn hosts_and_mounts_are_part_of_the_inventory() {
    let mut options = three();
    options.inventory["datacenters"][0]["clusters"] = json!([
        {"hosts": [{"name": "esx-1"}, {"name": "esx-2", "maintenance": true}]},
        {"hosts": 1},
    ]);
    options.inventory["datacenters"][0]["datastores"][0]["mounts"] = json!([
        {"host": "esx-1", "accessMode": "readOnly"},
        {"host": "DC0_C1_H0", "accessible": false},
    ]);
    let fake = FakeVcenter::start(options).await;
    let mut running = start(&fake);
    let inventory = running.inventory().await;
    let hosts = |inventory: &Inventory| -> BTreeMap<String, bool> {
        let hosts = inventory.compute().hosts();
        hosts.iter().map(|host| (host.name.clone(), host.in_maintenance)).collect()
    };
    let expected = [("DC0_C1_H0", false), ("esx-1", false), ("esx-2", true)];
    assert_eq!(hosts(&inventory), expected.map(|(name, state)| (name.to_owned(), state)).into());
    let counts = |inventory: &Inventory| {
        let mounts = inventory.datastores().iter().map(|datastore| match &datastore.mounts {
            Mounts::Read(mounts) => [mounts.usable.len(), mounts.read_only.len(), mounts.inaccessible.len()],
            other => panic!("{other:?}"),
        });
        mounts.collect::<Vec<_>>()
    };
    assert_eq!(counts(&inventory), [[0, 1, 1], [3, 0, 0], [0, 0, 3]]);
    fake.set_host("esx-2", &json!({"maintenance": false}));
    assert!(!hosts(&*running.inventory().await)["esx-2"]);
    fake.delete_host("esx-1");
    assert_eq!(counts(&*running.inventory().await), [[0, 0, 1], [2, 0, 0], [0, 0, 2]]);
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_expires_ends_the_connection_with_its_name() {
    let fake = FakeVcenter::start(three()).await;
    let mut running = start(&fake);
    running.inventory().await;
    fake.end_sessions();
    assert_eq!(running.end().await, (Error::NotAuthenticated, 0));
    let mut running = start(&fake);
    running.inventory().await;
    // As some servers do it: the answer is fine, only nothing can be read any more.
    fake.end_sessions_quietly();
    assert_eq!(running.end().await, (Error::NotAuthenticated, 0));
    assert_eq!(fake.logins().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_tried_once() {
    let fake = FakeVcenter::start(three()).await;
    let trust = Trust::CaBundle(fake.ca_pem.clone());
    let running = start_with(&fake.url, trust, "wrong");
    assert_eq!(running.end().await, (Error::InvalidLogin, 0));
    let logins = fake.logins();
    assert_eq!((logins.len(), logins[0].succeeded), (1, false));
    assert_eq!((fake.sessions(), fake.count("Logout")), (0, 0));
}

/// A vCenter whose inventory takes three pages.
fn three_pages() -> Options {
    let names = (0..250).map(|n| json!({"name": format!("ds{n}"), "free": n}));
    Options::with_datastores(&names.collect())
}

#[tokio::test(start_paused = true)]
async fn what_breaks_inside_a_truncated_answer_publishes_nothing_and_begins_anew() {
    for (action, expected) in [
        (Action::ResetBefore, "unreachable"),
        (Action::ResetAfter, "unreachable"),
        (Action::Cut(1000), "unreachable"),
        (Action::Truncate(1000), "malformed"),
        (Action::EndSessions, "not_authenticated"),
        (Action::Status(503), "http_status"),
    ] {
        let fake = FakeVcenter::start(three_pages()).await;
        fake.nth("WaitForUpdatesEx", 2, action.clone());
        let (error, inventories) = start(&fake).end().await;
        assert_eq!((error.label(), inventories), (expected, 0), "{action:?}");
        let mut running = start(&fake);
        assert_eq!(running.inventory().await.datastores().len(), 250);
        running.stop().await.unwrap();
        assert_eq!((fake.count("WaitForUpdatesEx") >= 5, fake.sessions()), (true, 0), "{action:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_server_forgot_is_built_anew_within_the_session() {
    let fake = FakeVcenter::start(three_pages()).await;
    fake.nth("WaitForUpdatesEx", 2, Action::Fault(Fault::new("InvalidCollectorVersion", "")));
    let mut running = start(&fake);
    assert_eq!(running.inventory().await.datastores().len(), 250);
    assert_eq!((fake.logins().len(), fake.session_objects()), (1, 3));
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn strange_answers_end_the_connection_each_by_its_name() {
    let elsewhere = FakeVcenter::start(three()).await;
    let html = "<html><head><title>Maintenance</title></head><body>back soon</body></html>";
    let cases = [
        (Action::Status(503), Error::HttpStatus(503)),
        (Action::Status(429), Error::HttpStatus(429)),
        (Action::Status(500), Error::HttpStatus(500)),
        (Action::Redirect(302, elsewhere.url.clone() + "/sdk"), Error::Redirect(302)),
        (Action::Redirect(308, "/sdk".to_owned()), Error::Redirect(308)),
        (Action::Body(html.to_owned()), Error::Malformed("not a SOAP envelope")),
        (Action::Body(String::new()), Error::Malformed("truncated")),
        (Action::Oversize((64 << 20) + 1), Error::TooLarge("more than 64 MiB in one answer")),
        (Action::Doctype, Error::Malformed("document type declaration")),
        (Action::Deep(1000), Error::Malformed("nested too deeply")),
        (Action::Truncate(0), Error::Malformed("truncated")),
    ];
    for (action, expected) in cases {
        // Before the credentials are sent, and after.
        for (method, logins) in [("RetrieveServiceContent", 0), ("CreateFilter", 1)] {
            let fake = FakeVcenter::start(three()).await;
            fake.next(method, action.clone());
            assert_eq!(start(&fake).end().await, (expected.clone(), 0), "{method} {action:?}");
            assert_eq!((fake.logins().len(), fake.sessions()), (logins, 0), "{method} {action:?}");
        }
    }
    assert!(elsewhere.requests().is_empty());
}

/// Bytes of the whole first answer to a wait.
async fn first_answer(fake: &FakeVcenter) -> usize {
    let mut running = start(fake);
    running.inventory().await;
    running.stop().await.unwrap();
    fake.requests().iter().find(|request| request.method == "WaitForUpdatesEx").unwrap().answered.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_answer_cut_at_any_byte_is_no_inventory() {
    let fake = FakeVcenter::start(three()).await;
    for at in (0..first_answer(&fake).await).step_by(211) {
        for action in [Action::Truncate(at), Action::Cut(at)] {
            fake.next("WaitForUpdatesEx", action.clone());
            let (error, inventories) = start(&fake).end().await;
            let expected = if matches!(action, Action::Cut(_)) { "unreachable" } else { "malformed" };
            assert_eq!((error.label(), inventories), (expected, 0), "{action:?}");
        }
    }
    assert_eq!((fake.sessions(), fake.session_objects()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_changed_byte_never_makes_a_datastore_that_is_not_there() {
    let fake = FakeVcenter::start(three()).await;
    let mut running = start(&fake);
    let truth = running.inventory().await;
    running.stop().await.unwrap();
    for at in (0..first_answer(&fake).await).step_by(97) {
        fake.next("WaitForUpdatesEx", Action::Corrupt(at));
        let mut running = start(&fake);
        let mut inventory = None;
        while let Some(report) = running.report().await {
            if let Report::Inventory { inventory: new, .. } = report {
                inventory = Some(new);
                break;
            }
        }
        for datastore in inventory.iter().flat_map(|inventory| inventory.datastores()) {
            let known = truth.datastores().iter().find(|known| known.moref == datastore.moref);
            let known = known.unwrap_or_else(|| panic!("byte {at}: {datastore:?}"));
            // The path of a property may be the one that was hit: then its value is not known.
            let name = if datastore.name.is_empty() { "" } else { known.name.as_str() };
            let same = (name, known.capacity, known.free, known.accessible);
            assert_eq!(
                (datastore.name.as_str(), datastore.capacity, datastore.free, datastore.accessible),
                same,
                "byte {at}"
            );
        }
        running.stop.cancel();
        drop(running.task.await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_vcenter_that_falls_silent_is_given_up_in_bounded_time() {
    let limits = [
        ("/sdk/vimServiceVersions.xml", 30),
        ("RetrieveServiceContent", 30),
        ("Login", 30),
        ("CreateContainerView", 30),
        ("CreatePropertyCollector", 30),
        ("CreateFilter", 30),
        ("RetrievePropertiesEx", 30),
        // The wait itself, the margin, and the goodbye.
        ("WaitForUpdatesEx", 35),
    ];
    for (method, seconds) in limits {
        for action in [Action::Hang, Action::HangAfter, Action::Stall(100)] {
            let fake = FakeVcenter::start(three()).await;
            fake.always(method, action.clone());
            let before = Instant::now();
            let (error, inventories) = start(&fake).end().await;
            let name = method.rsplit('/').next().unwrap().trim_end_matches(".xml");
            let after = Duration::from_secs(seconds);
            // The inventory is not small enough for a stall to be its end.
            assert_eq!((&error, inventories), (&timed_out(name, after), 0), "{action:?}");
            let took = before.elapsed();
            assert!(took >= after && took <= after + Duration::from_secs(3), "{method} {action:?}: {took:?}");
        }
    }
}

fn timed_out(method: &str, after: Duration) -> Error {
    let method = String::leak(method.to_owned());
    Error::Timeout { method, after }
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_waited_for() {
    let fake = FakeVcenter::start(three()).await;
    fake.next("Login", Action::Delay(Duration::from_secs(29)));
    let mut running = start(&fake);
    running.inventory().await;
    running.stop().await.unwrap();
    assert_eq!(fake.logins().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn odd_content_type_and_repeated_objects_do_no_harm() {
    let fake = FakeVcenter::start(three()).await;
    fake.next("RetrieveServiceContent", Action::ContentType("application/octet-stream".to_owned()));
    fake.next("WaitForUpdatesEx", Action::Twice);
    let mut running = start(&fake);
    assert_eq!(running.inventory().await.datastores().len(), 3);
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn impossible_figures_hide_their_datastore_only() {
    let fake = FakeVcenter::start(three()).await;
    fake.set_datastore("gold/1", &json!({"free": -1}));
    fake.set_datastore("silver", &json!({"capacity": 1, "free": 2}));
    let mut running = start(&fake);
    let names: Vec<_> = running.inventory().await.datastores().iter().map(|d| d.name.clone()).collect();
    assert_eq!(names, ["silver", "in-pod"]);
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_withheld_property_is_not_an_absent_one() {
    let fake = FakeVcenter::start(three()).await;
    fake.withhold(&fake.datastore("silver"), "summary", true);
    let mut running = start(&fake);
    let inventory = running.inventory().await;
    assert_eq!((inventory.datastores().len(), inventory.datastores()[1].capacity), (3, None));
    fake.withhold(&fake.datastore("silver"), "summary", false);
    assert_eq!(running.inventory().await.datastores()[1].capacity, Some(1 << 40));
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_right_certificate_with_another_key_gets_no_request() {
    let fake = FakeVcenter::start(Options { other_key: true, ..three() }).await;
    for trust in [Trust::CaBundle(fake.ca_pem.clone()), Trust::thumbprint(&fake.thumbprint).unwrap()] {
        let running = start_with(&fake.url, trust, &Options::default().password);
        assert_eq!(running.end().await, (Error::Certificate(CertificateProblem::Key), 0));
    }
    assert!(fake.requests().is_empty());
    // The server hears of it a little later than the client.
    while fake.failed_handshakes() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let fake = FakeVcenter::start(three()).await;
    let trust = Trust::thumbprint(&fake.thumbprint).unwrap();
    let mut running = start_with(&fake.url, trust, &Options::default().password);
    running.inventory().await;
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_vcenter_that_dies_returns_on_its_port_without_its_sessions() {
    let mut fake = FakeVcenter::start(three()).await;
    let mut running = start(&fake);
    running.inventory().await;
    fake.stop();
    let (error, _) = running.end().await;
    assert_eq!(error.label(), "unreachable");
    assert_eq!(start(&fake).end().await.0.label(), "unreachable");
    fake.restart().await;
    let mut running = start(&fake);
    assert_eq!(running.inventory().await.datastores().len(), 3);
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_datastores_are_one_inventory() {
    let names = (0..10_000).map(|n| json!({"name": format!("ds{n}")}));
    let fake = FakeVcenter::start(Options::with_datastores(&names.collect())).await;
    let mut running = start(&fake);
    assert_eq!(running.inventory().await.datastores().len(), 10_000);
    // The datastores, their datacenter and its four folders.
    assert_eq!(fake.requests().iter().filter(|r| r.method == "WaitForUpdatesEx").count(), 101);
    fake.set_datastore("ds7", &json!({"free": 7}));
    let inventory = running.inventory().await;
    assert_eq!(inventory.datastores().iter().filter(|d| d.free == Some(7)).count(), 1);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn it_runs_on_real_time_too() {
    let fake = FakeVcenter::start(three()).await;
    let mut running = start(&fake);
    running.inventory().await;
    fake.set_datastore("silver", &json!({"free": 5}));
    assert_eq!(running.inventory().await.datastores()[1].free, Some(5));
    running.stop().await.unwrap();
}
