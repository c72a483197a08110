//! A placement whose stored object is broken, by hand or by an older schema: it keeps its datastore and its
//! room, before and after a restart, and delays nobody.

use serde_json::{Value, json};

use crate::kube_server::{BERTH, Berth};
use crate::whole::{GIB, Whole};

const WEB: &str = "instanceplacement/web";

#[tokio::test(start_paused = true)]
async fn a_broken_placement_keeps_its_datastore_and_its_room() {
    let breaks: [(&str, Value); 9] = [
        ("/spec/image", json!([1, 2])),
        ("/spec", json!("nothing")),
        ("/status/conditions", json!("none")),
        ("/status/decision", json!({"evaluated": "many"})),
        ("/status/observedGeneration", json!("first")),
        ("/status/claim/state", json!("Doubled")),
        ("/status/claim/bytes", json!("forty")),
        ("/status/datastore/type", json!(7)),
        ("/status/revision", json!("one")),
    ];
    for (pointer, value) in breaks {
        let whole = Whole::start(&json!([
            {"name": "d0", "capacity": 50 * GIB, "free": 50 * GIB},
            {"name": "d1", "capacity": 15 * GIB, "free": 15 * GIB},
        ]))
        .await;
        let berth = whole.begin().await;
        whole.place("web", "40Gi");
        whole.wait("web", "Placed").await;
        let mut web = whole.kube.get("default", WEB);
        assert_eq!(web["status"]["datastore"]["name"], "d0");
        *web.pointer_mut(pointer).unwrap() = value;
        whole.kube.plant("default", web);

        whole.place("second", "20Gi");
        whole.wait("second", "NoEligibleDatastore").await;
        whole.place("third", "10Gi");
        whole.wait("third", "Placed").await;
        berth.stop().await.unwrap();
        // No promise of the journal helps the next one to remember.
        whole.kube.delete(BERTH, "configmap/berth-journal").unwrap();
        let berth = Berth::start(&whole.kube);
        berth.ready(&whole.kube).await;
        whole.place("fourth", "20Gi");
        whole.wait("fourth", "NoEligibleDatastore").await;
        assert_eq!(whole.reason("second"), "NoEligibleDatastore", "{pointer}");
        let web = whole.kube.get("default", WEB);
        assert_eq!(web["status"]["datastore"]["moRef"], "datastore-10001", "{pointer}: {web}");
        assert!(web["status"]["claim"]["immediateBytes"].as_i64() >= Some(40 * GIB), "{pointer}: {web}");
        berth.stop().await.unwrap();
    }
}
