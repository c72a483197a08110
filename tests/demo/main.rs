//! The demo: one round of Berth's main job on real servers. Starts etcd, a kube-apiserver and a simulated
//! vCenter, applies `examples/`, runs the controller as its own service account, and shows what it decided.
//!
//! `KEEP=1` leaves everything running until Ctrl-C. `DEMO_CONTEXT=name` uses the cluster of a kubeconfig
//! context instead of starting one.

#[allow(dead_code, unused_imports, reason = "shared with tests; each user needs a part")]
#[path = "../support/stack/mod.rs"]
mod stack;
#[allow(dead_code, reason = "shared with tests; each user needs a part")]
#[path = "../support/tls.rs"]
mod tls;

use std::env;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use stack::{Controller, Stack, Vcenter, VcenterOptions, repository, wait_for};

const NAMESPACE: &str = "team-a";
/// The placement whose refusal is shown.
const REFUSED: &str = "web-02";
const EXAMPLES: [&str; 3] = ["vcenter.yaml", "placementclass.yaml", "placements.yaml"];

fn main() -> anyhow::Result<()> {
    let begin = Instant::now();
    let binary = binary()?;
    let context = env::var("DEMO_CONTEXT").ok().filter(|name| !name.is_empty());
    let stack = match &context {
        Some(name) => stage(&format!("cluster of context {name}"), || Stack::on_context(name))?,
        None => stage("etcd and kube-apiserver", Stack::start)?,
    };
    let vcenter = stage("simulated vCenter", || {
        stack.start_vcenter("vc-east", VcenterOptions { inventory: inventory(), ..VcenterOptions::default() })
    })?;
    stage("apply examples/", || apply_examples(&stack, &vcenter))?;
    let mut controller = stage("berth controller", || {
        let mut controller = stack.start_controller(&binary, &[])?;
        controller.wait_ready()?;
        Ok(controller)
    })?;
    stage("decisions", || wait_for("a decision for every placement", || decided(&stack)))
        .with_context(|| format!("the controller's log:\n{}", controller.log().unwrap_or_default()))?;

    show(&stack)?;
    println!("\ndone in {:.1} s", begin.elapsed().as_secs_f64());
    if env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0") {
        keep_running(&stack, &vcenter, &controller)?;
    }
    controller.terminate()?;
    if context.is_some() {
        for file in EXAMPLES {
            stack.kubectl(
                &["delete", "--ignore-not-found", "--wait=false", "--filename", &example(file)?],
                None,
            )?;
        }
        println!(
            "The cluster keeps Berth's CRDs, its namespace berth-system, and its service account and roles."
        );
    }
    Ok(())
}

/// Runs a step and prints how long it took.
fn stage<T>(name: &str, step: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let begin = Instant::now();
    let result = step().with_context(|| name.to_owned())?;
    println!("demo: {name}: {:.1} s", begin.elapsed().as_secs_f64());
    Ok(result)
}

/// The `berth` of the same build: examples are one folder below it.
fn binary() -> anyhow::Result<PathBuf> {
    let own = env::current_exe()?;
    let folder = own.parent().and_then(|folder| folder.parent()).context("the demo is not in target/")?;
    let binary = folder.join("berth");
    ensure!(binary.is_file(), "{} is missing; run: cargo build --bin berth", binary.display());
    Ok(binary)
}

fn example(file: &str) -> anyhow::Result<String> {
    let path = repository().join("examples").join(file);
    Ok(path.to_str().context("the repository's path is not UTF-8")?.to_owned())
}

fn inventory() -> Value {
    const GIB: u64 = 1 << 30;
    json!({"datacenters": [{
        "name": "DC0",
        "clusters": [{"name": "C0", "hosts": 3}],
        "datastores": [
            {"name": "vmfs-1", "type": "VMFS", "capacity": 2048 * GIB, "free": 600 * GIB},
            {"name": "vmfs-2", "type": "VMFS", "capacity": 2048 * GIB, "free": 40 * GIB},
            {"name": "nfs-1", "type": "NFS", "capacity": 4096 * GIB, "free": 1024 * GIB},
            {"name": "nfs-2", "type": "NFS", "capacity": 4096 * GIB, "free": 3072 * GIB,
             "maintenanceMode": "inMaintenance"},
            {"name": "vsan-1", "type": "vsan", "capacity": 10240 * GIB, "free": 2048 * GIB},
            {"name": "gold-vvol-1", "type": "VVOL", "capacity": 4096 * GIB, "free": 1200 * GIB},
            {"name": "gold-vvol-2", "type": "VVOL", "capacity": 4096 * GIB, "free": 1500 * GIB},
        ],
    }]})
}

fn apply_examples(stack: &Stack, vcenter: &Vcenter) -> anyhow::Result<()> {
    for file in EXAMPLES {
        stack.kubectl(&["apply", "--filename", &example(file)?], None)?;
    }
    // The example names a server that does not exist; this is the one that does, with its credentials.
    stack.register_vcenter(vcenter)
}

/// Every placement that is not suspended has a Ready condition about its present spec.
fn decided(stack: &Stack) -> anyhow::Result<Option<()>> {
    let list = stack.get_json(&["instanceplacements", "--namespace", NAMESPACE])?;
    let items = list.get("items").and_then(Value::as_array).context("a list has items")?;
    let settled = items.iter().all(|item| {
        let suspended = item.pointer("/spec/suspend") == Some(&json!(true));
        let conditions = item.pointer("/status/conditions").and_then(Value::as_array);
        let ready =
            conditions.into_iter().flatten().find(|condition| condition.get("type") == Some(&json!("Ready")));
        let reason = ready.and_then(|ready| ready.get("reason")).and_then(Value::as_str);
        suspended || matches!(reason, Some("Placed" | "NoEligibleDatastore"))
    });
    Ok((!items.is_empty() && settled).then_some(()))
}

fn show(stack: &Stack) -> anyhow::Result<()> {
    println!("\n$ kubectl get instanceplacements --namespace {NAMESPACE}");
    print!("{}", stack.kubectl(&["get", "instanceplacements", "--namespace", NAMESPACE], None)?);
    let path = r#"--output=jsonpath={.status.conditions[?(@.type=="Ready")].message}"#;
    println!("\nWhy {REFUSED} has no datastore:");
    println!(
        "{}",
        stack.kubectl(&["get", "instanceplacement", REFUSED, "--namespace", NAMESPACE, path], None)?
    );
    Ok(())
}

fn keep_running(stack: &Stack, vcenter: &Vcenter, controller: &Controller) -> anyhow::Result<()> {
    let VcenterOptions { username, password, .. } = vcenter.options();
    println!(
        "\nRunning until Ctrl-C:\n\
         \x20 kubernetes  export KUBECONFIG={}\n\
         \x20             {} get instanceplacements --all-namespaces --watch\n\
         \x20 vCenter     {} (user {username}, password {password})\n\
         \x20             curl -k -d '{}' {}/ctl/datastore\n\
         \x20 controller  pid {}, {}\n\
         \x20 files       {}",
        stack.kubeconfig().display(),
        stack.kubectl_program().display(),
        vcenter.server_url(),
        json!({"name": "gold-vvol-2", "set": {"maintenanceMode": "inMaintenance"}}),
        vcenter.server_url(),
        controller.pid(),
        controller.addresses(),
        stack.folder().display(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    println!("stopping");
    Ok(())
}
