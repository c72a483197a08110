//! A plan says what the controller then does: both answer the same random manifests, on real servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::main_job::GIB;
use crate::random::Random;
use crate::stack::{Stack, Vcenter, VcenterOptions, wait_for};

const MIB: u64 = 1 << 20;

/// Datastores of every kind of trouble, so that every part of a decision has something to say.
fn datastores() -> Value {
    let store = |name: &str, kind: &str, free: u64, more: Value| {
        let mut store = json!({"name": name, "type": kind, "capacity": 1000 * GIB, "free": free * GIB});
        store.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        store
    };
    json!([
        store("gold-1", "VVOL", 900, json!({})),
        store("gold-2", "VVOL", 700, json!({})),
        store("vmfs-1", "VMFS", 800, json!({})),
        store("vmfs-2", "VMFS", 300, json!({})),
        store("nfs-1", "NFS", 600, json!({})),
        store("nfs-old", "NFS41", 990, json!({"accessible": false})),
        store("vsan-1", "vsan", 950, json!({})),
        store("resting", "VMFS", 999, json!({"maintenanceMode": "inMaintenance"})),
    ])
}

fn classes() -> String {
    let class = |name: &str, default: bool, spec: Value| {
        json!({
            "apiVersion": "berth.dev/v1alpha1", "kind": "PlacementClass",
            "metadata": {"name": name, "annotations": {"berth.dev/is-default-class": default.to_string()}},
            "spec": spec,
        })
        .to_string()
    };
    [
        class("standard", true, json!({"vCenterName": "vc-east"})),
        class(
            "packed",
            false,
            json!({"vCenterName": "vc-east", "strategy": "Pack", "capacity": {"headroomPercent": 5}}),
        ),
        class("gold", false, json!({"vCenterName": "vc-east", "datastores": {"namePattern": "gold-.*"}})),
    ]
    .join("\n---\n")
}

/// A manifest of which anything can be asked that the API server accepts.
fn random_manifest(random: &mut Random, namespace: &str, number: usize) -> Value {
    let one_of = |random: &mut Random, values: &[Value]| {
        values[usize::try_from(random.below(values.len() as u64)).unwrap()].clone()
    };
    let mut image = (1 + random.below(60)) * GIB;
    if random.below(3) == 0 {
        image += 1 + random.below(MIB);
    }
    let mut spec = json!({"image": {"virtualSize": image.to_string()}});
    if random.below(2) == 0 {
        let size =
            if random.below(5) == 0 { "90G".to_owned() } else { format!("{}Gi", 20 + random.below(90)) };
        let provisioning = one_of(random, &[json!("Thin"), json!("Thick"), json!("EagerZeroedThick")]);
        spec["rootDisk"] = json!({"size": size, "provisioning": provisioning});
    }
    if random.below(4) == 0 {
        spec["additionalDisks"] = json!([{"name": "data", "size": format!("{}Gi", 1 + random.below(200)), "provisioning": "Thick"}]);
    }
    if random.below(5) == 0 {
        spec["memory"] = json!({"size": "16Gi", "reservation": "4Gi"});
    }
    if random.below(3) == 0 {
        spec["datastores"] = one_of(
            random,
            &[
                json!({"types": ["VVOL", "vsan"]}),
                json!({"namePattern": "vmfs-.*"}),
                json!({"excludePattern": ".*-1"}),
                json!({"types": ["NFS"], "preferred": ["nfs-1"]}),
                json!({"preferred": ["vmfs-2"]}),
            ],
        );
    }
    if random.below(3) == 0 {
        let class = [json!("packed"), json!("gold"), json!("standard"), json!("nowhere")];
        spec["placementClassName"] = one_of(random, &class);
    }
    if random.below(5) == 0 {
        let when = one_of(random, &[json!("DoNotPlace"), json!("PlaceAnyway")]);
        spec["spread"] = json!({"groupName": "web", "whenUnsatisfiable": when});
    }
    if random.below(12) == 0 {
        spec["suspend"] = json!(true);
    }
    if random.below(12) == 0 {
        spec["compute"] = one_of(random, &[json!({"datacenter": "DC0"}), json!({"datacenter": "DC9"})]);
    }
    if random.below(15) == 0 {
        spec["image"]["diskType"] = one_of(random, &[json!("Flat"), json!("StreamOptimized")]);
    }
    json!({
        "apiVersion": "berth.dev/v1alpha1", "kind": "InstancePlacement",
        "metadata": {"name": format!("p{number:04}"), "namespace": namespace}, "spec": spec,
    })
}

/// As a user writes them: many documents in one file.
fn documents(manifests: &[Value]) -> String {
    manifests.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(super::berth()).args(arguments).output().unwrap()
}

