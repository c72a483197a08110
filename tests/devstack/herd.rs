//! The main job under load and through kills at the worst moments, on real servers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::fault_proxy::{Action, FaultProxy, Match, RuleHandle};
use crate::history::History;
use crate::main_job::{GIB, begin, create_many, datastores, install, placement, settled};
use crate::observed::{journal, promised_object};
use crate::random::Random;
use crate::stack::{Controller, Stack, Vcenter, wait_for};
use crate::{own_requests, requests, status_writes};

/// Room for 30 placements of 10 GiB on each of five datastores.
const ROOM: u64 = 305 * GIB;
/// A batch of promises closes at so many.
const BATCH: usize = 64;

fn five() -> Vec<Value> {
    datastores(&["a", "b", "c", "d", "e"], ROOM)
}

/// 200 have come for 150 places: nothing is oversold, and everybody has been told with one write and no read.
fn all_told_with_one_write(stack: &Stack, namespace: &str, history: &History) {
    let placed = settled(stack, namespace, 150, 50);
    assert_eq!(placed.values().collect::<Vec<_>>(), [&30; 5], "{placed:?}");
    history.catch_up(stack);
    assert_eq!(history.check(ROOM), 150);
    assert!(history.writes().values().all(|writes| *writes == 1), "{:?}", history.writes());
    // The log gets a line a moment after the answer.
    let writes = wait_for("the audit log to have 200 writes", || {
        let writes = status_writes(stack, "instanceplacements")?;
        Ok((writes.len() >= 200).then_some(writes))
    })
    .unwrap();
    assert!(writes.len() == 200 && writes.values().all(|writes| *writes == 1), "{writes:?}");
    let reads = own_requests(stack, "get", |object| object.resource == "instanceplacements").unwrap();
    assert_eq!(reads.len(), 0, "{reads:?}");
}

