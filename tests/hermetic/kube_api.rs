//! The API server of `tests/support/kube/` keeps the rules of the real one.

use std::time::Duration;

use kube::Config;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::cel_cases::{Expect, load, object};
use crate::kube_server::{Action, Change, Kube, On, OnEvent, Refusal, Verb};

const PLACEMENTS: &str = "/apis/berth.dev/v1alpha1/namespaces/default/instanceplacements";
const WEB: &str = "/apis/berth.dev/v1alpha1/namespaces/default/instanceplacements/web";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A plain client.
struct Asker {
    http: reqwest::Client,
    base: String,
}

impl Asker {
    fn new(kube: &Kube) -> Self {
        let Config { cluster_url, .. } = kube.config();
        let base = cluster_url.to_string().trim_end_matches('/').to_owned();
        Self { http: reqwest::Client::builder().http1_only().build().unwrap(), base }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> reqwest::Result<reqwest::Response> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.http.request(method.parse().unwrap(), format!("{}{path}", self.base)).body(body).send().await
    }

    /// Status code and object.
    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.send(method, path, body).await.unwrap();
        let code = answer.status().as_u16();
        (code, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, &Value::Null).await
    }

    async fn watch(&self, path: &str) -> Events {
        Events { answer: self.send("GET", path, &Value::Null).await.unwrap(), text: String::new() }
    }
}

/// A watch.
struct Events {
    answer: reqwest::Response,
    text: String,
}

impl Events {
    /// The next event: its type and its object's name (or the code of an error). None at the end.
    async fn next(&mut self) -> Option<(String, String)> {
        let event = self.event().await?;
        let object = &event["object"];
        let name = object["metadata"]["name"].as_str().map(str::to_owned);
        let name = name.unwrap_or_else(|| object["code"].to_string());
        Some((event["type"].as_str().unwrap().to_owned(), name))
    }

    async fn event(&mut self) -> Option<Value> {
        loop {
            if let Some((line, rest)) = self.text.split_once('\n') {
                let event = serde_json::from_str(line).unwrap();
                self.text = String::from(rest);
                return Some(event);
            }
            self.text += std::str::from_utf8(&self.answer.chunk().await.unwrap()?).unwrap();
        }
    }
}

