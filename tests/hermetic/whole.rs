//! Berth between an API server and a vCenter, both in memory and in virtual time: herds, kills, and everything
//! that a vCenter can do wrong.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::fake_vcenter::{Action, FakeVcenter, Options};
use crate::kube_server::{self, BERTH, Berth, Kube, On, Verb};
use crate::observer;
use crate::random::Random;
use crate::statuses;

pub(crate) const GIB: i64 = 1 << 30;

pub(crate) struct Whole {
    pub kube: Kube,
    pub vcenter: FakeVcenter,
    password: String,
}

impl Whole {
    /// With these datastores, and without any object.
    pub async fn start(datastores: &Value) -> Self {
        let options = Options::with_datastores(datastores);
        let password = options.password.clone();
        Self { kube: Kube::start().await, vcenter: FakeVcenter::start(options).await, password }
    }

    /// What a platform team installs.
    fn objects(&self) -> [Value; 3] {
        let text = |text: &str| BASE64_STANDARD.encode(text);
        let data = json!({"username": text(&Options::default().username), "password": text(&self.password)});
        let spec = json!({
            "server": self.vcenter.url, "credentialsSecretName": "vc", "caBundle": self.vcenter.ca_pem,
            "allowedNamespaces": {"from": "All"},
        });
        let annotations = json!({"berth.dev/is-default-class": "true"});
        let version = "berth.dev/v1alpha1";
        [
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vc", "namespace": BERTH}, "data": data}),
            json!({"apiVersion": version, "kind": "VCenter", "metadata": {"name": "vc"}, "spec": spec}),
            json!({"apiVersion": version, "kind": "PlacementClass", "metadata": {"name": "standard", "annotations": annotations}, "spec": {}}),
        ]
    }

    /// Installed, and a controller that is ready.
    pub async fn begin(&self) -> Berth {
        self.install();
        let berth = Berth::start(&self.kube);
        berth.ready(&self.kube).await;
        berth
    }

    pub fn install(&self) {
        for object in self.objects() {
            self.kube.apply(object).unwrap();
        }
    }

    pub fn place(&self, name: &str, size: &str) {
        self.kube.apply(placement(name, size)).unwrap();
    }

    pub fn reason(&self, name: &str) -> String {
        let object = self.kube.get("default", &format!("instanceplacement/{name}"));
        let ready = statuses::condition(&object, "Ready");
        ready.and_then(|ready| ready["reason"].as_str()).unwrap_or("nothing").to_owned()
    }

    pub async fn wait(&self, name: &str, expected: &str) {
        let says = |_: &Kube| match self.reason(name) {
            found if found == expected => Ok(()),
            found => Err(format!("{name} is {found}, not {expected}")),
        };
        self.kube.wait_within(Duration::from_mins(15), says).await;
    }

    /// Accepted status writes of placements so far.
    fn status_writes(&self) -> usize {
        let exchanges = self.kube.exchanges();
        let own = exchanges.iter().filter(|e| {
            let call = &e.call;
            call.verb == Verb::Update
                && call.status
                && call.kind.plural == "instanceplacements"
                && e.code == Some(200)
        });
        own.count()
    }
}

fn placement(name: &str, size: &str) -> Value {
    json!({
        "apiVersion": "berth.dev/v1alpha1", "kind": "InstancePlacement", "metadata": {"name": name},
        "spec": {"image": {"virtualSize": size}},
    })
}

/// Five datastores with room for 30 placements of 10 GiB each.
fn five() -> Value {
    (0..5).map(|n| json!({"name": format!("d{n}"), "capacity": 305 * GIB, "free": 305 * GIB})).collect()
}

/// One that a default class can select, and one with more room that it must not.
pub(crate) fn good_and_local() -> Value {
    json!([
        {"name": "good", "capacity": 100 * GIB, "free": 50 * GIB},
        {"name": "local", "capacity": 100 * GIB, "free": 100 * GIB, "mounts": [{"host": "DC0_C0_H0"}]},
    ])
}

