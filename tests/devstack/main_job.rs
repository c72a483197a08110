//! The main job under load and through the ends of a process, on real servers.

use std::collections::BTreeMap;

use berth::api::{InstancePlacement, InstancePlacementSpec};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::stack::{Controller, Stack, Vcenter, VcenterOptions, repository, wait_for};
use crate::statuses;

pub(crate) const GIB: u64 = 1 << 30;

/// VMFS datastores of 1,000 GiB with so many bytes free.
pub(crate) fn datastores(names: &[&str], free: u64) -> Vec<Value> {
    names.iter().map(|name| json!({"name": name, "capacity": 1000 * GIB, "free": free})).collect()
}

/// A vCenter with these datastores.
pub(crate) fn vcenter(stack: &Stack, datastores: &[Value]) -> Vcenter {
    let inventory = json!({"datacenters": [{"name": "DC0", "datastores": datastores}]});
    let options = VcenterOptions { inventory, ..VcenterOptions::default() };
    stack.start_vcenter("vc-east", options).unwrap()
}

/// A class for placements that name none.
pub(crate) fn apply_default_class(stack: &Stack) {
    let class = json!({
        "apiVersion": "berth.dev/v1alpha1", "kind": "PlacementClass",
        "metadata": {"name": "standard", "annotations": {"berth.dev/is-default-class": "true"}},
        "spec": {"vCenterName": "vc-east"},
    });
    stack.apply_yaml(&class.to_string()).unwrap();
}

/// A vCenter with these datastores, and one default class.
pub(crate) fn install(stack: &Stack, datastores: &[Value]) -> Vcenter {
    let vcenter = vcenter(stack, datastores);
    stack.register_vcenter(&vcenter).unwrap();
    apply_default_class(stack);
    vcenter
}

/// [`install`], and a controller that is ready.
pub(crate) fn begin(stack: &Stack, datastores: &[Value]) -> (Vcenter, Controller) {
    let vcenter = install(stack, datastores);
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    controller.wait_ready().unwrap();
    (vcenter, controller)
}

pub(crate) fn placement(namespace: &str, name: &str, spec: &Value) -> String {
    json!({
        "apiVersion": "berth.dev/v1alpha1", "kind": "InstancePlacement",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    })
    .to_string()
}

/// So many placements of 10 GiB in one go.
fn apply_many(stack: &Stack, namespace: &str, count: usize) {
    let spec = json!({"image": {"virtualSize": "10Gi"}});
    let all: Vec<_> = (0..count).map(|n| placement(namespace, &format!("p{n:04}"), &spec)).collect();
    stack.kubectl(&["create", "--filename", "-"], Some(&all.join("\n---\n"))).unwrap();
}

/// So many placements of this size, `p0000` and on, as fast as the API server takes them.
pub(crate) async fn create_many(client: Client, namespace: &str, count: usize, size: &str) {
    let api = Api::<InstancePlacement>::namespaced(client, namespace);
    let spec: InstancePlacementSpec =
        serde_json::from_value(json!({"image": {"virtualSize": size}})).unwrap();
    let create = async |n: usize| {
        let placement = InstancePlacement::new(&format!("p{n:04}"), spec.clone());
        api.create(&PostParams::default(), &placement).await.map(drop)
    };
    futures::stream::iter(0..count).map(create).buffer_unordered(8).try_collect::<()>().await.unwrap();
}

/// How many placements have each reason, and how many each datastore has.
fn survey(
    stack: &Stack,
    namespace: &str,
) -> anyhow::Result<(BTreeMap<String, usize>, BTreeMap<String, usize>)> {
    let list = stack.get_json(&["instanceplacements", "--namespace", namespace])?;
    let (mut reasons, mut placed) = (BTreeMap::new(), BTreeMap::new());
    for item in list["items"].as_array().unwrap() {
        let ready = statuses::condition(item, "Ready");
        let reason = ready.and_then(|ready| ready["reason"].as_str()).unwrap_or("nothing");
        *reasons.entry(reason.to_owned()).or_insert(0) += 1;
        if let Some(name) = item["status"]["datastore"]["name"].as_str() {
            *placed.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    Ok((reasons, placed))
}

/// Waits until so many are placed and the rest has been told why not.
pub(crate) fn settled(
    stack: &Stack,
    namespace: &str,
    placed: usize,
    refused: usize,
) -> BTreeMap<String, usize> {
    wait_for(&format!("{placed} placed and {refused} refused"), || {
        let (reasons, datastores) = survey(stack, namespace)?;
        let count = |reason: &str| reasons.get(reason).copied().unwrap_or(0);
        let done = count("Placed") == placed && count("NoEligibleDatastore") == refused;
        anyhow::ensure!(done, "{reasons:?}");
        Ok(Some(datastores))
    })
    .unwrap()
}

#[test]
fn a_restart_writes_nothing_and_sigterm_ends_well_and_logs_out() {
    let stack = Stack::shared_blocking().unwrap();
    let (vcenter, mut controller) = begin(&stack, &datastores(&["a", "b"], 55 * GIB));
    let namespace = stack.fresh_namespace("restart").unwrap();
    apply_many(&stack, &namespace, 12);
    let bad = json!({"image": {"virtualSize": "10Gi"}, "rootDisk": {"size": "1Gi"}});
    stack.apply_yaml(&placement(&namespace, "bad", &bad)).unwrap();
    settled(&stack, &namespace, 10, 2);
    assert_eq!(vcenter.sessions().unwrap().len(), 1);
    assert!(controller.terminate().unwrap().success());
    assert!(vcenter.sessions().unwrap().is_empty(), "the session is still there");

    let writes = |resource: &str| super::status_writes(&stack, resource).unwrap().values().sum::<usize>();
    let before = (writes("instanceplacements"), writes("vcenters"));
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    controller.wait_ready().unwrap();
    // A new placement is decided after everything that was found at the start.
    let hopeless = json!({"image": {"virtualSize": "10Gi"}, "datastores": {"types": ["NFS"]}});
    stack.apply_yaml(&placement(&namespace, "new", &hopeless)).unwrap();
    settled(&stack, &namespace, 10, 3);
    let after = (writes("instanceplacements"), writes("vcenters"));
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 0), "only the new one is written");
    assert!(controller.terminate().unwrap().success());
}