fn record(stack: &Stack, vcenter: &Vcenter, folder: &Path) -> PathBuf {
    let (password, ca) = (folder.join("password"), folder.join("ca.pem"));
    fs::write(&password, &vcenter.options().password).unwrap();
    fs::write(&ca, stack.ca_pem()).unwrap();
    let output = run(&[
        "inventory",
        "--server",
        vcenter.server_url(),
        "--username",
        &vcenter.options().username,
        "--password-file",
        password.to_str().unwrap(),
        "--ca",
        ca.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let path = folder.join("vc-east.json");
    fs::write(&path, output.stdout).unwrap();
    path
}

/// The placements of a json report; exit code 2 is a plan in which some cannot be placed, or 1 one with a
/// reference to what is in none of the inputs.
fn planned(arguments: &[&str]) -> Vec<Value> {
    let output = run(&[&["plan", "--output", "json", "--cluster-name", "devstack"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{said}");
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    report["placements"].as_array().unwrap().clone()
}

/// What the controller wrote, without what the moment of writing alone knows.
fn live(stack: &Stack, namespace: &str, count: usize) -> Vec<Value> {
    let list = wait_for(&format!("{count} answers"), || {
        let list = stack.get_json(&["instanceplacements", "--namespace", namespace])?;
        let items = list["items"].as_array().unwrap();
        let answered = items
            .iter()
            .filter(|item| item["status"]["observedGeneration"] == item["metadata"]["generation"]);
        let answered = answered.count();
        anyhow::ensure!(answered == count, "{answered} of {count}");
        Ok(Some(list))
    });
    let items = list.unwrap()["items"].as_array().unwrap().clone();
    items
        .into_iter()
        .map(|mut item| json!({"name": item["metadata"]["name"], "status": timeless(item["status"].take())}))
        .collect()
}

fn timeless(mut status: Value) -> Value {
    let until = status["claim"]["expirationTime"].as_str().map(|time| format!(" until {time}"));
    if let Some(claim) = status["claim"].as_object_mut() {
        claim.remove("expirationTime");
    }
    if let Some(inventory) = status.pointer_mut("/decision/inventory").and_then(Value::as_object_mut) {
        inventory.remove("time");
    }
    for condition in status["conditions"].as_array_mut().unwrap() {
        condition.as_object_mut().unwrap().remove("lastTransitionTime");
        if let Some(until) = until.as_ref().filter(|_| condition["type"] == "RoomKept") {
            condition["message"] = json!(condition["message"].as_str().unwrap().replace(until.as_str(), ""));
        }
    }
    // serde's index made them.
    let fields = status.as_object_mut().unwrap();
    fields.retain(|_, value| !value.is_null());
    status
}

fn compare(planned: &[Value], live: &[Value]) {
    let mut reasons = std::collections::BTreeMap::<String, usize>::new();
    for plan in planned {
        let name = &plan["name"];
        let found = live.iter().find(|item| item["name"] == *name).unwrap();
        assert_eq!(plan["status"], found["status"], "{name}");
        *reasons.entry(plan["reason"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    println!("{reasons:?}");
    for reason in ["Placed", "NoEligibleDatastore", "ClassNotFound", "Suspended"] {
        assert!(reasons.contains_key(reason), "the manifests are various: {reasons:?}");
    }
}

/// `berth explain` reads the cluster that the kubeconfig names.
fn explained(stack: &Stack, namespace: &str, inventory: &str, live: &[Value]) {
    let name =
        live.iter().find(|item| item["status"]["datastore"].is_object()).unwrap()["name"].as_str().unwrap();
    let output = Command::new(super::berth())
        .args(["explain", name, "--namespace", namespace, "--inventory", inventory, "--output", "json"])
        .args(["--cluster-name", "devstack"])
        .env("KUBECONFIG", stack.kubeconfig())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = live.iter().find(|item| item["name"] == name).unwrap();
    assert_eq!(explanation["placement"]["status"], found["status"]);
    assert_eq!(explanation["datastores"].as_array().unwrap().len(), 8);
}

#[test]
fn a_plan_says_what_the_controller_then_does() {
    const SEED: u64 = 2026;
    let stack = Stack::shared_blocking().unwrap();
    let inventory = json!({"datacenters": [{"name": "DC0", "datastores": datastores()}]});
    let options = VcenterOptions { inventory, ..VcenterOptions::default() };
    let vcenter = stack.start_vcenter("vc-east", options).unwrap();
    stack.register_vcenter(&vcenter).unwrap();
    stack.apply_yaml(&classes()).unwrap();
    let namespace = stack.fresh_namespace("plan").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let recorded = record(&stack, &vcenter, folder.path());
    let again = fs::read(&recorded).unwrap();
    assert!(
        fs::read(record(&stack, &vcenter, folder.path())).unwrap() == again,
        "recorded twice, the same bytes"
    );

    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    controller.wait_ready().unwrap();
    wait_for("the inventory", || {
        let vcenter = stack.get_json(&["vcenter", "vc-east"])?;
        Ok((vcenter["status"]["datastoreCount"] == 8).then_some(()))
    })
    .unwrap();
    let cluster =
        stack.kubectl(&["get", "placementclasses,vcenters,namespaces", "--output", "yaml"], None).unwrap();
    fs::write(path("cluster.yaml"), cluster).unwrap();

    let mut random = Random(SEED);
    let mut manifests = |from: usize, to: usize| -> Vec<Value> {
        (from..to).map(|number| random_manifest(&mut random, &namespace, number)).collect()
    };
    let inventory = recorded.to_str().unwrap();
    let first = documents(&manifests(0, 120));
    fs::write(path("first.yaml"), &first).unwrap();
    let plan = planned(&["-f", &path("first.yaml"), "-f", &path("cluster.yaml"), "--inventory", inventory]);
    stack.kubectl(&["create", "--filename", "-"], Some(&first)).unwrap();
    compare(&plan, &live(&stack, &namespace, 120));

    // What exists by then keeps its room in the next plan.
    let placed =
        stack.kubectl(&["get", "instanceplacements", "--all-namespaces", "--output", "yaml"], None).unwrap();
    fs::write(path("placed.yaml"), placed).unwrap();
    let second = documents(&manifests(120, 160));
    fs::write(path("second.yaml"), &second).unwrap();
    let plan = planned(&[
        "-f",
        &path("second.yaml"),
        "-f",
        &path("cluster.yaml"),
        "--inventory",
        inventory,
        "--placed",
        &path("placed.yaml"),
    ]);
    assert_eq!(plan.len(), 40);
    stack.kubectl(&["create", "--filename", "-"], Some(&second)).unwrap();
    let live = live(&stack, &namespace, 160);
    compare(&plan, &live);
    explained(&stack, &namespace, inventory, &live);
    assert!(controller.terminate().unwrap().success());
}