pub(crate) fn settled(whole: &Whole, count: usize) -> Result<(), String> {
    let reasons: Vec<_> = (0..count).map(|n| whole.reason(&format!("p{n}"))).collect();
    let of = |reason: &str| reasons.iter().filter(|found| *found == reason).count();
    match (of("Placed"), of("NoEligibleDatastore")) {
        (placed, refused) if placed + refused == count => Ok(()),
        other => Err(format!("placed and refused: {other:?}")),
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_at_once_for_150_places_oversell_nothing_with_few_journal_writes() {
    let whole = Whole::start(&five()).await;
    let berth = whole.begin().await;
    whole.place("first", "1Gi");
    whole.wait("first", "Placed").await;
    let journal = || whole.kube.count(Verb::Update, "configmaps");
    let before = journal();
    for n in 0..200 {
        whole.place(&format!("p{n}"), "10Gi");
    }
    whole.kube.wait_until(|_| settled(&whole, 200)).await;
    let placed = (0..200).filter(|n| whole.reason(&format!("p{n}")) == "Placed").count();
    assert_eq!(placed, 150);
    assert_eq!(observer::check(&whole.kube, 305 * GIB), 151);
    // The first batch may close early; none has fewer than what waits.
    let writes = journal() - before;
    println!("150 promises in {writes} journal writes");
    assert!((3..=12).contains(&writes), "{writes} journal writes");
    assert_eq!(whole.kube.count(Verb::Get, "instanceplacements"), 0);
    berth.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ten_kills_at_random_change_nothing_about_that() {
    for seed in 0..2 {
        let mut random = Random(seed);
        let whole = Whole::start(&five()).await;
        let mut berth = whole.begin().await;
        for n in 0..200 {
            whole.place(&format!("p{n}"), "10Gi");
        }
        for _ in 0..10 {
            // Some commits later, in the middle of whatever is being done.
            let until = whole.kube.revision() + random.below(40);
            for _ in 0..500 {
                if whole.kube.revision() >= until {
                    break;
                }
                sleep(Duration::from_millis(1)).await;
            }
            berth.kill().await;
            berth = Berth::start(&whole.kube);
        }
        for _ in 0..300 {
            if settled(&whole, 200).is_ok() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(settled(&whole, 200), Ok(()), "seed {seed}");
        let placed = (0..200).filter(|n| whole.reason(&format!("p{n}")) == "Placed").count();
        assert_eq!((placed, observer::check(&whole.kube, 305 * GIB)), (150, 150), "seed {seed}");
        berth.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_figure_that_alters_no_verdict_and_a_restart_write_nothing() {
    let whole = Whole::start(&json!([{"name": "d0", "capacity": 300 * GIB, "free": 300 * GIB}])).await;
    let berth = whole.begin().await;
    for n in 0..500 {
        whole.place(&format!("p{n}"), "400Gi");
    }
    whole.kube.wait_until(|_| settled(&whole, 500)).await;
    let before = whole.status_writes();
    for step in 1..=5 {
        whole.vcenter.set_datastore("d0", &json!({"free": (300 - step) * GIB}));
        sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(whole.status_writes(), before);
    berth.stop().await.unwrap();
    let berth = Berth::start(&whole.kube);
    berth.ready(&whole.kube).await;
    sleep(Duration::from_mins(5)).await;
    assert_eq!(whole.status_writes(), before);
    // It looks all the same: what alters a verdict is written.
    whole.vcenter.set_datastore("d0", &json!({"capacity": 500 * GIB, "free": 500 * GIB}));
    whole
        .kube
        .wait_until(|_| {
            (0..500).any(|n| whole.reason(&format!("p{n}")) == "Placed").then_some(()).ok_or("none".into())
        })
        .await;
    berth.stop().await.unwrap();
}

/// All orders of some things.
fn orders<T: Clone>(things: &[T]) -> Vec<Vec<T>> {
    if things.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for n in 0..things.len() {
        let mut rest = things.to_vec();
        let first = rest.remove(n);
        all.extend(orders(&rest).into_iter().map(|tail| [vec![first.clone()], tail].concat()));
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_folder_applied_in_any_order_needs_one_status_write() {
    for order in orders(&[0, 1, 2, 3]) {
        let whole = Whole::start(&json!([{"name": "a"}])).await;
        let berth = Berth::start(&whole.kube);
        berth.ready(&whole.kube).await;
        let [secret, vcenter, class] = whole.objects();
        let objects = [secret, vcenter, class, placement("web", "10Gi")];
        for n in &order {
            whole.kube.apply(objects[*n].clone()).unwrap();
            sleep(Duration::from_millis(300)).await;
        }
        whole.wait("web", "Placed").await;
        assert_eq!(whole.status_writes(), 1, "{order:?}");
        berth.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_a_vcenter_does_wrong_once_it_heals_and_nothing_is_placed_wrongly() {
    let methods = [
        "RetrieveServiceContent",
        "Login",
        "CreateContainerView",
        "CreatePropertyCollector",
        "CreateFilter",
        "WaitForUpdatesEx",
        "RetrievePropertiesEx",
    ];
    let actions = [
        Action::Status(500),
        Action::Status(503),
        Action::Redirect(302, "https://127.0.0.1:1/sdk".to_owned()),
        Action::Body("<html>please log in</html>".to_owned()),
        Action::Body(String::new()),
        Action::ResetBefore,
        Action::ResetAfter,
        Action::Hang,
        Action::HangAfter,
        Action::Stall(60),
        Action::Cut(60),
        Action::Truncate(300),
        Action::Deep(1000),
        Action::Doctype,
        Action::ContentType("text/html".to_owned()),
        Action::EndSessions,
    ];
    let mut tried = 0;
    for method in methods {
        for action in &actions {
            let whole = Whole::start(&good_and_local()).await;
            whole.vcenter.next(method, action.clone());
            let berth = whole.begin().await;
            whole.place("web", "10Gi");
            whole.wait("web", "Placed").await;
            let web = whole.kube.get("default", "instanceplacement/web");
            assert_eq!(web["status"]["datastore"]["name"], "good", "{method} {action:?}");
            let stored = whole
                .kube
                .record()
                .iter()
                .filter(|v| v.key.resource != "secrets")
                .map(|v| v.object.to_string())
                .collect::<String>();
            assert!(!stored.contains(&whole.password), "{method} {action:?}");
            berth.stop().await.unwrap();
            tried += 1;
        }
    }
    assert_eq!(tried, methods.len() * actions.len());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_tried_once_per_wait_and_version() {
    let whole = Whole::start(&json!([{"name": "a"}])).await;
    let [mut secret, vcenter, class] = whole.objects();
    let right = secret["data"]["password"].clone();
    secret["data"]["password"] = json!(BASE64_STANDARD.encode("wrong"));
    for object in [secret.clone(), vcenter, class] {
        whole.kube.apply(object).unwrap();
    }
    let berth = Berth::start(&whole.kube);
    berth.ready(&whole.kube).await;
    let logins = || whole.vcenter.logins().len();
    sleep(Duration::from_secs(100)).await;
    assert_eq!(logins(), 1, "once in three minutes");
    // A restart does not repeat it either: the version is in the status.
    berth.kill().await;
    let berth = Berth::start(&whole.kube);
    berth.ready(&whole.kube).await;
    sleep(Duration::from_mins(1)).await;
    assert_eq!(logins(), 1, "the version that was refused is remembered");
    sleep(Duration::from_mins(1)).await;
    assert_eq!(logins(), 2, "the wait is over");
    secret["data"]["password"] = right;
    whole.kube.apply(secret).unwrap();
    whole.place("web", "10Gi");
    whole.wait("web", "Placed").await;
    assert_eq!(logins(), 3, "a new version is tried at once");
    berth.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_journalled_is_completed_after_a_kill_even_if_another_would_be_chosen_by_then() {
    let datastores = json!([
        {"name": "a", "capacity": 100 * GIB, "free": 90 * GIB},
        {"name": "b", "capacity": 100 * GIB, "free": 50 * GIB},
    ]);
    let whole = Whole::start(&datastores).await;
    let berth = whole.begin().await;
    let held = On::new(Verb::Update, "instanceplacements").status().before(kube_server::Action::Hang);
    whole.kube.inject(held);
    whole.place("web", "10Gi");
    whole
        .kube
        .wait_until(|kube| (kube.faults_left() == 0).then_some(()).ok_or("not written yet".into()))
        .await;
    berth.kill().await;
    assert_eq!(whole.reason("web"), "nothing", "its status was never stored");
    let journal = whole.kube.get(BERTH, "configmap/berth-journal")["data"]["journal.json"].to_string();
    // A fresh decision would be another one.
    whole.vcenter.set_datastore("a", &json!({"free": 20 * GIB}));
    let berth = Berth::start(&whole.kube);
    whole.wait("web", "Placed").await;
    let web = whole.kube.get("default", "instanceplacement/web");
    assert_eq!(web["status"]["datastore"]["name"], "a");
    assert!(journal.contains("\\\\\\\"name\\\\\\\":\\\\\\\"a\\\\\\\""), "{journal}");
    whole.place("next", "10Gi");
    whole.wait("next", "Placed").await;
    assert_eq!(whole.kube.get("default", "instanceplacement/next")["status"]["datastore"]["name"], "b");
    assert_eq!(observer::check(&whole.kube, 100 * GIB), 2);
    berth.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_huge_annotation_delays_nobody() {
    let whole = Whole::start(&json!([{"name": "a"}])).await;
    whole.install();
    let mut huge = placement("huge", "10Gi");
    huge["metadata"]["annotations"] = json!({"notes": "x".repeat(1_400_000)});
    whole.kube.plant("default", huge);
    let berth = Berth::start(&whole.kube);
    whole.place("web", "10Gi");
    whole.wait("web", "Placed").await;
    whole.wait("huge", "Placed").await;
    berth.stop().await.unwrap();
}
