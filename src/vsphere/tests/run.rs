//! The whole connection against a scripted vCenter, when all is well and when it is stopped.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::timeout;

use super::{
    fake::{COOKIE, Fake, Reply, USER},
    running::{datastore, nothing, page, refusal, start, tree},
};
use crate::vsphere::{Error, Method, Observer, Report};

#[tokio::test]
async fn pages_become_one_snapshot_and_silence_confirms_it() {
    let fake = Fake::start(vec![
        page("1", true, &[datastore(1, 10)]),
        page("2", true, &[datastore(2, 20)]),
        page("3", false, &[tree()]),
        nothing(),
        page("4", false, &[datastore(1, 10)]),
        page("5", false, &[datastore(1, 11)]),
    ])
    .await;
    let mut running = start(&fake);
    running.connected().await;
    let (first, skipped) = running.inventory().await;
    assert_eq!((first.datastores().len(), skipped), (2, 0));
    assert!(first.datastores().iter().all(|d| first.datacenter_of(d).is_some_and(|dc| dc.name == "DC0")));
    assert_eq!((first.instance_uuid.as_str(), first.vcenter_version.as_str()), ("uuid-1", "8.0.3"));
    assert!(matches!(running.next().await, Some(Report::Confirmed { .. })));
    // A repeated object changes nothing.
    assert!(matches!(running.next().await, Some(Report::Confirmed { .. })));
    let (second, _) = running.inventory().await;
    assert_eq!(second.datastores()[0].free, Some(11));
    while fake.seen("WaitForUpdatesEx").len() < 7 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.stop.cancel();
    running.end().await.unwrap();

    let versions: Vec<_> = fake
        .seen("WaitForUpdatesEx")
        .iter()
        .map(|seen| seen.body.split_once("<version>").unwrap().1.split_once('<').unwrap().0.to_owned())
        .collect();
    assert_eq!(versions, ["", "1", "2", "3", "3", "4", "5"]);
    assert!(fake.seen("WaitForUpdatesEx")[0].body.contains("<maxWaitSeconds>25</maxWaitSeconds>"));
    assert_eq!(fake.methods().iter().filter(|m| *m == "Login").count(), 1);
}

#[tokio::test]
async fn the_conversation_is_in_order_and_the_cookie_is_echoed() {
    let fake = Fake::start(vec![page("1", false, &[tree(), datastore(1, 1)])]).await;
    let mut running = start(&fake);
    running.connected().await;
    running.inventory().await;
    while fake.seen("WaitForUpdatesEx").len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.stop.cancel();
    running.end().await.unwrap();
    let expected = [
        "/sdk/vimServiceVersions.xml",
        "RetrieveServiceContent",
        "Login",
        "CreateContainerView",
        "CreatePropertyCollector",
        "CreateFilter",
        "WaitForUpdatesEx",
        "RetrievePropertiesEx",
        "WaitForUpdatesEx",
        "CancelWaitForUpdates",
        "Logout",
    ];
    assert_eq!(fake.methods(), expected);
    let state = fake.state.lock().unwrap();
    for seen in state.seen.iter().skip(3) {
        assert!(seen.head.contains(&format!("cookie: {COOKIE}\r\n")), "{}", seen.head);
        assert!(seen.head.to_lowercase().contains("soapaction: \"urn:vim25/8.0.0.1\""), "{}", seen.head);
        assert!(seen.body.contains("<operationID>berth-"));
        assert!(!seen.body.contains(USER));
    }
    assert!(!state.seen[2].head.contains("cookie"));
    let ids: std::collections::BTreeSet<_> = state
        .seen
        .iter()
        .filter_map(|s| {
            s.body.split_once("<operationID>").map(|(_, r)| r.split_once('<').unwrap().0.to_owned())
        })
        .collect();
    assert_eq!(ids.len(), 10);
}

