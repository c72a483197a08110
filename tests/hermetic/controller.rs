//! Berth's controller against the API server of `tests/support/kube/`, in virtual time.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kube_server::{Berth, Kube};

fn placement(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "berth.dev/v1alpha1", "kind": "InstancePlacement", "metadata": {"name": name}, "spec": spec})
}

/// The reason of the Ready condition, once this generation is observed.
fn reason(kube: &Kube, object: &str) -> String {
    let object = kube.get("default", object);
    let status = &object["status"];
    if status["observedGeneration"] != object["metadata"]["generation"] {
        return "not observed".into();
    }
    let all = status["conditions"].as_array().cloned().unwrap_or_default();
    let ready = all.iter().find(|condition| condition["type"] == "Ready").map(|c| &c["reason"]);
    ready.and_then(Value::as_str).unwrap_or("no Ready condition").to_owned()
}

async fn wait_reason(kube: &Kube, object: &str, expected: &str) {
    kube.wait_until(|kube| {
        let found = reason(kube, object);
        if found == expected { Ok(()) } else { Err(format!("{object}: {found}, not {expected}")) }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn statuses_that_need_no_vcenter() {
    let kube = Kube::start().await;
    let berth = Berth::start(&kube);
    berth.ready(&kube).await;
    kube.apply(placement("web", &json!({"image": {"virtualSize": "10Gi"}}))).unwrap();
    wait_reason(&kube, "instanceplacement/web", "ClassNotFound").await;
    berth.stop().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
}
