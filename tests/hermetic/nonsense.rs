//! A vCenter that keeps answering nonsense: it is seen, it costs little, nothing is placed wrongly, and all is
//! well as soon as it makes sense again.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::fake_vcenter::Action;
use crate::statuses;
use crate::whole::{GIB, Whole, good_and_local, settled};

/// What a vCenter does to every answer of a method, and what its VCenter says of it then.
struct Nonsense {
    method: &'static str,
    action: Action,
    says: &'static str,
}

fn vcenter(whole: &Whole) -> Value {
    let object = whole.kube.get("", "vcenter/vc");
    statuses::condition(&object, "Ready").cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn answers_that_cannot_be_read_are_refused_and_seldom_asked_for() {
    let watch = "WaitForUpdatesEx";
    let all = [
        Nonsense { method: watch, action: Action::Oversize((64 << 20) + 1), says: "more than 64 MiB" },
        Nonsense { method: watch, action: Action::Deep(1000), says: "nested too deeply" },
        Nonsense { method: watch, action: Action::Truncate(300), says: "malformed answer" },
        Nonsense { method: "RetrievePropertiesEx", action: Action::Deep(1000), says: "nested too deeply" },
    ];
    for Nonsense { method, action, says } in all {
        let whole = Whole::start(&good_and_local()).await;
        whole.vcenter.always(method, action.clone());
        let berth = whole.begin().await;
        whole.place("web", "10Gi");
        whole.wait("web", "VCenterUnavailable").await;
        sleep(Duration::from_mins(10)).await;
        assert_eq!(whole.reason("web"), "VCenterUnavailable", "{method} {action:?}");
        let condition = vcenter(&whole);
        assert_eq!(condition["reason"], "ConnectionFailed", "{method} {action:?}");
        assert!(condition["message"].to_string().contains(says), "{condition}");
        // The waits between the attempts double up to a minute or more.
        assert!((5..=20).contains(&whole.vcenter.count(method)), "{}", whole.vcenter.count(method));
        whole.vcenter.heal();
        whole.wait("web", "Placed").await;
        assert_eq!(whole.kube.get("default", "instanceplacement/web")["status"]["datastore"]["name"], "good");
        berth.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_vcenter_that_says_everything_twice_has_every_datastore_once() {
    let whole = Whole::start(&good_and_local()).await;
    whole.vcenter.always("WaitForUpdatesEx", Action::Twice);
    whole.vcenter.always("RetrievePropertiesEx", Action::Twice);
    let berth = whole.begin().await;
    for name in ["p0", "p1", "p2"] {
        whole.place(name, "20Gi");
    }
    whole.kube.wait_until(|_| settled(&whole, 3)).await;
    let placed = ["p0", "p1", "p2"].into_iter().filter(|name| whole.reason(name) == "Placed");
    assert_eq!(placed.count(), 2, "50 GiB are there once");
    assert_eq!(whole.kube.get("", "vcenter/vc")["status"]["datastoreCount"], 2);
    berth.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sizes_below_nothing_leave_a_datastore_out_and_are_counted() {
    let whole = Whole::start(&good_and_local()).await;
    whole.vcenter.always("WaitForUpdatesEx", Action::Replace("<freeSpace>".into(), "<freeSpace>-".into()));
    let berth = whole.begin().await;
    whole.place("web", "10Gi");
    whole.wait("web", "NoEligibleDatastore").await;
    let web = whole.kube.get("default", "instanceplacement/web");
    assert_eq!(web["status"]["decision"]["evaluated"], 0, "{web}");
    let metrics = berth.metrics.text().unwrap();
    let line = "berth_inventory_skipped_objects{vcenter=\"vc\",reason=\"size\"} 2";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    whole.vcenter.heal();
    whole.vcenter.set_datastore("good", &json!({"free": 60 * GIB}));
    whole.wait("web", "Placed").await;
    berth.stop().await.unwrap();
}