#[tokio::test]
async fn lost_objects_are_built_anew_once_from_the_empty_version() {
    let stale = "<obj type=\"PropertyCollector\">session[52aa]collector-0</obj>";
    for first in [refusal("InvalidCollectorVersion", ""), refusal("ManagedObjectNotFound", stale), nothing()]
    {
        let fake = Fake::start(vec![
            page("1", true, &[datastore(9, 1)]),
            first,
            page("7", false, &[tree(), datastore(1, 1)]),
            refusal("InvalidCollectorVersion", ""),
        ])
        .await;
        let mut running = start(&fake);
        running.connected().await;
        let (inventory, _) = running.inventory().await;
        // What the abandoned answer said is not mixed in.
        assert_eq!(inventory.datastores().len(), 1);
        assert!(
            matches!(running.end().await, Err(Error::Fault { name, .. }) if name == "InvalidCollectorVersion")
        );
        let waits = fake.seen("WaitForUpdatesEx");
        assert!(waits[2].body.contains("collector-1</_this><version></version>"));
        assert_eq!(fake.methods().iter().filter(|m| *m == "Login").count(), 1);
        assert_eq!(fake.seen("DestroyView").len(), 1);
    }
}

#[tokio::test]
async fn a_server_without_a_version_list_is_spoken_to_in_the_version_known_best() {
    let fake = Fake::start(vec![]).await;
    fake.instead("/sdk/vimServiceVersions.xml", Reply::Status(404, "", String::new()));
    let mut running = start(&fake);
    running.connected().await;
    running.stop.cancel();
    running.end().await.unwrap();
    assert!(fake.seen("Login")[0].head.to_lowercase().contains("\"urn:vim25/8.0.1.0\""));
}

#[tokio::test]
async fn a_stop_at_any_moment_leaves_no_session_behind() {
    for method in ["RetrieveServiceContent", "Login", "CreateFilter", "WaitForUpdatesEx"] {
        let fake = Fake::start(vec![]).await;
        if method != "WaitForUpdatesEx" {
            fake.instead(method, Reply::Hang);
        }
        let running = start(&fake);
        while fake.seen(method).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let asked = std::time::Instant::now();
        running.stop.cancel();
        let outcome = running.end().await;
        assert!(asked.elapsed() < Duration::from_secs(5), "{method}");
        // A login that never answered made no session that could be ended.
        assert_eq!(outcome.is_ok(), method != "Login", "{method}");
        let logged_in = matches!(method, "CreateFilter" | "WaitForUpdatesEx");
        assert_eq!(fake.seen("Logout").len(), usize::from(logged_in), "{method}");
    }
}

#[tokio::test]
async fn an_owner_that_no_longer_listens_ends_it() {
    let fake = Fake::start(vec![page("1", false, &[tree()])]).await;
    let running = start(&fake);
    drop(running.reports);
    timeout(Duration::from_mins(1), running.task).await.unwrap().unwrap().unwrap();
    assert_eq!(fake.seen("Logout").len(), 1);
}

#[tokio::test]
async fn odd_objects_are_counted_and_do_not_hide_the_others() {
    let odd = datastore(2, 1).replace("<freeSpace>1", "<freeSpace>-1");
    let fake = Fake::start(vec![page("1", false, &[tree(), datastore(1, 1), odd])]).await;
    let mut running = start(&fake);
    running.connected().await;
    let (inventory, skipped) = running.inventory().await;
    assert_eq!((inventory.datastores().len(), skipped), (1, 1));
    running.stop.cancel();
    running.end().await.unwrap();
}

#[derive(Debug, Default)]
struct Counts(Mutex<Vec<(&'static str, &'static str)>>);

impl Observer for Counts {
    fn request(&self, method: Method, result: &'static str, _took: Duration) {
        self.0.lock().unwrap().push((method.label(), result));
    }
    fn login(&self, result: &'static str) {
        self.0.lock().unwrap().push(("login", result));
    }
}

#[tokio::test]
async fn the_observer_hears_of_every_request() {
    let mut fake = Fake::start(vec![page("1", false, &[tree()]), refusal("NotAuthenticated", "")]).await;
    let counts = Arc::new(Counts::default());
    fake.endpoint.observer = counts.clone();
    let mut running = start(&fake);
    running.connected().await;
    running.inventory().await;
    assert_eq!(running.end().await, Err(Error::NotAuthenticated));
    let expected = [
        ("vimServiceVersions", "ok"),
        ("RetrieveServiceContent", "ok"),
        ("Login", "ok"),
        ("login", "ok"),
        ("CreateContainerView", "ok"),
        ("CreatePropertyCollector", "ok"),
        ("CreateFilter", "ok"),
        ("WaitForUpdatesEx", "ok"),
        ("WaitForUpdatesEx", "not_authenticated"),
        ("Logout", "ok"),
    ];
    assert_eq!(*counts.0.lock().unwrap(), expected);
}
