//! Berth's controller against the API server of `tests/support/kube/`, in virtual time. No vCenter is needed
//! for what is tested here.

use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::kube_server::{Action, BERTH, Berth, Exchange, Fault, Kube, On, OnEvent, Refusal, Verb};
use crate::statuses;

const HOUR: Duration = Duration::from_hours(1);
const WEB: &str = "instanceplacement/web";
const JOURNAL: &str = "configmap/berth-journal";

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "berth.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A placement for which there is no class.
fn placement(name: &str) -> Value {
    object("InstancePlacement", name, &json!({"image": {"virtualSize": "10Gi"}}))
}

/// The reason of the Ready condition, once this generation is observed.
fn reason(kube: &Kube, object: &str) -> String {
    let object = kube.get("default", object);
    let status = &object["status"];
    if status["observedGeneration"] != object["metadata"]["generation"] {
        return "not observed".to_owned();
    }
    let ready = statuses::condition(&object, "Ready");
    ready.and_then(|ready| ready["reason"].as_str()).unwrap_or("not said").to_owned()
}

async fn wait_reason(kube: &Kube, object: &str, expected: &str) {
    let says = |kube: &Kube| match reason(kube, object) {
        found if found == expected => Ok(()),
        found => Err(format!("{object}: {found}, not {expected}")),
    };
    kube.wait_until(says).await;
}

async fn wait_not_ready(kube: &Kube, berth: &Berth, because: &str) {
    let pending = |_: &Kube| match berth.readiness.report() {
        Some(why) if why.contains(because) => Ok(()),
        other => Err(format!("{other:?}, not {because:?}")),
    };
    kube.wait_until(pending).await;
}

/// How many versions of an object say something else than the one before in their status.
fn status_writes(kube: &Kube, name: &str) -> usize {
    let record = kube.record();
    let versions: Vec<_> = record.iter().filter(|version| version.key.name == name).collect();
    versions.windows(2).filter(|two| two[0].object["status"] != two[1].object["status"]).count()
}

/// All requests but those for the lease, which never end.
fn requests(kube: &Kube) -> Vec<Exchange> {
    let mut all = kube.exchanges();
    all.retain(|exchange| exchange.call.kind.name != "Lease");
    all
}

pub(crate) fn writes(kube: &Kube) -> Vec<Exchange> {
    let mut all = requests(kube);
    all.retain(|exchange| matches!(exchange.call.verb, Verb::Create | Verb::Update | Verb::Delete));
    all
}

/// The term of every version of the journal.
fn terms(kube: &Kube) -> Vec<u64> {
    let record = kube.record();
    let journals = record.iter().filter(|version| version.key.name == "berth-journal");
    let texts = journals.map(|version| version.object["data"]["journal.json"].as_str().unwrap().to_owned());
    texts.map(|text| serde_json::from_str::<Value>(&text).unwrap()["term"].as_u64().unwrap()).collect()
}

fn term(kube: &Kube) -> u64 {
    *terms(kube).last().unwrap()
}

