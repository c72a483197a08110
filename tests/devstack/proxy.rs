//! The fault proxy in front of the real servers.

use std::pin::pin;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::fault_proxy::{Action, FaultProxy, Match};
use crate::stack::{Stack, VcenterOptions};

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

#[tokio::test]
async fn a_watch_passes_a_write_is_held_and_a_reset_is_seen() {
    let stack = Stack::shared().await.unwrap();
    let namespace = stack.fresh_namespace("proxied").unwrap();
    let identity = stack.issue("proxy").unwrap();
    let proxy = FaultProxy::start(stack.api_server().unwrap(), stack.ca_pem(), &identity).unwrap();
    let through: Api<ConfigMap> = Api::namespaced(stack.client_at(&proxy.url()).await.unwrap(), &namespace);
    let direct: Api<ConfigMap> = Api::namespaced(stack.client().await.unwrap(), &namespace);

    let version = through.list(&<_>::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut events = pin!(through.watch(&WatchParams::default(), &version).await.unwrap());
    for name in ["a", "b"] {
        direct.create(&PostParams::default(), &config_map(name)).await.unwrap();
        let WatchEvent::Added(seen) = events.next().await.unwrap().unwrap() else { panic!() };
        assert_eq!(seen.metadata.name.as_deref(), Some(name));
    }

    let held = proxy.rule(Match::any().method("POST").path("/configmaps"), Action::HoldAfter);
    let (options, object) = (PostParams::default(), config_map("c"));
    let write = through.create(&options, &object);
    let mut write = pin!(write);
    tokio::select! {
        done = &mut write => panic!("not held: {done:?}"),
        () = held.wait_hit() => {}
    }
    // The server has it, its writer does not know.
    direct.get("c").await.unwrap();
    held.release();
    write.await.unwrap();

    let before = proxy.rule(Match::any().method("POST"), Action::ResetBefore);
    through.create(&options, &config_map("d")).await.unwrap_err();
    assert_eq!((before.hits(), direct.get_opt("d").await.unwrap()), (1, None));
    proxy.rule(Match::any().method("POST"), Action::ResetAfter);
    through.create(&options, &config_map("d")).await.unwrap_err();
    direct.get("d").await.unwrap();
    // Not 503: this client would try again.
    let refusal =
        Action::Answer(409, json!({"kind": "Status", "status": "Failure", "code": 409}).to_string());
    proxy.rule(Match::any().method("GET"), refusal);
    let error = through.get("d").await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 409), "{error:?}");
}

#[test]
fn a_vcenter_is_reached_through_a_proxy_on_its_own_thread() {
    let stack = Stack::shared_blocking().unwrap();
    let vcenter = stack.start_vcenter("proxied", VcenterOptions::default()).unwrap();
    let identity = stack.issue("proxy").unwrap();
    let proxy = FaultProxy::start_blocking(vcenter.server_url(), stack.ca_pem(), &identity).unwrap();
    let root = reqwest::Certificate::from_pem(stack.ca_pem().as_bytes()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let get = || {
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([root.clone()]).build().unwrap();
        runtime.spawn(client.get(format!("{}/sdk/vimServiceVersions.xml", proxy.url())).send())
    };
    let held = proxy.rule(Match::any().path("vimServiceVersions"), Action::HoldBefore);
    let answer = get();
    held.wait_hit_blocking();
    held.release();
    let answer = runtime.block_on(answer).unwrap().unwrap();
    assert!(runtime.block_on(answer.text()).unwrap().contains("urn:vim25"));
    proxy.rule(Match::any(), Action::ResetAfter);
    runtime.block_on(get()).unwrap().unwrap_err();
    assert_eq!(proxy.count("GET", "/sdk/"), 2);
}