/// Rows of the size vectors that an API server accepts, against one VVOL and one VMFS datastore.
#[test]
fn size_vectors_hold_end_to_end() {
    #[derive(serde::Deserialize)]
    struct Vectors {
        vectors: Vec<serde_json::Map<String, Value>>,
    }
    let text = std::fs::read_to_string(repository().join("tests/vectors/vvol-sizes.yaml")).unwrap();
    let Vectors { vectors } = serde_saphyr::from_str(&text).unwrap();
    let stack = Stack::shared_blocking().unwrap();
    let mut vvol = datastores(&["vvol"], 1000 * GIB);
    vvol[0]["type"] = json!("VVOL");
    let vmfs = datastores(&["vmfs"], 900 * GIB);
    let (_vcenter, mut controller) = begin(&stack, &[vvol, vmfs].concat());
    let minimum = json!({
        "apiVersion": "berth.dev/v1alpha1", "kind": "PlacementClass", "metadata": {"name": "four-mib"},
        "spec": {"vCenterName": "vc-east", "vvol": {"minimumDiskSize": "4Mi"}},
    });
    stack.apply_yaml(&minimum.to_string()).unwrap();
    let namespace = stack.fresh_namespace("sizes").unwrap();
    let small =
        |row: &&serde_json::Map<String, Value>| row["bytes"].as_u64().is_some_and(|b| b > 0 && b < 12 * GIB);
    let rows: Vec<_> = vectors.iter().filter(small).collect();
    assert!(rows.len() >= 12, "{}", rows.len());
    let name = |n: usize| format!("row-{n:02}");
    for (n, row) in rows.iter().enumerate() {
        let class = if row["minimumBytes"] == 1_048_576 { "standard" } else { "four-mib" };
        let spec = json!({"placementClassName": class, "image": {"virtualSize": row["bytes"].to_string()}});
        stack.apply_yaml(&placement(&namespace, &name(n), &spec)).unwrap();
    }
    settled(&stack, &namespace, rows.len(), 0);
    for (n, row) in rows.iter().enumerate() {
        let object = stack.get_json(&["--namespace", &namespace, "instanceplacement", &name(n)]).unwrap();
        let expected = if row["eligible"] == true { "vvol" } else { "vmfs" };
        assert_eq!(object["status"]["datastore"]["name"], expected, "{row:?}");
        let message = object["status"]["conditions"][0]["message"].as_str().unwrap();
        if row["eligible"] == false {
            assert!(message.contains(row["reason"].as_str().unwrap()), "{row:?}: {message}");
            assert!(
                message.contains(&format!("next whole size {} B", row["nextBytes"])),
                "{row:?}: {message}"
            );
        }
    }
    assert!(controller.terminate().unwrap().success());
}

/// Prints the memory that it takes; asserts only that all are placed.
#[tokio::test]
async fn two_thousand_placements_are_placed() {
    let stack = Stack::shared().await.unwrap();
    let names = ["a", "b", "c", "d", "e"];
    let (_vcenter, mut controller) = begin(&stack, &datastores(&names, 1000 * GIB));
    let idle = controller.memory().unwrap();
    let namespace = stack.fresh_namespace("many").unwrap();
    create_many(stack.client().await.unwrap(), &namespace, 2000, "1Gi").await;
    settled(&stack, &namespace, 2000, 0);
    println!("memory idle {idle:?}, with 2,000 placements {:?}", controller.memory().unwrap());
    assert!(controller.terminate().unwrap().success());
}