/// The API server, and a controller that is ready.
async fn start() -> (Kube, Berth) {
    let kube = Kube::start().await;
    let berth = Berth::start(&kube);
    berth.ready(&kube).await;
    (kube, berth)
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_once_and_then_there_is_silence() {
    let (kube, berth) = start().await;
    let image = json!({"virtualSize": "10Gi"});
    for (name, spec) in [
        ("web", json!({"image": image})),
        ("later", json!({"image": image, "suspend": true})),
        ("pattern", json!({"image": image, "datastores": {"namePattern": "gold("}})),
        ("small", json!({"image": image, "rootDisk": {"size": "1Gi"}})),
    ] {
        kube.apply(object("InstancePlacement", name, &spec)).unwrap();
    }
    let vcenter = json!({"server": "https://127.0.0.1", "credentialsSecretName": "vc"});
    kube.apply(object("VCenter", "vc-east", &vcenter)).unwrap();
    for (object, expected) in [
        (WEB, "ClassNotFound"),
        ("instanceplacement/later", "Suspended"),
        ("instanceplacement/pattern", "InvalidSpec"),
        ("instanceplacement/small", "RootDiskSmallerThanImage"),
        ("vcenter/vc-east", "SecretNotFound"),
    ] {
        wait_reason(&kube, object, expected).await;
    }
    kube.apply(object("PlacementClass", "broken", &json!({"datastores": {"namePattern": "gold["}}))).unwrap();
    let named = json!({"image": image, "placementClassName": "broken"});
    kube.apply(object("InstancePlacement", "web", &named)).unwrap();
    wait_reason(&kube, WEB, "ClassInvalid").await;

    // Events are published after the statuses.
    sleep(Duration::from_secs(1)).await;
    let commits = || kube.record().iter().filter(|version| version.key.resource != "leases").count();
    let settled = (commits(), writes(&kube).len());
    sleep(HOUR).await;
    assert_eq!((commits(), writes(&kube).len()), settled);
    // Nor is anything written by the next one, but that its term has begun.
    assert_eq!(term(&kube), 1);
    berth.stop().await.unwrap();
    let berth = Berth::start(&kube);
    wait_not_ready(&kube, &berth, "configuration: vc-east: there is no Secret vc").await;
    sleep(HOUR).await;
    assert_eq!(term(&kube), 2);
    assert_eq!(commits(), settled.0 + 1, "only the term was written");
    for (name, count) in [("web", 2), ("later", 1), ("pattern", 1), ("small", 1), ("vc-east", 1)] {
        assert_eq!(status_writes(&kube, name), count, "{name}");
    }
}

/// Whatever becomes of the first write of a status, it is there in the end, and was stored once.
#[tokio::test(start_paused = true)]
async fn a_status_survives_every_trouble_of_its_write() {
    let refuse = |code| Action::Refuse(Refusal::code(code));
    let late = || Action::Delay(Duration::from_secs(20));
    let throttled = || Action::Refuse(Refusal::code(429).retry_after(2));
    let on = || On::new(Verb::Update, "instanceplacements").status();
    let faults: Vec<Fault> = vec![
        on().before(refuse(409)),
        on().before(refuse(404)),
        on().before(refuse(500)),
        on().before(refuse(503)),
        on().before(refuse(504)),
        on().before(throttled()),
        on().before(Action::Reset),
        on().before(Action::Hang),
        on().before(late()),
        on().after_commit(refuse(409)),
        on().after_commit(refuse(500)),
        on().after_commit(refuse(504)),
        on().after_commit(throttled()),
        on().after_commit(Action::Reset),
        on().after_commit(Action::Hang),
        on().after_commit(late()),
        on().in_answer(Action::Reset),
        on().in_answer(Action::Hang),
        on().in_answer(Action::Cut),
        on().times(3).before(throttled()),
        on().times(3).before(refuse(503)),
        on().times(3).after_commit(refuse(504)),
    ];
    let (kube, berth) = start().await;
    for (number, fault) in faults.into_iter().enumerate() {
        let name = format!("web-{number}");
        println!("{name}: {fault:?}");
        let (left, before) = (kube.faults_left(), kube.exchanges().len());
        kube.inject(fault);
        kube.apply(placement(&name)).unwrap();
        wait_reason(&kube, &format!("instanceplacement/{name}"), "ClassNotFound").await;
        sleep(Duration::from_mins(2)).await;
        assert_eq!(status_writes(&kube, &name), 1, "{name}");
        let times: Vec<_> = kube.record().iter().filter(|v| v.key.name == name).map(|v| v.at).collect();
        assert!(times[1] < times[0] + Duration::from_mins(1), "{name}: {times:?}");
        let asked = kube.exchanges()[before..].iter().filter(|exchange| exchange.call.name == name).count();
        assert!(asked <= 12, "{name}: {asked} requests");
        kube.heal();
        assert_eq!(kube.faults_left(), left);
        berth.ready(&kube).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_too_old_is_listed_anew_and_brings_what_was_lost() {
    let (kube, _berth) = start().await;
    kube.inject(On::new(Verb::Watch, "instanceplacements").named("web").on_event(OnEvent::Drop));
    kube.apply(placement("web")).unwrap();
    sleep(Duration::from_secs(30)).await;
    assert_eq!((kube.faults_left(), reason(&kube, WEB).as_str()), (0, "not observed"));
    let lists = kube.count(Verb::List, "instanceplacements");
    kube.namespace("team-a", &[]);
    kube.compact();
    kube.end_watches();
    wait_reason(&kube, WEB, "ClassNotFound").await;
    assert_eq!(kube.count(Verb::List, "instanceplacements"), lists + 1);
}

#[tokio::test(start_paused = true)]
async fn events_that_repeat_or_fail_change_nothing() {
    let (kube, berth) = start().await;
    let on = |name: &str| On::new(Verb::Watch, "instanceplacements").named(name);
    kube.inject(on("twice").times(4).on_event(OnEvent::Repeat));
    kube.inject(on("late").on_event(OnEvent::Delay(Duration::from_secs(5))));
    kube.inject(on("gone").on_event(OnEvent::Fail(Refusal::code(410))));
    kube.inject(on("error").on_event(OnEvent::Fail(Refusal::code(500))));
    for name in ["twice", "late", "gone", "error"] {
        kube.apply(placement(name)).unwrap();
        wait_reason(&kube, &format!("instanceplacement/{name}"), "ClassNotFound").await;
        sleep(Duration::from_mins(2)).await;
        assert_eq!(status_writes(&kube, name), 1, "{name}");
    }
    berth.ready(&kube).await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_decoded_hides_no_other() {
    let kube = Kube::start().await;
    let mut broken = object("InstancePlacement", "broken", &json!({"suspend": "perhaps"}));
    broken["status"] = json!({"observedGeneration": "many", "conditions": "none"});
    kube.plant("default", broken);
    kube.apply(placement("web")).unwrap();
    let berth = Berth::start(&kube);
    berth.ready(&kube).await;
    wait_reason(&kube, WEB, "ClassNotFound").await;
    wait_reason(&kube, "instanceplacement/broken", "InvalidSpec").await;
    kube.plant("default", object("InstancePlacement", "web", &json!([1, 2])));
    kube.apply(placement("other")).unwrap();
    wait_reason(&kube, "instanceplacement/other", "ClassNotFound").await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_down_is_waited_for() {
    let kube = Kube::start().await;
    kube.set_down(true);
    kube.apply(placement("web")).unwrap();
    let berth = Berth::start(&kube);
    wait_not_ready(&kube, &berth, "Kubernetes API server: does not answer").await;
    sleep(HOUR).await;
    kube.set_down(false);
    wait_reason(&kube, WEB, "ClassNotFound").await;
    berth.ready(&kube).await;
    // And again, while it runs.
    kube.set_down(true);
    kube.apply(placement("later")).unwrap();
    sleep(Duration::from_mins(5)).await;
    kube.set_down(false);
    wait_reason(&kube, "instanceplacement/later", "ClassNotFound").await;
    berth.ready(&kube).await;
}

/// Invariant: under any trouble the requests per second are bounded.
#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_everything_is_left_in_peace() {
    let (kube, berth) = start().await;
    let resources = [
        "instanceplacements",
        "placementclasses",
        "vcenters",
        "namespaces",
        "secrets",
        "configmaps",
        "events",
    ];
    let refuse = |verbs: &[Verb]| {
        for (resource, verb) in resources.iter().flat_map(|r| verbs.iter().map(move |verb| (*r, *verb))) {
            let refused = Action::Refuse(Refusal::code(429).retry_after(1));
            kube.inject(On::new(verb, resource).always().before(refused));
        }
    };
    refuse(&[Verb::Get, Verb::Create, Verb::Update]);
    for number in 0..20 {
        kube.apply(placement(&format!("web-{number}"))).unwrap();
    }
    sleep(HOUR / 2).await;
    refuse(&[Verb::List, Verb::Watch]);
    kube.end_watches();
    sleep(HOUR / 2).await;
    let mut per_minute = [0; 61];
    for exchange in requests(&kube) {
        per_minute[usize::try_from(exchange.at.as_secs() / 60).unwrap()] += 1;
    }
    assert!(per_minute[0] <= 160 && per_minute[1..].iter().all(|count| *count <= 80), "{per_minute:?}");
    assert!(berth.metrics.text().unwrap().contains("code=\"429\""));
    kube.heal();
    for number in 0..20 {
        wait_reason(&kube, &format!("instanceplacement/web-{number}"), "ClassNotFound").await;
    }
    berth.ready(&kube).await;
}

#[tokio::test(start_paused = true)]
async fn kinds_that_are_not_installed_are_named_and_waited_for() {
    let kube = Kube::start().await;
    let kinds = ["instanceplacements", "placementclasses", "vcenters"];
    for kind in kinds {
        kube.set_installed(kind, false);
    }
    let berth = Berth::start(&kube);
    wait_not_ready(&kube, &berth, "the API server does not know this kind").await;
    for kind in kinds {
        kube.set_installed(kind, true);
    }
    kube.apply(placement("web")).unwrap();
    wait_reason(&kube, WEB, "ClassNotFound").await;
    berth.ready(&kube).await;
}

#[tokio::test(start_paused = true)]
async fn a_hung_list_is_given_up_and_begun_anew() {
    let kube = Kube::start().await;
    kube.apply(placement("web")).unwrap();
    for action in [Action::Hang, Action::Cut, Action::Reset] {
        kube.inject(On::new(Verb::List, "instanceplacements").in_answer(action));
    }
    kube.inject(On::new(Verb::List, "secrets").before(Action::Hang));
    kube.inject(On::new(Verb::Watch, "namespaces").before(Action::Hang));
    kube.inject(On::new(Verb::Get, "namespaces").before(Action::Hang));
    let berth = Berth::start(&kube);
    kube.wait_within(Duration::from_mins(5), |kube| match reason(kube, WEB).as_str() {
        "ClassNotFound" => Ok(()),
        other => Err(other.to_owned()),
    })
    .await;
    assert_eq!(kube.faults_left(), 0);
    berth.ready(&kube).await;
}

#[tokio::test(start_paused = true)]
async fn placements_come_in_pages_and_all_are_seen() {
    let kube = Kube::start().await;
    for number in 0..250 {
        kube.apply(placement(&format!("web-{number:03}"))).unwrap();
    }
    let berth = Berth::start(&kube);
    berth.ready(&kube).await;
    kube.wait_until(|kube| {
        match (0..250).find(|n| reason(kube, &format!("{WEB}-{n:03}")) != "ClassNotFound") {
            None => Ok(()),
            Some(number) => Err(format!("web-{number:03}")),
        }
    })
    .await;
    assert_eq!(kube.count(Verb::List, "instanceplacements"), 3);
    assert_eq!(kube.count(Verb::Get, "instanceplacements"), 0, "a first status is never read before");
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_decoded_stops_everything_until_it_is_mended() {
    let kube = Kube::start().await;
    let journal = |text: &str| {
        let name = json!({"name": "berth-journal", "namespace": BERTH});
        kube.plant(BERTH, json!({"kind": "ConfigMap", "metadata": name, "data": {"journal.json": text}}));
    };
    journal("{\"term\":7");
    let berth = Berth::start(&kube);
    kube.apply(placement("web")).unwrap();
    wait_not_ready(&kube, &berth, "berth-journal cannot be decoded").await;
    sleep(HOUR).await;
    assert!(
        !writes(&kube).iter().any(|exchange| exchange.call.kind.plural == "configmaps"),
        "it was overwritten"
    );
    journal(r#"{"term":7,"intents":[]}"#);
    wait_reason(&kube, WEB, "ClassNotFound").await;
    berth.ready(&kube).await;
    assert_eq!(kube.get(BERTH, JOURNAL)["data"]["journal.json"], r#"{"term":8,"intents":[]}"#);
}

#[tokio::test(start_paused = true)]
async fn the_term_begins_whatever_becomes_of_its_first_write() {
    let refuse = |code| Action::Refuse(Refusal::code(code));
    let create = || On::new(Verb::Create, "configmaps");
    for (fault, stored) in [
        (create().before(refuse(409)), 1),
        (create().before(refuse(503)), 1),
        (create().before(Action::Hang), 1),
        (create().after_commit(refuse(504)), 2),
        (create().after_commit(Action::Reset), 2),
        (create().in_answer(Action::Cut), 2),
    ] {
        println!("{fault:?}");
        let kube = Kube::start().await;
        kube.inject(fault);
        kube.apply(placement("web")).unwrap();
        let berth = Berth::start(&kube);
        wait_reason(&kube, WEB, "ClassNotFound").await;
        berth.ready(&kube).await;
        let terms = terms(&kube);
        assert_eq!((kube.faults_left(), terms.len()), (0, stored), "{terms:?}");
        assert!(terms.is_sorted_by(|a, b| a < b), "{terms:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_controller_does_nothing_more_and_the_next_one_goes_on() {
    let kube = Kube::start().await;
    for number in 0..40 {
        kube.apply(placement(&format!("web-{number}"))).unwrap();
    }
    let vcenter = json!({"server": "https://127.0.0.1", "credentialsSecretName": "vc"});
    kube.apply(object("VCenter", "vc-east", &vcenter)).unwrap();
    // Its writes are on their way when it dies, and a read that a write is to follow.
    kube.inject(On::new(Verb::Get, "vcenters").always().before(Action::Delay(Duration::from_secs(5))));
    kube.inject(On::new(Verb::Update, "instanceplacements").skip(5).always().before(Action::Delay(HOUR)));
    let berth = Berth::start(&kube);
    kube.wait_until(|kube| match writes(kube).iter().filter(|e| e.call.status).count() {
        count if count > 8 && kube.count(Verb::Get, "vcenters") == 1 => Ok(()),
        count => Err(format!("{count} writes")),
    })
    .await;
    berth.kill().await;
    let exchanges = kube.exchanges().len();
    sleep(Duration::from_mins(30)).await;
    assert_eq!(kube.exchanges().len(), exchanges);
    kube.heal();
    let berth = Berth::start(&kube);
    for number in 0..40 {
        wait_reason(&kube, &format!("instanceplacement/web-{number}"), "ClassNotFound").await;
        assert_eq!(status_writes(&kube, &format!("web-{number}")), 1);
    }
    assert_eq!(term(&kube), 2);
    berth.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_crd_that_drops_what_berth_writes_is_reported() {
    let (kube, berth) = start().await;
    let warning = r#"299 - "unknown field \"status.claim\"""#;
    kube.inject(On::new(Verb::Update, "instanceplacements").after_commit(Action::Warn(warning)));
    kube.apply(placement("web")).unwrap();
    wait_not_ready(&kube, &berth, "CRD older than controller").await;
    kube.apply(placement("next")).unwrap();
    berth.ready(&kube).await;
}

/// Two that are not to be there together: both may write reasons, and the loser of a term takes the next one.
#[tokio::test(start_paused = true)]
async fn a_second_controller_ends_the_term_of_the_first() {
    let (kube, first) = start().await;
    let second = Berth::start(&kube);
    second.ready(&kube).await;
    assert_eq!(term(&kube), 2);
    kube.apply(placement("web")).unwrap();
    wait_reason(&kube, WEB, "ClassNotFound").await;
    sleep(Duration::from_mins(2)).await;
    assert_eq!(status_writes(&kube, "web"), 1);
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn credentials_stay_out_of_everything_that_is_written() {
    let (kube, _berth) = start().await;
    let secret = json!({"username": "canary-user", "password": "canary-password"});
    kube.apply(
        json!({"kind": "Secret", "metadata": {"name": "vc", "namespace": BERTH}, "stringData": secret}),
    )
    .unwrap();
    // Nobody listens there.
    let vcenter = json!({"server": "https://127.0.0.1:1", "credentialsSecretName": "vc"});
    kube.apply(object("VCenter", "vc-east", &vcenter)).unwrap();
    wait_reason(&kube, "vcenter/vc-east", "ConnectionFailed").await;
    let password = base64::engine::general_purpose::STANDARD.encode("canary-password");
    for exchange in writes(&kube) {
        let body = exchange.call.body.to_string();
        assert!(!body.contains("canary") && !body.contains(&password), "{body}");
    }
}
