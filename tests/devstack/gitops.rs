//! What Flux, Argo CD, kubectl and backup tools do to Berth's objects, on a real API server.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::main_job::{GIB, begin, datastores, placement, settled};
use crate::stack::{Stack, repository, wait_for};
use crate::status_writes;

/// A placement of so many GiB.
fn of_size(namespace: &str, name: &str, gib: u64) -> Value {
    let spec = json!({"image": {"virtualSize": format!("{gib}Gi")}});
    serde_json::from_str(&placement(namespace, name, &spec)).unwrap()
}

fn get(stack: &Stack, namespace: &str, name: &str) -> Value {
    stack.get_json(&["--namespace", namespace, "instanceplacement", name]).unwrap()
}

fn reason(object: &Value) -> &str {
    object["status"]["conditions"][0]["reason"].as_str().unwrap_or_default()
}

/// `kubectl wait` as in the documentation.
fn kubectl_wait(stack: &Stack, namespace: &str, timeout: &str) -> Child {
    Command::new(stack.kubectl_program())
        .args(["wait", "--for=condition=Ready", timeout, "--namespace", namespace])
        .args(["instanceplacement", "--all"])
        .env("KUBECONFIG", stack.kubeconfig())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn kubectl_wait_waits_and_ends() {
    let stack = Stack::shared_blocking().unwrap();
    let (vcenter, mut controller) = begin(&stack, &datastores(&["a"], 10 * GIB));
    let namespace = stack.fresh_namespace("wait").unwrap();
    stack.apply_yaml(&of_size(&namespace, "web", 50).to_string()).unwrap();
    settled(&stack, &namespace, 0, 1);
    let waited = kubectl_wait(&stack, &namespace, "--timeout=1s").wait_with_output().unwrap();
    assert!(!waited.status.success(), "it is not ready");
    assert!(String::from_utf8_lossy(&waited.stderr).contains("timed out"), "{waited:?}");

    let watches = || -> anyhow::Result<usize> {
        let events = stack.audit_events()?.into_iter();
        let begun = events.filter(|event| event.verb == "watch" && event.stage == "ResponseStarted");
        Ok(begun.filter(|event| event.user_agent.starts_with("kubectl")).count())
    };
    let before = watches().unwrap();
    let mut waiting = kubectl_wait(&stack, &namespace, "--timeout=60s");
    wait_for("kubectl to watch", || Ok((watches()? > before).then_some(()))).unwrap();
    assert_eq!(waiting.try_wait().unwrap(), None, "it waits");
    vcenter.set_datastore("a", json!({"freeSpace": 100 * GIB})).unwrap();
    let waited = waiting.wait_with_output().unwrap();
    assert!(waited.status.success(), "{}", String::from_utf8_lossy(&waited.stderr));
    assert_eq!(String::from_utf8(waited.stdout).unwrap(), "instanceplacement.berth.dev/web condition met\n");
    assert!(controller.terminate().unwrap().success());
}

/// Where `kubectl apply` without `--server-side` keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What a manifest says of a stored object.
fn manifest(object: &Value) -> Value {
    let mut manifest = object.clone();
    manifest.as_object_mut().unwrap().remove("status");
    manifest["metadata"].as_object_mut().unwrap().retain(|field, value| match field.as_str() {
        "annotations" => {
            let annotations = value.as_object_mut().unwrap();
            annotations.remove(LAST_APPLIED);
            !annotations.is_empty()
        }
        "name" | "namespace" => true,
        _ => false,
    });
    manifest
}

#[test]
fn two_field_managers_apply_the_same_and_nothing_is_written() {
    let stack = Stack::shared_blocking().unwrap();
    let (_vcenter, mut controller) = begin(&stack, &datastores(&["a"], 100 * GIB));
    let namespace = stack.fresh_namespace("managers").unwrap();
    for (name, gib) in [("web", 50), ("too-large", 900)] {
        stack.apply_yaml(&of_size(&namespace, name, gib).to_string()).unwrap();
    }
    settled(&stack, &namespace, 1, 1);
    let objects = || {
        let list = stack.get_json(&["instanceplacements,placementclasses,vcenters", "--all-namespaces"]);
        list.unwrap()["items"].as_array().unwrap().clone()
    };
    let writes = |resource: &str| status_writes(&stack, resource).unwrap().values().sum::<usize>();
    let writes = || (writes("instanceplacements"), writes("vcenters"));
    let (before, (placements, vcenters)) = (objects(), writes());
    let manifests: Vec<_> = before.iter().map(|object| manifest(object).to_string()).collect();
    let apply = |manager: &str| {
        let manager = format!("--field-manager={manager}");
        let arguments = ["apply", "--server-side", &manager, "--filename", "-"];
        stack.kubectl(&arguments, Some(&manifests.join("\n---\n"))).unwrap();
        objects()
    };
    let first = [apply("kustomize-controller"), apply("argocd-controller")];
    let again = [apply("kustomize-controller"), apply("argocd-controller")];
    assert_eq!(first[1], again[0], "nothing is stored when the same is applied again");
    assert_eq!(first[1], again[1], "nor by the other");
    for (before, after) in before.iter().zip(&again[1]) {
        assert_eq!(before["metadata"]["generation"], after["metadata"]["generation"], "{after:#}");
        assert_eq!(before["spec"], after["spec"]);
        assert_eq!(before["status"], after["status"]);
    }

    // Berth has seen all of it when it has decided what comes after it.
    stack.apply_yaml(&of_size(&namespace, "after", 10).to_string()).unwrap();
    settled(&stack, &namespace, 2, 1);
    assert_eq!(writes(), (placements + 1, vcenters), "only the new one is written");
    assert!(controller.terminate().unwrap().success());
}

/// Restores an object as Velero does (`pkg/restore/restore.go`): created without what the API server gives, then its
/// status when `restoreStatus` names its kind, then its managed fields.
async fn restore(client: &Client, backup: &Value, with_status: bool) {
    let mut object = backup.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for of_the_server in ["uid", "resourceVersion", "generation", "creationTimestamp", "ownerReferences"] {
        metadata.remove(of_the_server);
    }
    metadata
        .insert("labels".to_owned(), json!({"velero.io/backup-name": "b", "velero.io/restore-name": "r"}));
    object.as_object_mut().unwrap().remove("status");
    let mut object: DynamicObject = serde_json::from_value(object).unwrap();
    let kind = GroupVersionKind::try_from(object.types.as_ref().unwrap()).unwrap();
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = match &object.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object.metadata.name.clone().unwrap();
    let managed_fields = object.metadata.managed_fields.take();
    let created = api.create(&PostParams::default(), &object).await.unwrap();
    if with_status && !backup["status"].is_null() {
        object.data["status"] = backup["status"].clone();
        object.metadata.resource_version = created.metadata.resource_version;
        api.replace_status(&name, &PostParams::default(), &object).await.unwrap();
    }
    let patch = Patch::Merge(json!({"metadata": {"managedFields": managed_fields}}));
    api.patch(&name, &PatchParams::default(), &patch).await.unwrap();
}

/// The procedure of `docs/operations/backup-and-restore.md`, with or without the journal in the backup.
async fn restoring_gives_back_every_decision(with_journal: bool) {
    let stack = Stack::shared().await.unwrap();
    let mut stores = datastores(&["a"], 100 * GIB);
    stores.extend(datastores(&["b"], 60 * GIB));
    let (_vcenter, mut controller) = begin(&stack, &stores);
    let namespace = stack.fresh_namespace("restore").unwrap();
    for (name, gib, placed, refused) in
        [("web", 80, 1, 0), ("db", 50, 2, 0), ("edited", 5, 3, 0), ("waiting", 70, 3, 1)]
    {
        stack.apply_yaml(&of_size(&namespace, name, gib).to_string()).unwrap();
        settled(&stack, &namespace, placed, refused);
    }
    let mut edited = of_size(&namespace, "edited", 5);
    edited["spec"]["suspend"] = json!(true);
    stack.apply_yaml(&edited.to_string()).unwrap();
    wait_for("the edit to be seen", || {
        Ok((get(&stack, &namespace, "edited")["status"]["observedGeneration"] == 2).then_some(()))
    })
    .unwrap();
    let names = ["web", "db", "edited", "waiting"];
    let before = names.map(|name| get(&stack, &namespace, name));
    assert_eq!(before.each_ref().map(reason), ["Placed", "Placed", "Placed", "NoEligibleDatastore"]);

    // The backup, and the end of the cluster.
    let mut backup = Vec::new();
    for arguments in [
        &["secrets", "--namespace", "berth-system"][..],
        &["configmaps", "--namespace", "berth-system"],
        &["vcenters,placementclasses"],
        &["instanceplacements", "--namespace", &namespace],
    ] {
        let list = stack.get_json(arguments).unwrap();
        backup.extend(list["items"].as_array().unwrap().clone());
    }
    assert!(backup.iter().any(|object| object["metadata"]["name"] == "berth-journal"));
    assert!(controller.terminate().unwrap().success());
    stack.reset().unwrap();

    let client = stack.client().await.unwrap();
    for object in backup.iter().filter(|object| with_journal || object["kind"] != "ConfigMap") {
        restore(&client, object, object["kind"] == "InstancePlacement").await;
    }
    let restored = names.map(|name| get(&stack, &namespace, name));
    for (before, restored) in before.iter().zip(&restored) {
        assert_eq!(before["status"], restored["status"], "the restore gives back the status");
        assert_ne!(before["metadata"]["uid"], restored["metadata"]["uid"]);
    }
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    controller.wait_ready().unwrap();

    // 20 GiB less the 5 are left on the one, 10 on the other.
    stack.apply_yaml(&of_size(&namespace, "oversold", 30).to_string()).unwrap();
    settled(&stack, &namespace, 3, 2);
    stack.apply_yaml(&of_size(&namespace, "small", 12).to_string()).unwrap();
    settled(&stack, &namespace, 4, 2);
    assert_eq!(get(&stack, &namespace, "small")["status"]["datastore"]["name"], "a");
    let after = names.map(|name| get(&stack, &namespace, name));
    for (restored, after) in restored.iter().zip(&after) {
        for field in ["datastore", "claim", "revision", "instanceUUID", "decision", "image", "compute"] {
            assert_eq!(restored["status"][field], after["status"][field], "{field}");
        }
    }
    let writes = status_writes(&stack, "instanceplacements").unwrap();
    assert!(controller.terminate().unwrap().success());
    // Its generation is smaller than the one that was observed, which its status says once. Nothing else is written.
    let expected =
        [("edited", 1), ("oversold", 1), ("small", 1)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(writes.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(after[2]["status"]["observedGeneration"], after[2]["metadata"]["generation"]);
}

#[tokio::test]
async fn restoring_a_backup_gives_back_every_decision() {
    restoring_gives_back_every_decision(true).await;
}

#[tokio::test]
async fn restoring_a_backup_without_the_journal_gives_back_every_decision() {
    restoring_gives_back_every_decision(false).await;
}

/// Every `kubectl` of a page, in its order, in a folder that has what they name.
fn run_commands(stack: &Stack, page: &str, folder: &Path) -> usize {
    let text = fs::read_to_string(repository().join("docs").join(page)).unwrap();
    let commands: Vec<_> =
        text.lines().filter_map(|line| line.trim_start().strip_prefix("$ kubectl ")).collect();
    for command in &commands {
        let path = stack.kubectl_program().parent().unwrap().display();
        let output = Command::new("bash")
            .args(["-ec", &format!("PATH={path}:$PATH; kubectl {command}")])
            .env("KUBECONFIG", stack.kubeconfig())
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    commands.len()
}

#[test]
fn the_commands_of_the_pages_work() {
    let stack = Stack::shared_blocking().unwrap();
    let (_vcenter, mut controller) = begin(&stack, &datastores(&["a"], 100 * GIB));
    let folder = tempfile::tempdir().unwrap();
    for name in ["team-a", "inventory"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("team-a/web.yaml"), of_size("team-a", "web", 10).to_string()).unwrap();
    for (name, target) in [("crds", "crds"), ("argocd", "docs/gitops/argocd")] {
        symlink(repository().join(target), folder.path().join(name)).unwrap();
    }
    let labels = json!({"app.kubernetes.io/name": "berth"});
    let container = json!({"name": "berth", "image": "berth"});
    for object in [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"},
            "data": {"url": "https://argocd.example.com"},
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "berth", "namespace": "berth-system", "labels": labels},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }),
    ] {
        stack.apply_yaml(&object.to_string()).unwrap();
    }
    assert_eq!(run_commands(&stack, "gitops/README.md", folder.path()), 5);
    let config = stack.get_json(&["--namespace", "argocd", "configmap", "argocd-cm"]).unwrap();
    assert_eq!(config["data"].as_object().unwrap().len(), 3, "what was there stays: {config:#}");
    assert_eq!(run_commands(&stack, "operations/backup-and-restore.md", folder.path()), 4);
    let deployment = stack.get_json(&["--namespace", "berth-system", "deployment", "berth"]).unwrap();
    assert_eq!(deployment["spec"]["replicas"], 1);
    stack.kubectl(&["delete", "--namespace", "berth-system", "deployment", "berth"], None).unwrap();
    assert!(controller.terminate().unwrap().success());
}
