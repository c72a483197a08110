//! The life of a release on a real API server, by both Helms. There is no controller manager: Deployments never
//! become available, so nothing of the chart itself is waited for.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use crate::chart::{chart_path, ci};
use crate::main_job::{GIB, apply_default_class, datastores, placement, vcenter};
use crate::stack::{Helm, HelmVersion, Stack, chart, wait_for};

const NAMESPACE: &str = "berth-system";
const TEAM: &str = "team-a";
/// A field of placements that the older CRD does not have.
const NEW_FIELD: &str = "progressDeadlineSeconds";

/// An API server that enforces Pod Security where Berth goes.
fn cluster() -> Stack {
    let stack = Stack::start_empty().unwrap();
    for (name, labels) in
        [(NAMESPACE, json!({"pod-security.kubernetes.io/enforce": "restricted"})), (TEAM, json!({}))]
    {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        stack.apply_yaml(&namespace.to_string()).unwrap();
    }
    stack
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// The chart as it was before placements had [`NEW_FIELD`].
fn older_chart(folder: &Path) -> String {
    let older = folder.join("berth");
    copy(&chart(), &older);
    let file = older.join("files/crds/berth.dev_instanceplacements.yaml");
    let mut crd: Value = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let spec = schema["properties"]["spec"]["properties"].as_object_mut().unwrap();
    spec.remove(NEW_FIELD).unwrap();
    let name = crd["metadata"]["name"].as_str().unwrap();
    let text = format!(
        "apiVersion: {}\nkind: {}\nmetadata:\n  name: {name}\nspec: {}\n",
        crd["apiVersion"], crd["kind"], crd["spec"]
    );
    fs::write(file, text).unwrap();
    older.to_str().unwrap().to_owned()
}

fn helm(helm: &Helm, action: &str, args: &[&str]) -> anyhow::Result<String> {
    helm.run(&[&[action], args, &["--namespace", NAMESPACE]].concat())
}

fn established(stack: &Stack) {
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd/instanceplacements.berth.dev"];
    stack.kubectl(&wait, None).unwrap();
}

fn stored(stack: &Stack) -> Value {
    stack.get_json(&["instanceplacement", "web-01", "--namespace", TEAM]).unwrap()
}

fn has_new_field(stack: &Stack) -> bool {
    let crd = stack.get_json(&["crd", "instanceplacements.berth.dev"]).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["properties"]["spec"]["properties"].get(NEW_FIELD).is_some()
}

fn patch(stack: &Stack, namespace: &str, name: &str, patch: &Value, more: &[&str]) -> anyhow::Result<String> {
    let patch = patch.to_string();
    let args =
        ["patch", "instanceplacement", name, "--namespace", namespace, "--type=merge", "--patch", &patch];
    stack.kubectl(&[&args[..], more].concat(), None)
}

/// A status as Berth writes it, with its one or two conditions.
fn write_status(stack: &Stack, namespace: &str, name: &str, more: Value, conditions: &[(&str, &str, &str)]) {
    let object = stack.get_json(&["instanceplacement", name, "--namespace", namespace]).unwrap();
    let generation = &object["metadata"]["generation"];
    let conditions: Vec<_> = conditions
        .iter()
        .map(|(kind, status, reason)| {
            json!({
                "type": kind, "status": status, "reason": reason, "message": "written by a test",
                "observedGeneration": generation, "lastTransitionTime": "2026-11-05T12:00:00Z",
            })
        })
        .collect();
    let mut status = more;
    status["observedGeneration"] = generation.clone();
    status["conditions"] = json!(conditions);
    patch(stack, namespace, name, &json!({"status": status}), &["--subresource=status"]).unwrap();
}

/// A Pod made of the Deployment's template is what the namespace takes, and one that is less careful is not.
fn the_pod_is_restricted(stack: &Stack) {
    let deployment = stack.get_json(&["deployment", "berth", "--namespace", NAMESPACE]).unwrap();
    let template = &deployment["spec"]["template"];
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "berth-0", "namespace": NAMESPACE, "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    });
    let create = |pod: &Value| {
        stack.kubectl(&["create", "--dry-run=server", "--filename", "-"], Some(&pod.to_string()))
    };
    create(&pod).unwrap();
    pod["spec"]["containers"][0]["securityContext"]["capabilities"] = json!({});
    let said = format!("{:#}", create(&pod).unwrap_err());
    assert!(said.contains(r#"violates PodSecurity "restricted"#), "{said}");
}

/// The API server takes every object that the chart can have, but those of the Prometheus operator.
fn everything_is_accepted(stack: &Stack, helm: &Helm) {
    let monitoring =
        ["serviceMonitor", "prometheusRule"].map(|part| format!("{part}.enabled=false")).join(",");
    let (chart, values) = (chart_path(), ci("everything-values.yaml"));
    let template = ["template", "berth", &chart, "--namespace", NAMESPACE, "--values", &values];
    let objects = helm.run(&[&template[..], &["--set", &monitoring]].concat()).unwrap();
    let apply = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--filename", "-"];
    let accepted = stack.kubectl(&apply, Some(&objects)).unwrap();
    assert!(accepted.lines().count() > 15, "{accepted}");
}

/// Requests for the Lease and the journal are in the level that nothing else can fill, and no others.
fn the_flow_schema_sorts(stack: &Stack) {
    let schema = stack.get_json(&["flowschema", "berth-lease-and-journal"]).unwrap();
    let uid = schema["metadata"]["uid"].as_str().unwrap();
    let account = format!("--as=system:serviceaccount:{NAMESPACE}:berth");
    let sorted = |resource: &str| {
        // Missing objects: the trace of a failure has the headers of the answer.
        let args = ["get", "--v=8", resource, "absent", "--namespace", NAMESPACE, &account];
        let trace = format!("{:#}", stack.kubectl(&args, None).unwrap_err());
        assert!(trace.to_lowercase().contains("flowschema-uid"), "{trace}");
        trace.contains(uid)
    };
    wait_for("the API server to know the FlowSchema", || Ok(sorted("lease").then_some(()))).unwrap();
    assert!(sorted("configmap"));
    assert!(!sorted("secret"));
}

/// Installs an older release, upgrades it with a placement stored, uninstalls it, and installs it anew under
/// another name.
fn life(version: HelmVersion) {
    let stack = cluster();
    let program = stack.helm(version).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let older = older_chart(folder.path());

    let notes = helm(&program, "install", &["berth", &older]).unwrap();
    assert!(notes.contains("kubectl create secret generic vcenter-credentials --namespace berth-system"));
    established(&stack);
    the_pod_is_restricted(&stack);
    everything_is_accepted(&stack, &program);
    the_flow_schema_sorts(&stack);
    follow_the_notes(&stack, &notes);

    assert!(!has_new_field(&stack));
    let spec = json!({"image": {"virtualSize": "20Gi"}});
    stack.apply_yaml(&placement(TEAM, "web-01", &spec)).unwrap();
    let new = json!({"spec": {NEW_FIELD: 600}});
    patch(&stack, TEAM, "web-01", &new, &[]).unwrap();
    assert_eq!(stored(&stack)["spec"].get(NEW_FIELD), None, "the older CRD does not know it");
    let decision = json!({"revision": 0, "datastore": {
        "name": "vmfs-1", "moRef": "datastore-1", "type": "VMFS", "url": "ds:///vmfs/volumes/1/", "datacenter": "DC0",
        "vCenter": {"name": "vc-east", "instanceUUID": "9c8b"},
    }});
    write_status(&stack, TEAM, "web-01", decision, &[("Ready", "True", "Placed")]);
    let before = stored(&stack);

    helm(&program, "upgrade", &["berth", &chart_path(), "--values", &ci("ha-values.yaml")]).unwrap();
    assert!(has_new_field(&stack));
    assert_eq!(stored(&stack), before, "an upgrade leaves placements alone");
    wait_for("the new field to be stored", || {
        patch(&stack, TEAM, "web-01", &new, &[])?;
        Ok((stored(&stack)["spec"][NEW_FIELD] == 600).then_some(()))
    })
    .unwrap();
    write_status(&stack, TEAM, "web-01", json!({}), &[("Ready", "True", "Placed")]);
    let after = stored(&stack);
    assert_eq!(after["status"]["datastore"], before["status"]["datastore"]);
    assert_eq!(after["status"]["observedGeneration"], after["metadata"]["generation"]);

    helm(&program, "uninstall", &["berth"]).unwrap();
    assert_eq!(stored(&stack), after, "placements outlive the release");
    let left =
        stack.kubectl(&["get", "crds,clusterroles,clusterrolebindings,flowschemas", "--output=name"], None);
    let left: Vec<_> =
        left.unwrap().lines().filter(|name| name.contains("berth")).map(str::to_owned).collect();
    let crds = ["instanceplacements", "placementclasses", "vcenters"]
        .map(|name| format!("customresourcedefinition.apiextensions.k8s.io/{name}.berth.dev"));
    assert_eq!(left, crds);

    let again = ["other", &chart_path()];
    let said = format!("{:#}", helm(&program, "install", &again).unwrap_err());
    assert!(said.contains("release-name"), "{said}");
    helm(&program, "install", &[&again[..], &["--take-ownership"]].concat()).unwrap();
    assert_eq!(stored(&stack), after);
    stack.get_json(&["deployment", "other-berth", "--namespace", NAMESPACE]).unwrap();
    let second = format!("{:#}", helm(&program, "install", &["second", &chart_path()]).unwrap_err());
    assert!(second.contains("release-name"), "one Berth in a cluster: {second}");
}

/// The commands that the notes print are the ones that work.
fn follow_the_notes(stack: &Stack, notes: &str) {
    let lines: Vec<_> = notes.lines().skip_while(|line| !line.contains("<<'YAML'")).skip(1).collect();
    let manifests: Vec<_> = lines.into_iter().take_while(|line| line.trim() != "YAML").collect();
    let manifests = manifests.iter().map(|line| line.strip_prefix("  ").unwrap_or(line));
    stack.apply_yaml(&manifests.collect::<Vec<_>>().join("\n")).unwrap();
    let class = stack.get_json(&["placementclass", "default"]).unwrap();
    let vcenter = class["spec"]["vCenterName"].as_str().unwrap();
    let vcenter = stack.get_json(&["vcenter", vcenter]).unwrap();
    assert_eq!(vcenter["spec"]["credentialsSecretName"], "vcenter-credentials");
    assert_eq!(vcenter["spec"]["allowedNamespaces"]["from"], "Selector");
}

#[test]
fn a_release_lives_by_helm_3() {
    life(HelmVersion::Three);
}

#[test]
fn a_release_lives_by_helm_4() {
    life(HelmVersion::Four);
}

/// There is no kubelet: the controller is started here, as the release's service account.
#[test]
fn a_new_release_gives_the_first_placement_its_datastore() {
    let stack = cluster();
    let vcenter = vcenter(&stack, &datastores(&["vmfs-1"], 100 * GIB));
    let program = stack.helm(HelmVersion::Four).unwrap();

    let began = Instant::now();
    helm(&program, "install", &["berth", &chart_path()]).unwrap();
    let installed = began.elapsed();
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    stack.register_vcenter(&vcenter).unwrap();
    apply_default_class(&stack);
    stack.apply_yaml(&placement(TEAM, "web-01", &json!({"image": {"virtualSize": "20Gi"}}))).unwrap();
    wait_for("the first placement", || {
        Ok((stored(&stack)["status"]["datastore"]["name"] == "vmfs-1").then_some(()))
    })
    .unwrap();
    println!("helm install took {installed:?}; from its begin to the first placement: {:?}", began.elapsed());
    assert!(controller.terminate().unwrap().success());
    stack.check_aftermath().unwrap();
}

/// What the Pod of `helm test` does.
#[test]
fn a_running_controller_says_whether_it_is_ready() {
    let stack = Stack::shared_blocking().unwrap();
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    controller.wait_ready().unwrap();
    let address = format!("--address={}", controller.health_address());
    let answer = Command::new(super::berth()).args(["ready", &address]).output().unwrap();
    assert!(answer.status.success(), "{answer:?}");
    assert_eq!(answer.stdout, b"ready\n");
}

/// A user's chart with one placement.
fn users_chart(folder: &Path, namespace: &str) -> String {
    fs::create_dir_all(folder.join("templates")).unwrap();
    fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.0.0\n").unwrap();
    let manifest = placement(namespace, "web-01", &json!({"image": {"virtualSize": "20Gi"}}));
    fs::write(folder.join("templates/placement.yaml"), manifest).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// `helm install --wait` of a chart with one placement, whose status is written only when Helm waits for it.
fn install_and_wait(conditions: &[(&str, &str, &str)]) -> anyhow::Result<String> {
    let stack = Stack::shared_blocking()?;
    let namespace = stack.fresh_namespace("helm")?;
    let folder = tempfile::tempdir()?;
    let chart = users_chart(folder.path(), &namespace);
    let program = stack.helm(HelmVersion::Four)?;
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let install = scope.spawn(|| {
            let args = ["install", "web", &chart, "--namespace", &namespace, "--wait", "--timeout", "5m"];
            let answer = program.run(&args);
            ended.store(true, Ordering::SeqCst);
            answer
        });
        wait_for("Helm to watch placements", || {
            let watched = stack.audit_events()?.into_iter().any(|event| {
                let object = event.object_ref;
                event.verb == "watch"
                    && object.resource == "instanceplacements"
                    && object.namespace == namespace
            });
            Ok(watched.then_some(()))
        })
        .unwrap();
        assert!(!ended.load(Ordering::SeqCst), "it did not wait");
        write_status(&stack, &namespace, "web-01", json!({}), conditions);
        install.join().unwrap()
    })
}

#[test]
fn helm_4_waits_for_a_placement() {
    install_and_wait(&[("Ready", "True", "Placed")]).unwrap();
}

#[test]
fn helm_4_fails_on_a_stalled_placement() {
    let stalled = [("Ready", "False", "InvalidSpec"), ("Stalled", "True", "InvalidSpec")];
    let said = format!("{:#}", install_and_wait(&stalled).unwrap_err());
    assert!(said.contains("web-01") && said.contains("Failed"), "{said}");
    assert!(!said.contains("deadline exceeded"), "it fails at once, not when the time is over: {said}");
}
