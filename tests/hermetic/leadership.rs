//! Several replicas and one leader, in virtual time.

use std::time::Duration;

use berth::controller::Error;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::controller::writes;
use crate::kube_server::{Action, BERTH, Berth, Kube, On, Refusal, Verb};
use crate::observer;
use crate::random::Random;
use crate::whole::{GIB, Whole};

const LEASE: &str = "lease/berth-controller";
const RENEWAL: Duration = Duration::from_secs(2);
const LEASE_DURATION: Duration = Duration::from_secs(15);
const SECOND: Duration = Duration::from_secs(1);

fn datastores() -> Value {
    json!([{"name": "vmfs-1", "type": "VMFS", "capacity": 100 * GIB, "free": 100 * GIB}])
}

fn holder(kube: &Kube) -> String {
    kube.get(BERTH, LEASE)["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

async fn wait_holder(kube: &Kube, expected: &str) {
    kube.wait_until(|kube| match holder(kube) {
        found if found == expected => Ok(()),
        found => Err(format!("{found:?} holds the lease, not {expected:?}")),
    })
    .await;
}

/// A leader, and a replica that stands by.
async fn two(whole: &Whole) -> (Berth, Berth) {
    whole.install();
    let first = Berth::start_as(&whole.kube, "berth-1");
    first.ready(&whole.kube).await;
    let second = Berth::start_as(&whole.kube, "berth-2");
    second.ready(&whole.kube).await;
    (first, second)
}

/// How long it takes until a new placement has a datastore.
async fn time_to_place(whole: &Whole, name: &str) -> Duration {
    let began = Instant::now();
    whole.place(name, "1Gi");
    whole.wait(name, "Placed").await;
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_the_other_is_ready_and_writes_nothing() {
    let whole = Whole::start(&datastores()).await;
    let (first, second) = two(&whole).await;
    assert!(time_to_place(&whole, "web").await <= SECOND);
    sleep(SECOND).await;
    let lease = whole.kube.get(BERTH, LEASE);
    assert_eq!(lease["spec"]["holderIdentity"], "berth-1");
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 15);
    assert_eq!(lease["spec"].get("leaseTransitions"), None);
    let before = writes(&whole.kube).len();
    sleep(Duration::from_hours(1)).await;
    assert_eq!(writes(&whole.kube).len(), before);
    assert_eq!((first.readiness.report(), second.readiness.report()), (None, None));
    let renewals = whole.kube.count(Verb::Update, "leases");
    assert!((1700..=1850).contains(&renewals), "{renewals} in an hour");
    let others = whole.kube.count(Verb::Get, "leases") + whole.kube.count(Verb::Watch, "leases");
    assert!(others < 200, "{others} by the replica that stands by");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stops_hands_over_at_once() {
    let whole = Whole::start(&datastores()).await;
    let (first, second) = two(&whole).await;
    first.stop().await.unwrap();
    assert!(time_to_place(&whole, "web").await <= SECOND);
    let lease = whole.kube.get(BERTH, LEASE);
    assert_eq!(lease["spec"]["holderIdentity"], "berth-2");
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
    second.stop().await.unwrap();
    let released = whole.kube.get(BERTH, LEASE);
    assert_eq!(
        (&released["spec"]["holderIdentity"], &released["spec"]["leaseDurationSeconds"]),
        (&json!(""), &json!(1))
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_killed_is_replaced_when_its_lease_ends() {
    let whole = Whole::start(&datastores()).await;
    let (first, _second) = two(&whole).await;
    first.kill().await;
    let took = time_to_place(&whole, "web").await;
    assert!(took + RENEWAL + SECOND > LEASE_DURATION && took <= LEASE_DURATION + SECOND, "{took:?}");
    let writes = whole.kube.record().iter().filter(|version| version.key.name == "web").count();
    assert_eq!(writes, 2, "created and placed, without a word between");
}

#[tokio::test(start_paused = true)]
async fn a_restarted_container_takes_its_own_lease_back_at_once() {
    let whole = Whole::start(&datastores()).await;
    let (first, _second) = two(&whole).await;
    first.kill().await;
    let again = Berth::start_as(&whole.kube, "berth-1");
    again.ready(&whole.kube).await;
    assert!(time_to_place(&whole, "web").await <= SECOND);
    assert_eq!(holder(&whole.kube), "berth-1");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_decides_no_more_until_it_can() {
    let whole = Whole::start(&datastores()).await;
    let (first, second) = two(&whole).await;
    second.stop().await.unwrap();
    let refused = || Action::Refuse(Refusal::code(503));
    whole.kube.inject(On::new(Verb::Update, "leases").always().before(refused()));
    sleep(Duration::from_secs(11)).await;
    whole.place("late", "1Gi");
    sleep(Duration::from_mins(5)).await;
    assert_eq!(whole.reason("late"), "nothing");
    assert!(first.readiness.report().unwrap().starts_with("Lease: 503"));
    let before = whole.kube.exchanges().len();
    sleep(Duration::from_mins(10)).await;
    let per_minute = (whole.kube.exchanges().len() - before) / 10;
    assert!(per_minute <= 60, "{per_minute}");
    whole.kube.heal();
    whole.wait("late", "Placed").await;
    assert_eq!(first.readiness.report(), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_the_lease_is_obeyed() {
    let whole = Whole::start(&datastores()).await;
    let (_first, second) = two(&whole).await;
    second.kill().await;
    let mut stolen = whole.kube.get(BERTH, LEASE);
    stolen["spec"]["holderIdentity"] = "somebody".into();
    whole.kube.apply(stolen).unwrap();
    sleep(RENEWAL + SECOND).await;
    whole.place("web", "1Gi");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(whole.reason("web"), "nothing");
    wait_holder(&whole.kube, "berth-1").await;
    whole.wait("web", "Placed").await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_deleted_is_created_again() {
    let whole = Whole::start(&datastores()).await;
    let (_first, _second) = two(&whole).await;
    for round in 0..3 {
        whole.kube.delete(BERTH, LEASE).unwrap();
        sleep(2 * RENEWAL).await;
        assert!(!holder(&whole.kube).is_empty());
        assert!(time_to_place(&whole, &format!("web-{round}")).await <= SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_was_restored_makes_every_replica_start_again() {
    let whole = Whole::start(&datastores()).await;
    let (first, second) = two(&whole).await;
    time_to_place(&whole, "kept").await;
    let backup = whole.kube.revision();
    time_to_place(&whole, "forgotten").await;
    sleep(Duration::from_mins(1)).await;
    whole.kube.restore(backup);
    let restored = Instant::now();
    assert!(matches!(first.ended().await, Err(Error::Restored)));
    assert!(restored.elapsed() <= RENEWAL + SECOND);
    assert!(matches!(second.ended().await, Err(Error::Restored)));
    assert!(
        restored.elapsed() <= Duration::from_secs(100),
        "its watch is deaf until it ends: {:?}",
        restored.elapsed()
    );
    let again = Berth::start_as(&whole.kube, "berth-1");
    again.ready(&whole.kube).await;
    assert_eq!((whole.reason("kept"), whole.reason("forgotten")), ("Placed".into(), "nothing".into()));
    assert!(time_to_place(&whole, "web").await <= SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_may_not_be_read_is_named_and_asked_for_patiently() {
    let whole = Whole::start(&datastores()).await;
    whole.install();
    for verb in [Verb::Get, Verb::Create, Verb::Update, Verb::Watch] {
        whole.kube.inject(On::new(verb, "leases").always().before(Action::Refuse(Refusal::code(403))));
    }
    let berth = Berth::start_as(&whole.kube, "berth-1");
    sleep(Duration::from_mins(10)).await;
    assert!(berth.readiness.report().unwrap().starts_with("Lease: 403"));
    let asked = whole.kube.count(Verb::Get, "leases");
    assert!((100..=310).contains(&asked), "{asked} in ten minutes");
    whole.kube.heal();
    berth.ready(&whole.kube).await;
}

#[test]
fn times_that_cannot_work_are_refused_at_the_start() {
    for (flag, value, expected) in [
        ("--leader-elect-lease-duration", "10s", "the lease duration must be longer than the renew deadline"),
        ("--leader-elect-retry-period", "9s", "longer than 1.2 times the retry period"),
        ("--leader-elect-renew-deadline", "soon", "expected a duration such as 15s or 1m30s"),
        ("--leader-elect-renew-deadline=-5s", "", "expected a duration such as 15s or 1m30s"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(["controller", flag]);
        if !value.is_empty() {
            command.arg(value);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{flag} {value}: {said}");
    }
}

/// Replicas come and go, renewals are lost and late, leases are stolen: safety needs none of them.
#[tokio::test(start_paused = true)]
async fn no_trouble_with_the_lease_decides_twice_or_promises_the_same_room_twice() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let whole = Whole::start(&datastores()).await;
        whole.install();
        let mut replicas =
            vec![Berth::start_as(&whole.kube, "berth-0"), Berth::start_as(&whole.kube, "berth-1")];
        for round in 0..60 {
            match random.below(6) {
                0 => {
                    let replica = replicas.remove(usize::from(random.below(2) == 0));
                    if random.below(2) == 0 {
                        replica.kill().await;
                    } else {
                        drop(replica.stop().await);
                    }
                    replicas.push(Berth::start_as(&whole.kube, &format!("berth-{}", random.below(3))));
                }
                1 => {
                    let action = match random.below(3) {
                        0 => Action::Hang,
                        1 => Action::Refuse(Refusal::code(500)),
                        _ => Action::Delay(Duration::from_secs(9)),
                    };
                    let on = On::new(Verb::Update, "leases").times(if random.below(2) == 0 { 1 } else { 6 });
                    whole.kube.inject(if random.below(2) == 0 {
                        on.before(action)
                    } else {
                        on.after_commit(action)
                    });
                }
                2 => {
                    let mut lease = whole.kube.get(BERTH, LEASE);
                    if !lease.is_null() {
                        lease["spec"]["holderIdentity"] = format!("berth-{}", random.below(3)).into();
                        whole.kube.apply(lease).unwrap();
                    }
                }
                _ => whole.place(&format!("web-{round}"), "3Gi"),
            }
            sleep(Duration::from_millis(random.below(6000))).await;
        }
        whole.kube.heal();
        sleep(Duration::from_mins(3)).await;
        let decisions = observer::check(&whole.kube, 100 * GIB);
        assert!(decisions >= 20, "{decisions} with seed {seed}");
    }
}