fn placement(name: &str, revision: u64) -> Value {
    let spec = json!({"image": {"virtualSize": "20Gi"}, "revision": revision});
    object("InstancePlacement", name, &spec, None)
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_status_and_its_spec_are_written_apart() {
    let kube = Kube::start().await;
    let asker = Asker::new(&kube);
    let mut new = placement("web", 0);
    new["status"] = json!({"observedGeneration": 5});
    let (code, created) = asker.ask("POST", PLACEMENTS, &new).await;
    assert_eq!((code, &created["status"]), (201, &json!({"observedGeneration": -1})));
    assert_eq!((&created["metadata"]["generation"], &created["spec"]["suspend"]), (&json!(1), &json!(false)));

    let mut both = created.clone();
    both["spec"]["revision"] = json!(1);
    both["status"]["observedGeneration"] = json!(1);
    let (code, written) = asker.ask("PUT", &format!("{WEB}/status"), &both).await;
    assert_eq!((code, &written["spec"]["revision"]), (200, &json!(0)));
    assert_eq!(
        (&written["status"]["observedGeneration"], &written["metadata"]["generation"]),
        (&json!(1), &json!(1))
    );

    both["metadata"]["resourceVersion"] = version(&written).into();
    both["status"]["observedGeneration"] = json!(9);
    let (code, written) = asker.ask("PUT", WEB, &both).await;
    assert_eq!((code, &written["spec"]["revision"]), (200, &json!(1)));
    assert_eq!(
        (&written["status"]["observedGeneration"], &written["metadata"]["generation"]),
        (&json!(1), &json!(2))
    );

    // What changes nothing is no new version.
    let (code, same) = asker.ask("PUT", WEB, &written).await;
    assert_eq!((code, version(&same)), (200, version(&written)));
    assert_eq!(kube.get("default", "instanceplacement/web"), written);
}

#[tokio::test(start_paused = true)]
async fn a_write_needs_the_newest_version_and_the_same_object() {
    let kube = Kube::start().await;
    let asker = Asker::new(&kube);
    let (_, created) = asker.ask("POST", PLACEMENTS, &placement("web", 0)).await;
    assert_eq!(asker.ask("POST", PLACEMENTS, &placement("web", 0)).await.1["reason"], "AlreadyExists");
    let path = format!("{WEB}/status");
    let put = |version: Value, uid: &Value| {
        let mut body = json!({"metadata": {"name": "web", "uid": uid, "resourceVersion": version}});
        body["status"] = json!({"observedGeneration": 1});
        body
    };
    let uid = &created["metadata"]["uid"];
    for (body, code, reason) in [
        (put("3".into(), uid), 409, "Conflict"),
        (put(version(&created).into(), &"another".into()), 409, "Conflict"),
        (put(Value::Null, uid), 422, "Invalid"),
    ] {
        let (given, status) = asker.ask("PUT", &path, &body).await;
        assert_eq!((given, &status["reason"], &status["code"]), (code, &json!(reason), &json!(code)));
    }
    let body = put(version(&created).into(), uid);
    assert_eq!(asker.ask("PUT", &path, &body).await.0, 200);
    assert_eq!(asker.ask("PUT", &path, &body).await.0, 409);
    let gone = path.replace("web", "gone");
    assert_eq!(
        asker.ask("PUT", &gone, &json!({"metadata": {"resourceVersion": "5"}, "status": {}})).await.0,
        404
    );

    // A ConfigMap may be replaced blindly, but not when a version is named that is old.
    let map = |version: &str, text: &str| json!({"metadata": {"name": "m", "resourceVersion": version}, "data": {"a": text}});
    let (code, first) = asker.ask("POST", MAPS, &map("", "1")).await;
    assert_eq!((code, first["metadata"].get("generation")), (201, None));
    let path = format!("{MAPS}/m");
    assert_eq!(asker.ask("PUT", &path, &map("", "2")).await.0, 200);
    assert_eq!(asker.ask("PUT", &path, &map(version(&first), "3")).await.0, 409);
    let nowhere = MAPS.replace("default", "nowhere");
    assert_eq!(asker.ask("POST", &nowhere, &map("", "1")).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_delete_keeps_its_conditions_and_waits_for_finalizers() {
    let kube = Kube::start().await;
    let asker = Asker::new(&kube);
    let mut held = placement("web", 0);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    kube.apply(held).unwrap();
    let only = |field: &str, value: &str| json!({"preconditions": {field: value}});
    for wrong in [only("uid", "another"), only("resourceVersion", "3")] {
        assert_eq!(asker.ask("DELETE", WEB, &wrong).await.0, 409);
    }
    assert_eq!(asker.ask("DELETE", WEB, &Value::Null).await.0, 200);
    let mut dying = kube.get("default", "instanceplacement/web");
    assert_eq!(dying["metadata"]["deletionTimestamp"], "2026-01-01T00:00:00Z");
    dying["metadata"]["finalizers"] = json!([]);
    assert_eq!(asker.ask("PUT", WEB, &dying).await.0, 200);
    assert_eq!(kube.get("default", "instanceplacement/web"), Value::Null);
    assert_eq!(kube.record().last().unwrap().change, Change::Deleted);
    assert_eq!(asker.ask("DELETE", WEB, &Value::Null).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn schemas_and_rules_are_judged_as_by_the_real_server() {
    let kube = Kube::start().await;
    let mut wrong = Vec::new();
    for (file, cases) in load() {
        for case in &cases.cases {
            let id = format!("{}/x", cases.kind);
            if let Some(stored) = &case.stored {
                let old = object(&cases.kind, "x", &stored.spec, stored.status.as_ref());
                kube.plant("default", old);
            }
            let outcome = match (&case.spec, &case.status) {
                (Some(spec), _) => kube.apply(object(&cases.kind, "x", spec, None)),
                (None, status) => kube.write_status("default", &id, status.clone().unwrap()),
            };
            let good = match (&case.expect, &outcome) {
                (Expect::Accepted, Ok(())) => true,
                (Expect::Refused(text), Err(words)) => words.contains(text),
                _ => false,
            };
            if !good {
                wrong.push(format!("{file}: {}: expected {:?}, got {outcome:?}", case.name, case.expect));
            }
            drop(kube.delete("default", &id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_go_with_a_warning() {
    let kube = Kube::start().await;
    let asker = Asker::new(&kube);
    let mut new = placement("web", 0);
    new["spec"]["image"]["colour"] = json!("red");
    let answer = asker.send("POST", PLACEMENTS, &new).await.unwrap();
    assert_eq!(answer.headers()["warning"], r#"299 - "unknown field \"spec.image.colour\"""#);
    assert_eq!(kube.get("default", "instanceplacement/web")["spec"]["image"], json!({"virtualSize": "20Gi"}));
}

#[tokio::test(start_paused = true)]
async fn a_list_in_pages_shows_one_moment() {
    let kube = Kube::start().await;
    let asker = Asker::new(&kube);
    for name in ["a", "b", "c", "d", "e"] {
        kube.apply(placement(name, 0)).unwrap();
    }
    let names = |list: &Value| -> String {
        list["items"].as_array().unwrap().iter().map(|i| i["metadata"]["name"].as_str().unwrap()).collect()
    };
    let all = "/apis/berth.dev/v1alpha1/instanceplacements";
    let (_, first) = asker.get(&format!("{all}?limit=2")).await;
    assert_eq!((names(&first).as_str(), &first["metadata"]["remainingItemCount"]), ("ab", &json!(3)));
    kube.delete("default", "instanceplacement/d").unwrap();
    kube.apply(placement("cc", 0)).unwrap();
    let next =
        |list: &Value| format!("{all}?limit=2&continue={}", list["metadata"]["continue"].as_str().unwrap());
    let (_, second) = asker.get(&next(&first)).await;
    assert_eq!((names(&second).as_str(), version(&second)), ("cd", version(&first)));
    let (_, third) = asker.get(&next(&second)).await;
    assert_eq!((names(&third).as_str(), third["metadata"].get("continue")), ("e", None));
    let (_, whole) = asker.get(&format!("{all}?limit=2&resourceVersion=0")).await;
    assert_eq!(names(&whole), "abccce");
    kube.compact();
    let (code, status) = asker.get(&next(&first)).await;
    assert_eq!((code, &status["reason"]), (410, &json!("Expired")));
    assert_eq!(asker.get(&format!("{all}?resourceVersion=9999")).await.0, 504);
    assert_eq!(asker.get(&format!("{all}?labelSelector=a")).await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_every_change_after_its_version() {
    let kube = Kube::start().await;
    let asker = Asker::new(&kube);
    kube.apply(placement("a", 0)).unwrap();
    let since = kube.revision();
    kube.apply(placement("b", 0)).unwrap();
    kube.delete("default", "instanceplacement/a").unwrap();
    let path = |since: &str| {
        format!("{PLACEMENTS}?watch=true&resourceVersion={since}&timeoutSeconds=85&allowWatchBookmarks=true")
    };
    let mut events = asker.watch(&path(&since.to_string())).await;
    let event = |kind: &str, name: &str| Some((kind.to_owned(), name.to_owned()));
    assert_eq!(events.next().await, event("ADDED", "b"));
    assert_eq!(events.next().await, event("DELETED", "a"));
    kube.apply(placement("b", 3)).unwrap();
    assert_eq!(events.next().await, event("MODIFIED", "b"));
    // Other kinds are not told, but the bookmarks go on.
    kube.namespace("team-a", &[]);
    let began = Instant::now();
    for after in [60, 83] {
        let bookmark = events.event().await.unwrap();
        assert_eq!(
            (&bookmark["type"], version(&bookmark["object"])),
            (&json!("BOOKMARK"), &*kube.revision().to_string())
        );
        assert_eq!(began.elapsed().as_secs(), after);
    }
    assert_eq!(events.next().await, None);
    assert_eq!(began.elapsed().as_secs(), 85);

    // Without a version, what there is comes first.
    assert_eq!(asker.watch(&path("0")).await.next().await, event("ADDED", "b"));
    kube.compact();
    let mut late = asker.watch(&path(&since.to_string())).await;
    assert_eq!((late.next().await, late.next().await), (event("ERROR", "410"), None));
}

#[tokio::test(start_paused = true)]
async fn a_restored_store_is_silent_to_the_watches_it_had() {
    let kube = Kube::start().await;
    let asker = Asker::new(&kube);
    kube.apply(placement("a", 0)).unwrap();
    let backup = kube.revision();
    kube.apply(placement("b", 0)).unwrap();
    kube.apply(placement("b", 1)).unwrap();
    let mut events =
        asker.watch(&format!("{PLACEMENTS}?watch=true&resourceVersion={}", kube.revision())).await;
    kube.restore(backup);
    assert_eq!((kube.get("default", "instanceplacement/b"), kube.revision()), (Value::Null, backup));
    kube.apply(placement("c", 0)).unwrap();
    kube.apply(placement("d", 0)).unwrap();
    assert!(timeout(Duration::from_mins(2), events.next()).await.is_err());
    kube.apply(placement("e", 0)).unwrap();
    assert_eq!(events.next().await, Some(("ADDED".into(), "e".into())));
    let undone = kube.record();
    assert!(undone.iter().any(|version| version.key.name == "b" && version.past == 0));
    assert_eq!(undone.last().unwrap().past, 1);
}

#[tokio::test(start_paused = true)]
async fn faults_happen_when_and_where_they_are_meant_to() {
    let kube = Kube::start().await;
    let asker = Asker::new(&kube);
    let on = |name: &str| On::new(Verb::Create, "instanceplacements").named(name);
    let busy = Refusal::code(429).retry_after(7);
    kube.inject(on("a").skip(1).times(2).before(Action::Refuse(busy)));
    let create = async |name: &str| asker.send("POST", PLACEMENTS, &placement(name, 0)).await;
    let code = async |name: &str| create(name).await.unwrap().status().as_u16();
    assert_eq!([code("b").await, code("a1").await], [201, 201]);
    let refused = create("a2").await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(kube.faults_left(), 1);
    assert_eq!([code("a2").await, code("a2").await], [429, 201]);

    kube.inject(on("c").after_commit(Action::Refuse(Refusal::code(504))));
    kube.inject(on("d").after_commit(Action::Reset));
    kube.inject(on("e").in_answer(Action::Reset));
    kube.inject(on("f").before(Action::Reset));
    assert_eq!(code("c").await, 504);
    assert!(create("d").await.is_err());
    assert!(create("e").await.unwrap().bytes().await.is_err());
    assert!(create("f").await.is_err());
    let there = |name: &str| !kube.get("default", &format!("instanceplacement/{name}")).is_null();
    assert_eq!(["c", "d", "e", "f"].map(there), [true, true, true, false]);

    let began = Instant::now();
    kube.inject(on("g").before(Action::Delay(Duration::from_secs(3))));
    assert_eq!(code("g").await, 201);
    assert_eq!(began.elapsed().as_secs(), 3);
    kube.inject(on("h").after_commit(Action::Hang));
    assert!(timeout(Duration::from_hours(1), create("h")).await.is_err());
    kube.inject(on("i").in_answer(Action::Cut));
    let cut = create("i").await.unwrap().text().await.unwrap();
    assert!(cut.starts_with('{') && serde_json::from_str::<Value>(&cut).is_err());
    assert_eq!(kube.faults_left(), 0);
    let codes: Vec<_> = kube.exchanges().iter().map(|exchange| exchange.code).collect();
    let expected =
        [201, 201, 429, 429, 201, 504, 0, 201, 0, 201, 0, 201].map(|code| (code > 0).then_some(code));
    assert_eq!(codes, expected);

    kube.set_down(true);
    assert!(create("z").await.is_err());
    kube.set_down(false);
    assert_eq!(code("z").await, 201);
}

#[tokio::test(start_paused = true)]
async fn events_are_lost_repeated_and_late() {
    let kube = Kube::start().await;
    let asker = Asker::new(&kube);
    let mut events =
        asker.watch(&format!("{PLACEMENTS}?watch=true&resourceVersion={}", kube.revision())).await;
    let on = |name: &str| On::new(Verb::Watch, "instanceplacements").named(name);
    kube.inject(on("lost").on_event(OnEvent::Drop));
    kube.inject(on("twice").on_event(OnEvent::Repeat));
    kube.inject(on("late").on_event(OnEvent::Delay(Duration::from_secs(9))));
    kube.inject(on("error").on_event(OnEvent::Fail(Refusal::code(410))));
    for name in ["lost", "twice", "late", "error"] {
        kube.apply(placement(name, 0)).unwrap();
    }
    let began = Instant::now();
    let mut told = Vec::new();
    while let Some((kind, name)) = events.next().await {
        told.push(format!("{kind} {name} {}", began.elapsed().as_secs()));
    }
    assert_eq!(told, ["ADDED twice 0", "ADDED twice 0", "ADDED late 9", "ERROR 410 9"]);
}

/// The clock of a test stands still while its sockets have work, however far the next timer is. All these tests rest
/// on it.
#[tokio::test(start_paused = true)]
async fn an_exchange_takes_no_virtual_time() {
    let kube = Kube::start().await;
    let asker = Asker::new(&kube);
    let timer = tokio::spawn(tokio::time::sleep(Duration::from_hours(1)));
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(asker.get(PLACEMENTS).await.0, 200);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    timer.await.unwrap();
}
