//! Two replicas on the real API server, with placements arriving all the while.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth::api::{InstancePlacement, InstancePlacementSpec};
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::interval;

use crate::history::History;
use crate::main_job::{GIB, datastores, install, placement, settled};
use crate::stack::{Controller, Stack, wait_for};

/// Room for 30 placements of 10 GiB on each of five datastores.
const ROOM: u64 = 305 * GIB;
const PLACES: usize = 150;
/// A lease of 4 s, so that nobody waits for long here.
const TIMES: [&str; 6] = [
    "--leader-elect-lease-duration",
    "4s",
    "--leader-elect-renew-deadline",
    "3s",
    "--leader-elect-retry-period",
    "500ms",
];

fn start(stack: &Stack, identity: &str) -> Controller {
    let args = [&["--leader-elect-identity", identity][..], &TIMES].concat();
    let mut controller = stack.start_controller(super::berth(), &args).unwrap();
    controller.wait_ready().unwrap();
    controller
}

fn lease(stack: &Stack) -> Value {
    let lease = stack.get_json(&["--namespace=berth-system", "lease", "berth-controller"]).unwrap();
    lease["spec"].clone()
}

fn wait_leader(stack: &Stack, identity: &str) {
    wait_for(&format!("{identity} to lead"), || {
        Ok((lease(stack)["holderIdentity"] == identity).then_some(()))
    })
    .unwrap();
}

/// Placements that come ten times a second until somebody has enough.
struct Arrivals {
    enough: Arc<AtomicBool>,
    task: JoinHandle<usize>,
}

impl Arrivals {
    fn start(client: Client, namespace: &str) -> Self {
        let api = Api::<InstancePlacement>::namespaced(client, namespace);
        let spec: InstancePlacementSpec =
            serde_json::from_value(json!({"image": {"virtualSize": "10Gi"}})).unwrap();
        let enough = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&enough);
        let task = tokio::spawn(async move {
            let (mut pace, mut count) = (interval(Duration::from_millis(100)), 0);
            while !told.load(Ordering::Relaxed) || count < PLACES + 20 {
                pace.tick().await;
                let placement = InstancePlacement::new(&format!("p{count:04}"), spec.clone());
                api.create(&PostParams::default(), &placement).await.unwrap();
                count += 1;
            }
            count
        });
        Self { enough, task }
    }

    /// How many have come.
    async fn stop(self) -> usize {
        self.enough.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// How long a placement that comes now waits for its datastore. It has one of its own.
fn time_to_place(stack: &Stack, namespace: &str, name: &str) -> Duration {
    let began = Instant::now();
    let spec = json!({"image": {"virtualSize": "1Gi"}, "datastores": {"namePattern": "probes"}});
    stack.apply_yaml(&placement(namespace, name, &spec)).unwrap();
    let path = ["--namespace", namespace, "instanceplacement", name];
    wait_for(name, || Ok((stack.get_json(&path)?["status"]["datastore"]["name"] == "probes").then_some(())))
        .unwrap();
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_the_leader_each_placement_is_decided_once_and_nothing_is_oversold() {
    let stack = Stack::shared().await.unwrap();
    let five = datastores(&["a", "b", "c", "d", "e"], ROOM);
    let _vcenter = install(&stack, &[five, datastores(&["probes"], 9 * GIB)].concat());
    let namespace = stack.fresh_namespace("leaders").unwrap();
    let history = History::start(&stack, &namespace).await;
    let mut first = start(&stack, "berth-1");
    let mut second = start(&stack, "berth-2");
    wait_leader(&stack, "berth-1");
    let arrivals = Arrivals::start(stack.client().await.unwrap(), &namespace);

    let asked = Instant::now();
    first.signal("TERM").unwrap();
    time_to_place(&stack, &namespace, "z-term");
    println!("SIGTERM: the other one had decided after {:?}", asked.elapsed());
    assert_eq!(lease(&stack)["holderIdentity"], "berth-2");
    assert!(first.terminate().unwrap().success());

    let mut third = start(&stack, "berth-3");
    let killed = Instant::now();
    second.kill().unwrap();
    time_to_place(&stack, &namespace, "z-kill");
    println!("SIGKILL: the other one had decided after {:?}, the lease is 4 s", killed.elapsed());
    assert_eq!(lease(&stack)["holderIdentity"], "berth-3");

    let mut fourth = start(&stack, "berth-4");
    third.signal("STOP").unwrap();
    wait_leader(&stack, "berth-4");
    time_to_place(&stack, &namespace, "z-stop");
    third.signal("CONT").unwrap();
    // The one that was paused finds out, stands by, and is there when it is needed.
    wait_for("berth-3 to stand by", || {
        Ok(third.log()?.contains("standing by leader=\"berth-4\"").then_some(()))
    })
    .unwrap();
    time_to_place(&stack, &namespace, "z-cont");
    assert_eq!(lease(&stack)["holderIdentity"], "berth-4");
    assert!(fourth.terminate().unwrap().success());
    time_to_place(&stack, &namespace, "z-last");
    let end = lease(&stack);
    assert_eq!((&end["holderIdentity"], &end["leaseTransitions"]), (&json!("berth-3"), &json!(4)));

    let count = arrivals.stop().await;
    let probes = 5;
    let placed = settled(&stack, &namespace, PLACES + probes, count - PLACES);
    println!("{count} came for {PLACES} places: {placed:?}");
    let expected: BTreeMap<_, _> = ["a", "b", "c", "d", "e"].map(|name| (name.to_owned(), 30)).into();
    assert_eq!(placed.into_iter().filter(|(name, _)| name != "probes").collect::<BTreeMap<_, _>>(), expected);
    history.catch_up(&stack);
    assert_eq!(history.check(ROOM), PLACES + probes);
    assert!(history.writes().values().all(|writes| *writes == 1), "{:?}", history.writes());
    assert!(third.terminate().unwrap().success());
}