/// Accepted updates of the journal, according to the audit log.
fn journal_writes(stack: &Stack) -> usize {
    let own = own_requests(stack, "update", |object| object.name == "berth-journal").unwrap();
    own.iter().filter(|event| event.response_status.code == 200).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once_for_150_places_oversell_nothing_with_one_write_each() {
    let stack = Stack::shared().await.unwrap();
    let (vcenter, mut controller) = begin(&stack, &five());
    wait_for("the inventory", || {
        let vcenter = stack.get_json(&["vcenter", "vc-east"])?;
        Ok((vcenter["status"]["datastoreCount"] == 5).then_some(()))
    })
    .unwrap();
    let namespace = stack.fresh_namespace("herd").unwrap();
    let history = History::start(&stack, &namespace).await;
    create_many(stack.client().await.unwrap(), &namespace, 200, "10Gi").await;
    all_told_with_one_write(&stack, &namespace, &history);
    // They come one by one, so a batch may be small; but it is never empty, and never written twice.
    let batches = history.batches();
    println!("150 promises in {} journal writes: {batches:?}", batches.len());
    assert_eq!((batches.iter().sum::<usize>(), journal_writes(&stack)), (150, batches.len()));
    assert!(batches.iter().all(|promises| (1..=BATCH).contains(promises)), "{batches:?}");
    // Those who wait get what becomes free.
    vcenter.set_datastore("a", json!({"freeSpace": 805 * GIB})).unwrap();
    let placed = settled(&stack, &namespace, 200, 0);
    assert_eq!(placed["a"], 80, "{placed:?}");
    assert!(controller.terminate().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_when_berth_starts_is_promised_a_place_in_full_batches() {
    let stack = Stack::shared().await.unwrap();
    let _vcenter = install(&stack, &five());
    let namespace = stack.fresh_namespace("herd").unwrap();
    let history = History::start(&stack, &namespace).await;
    create_many(stack.client().await.unwrap(), &namespace, 200, "10Gi").await;
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    all_told_with_one_write(&stack, &namespace, &history);
    // The term began by creating the journal; after that all were there, so each batch but the last is full.
    println!("150 promises in batches of {:?}", history.batches());
    let writes = journal_writes(&stack);
    assert!(writes <= 150_usize.div_ceil(BATCH), "{writes} journal writes");
    assert!(controller.terminate().unwrap().success());
}

/// A proxy of its own in front of the API server.
fn proxy(stack: &Stack) -> FaultProxy {
    let identity = stack.issue("proxy").unwrap();
    FaultProxy::start_blocking(stack.api_server().unwrap(), stack.ca_pem(), &identity).unwrap()
}

fn start_behind(stack: &Stack, proxy: &FaultProxy) -> Controller {
    stack.start_controller_at(&proxy.url(), super::berth(), &[]).unwrap()
}

/// How many status writes of each placement came by, if `counts` says so of their answers.
fn passed(proxy: &FaultProxy, counts: impl Fn(Option<u16>) -> bool) -> BTreeMap<String, usize> {
    let mut passed = BTreeMap::new();
    for seen in proxy.requests().into_iter().filter(|seen| seen.method == "PUT" && counts(seen.status)) {
        if let Some((_, path)) = seen.path.split_once("/instanceplacements/") {
            *passed.entry(path.split('/').next().unwrap().to_owned()).or_default() += 1;
        }
    }
    passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_at_random_change_nothing_about_that() {
    const SEED: u64 = 11;
    let stack = Stack::shared().await.unwrap();
    let _vcenter = install(&stack, &five());
    let namespace = stack.fresh_namespace("kills").unwrap();
    let history = History::start(&stack, &namespace).await;
    let creating = {
        let (client, namespace) = (stack.client().await.unwrap(), namespace.clone());
        tokio::spawn(async move { create_many(client, &namespace, 200, "10Gi").await })
    };
    let (mut random, mut lives) = (Random(SEED), Vec::new());
    let mut below = |limit| usize::try_from(random.below(limit)).unwrap();
    for _ in 0..10 {
        // From some write on none gets through any more, or none is answered any more: the moment is exact,
        // however fast this machine is. One life writes 19 times at the most (12 can be under way at once),
        // so ten leave work for the last one.
        let (action, nth) = match below(2) {
            0 => (Action::HoldBefore, 1 + below(19)),
            _ => (Action::HoldAfter, 1 + below(8)),
        };
        println!("killed at its write {nth}: {action:?}");
        let proxy = proxy(&stack);
        let held = proxy.rule(
            Match::any().method("PUT").path("instanceplacements|vcenters|configmaps").nth(nth).every(),
            action,
        );
        let mut controller = start_behind(&stack, &proxy);
        held.wait_hit_blocking();
        controller.kill().unwrap();
        lives.push(proxy);
    }
    creating.await.unwrap();
    let last = proxy(&stack);
    let mut controller = start_behind(&stack, &last);
    let placed = settled(&stack, &namespace, 150, 50);
    assert_eq!(placed.values().collect::<Vec<_>>(), [&30; 5], "{placed:?}");
    assert!(controller.terminate().unwrap().success());
    assert!(!passed(&last, |status| status == Some(200)).is_empty(), "the last one had nothing to do");
    lives.push(last);
    history.catch_up(&stack);
    assert_eq!(history.check(ROOM), 150, "seed {SEED}");

    // No life writes a placement twice, so between two writes there is a kill.
    for proxy in &lives {
        let accepted = passed(proxy, |status| status == Some(200));
        assert!(accepted.values().all(|writes| *writes == 1), "{accepted:?}");
    }
    let tried: Vec<BTreeSet<_>> =
        lives.iter().map(|proxy| passed(proxy, |_| true).into_keys().collect()).collect();
    let writes = history.writes();
    for (name, writes) in &writes {
        let lives = tried.iter().filter(|tried| tried.contains(name)).count();
        assert!((1..=lives).contains(writes), "{name}: {writes} writes in {lives} lives");
    }
    let more = writes.values().filter(|writes| **writes > 1).count();
    println!("{more} were written more than once; journal: {:?}", history.batches());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_that_alter_no_verdict_and_a_restart_write_nothing() {
    let stack = Stack::shared().await.unwrap();
    // Too small for those who wait; one is for each probe.
    let probes = ["p1", "p2", "p3", "p4", "p5", "p6"];
    let all = [datastores(&["d"], 300 * GIB), datastores(&probes, GIB)].concat();
    let (vcenter, mut controller) = begin(&stack, &all);
    let namespace = stack.fresh_namespace("waiting").unwrap();
    create_many(stack.client().await.unwrap(), &namespace, 500, "400Gi").await;
    for probe in probes {
        let spec = json!({"image": {"virtualSize": "10Gi"}, "datastores": {"namePattern": probe}});
        stack.apply_yaml(&placement(&namespace, &format!("z-{probe}"), &spec)).unwrap();
    }
    settled(&stack, &namespace, 0, 506);
    // Those who wait are looked at in the order of their names. So when a probe is placed on account of a
    // figure that came after the others, all have been looked at with those, and what was to be written for
    // them was sent before.
    let probe = |name: &str| {
        vcenter.set_datastore(name, json!({"freeSpace": 20 * GIB})).unwrap();
        let path = ["--namespace", &namespace, "instanceplacement", &format!("z-{name}")];
        wait_for(&format!("z-{name}"), || {
            let datastore = stack.get_json(&path)?["status"]["datastore"]["name"].clone();
            Ok((datastore == name).then_some(()))
        })
        .unwrap();
    };
    // Of those who wait, and of vCenters.
    let writes = || {
        let writes = status_writes(&stack, "instanceplacements").unwrap();
        let waiting: usize = writes.iter().filter(|(name, _)| name.starts_with('p')).map(|(_, n)| n).sum();
        (waiting, status_writes(&stack, "vcenters").unwrap().values().sum::<usize>())
    };
    let before = wait_for("the audit log", || Ok(Some(writes()).filter(|writes| writes.0 >= 500))).unwrap();
    assert_eq!(before.0, 500);
    let (last, first) = probes.split_last().unwrap();
    for (free, name) in (295..300).zip(first) {
        vcenter.set_datastore("d", json!({"freeSpace": free * GIB})).unwrap();
        probe(name);
        assert_eq!(writes(), before);
    }
    assert!(controller.terminate().unwrap().success());
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    controller.wait_ready().unwrap();
    probe(last);
    assert_eq!(writes(), before);
    // What alters a verdict is written.
    vcenter.set_datastore("d", json!({"freeSpace": 900 * GIB})).unwrap();
    let placed = settled(&stack, &namespace, 8, 498);
    assert_eq!(placed["d"], 2);
    wait_for("more writes", || Ok((writes().0 >= 502).then_some(()))).unwrap();
    assert!(controller.terminate().unwrap().success());
}

/// A controller was killed after it had journalled that `web` gets datastore `a`, and before the write of its
/// status had reached the API server. By now a fresh decision would be another one.
struct Killed {
    vcenter: Vcenter,
    namespace: String,
    proxy: FaultProxy,
    held: RuleHandle,
    /// The object that the journal says is to be written.
    promised: Value,
}

impl Killed {
    fn new(stack: &Stack) -> Self {
        let free = |name, free| datastores(&[name], free * GIB);
        let vcenter = install(stack, &[free("a", 90), free("b", 50)].concat());
        let namespace = stack.fresh_namespace("killed").unwrap();
        let proxy = proxy(stack);
        let which = Match::any().method("PUT").path("/instanceplacements/web/status").every();
        let held = proxy.rule(which, Action::HoldBefore);
        let mut controller = start_behind(stack, &proxy);
        let killed = Self { vcenter, namespace, proxy, held, promised: Value::Null };
        killed.place(stack, "web");
        killed.held.wait_hit_blocking();
        controller.kill().unwrap();
        assert!(killed.get(stack, "web")["status"]["datastore"].is_null());
        let stored = stack.get_json(&["--namespace=berth-system", "configmap", "berth-journal"]).unwrap();
        let journal = journal(&stored).unwrap();
        let [intent] = journal["intents"].as_array().unwrap().as_slice() else { panic!("{journal}") };
        let promised = promised_object(intent);
        assert_eq!(promised["metadata"]["name"], "web");
        assert_eq!(promised["status"]["datastore"]["name"], "a");
        killed.vcenter.set_datastore("a", json!({"freeSpace": 20 * GIB})).unwrap();
        Self { promised, ..killed }
    }

    fn place(&self, stack: &Stack, name: &str) {
        let spec = json!({"image": {"virtualSize": "10Gi"}});
        stack.apply_yaml(&placement(&self.namespace, name, &spec)).unwrap();
    }

    fn get(&self, stack: &Stack, name: &str) -> Value {
        stack.get_json(&["--namespace", &self.namespace, "instanceplacement", name]).unwrap()
    }
}

#[test]
fn what_was_journalled_is_completed_after_a_kill_even_if_another_would_be_chosen_by_then() {
    let stack = Stack::shared_blocking().unwrap();
    let killed = Killed::new(&stack);
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    settled(&stack, &killed.namespace, 1, 0);
    assert_eq!(killed.get(&stack, "web")["status"], killed.promised["status"]);
    killed.place(&stack, "next");
    settled(&stack, &killed.namespace, 2, 0);
    assert_eq!(killed.get(&stack, "next")["status"]["datastore"]["name"], "b");
    let accepted = |verb| requests(&stack, verb, "web").unwrap();
    assert_eq!((accepted("update"), accepted("get")), (1, 0));
    assert!(controller.terminate().unwrap().success());
}

#[test]
fn the_late_write_of_a_killed_controller_is_refused_and_changes_nothing() {
    let stack = Stack::shared_blocking().unwrap();
    let killed = Killed::new(&stack);
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    settled(&stack, &killed.namespace, 1, 0);
    let completed = killed.get(&stack, "web");
    killed.held.release();
    let answers = wait_for("the answer to the late write", || {
        let held = killed.proxy.requests().into_iter().filter(|seen| seen.path.contains("/web/status"));
        Ok(held.map(|seen| seen.status).collect::<Option<Vec<_>>>())
    })
    .unwrap();
    assert_eq!(answers, vec![409; killed.held.hits()]);
    assert_eq!(killed.get(&stack, "web"), completed);
    // The new controller does not mind.
    killed.place(&stack, "next");
    settled(&stack, &killed.namespace, 2, 0);
    assert_eq!(killed.get(&stack, "web"), completed);
    assert!(controller.terminate().unwrap().success());
}
