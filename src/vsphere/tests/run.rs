//! The whole connection against a scripted vCenter.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    fake::{COOKIE, Fake, PASSWORD, Reply, USER, credentials},
    samples,
};
use crate::{
    placement::inventory::Inventory,
    vsphere::{Error, Method, Observer, Report, run, transport::Transport},
};

type Expected = fn(&Error) -> bool;

struct Running {
    reports: mpsc::Receiver<Report>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

fn start(fake: &Fake) -> Running {
    let (sender, reports) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(fake.endpoint.clone(), credentials(), sender, stop.clone()));
    Running { reports, stop, task }
}

impl Running {
    async fn next(&mut self) -> Option<Report> {
        timeout(Duration::from_secs(20), self.reports.recv()).await.unwrap()
    }

    async fn connected(&mut self) {
        let Some(Report::Connected { version, instance_uuid, .. }) = self.next().await else { panic!() };
        assert_eq!((version.as_str(), instance_uuid.as_str()), ("8.0.3", "uuid-1"));
    }

    async fn inventory(&mut self) -> (Arc<Inventory>, usize) {
        match self.next().await {
            Some(Report::Inventory { inventory, skipped, .. }) => (inventory, skipped),
            other => panic!("{other:?}"),
        }
    }

    async fn end(self) -> Result<(), Error> {
        timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap()
    }

    /// How it ended, and that no inventory was reported on the way.
    async fn end_without_inventory(mut self) -> Result<(), Error> {
        while let Some(report) = self.next().await {
            assert!(!matches!(report, Report::Inventory { .. } | Report::Confirmed { .. }), "{report:?}");
        }
        self.end().await
    }
}

fn page(version: &str, truncated: bool, objects: &[String]) -> Reply {
    Reply::Ok(samples::updates(version, truncated, &objects.concat()))
}

fn tree() -> String {
    samples::container_enter("Datacenter", "datacenter-3", "DC0", Some("group-d1"))
        + &samples::container_enter("Folder", "group-s5", "datastore", Some("datacenter-3"))
}

fn datastore(n: u32, free: u64) -> String {
    samples::datastore_enter(&format!("datastore-{n}"), &format!("ds{n}"), 100, free)
}

fn nothing() -> Reply {
    Reply::Ok(samples::NOTHING_NEW.to_owned())
}

fn refusal(name: &str, detail: &str) -> Reply {
    Reply::Status(500, "", samples::fault(name, detail))
}

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
    assert!(first.datastores().iter().all(|d| d.datacenter == "DC0"));
    assert_eq!(first.instance_uuid, "uuid-1");
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
    assert_eq!(ids.len(), 9);
}

#[tokio::test]
async fn a_dead_session_ends_the_run_and_publishes_nothing() {
    let fake = Fake::start(vec![Reply::Ok(samples::DEAD_SESSION.to_owned())]).await;
    assert_eq!(start(&fake).end_without_inventory().await, Err(Error::NotAuthenticated));
    assert_eq!(fake.methods().last().unwrap(), "Logout");

    let fake = Fake::start(vec![page("1", true, &[datastore(1, 1)]), refusal("NotAuthenticated", "")]).await;
    assert_eq!(start(&fake).end_without_inventory().await, Err(Error::NotAuthenticated));
}

#[tokio::test]
async fn a_refused_login_is_tried_once_and_needs_no_logout() {
    let fake = Fake::start(vec![]).await;
    fake.instead("Login", refusal("InvalidLogin", ""));
    assert_eq!(start(&fake).end_without_inventory().await, Err(Error::InvalidLogin));
    assert_eq!(fake.methods().iter().filter(|m| *m == "Login").count(), 1);
    assert!(fake.seen("Logout").is_empty());
}

#[tokio::test]
async fn a_login_whose_answer_is_lost_is_logged_out_when_its_cookie_is_known() {
    let fake = Fake::start(vec![]).await;
    fake.instead("Login", Reply::Ok("<html>".into()));
    assert_eq!(start(&fake).end_without_inventory().await, Err(Error::Malformed("not a SOAP envelope")));
    assert_eq!(fake.seen("Logout").len(), 1);
}

