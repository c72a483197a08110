//! How a connection ends when something is wrong: at once, with nothing published, and no session left.

use std::time::Duration;

use super::{
    fake::{Fake, PASSWORD, Reply, USER},
    running::{datastore, page, refusal, start, tree},
    samples,
};
use crate::vsphere::{Error, transport::Transport};

type Expected = fn(&Error) -> bool;

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
