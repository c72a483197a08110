//! Lists and watches against an API server that is a function.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::sync::watch::Sender;

use super::super::mock::{Answer, STAYS_OPEN, shell, status};
use super::*;
use crate::scheduler::SeenPlacement;

const PLACEMENTS: &str = "/apis/berth.dev/v1alpha1/instanceplacements";

fn object(name: &str, spec: &Value) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "team-a", "uid": name, "resourceVersion": "5", "generation": 1},
        "spec": spec,
    })
}

fn list(items: &[Value], next: &str) -> Answer {
    let list = json!({"metadata": {"resourceVersion": "9", "continue": next}, "items": items});
    (200, list.to_string(), None)
}

fn quiet() -> Answer {
    (STAYS_OPEN, String::new(), None)
}

/// Starts only the watch of placements.
fn start_placements(
    answer: impl Fn(&str) -> Answer + Clone + Send + 'static,
) -> (mpsc::Receiver<Input>, Sender<u64>, Arc<Shell>) {
    let (shell, told) = shell(move |line, _| {
        assert!(line.starts_with(&format!("GET {PLACEMENTS}?")), "{line}");
        answer(line)
    });
    expect_lists(&shell.readiness);
    let (lists, restarts) = tokio::sync::watch::channel(0);
    let api = Api::all_with(shell.client.clone(), &ApiResource::erase::<InstancePlacement>(&()));
    tokio::spawn(placements(Arc::clone(&shell), api, restarts));
    (told, lists, shell)
}

async fn next(told: &mut mpsc::Receiver<Input>) -> Input {
    tokio::time::timeout(Duration::from_mins(1), told.recv()).await.unwrap().unwrap()
}

async fn seen(told: &mut mpsc::Receiver<Input>) -> SeenPlacement {
    match next(told).await {
        Input::PlacementSeen(placement) => *placement,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn pages_then_changes_and_one_broken_object_hides_nothing() {
    let (mut told, lists, shell) = start_placements(|line| {
        if line.contains("watch=true") {
            assert!(line.contains("timeoutSeconds=85") && line.contains("resourceVersion=9"), "{line}");
            let gone = json!({"type": "DELETED", "object": object("b", &json!({}))});
            return (STAYS_OPEN, format!("{gone}\n"), None);
        }
        assert!(line.contains("limit=100") && !line.contains("resourceVersion"), "{line}");
        if line.contains("continue=p2") {
            return list(&[json!({"metadata": {}}), object("b", &json!({}))], "");
        }
        list(&[object("a", &json!({"revision": "high"}))], "p2")
    });
    assert!(told.try_recv().is_err());
    lists.send_replace(1);
    assert_eq!(next(&mut told).await, Input::ListStarted(Kind::Placement));
    assert!(seen(&mut told).await.spec.unwrap_err().starts_with("spec.revision: "));
    assert!(seen(&mut told).await.spec.is_ok());
    assert_eq!(next(&mut told).await, Input::Synced(Kind::Placement));
    let Input::PlacementGone { key, uid } = next(&mut told).await else { panic!("not gone") };
    assert_eq!((key.to_string().as_str(), uid.as_str()), ("team-a/b", "b"));
    assert!(!shell.readiness.report().unwrap().contains("InstancePlacement"));
}

#[tokio::test(start_paused = true)]
async fn a_new_list_abandons_the_old_watch() {
    let (mut told, lists, _shell) = start_placements(|line| {
        if line.contains("watch=true") { quiet() } else { list(&[object("a", &json!({}))], "") }
    });
    for wanted in 1..4 {
        lists.send_replace(wanted);
        assert_eq!(next(&mut told).await, Input::ListStarted(Kind::Placement));
        seen(&mut told).await;
        assert_eq!(next(&mut told).await, Input::Synced(Kind::Placement));
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_gone_leads_to_a_new_list() {
    let watches = Arc::new(AtomicUsize::new(0));
    let (mut told, lists, _shell) = start_placements(move |line| {
        if !line.contains("watch=true") {
            return list(&[], "");
        }
        if watches.fetch_add(1, Ordering::Relaxed) == 0 { status(410, "too old") } else { quiet() }
    });
    lists.send_replace(1);
    for expected in [Input::ListStarted, Input::Synced, Input::ListStarted, Input::Synced] {
        assert_eq!(next(&mut told).await, expected(Kind::Placement));
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_kind_is_named_and_waited_for() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (mut told, lists, shell) = start_placements(move |line| {
        if line.contains("watch=true") {
            return quiet();
        }
        if calls.fetch_add(1, Ordering::Relaxed) < 3 {
            status(404, "404 page not found")
        } else {
            list(&[], "")
        }
    });
    lists.send_replace(1);
    let began = tokio::time::Instant::now();
    assert_eq!(next(&mut told).await, Input::ListStarted(Kind::Placement));
    assert_eq!(next(&mut told).await, Input::ListStarted(Kind::Placement));
    let pending = shell.readiness.report().unwrap();
    assert!(pending.contains("InstancePlacement: the API server does not know this kind"), "{pending}");
    while next(&mut told).await != Input::Synced(Kind::Placement) {}
    assert!(!shell.readiness.report().unwrap().contains("InstancePlacement"));
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn credentials_are_there_before_the_scheduler_hears_of_them_and_go_with_their_list() {
    let (shell, _told) = shell(|_, _| status(500, "no"));
    let mut told = secret_events(Arc::clone(&shell));
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": "vc", "resourceVersion": "5"},
        "data": {"username": "dQ==", "password": "cA=="},
    }))
    .unwrap();
    assert_eq!(told(Event::Init), Ok(None));
    assert!(matches!(told(Event::InitApply(secret)), Ok(Some(Input::SecretSeen(_)))));
    assert!(shell.secrets.get("vc").is_some());
    assert_eq!(told(Event::InitDone), Ok(None));
    assert!(shell.secrets.get("vc").is_some());
    for event in [Event::Init, Event::InitDone] {
        assert_eq!(told(event), Ok(None));
    }
    assert!(shell.secrets.get("vc").is_none());
}