#[tokio::test]
async fn half_of_an_answer_is_no_answer() {
    let whole = samples::updates("1", false, &(tree() + &datastore(1, 1)));
    let half = whole[..whole.len() / 2].to_owned();
    let fake = Fake::start(vec![Reply::Ok(half.clone())]).await;
    assert!(matches!(start(&fake).end_without_inventory().await, Err(Error::Malformed(_))));
    // Also when it is the connection that breaks, with a document that looks whole.
    for body in [half, whole] {
        let fake = Fake::start(vec![Reply::Cut(body)]).await;
        let error = start(&fake).end_without_inventory().await.unwrap_err();
        assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
        assert_eq!(fake.seen("Logout").len(), 1);
    }
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
async fn other_faults_and_statuses_end_the_run_at_once() {
    let other = "<obj type=\"Folder\">group-d1</obj>";
    let cases: [(Reply, Expected); 6] = [
        (
            refusal("ManagedObjectNotFound", other),
            |e| matches!(e, Error::Fault { name, text } if name == "ManagedObjectNotFound" && text == "about ManagedObjectNotFound"),
        ),
        (refusal("NoPermission", ""), |e| matches!(e, Error::NoPermission(_))),
        (Reply::Status(503, "", "no healthy upstream".into()), |e| *e == Error::HttpStatus(503)),
        (Reply::Status(500, "", "<html>oops".into()), |e| *e == Error::HttpStatus(500)),
        (Reply::Ok("<!DOCTYPE a><a/>".into()), |e| *e == Error::Malformed("document type declaration")),
        (Reply::Status(302, "Location: https://127.0.0.1:1/sdk\r\n", String::new()), |e| {
            *e == Error::Redirect(302)
        }),
    ];
    for (reply, expected) in cases {
        let fake = Fake::start(vec![reply]).await;
        let error = start(&fake).end_without_inventory().await.unwrap_err();
        assert!(expected(&error), "{error:?}");
        assert_eq!(fake.seen("WaitForUpdatesEx").len(), 1);
        assert_eq!(fake.seen("Logout").len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_sent_after_a_redirect_or_an_error_before_the_login() {
    for (method, reply, expected) in [
        (
            "/sdk/vimServiceVersions.xml",
            Reply::Status(301, "Location: https://127.0.0.1:1/\r\n", String::new()),
            Error::Redirect(301),
        ),
        (
            "RetrieveServiceContent",
            Reply::Status(307, "Location: /\r\n", String::new()),
            Error::Redirect(307),
        ),
        ("/sdk/vimServiceVersions.xml", Reply::Status(503, "", String::new()), Error::HttpStatus(503)),
    ] {
        let fake = Fake::start(vec![]).await;
        fake.instead(method, reply);
        assert_eq!(start(&fake).end_without_inventory().await, Err(expected));
        assert!(fake.seen("Login").is_empty());
        assert!(fake.seen("Logout").is_empty());
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
async fn an_answer_without_end_is_cut_off() {
    let fake = Fake::start(vec![Reply::Endless]).await;
    let error = start(&fake).end_without_inventory().await.unwrap_err();
    assert!(matches!(error, Error::TooLarge(_)), "{error:?}");
}

#[tokio::test]
async fn a_host_that_is_not_a_vcenter_gets_no_credentials() {
    let fake = Fake::start(vec![]).await;
    let content = "<RetrieveServiceContentResponse xmlns=\"urn:vim25\"><returnval>\
        <rootFolder type=\"Folder\">ha-folder-root</rootFolder>\
        <propertyCollector type=\"PropertyCollector\">ha-pc</propertyCollector>\
        <viewManager type=\"ViewManager\">ViewManager</viewManager><about><apiType>HostAgent</apiType></about>\
        <sessionManager type=\"SessionManager\">ha-sessionmgr</sessionManager></returnval>\
        </RetrieveServiceContentResponse>";
    fake.instead("RetrieveServiceContent", Reply::Ok(samples::envelope(content)));
    assert!(matches!(start(&fake).end_without_inventory().await, Err(Error::Endpoint(_))));
    assert!(fake.seen("Login").is_empty());
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_timeout() {
    let fake = Fake::start(vec![]).await;
    fake.instead("/sdk/vimServiceVersions.xml", Reply::Hang);
    let after = Duration::from_millis(300);
    let outcome = Transport::new(&fake.endpoint).unwrap().versions(after).await;
    assert_eq!(outcome, Err(Error::Timeout { method: "vimServiceVersions", after }));
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut fake = Fake::start(vec![]).await;
    fake.endpoint.server = format!("https://{address}").parse().unwrap();
    assert!(matches!(start(&fake).end_without_inventory().await, Err(Error::Unreachable(_))));
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
        assert!(asked.elapsed() < Duration::from_secs(3), "{method}");
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
    timeout(Duration::from_secs(20), running.task).await.unwrap().unwrap().unwrap();
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

#[tokio::test]
async fn no_error_shows_a_secret() {
    let own = "<obj type=\"Folder\">session[52aa]x</obj>";
    let text = format!("object session[52aa-key]52bb of {}", "x".repeat(999));
    let fault = samples::fault("ManagedObjectNotFound", own).replace("about ManagedObjectNotFound", &text);
    let fake = Fake::start(vec![Reply::Status(500, "", fault)]).await;
    let error = start(&fake).end_without_inventory().await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.len() < 800);
    for secret in ["52aa", "live-cookie", PASSWORD, USER] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
