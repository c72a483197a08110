//! What Helm makes of `charts/berth`, without a cluster, and what the tools of those who review it say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::stack::{Helm, HelmVersion, Stack, chart, program};

const NAMESPACE: &str = "berth-system";
const DEFAULT: &str = "default-values.yaml";
const EVERYTHING: &str = "everything-values.yaml";
const HA: &str = "ha-values.yaml";
const OPENSHIFT: &str = "openshift-values.yaml";
const SINGLE_NAMESPACE: &str = "single-namespace-values.yaml";
/// Every file of `charts/berth/ci`.
const CI: [&str; 5] = [DEFAULT, EVERYTHING, HA, OPENSHIFT, SINGLE_NAMESPACE];
/// Kinds that an API server has only by CRDs of others.
const MONITORING: [&str; 3] = ["PodMonitor", "PrometheusRule", "ServiceMonitor"];

pub(crate) fn chart_path() -> String {
    chart().to_str().unwrap().to_owned()
}

fn helm(version: HelmVersion) -> &'static Helm {
    const HOME: &str = env!("CARGO_TARGET_TMPDIR");
    static THREE: LazyLock<Helm> = LazyLock::new(|| Helm::new(HelmVersion::Three, HOME.as_ref()).unwrap());
    static FOUR: LazyLock<Helm> = LazyLock::new(|| Helm::new(HelmVersion::Four, HOME.as_ref()).unwrap());
    match version {
        HelmVersion::Three => &THREE,
        HelmVersion::Four => &FOUR,
    }
}

pub(crate) fn ci(file: &str) -> String {
    chart().join("ci").join(file).to_str().unwrap().to_owned()
}

/// `helm template` with more arguments.
fn template(version: HelmVersion, args: &[&str]) -> anyhow::Result<String> {
    let chart = chart_path();
    helm(version).run(&[&["template", "berth", &chart, "--namespace", NAMESPACE], args].concat())
}

/// The objects of a stream of YAML documents.
fn objects(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// The chart's objects with the values of a file in `ci/`.
fn rendered(file: &str) -> Vec<Value> {
    objects(&template(HelmVersion::Four, &["--values", &ci(file)]).unwrap())
}

/// The chart's objects with values given by `--set`.
fn with(values: &str) -> Vec<Value> {
    objects(&template(HelmVersion::Four, &["--set", values]).unwrap())
}

/// Why Helm refuses values given by `--set`.
fn refusal(values: &str) -> String {
    format!("{:#}", template(HelmVersion::Four, &["--set", values]).unwrap_err())
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

fn of_kind<'a>(objects: &'a [Value], wanted: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| kind(object) == wanted).collect()
}

fn only<'a>(objects: &'a [Value], wanted: &str) -> &'a Value {
    let found = of_kind(objects, wanted);
    assert_eq!(found.len(), 1, "{wanted}");
    found[0]
}

fn container(objects: &[Value]) -> &Value {
    &only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
}

/// The Pods of a rendering, as the Deployment's template or by themselves: labels and spec.
fn pods(objects: &[Value]) -> Vec<(&Value, &Value)> {
    let template = &only(objects, "Deployment")["spec"]["template"];
    let test = only(objects, "Pod");
    [template, test].iter().map(|pod| (&pod["metadata"]["labels"], &pod["spec"])).collect()
}

#[test]
fn every_file_of_ci_is_tested() {
    let mut files: Vec<_> = fs::read_dir(chart().join("ci"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, CI);
}

#[test]
fn lint_has_nothing_to_say() {
    for version in [HelmVersion::Three, HelmVersion::Four] {
        for file in CI {
            let said =
                helm(version).run(&["lint", "--strict", &chart_path(), "--values", &ci(file)]).unwrap();
            let told: Vec<_> = said.lines().filter(|line| line.starts_with('[')).collect();
            assert_eq!(told, ["[INFO] Chart.yaml: icon is recommended"], "{version:?} {file}");
        }
    }
}

#[test]
fn both_helms_render_the_same() {
    let sorted = |version, file| {
        let mut objects = objects(&template(version, &["--values", &ci(file)]).unwrap());
        objects.sort_by_key(ToString::to_string);
        objects
    };
    for file in CI {
        let (three, four) = (sorted(HelmVersion::Three, file), sorted(HelmVersion::Four, file));
        assert!(three == four, "{file}");
        assert_eq!(three, sorted(HelmVersion::Three, file), "{file}: the same again");
        assert!(three.len() > 10, "{file}");
        let names: BTreeSet<_> = three.iter().map(|object| (kind(object), name(object))).collect();
        assert_eq!(names.len(), three.len(), "{file}: every object once");
    }
}

#[test]
fn kubernetes_1_33_is_needed_and_a_vendors_suffix_no_hindrance() {
    let on = |version| template(HelmVersion::Three, &["--kube-version", version]);
    assert!(format!("{:#}", on("1.32.9").unwrap_err()).contains(">=1.33.0-0"));
    on("v1.33.0-gke.1").unwrap();
    on("1.36.3").unwrap();
}

#[test]
fn every_object_has_the_standard_labels() {
    for file in CI {
        let objects = rendered(file);
        for object in objects.iter().filter(|object| !name(object).starts_with("berth-note")) {
            let labels = &object["metadata"]["labels"];
            if file == EVERYTHING && name(object) == "berth-text" {
                continue;
            }
            assert_eq!(labels["app.kubernetes.io/name"], "berth");
            assert_eq!(labels["app.kubernetes.io/instance"], "berth");
            assert_eq!(labels["app.kubernetes.io/version"], env!("CARGO_PKG_VERSION"));
            assert_eq!(labels["app.kubernetes.io/part-of"], "berth");
            assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm");
            assert_eq!(labels["helm.sh/chart"], concat!("berth-", env!("CARGO_PKG_VERSION")));
            assert!(labels["app.kubernetes.io/component"].is_string());
            assert_eq!(labels["team"] == "platform", file == EVERYTHING, "{file} {}", name(object));
        }
    }
}

#[test]
fn common_labels_win_but_not_over_what_selectors_select() {
    let objects = with(
        "commonLabels.app\\.kubernetes\\.io/part-of=cloud,commonLabels.app\\.kubernetes\\.io/name=other,\
         podLabels.app\\.kubernetes\\.io/component=other",
    );
    let deployment = only(&objects, "Deployment");
    assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/part-of"], "cloud");
    assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/name"], "berth");
    let pod = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(pod["app.kubernetes.io/component"], "controller");
}

/// Everything that selects Pods selects the controller's, all of them, and not the test's.
#[test]
fn selectors_select_the_controller_alone() {
    for file in [HA, EVERYTHING] {
        let objects = rendered(file);
        let pods = pods(&objects);
        let pod = &only(&objects, "Deployment")["spec"]["template"]["spec"];
        let selectors = [
            &only(&objects, "Deployment")["spec"]["selector"]["matchLabels"],
            &only(&objects, "Service")["spec"]["selector"],
            &only(&objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            &only(&objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
            &pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
        ];
        let selects = |selector: &Value, labels: &Value| {
            selector.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value)
        };
        for selector in selectors {
            assert_eq!(selector.as_object().unwrap().len(), 3, "{selector}");
            let selected: Vec<_> = pods.iter().map(|(labels, _)| selects(selector, labels)).collect();
            assert_eq!(selected, [true, false], "{selector}");
        }
    }
}

#[test]
fn every_pod_is_restricted() {
    for file in CI {
        for (_, pod) in pods(&rendered(file)) {
            let security = &pod["securityContext"];
            assert_eq!(security["runAsNonRoot"], true);
            assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
            for field in ["runAsUser", "runAsGroup", "fsGroup"] {
                let expected = if file == OPENSHIFT { Value::Null } else { json!(65532) };
                assert_eq!(security[field], expected, "{file}");
                assert_eq!(security.get(field).is_some(), file != OPENSHIFT, "absent, not null");
            }
            assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
            let container = &pod["containers"][0]["securityContext"];
            assert_eq!(container["allowPrivilegeEscalation"], false);
            assert_eq!(container["readOnlyRootFilesystem"], true);
            assert_eq!(container["capabilities"], json!({"drop": ["ALL"]}));
            for field in ["hostNetwork", "hostPID", "hostIPC"] {
                assert_eq!(pod.get(field), None);
            }
        }
    }
}

#[test]
fn security_cannot_be_weakened_by_values() {
    for values in [
        "podSecurityContext.runAsNonRoot=false",
        "securityContext.allowPrivilegeEscalation=true",
        "securityContext.privileged=true",
        "podSecurityContext.seccompProfile.type=Unconfined",
    ] {
        let (path, _) = values.split_once('=').unwrap();
        let said = refusal(values);
        assert!(said.contains(&format!("at '/{}'", path.replace('.', "/"))), "{said}");
    }
}

#[test]
fn the_controllers_arguments_are_the_values() {
    let args = |objects: &[Value]| {
        let args = container(objects)["args"].as_array().unwrap();
        args.iter().map(|arg| arg.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        args(&rendered(DEFAULT)),
        [
            "controller",
            "--namespace=berth-system",
            "--log-level=info",
            "--log-format=text",
            "--leader-elect-lease-duration=15s",
            "--leader-elect-renew-deadline=10s",
            "--leader-elect-retry-period=2s",
        ]
    );
    let single = args(&rendered(SINGLE_NAMESPACE));
    assert_eq!(single[2..4], ["--cluster-name=east-1", "--watch-namespaces=team-a"]);
    let everything = rendered(EVERYTHING);
    assert_eq!(
        args(&everything)[3..],
        [
            "--watch-namespaces=team-a,team-b",
            "--log-level=debug",
            "--log-format=json",
            "--leader-elect-lease-duration=60s",
            "--leader-elect-renew-deadline=40s",
            "--leader-elect-retry-period=15s",
            "--metrics-bind-address=[::]:8080",
        ]
    );
    let env = container(&everything)["env"].as_array().unwrap();
    let identity = json!({"fieldRef": {"fieldPath": "metadata.name"}});
    assert_eq!(env[0], json!({"name": "BERTH_LEADER_ELECT_IDENTITY", "valueFrom": identity}));
    let more: Vec<_> = env[1..].iter().map(|variable| &variable["name"]).collect();
    assert_eq!(more, ["SSL_CERT_FILE", "BERTH_ZONE"]);
}

/// The program takes the arguments that the chart gives it; help is what comes after they are all understood.
#[test]
fn the_program_understands_its_arguments() {
    for file in CI {
        for (_, pod) in pods(&rendered(file)) {
            let container = &pod["containers"][0];
            let args = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
            let output = Command::new(super::berth()).args(args).arg("--help").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{file}: {said}");
        }
    }
}

#[test]
fn several_replicas_are_spread_and_kept() {
    for (replicas, several) in [(0, false), (1, false), (2, true), (5, true)] {
        let objects = with(&format!("replicaCount={replicas}"));
        let pod = &only(&objects, "Deployment")["spec"]["template"]["spec"];
        assert_eq!(only(&objects, "Deployment")["spec"]["replicas"], replicas);
        assert_eq!(of_kind(&objects, "PodDisruptionBudget").len(), usize::from(several), "{replicas}");
        assert_eq!(pod.get("affinity").is_some(), several);
        assert_eq!(pod.get("topologySpreadConstraints").is_some(), several);
    }
    assert_eq!(
        of_kind(&with("replicaCount=2,podDisruptionBudget.enabled=false"), "PodDisruptionBudget").len(),
        0
    );
    let objects = rendered(HA);
    let budget = &only(&objects, "PodDisruptionBudget")["spec"];
    assert_eq!(budget["maxUnavailable"], 1);
    assert_eq!(budget["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    let everything = rendered(EVERYTHING);
    let pod = &only(&everything, "Deployment")["spec"]["template"]["spec"];
    let affinity = &pod["affinity"]["podAntiAffinity"];
    assert!(affinity.get("preferredDuringSchedulingIgnoredDuringExecution").is_none(), "{affinity}");
    assert_eq!(pod["topologySpreadConstraints"][0]["whenUnsatisfiable"], "DoNotSchedule");
}

#[test]
fn probes_ask_different_questions() {
    let objects = rendered(DEFAULT);
    let container = container(&objects);
    let path = |probe: &str| &container[probe]["httpGet"]["path"];
    assert_eq!(path("livenessProbe"), "/livez");
    assert_eq!(path("startupProbe"), "/livez");
    assert_eq!(path("readinessProbe"), "/readyz");
    for probe in ["livenessProbe", "startupProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "health");
    }
    assert_eq!(container["ports"][1], json!({"name": "health", "containerPort": 8081, "protocol": "TCP"}));
}

#[test]
fn a_digest_wins_over_a_tag_and_a_tag_over_the_version() {
    let image = |values: &str| container(&with(values))["image"].as_str().unwrap().to_owned();
    let digest = format!("sha256:{}", "ab".repeat(32));
    assert_eq!(image("replicaCount=1"), concat!("berth:", env!("CARGO_PKG_VERSION")));
    assert_eq!(image("image.tag=1.2.3,image.registry=r.example:5000"), "r.example:5000/berth:1.2.3");
    assert_eq!(
        image(&format!("image.tag=1.2.3,image.digest={digest},image.repository=a/berth")),
        format!("a/berth@{digest}")
    );
    assert!(refusal("image.digest=sha256:short").contains("at '/image/digest'"));
    let objects = rendered(EVERYTHING);
    for (_, pod) in pods(&objects) {
        assert_eq!(pod["containers"][0]["image"], "registry.example.com:5000/platform/berth:1.2.3");
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    }
}

#[test]
fn crds_are_those_of_the_crate_with_labels_and_annotations_only() {
    let crds = |objects: &[Value]| {
        of_kind(objects, "CustomResourceDefinition").into_iter().cloned().collect::<Vec<_>>()
    };
    for (file, annotations) in [
        (DEFAULT, json!({"helm.sh/resource-policy": "keep"})),
        (EVERYTHING, json!({"argocd.argoproj.io/sync-options": "ServerSideApply=true"})),
    ] {
        let mut found = crds(&rendered(file));
        for crd in &mut found {
            let metadata = crd["metadata"].as_object_mut().unwrap();
            assert_eq!(metadata.remove("annotations"), Some(annotations.clone()), "{file}");
            metadata.remove("labels").unwrap();
        }
        found.sort_by_key(ToString::to_string);
        let mut expected = berth::api::crds();
        expected.sort_by_key(ToString::to_string);
        assert!(found == expected, "{file}");
    }
    assert!(crds(&with("crds.enabled=false")).is_empty());
}

#[test]
fn rights_go_to_the_service_account_of_the_pod() {
    for file in CI {
        let objects = rendered(file);
        let account = &only(&objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"];
        assert_eq!(only(&objects, "ServiceAccount")["metadata"]["name"], *account);
        let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE});
        for binding in ["ClusterRoleBinding", "RoleBinding"] {
            assert_eq!(only(&objects, binding)["subjects"], json!([subject]), "{file}");
        }
        let flow = &only(&objects, "FlowSchema")["spec"]["rules"][0]["subjects"][0]["serviceAccount"];
        assert_eq!(*flow, json!({"name": account, "namespace": NAMESPACE}));
    }
    let without = with(
        "rbac.create=false,rbac.aggregateRoles=false,serviceAccount.create=false,serviceAccount.name=mine,\
         flowSchema.enabled=false",
    );
    for kind in ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ServiceAccount", "FlowSchema"] {
        assert!(of_kind(&without, kind).is_empty(), "{kind}");
    }
    let pod = &only(&without, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], "mine");
}

#[test]
fn aggregated_roles_are_about_placements_alone() {
    let objects = rendered(DEFAULT);
    let roles: Vec<_> = of_kind(&objects, "ClusterRole")
        .into_iter()
        .filter(|role| role["metadata"]["labels"].to_string().contains("aggregate-to"))
        .collect();
    assert_eq!(roles.len(), 2);
    for role in roles {
        for rule in role["rules"].as_array().unwrap() {
            assert_eq!(rule["apiGroups"], json!(["berth.dev"]));
            assert_eq!(rule["resources"], json!(["instanceplacements"]));
            assert!(!rule["verbs"].to_string().contains('*'));
        }
    }
    let single = rendered(SINGLE_NAMESPACE);
    assert_eq!(of_kind(&single, "ClusterRole").len(), 1);
}

#[test]
fn nothing_optional_is_there_unasked() {
    let objects = rendered(DEFAULT);
    let kinds: BTreeSet<_> = objects.iter().map(kind).collect();
    let expected = BTreeSet::from([
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Deployment",
        "FlowSchema",
        "Pod",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
    ]);
    assert_eq!(kinds, expected);
    assert_eq!(name(only(&objects, "Pod")), "berth-ready");
    assert_eq!(only(&objects, "Pod")["metadata"]["annotations"]["helm.sh/hook"], "test");
}

#[test]
fn monitoring_is_rendered_when_asked_for_unless_told_to_look() {
    let everything = rendered(EVERYTHING);
    only(&everything, "ServiceMonitor");
    only(&everything, "PrometheusRule");
    only(&with("podMonitor.enabled=true"), "PodMonitor");
    assert!(
        refusal("podMonitor.enabled=true,serviceMonitor.enabled=true")
            .contains("serviceMonitor.enabled and podMonitor.enabled would scrape everything twice")
    );
    for (known, count) in [(&[][..], 0), (&["--api-versions", "monitoring.coreos.com/v1"][..], 1)] {
        let values = ci(EVERYTHING);
        let look = ["--values", &values, "--set", "monitoring.renderMode=skipIfMissing"];
        let objects = objects(&template(HelmVersion::Four, &[&look[..], known].concat()).unwrap());
        for kind in ["ServiceMonitor", "PrometheusRule"] {
            assert_eq!(of_kind(&objects, kind).len(), count, "{kind} {known:?}");
        }
        assert_eq!(of_kind(&objects, "PodMonitor").len(), 0);
    }
}

#[test]
fn a_monitor_scrapes_the_port_that_exists() {
    let objects = rendered(EVERYTHING);
    let monitor = only(&objects, "ServiceMonitor");
    let endpoint = &monitor["spec"]["endpoints"][0];
    let ports = only(&objects, "Service")["spec"]["ports"].as_array().unwrap();
    assert!(ports.iter().any(|port| port["name"] == endpoint["port"]), "{endpoint}");
    assert_eq!((&endpoint["interval"], &endpoint["scrapeTimeout"]), (&json!("30s"), &json!("10s")));
    assert_eq!(endpoint["relabelings"][0]["targetLabel"], "node");
    assert_eq!(endpoint["metricRelabelings"][0]["action"], "drop");
    let objects = with("podMonitor.enabled=true");
    let endpoint = &only(&objects, "PodMonitor")["spec"]["podMetricsEndpoints"][0];
    let ports = container(&objects)["ports"].as_array().unwrap();
    assert!(ports.iter().any(|port| port["name"] == endpoint["port"]), "{endpoint}");
}

#[test]
fn alerts_are_those_of_the_file_with_what_values_add() {
    let file = fs::read_to_string(chart().join("files/alerts.yaml")).unwrap();
    let alerts: BTreeMap<String, Value> = serde_saphyr::from_str(&file).unwrap();
    let rules = |objects: &[Value]| {
        let groups = &only(objects, "PrometheusRule")["spec"]["groups"];
        groups[0]["rules"].as_array().unwrap().clone()
    };
    for (objects, added) in [(with("prometheusRule.enabled=true"), false), (rendered(EVERYTHING), true)] {
        let rules = rules(&objects);
        assert_eq!(rules.len(), alerts.len());
        for (rule, (name, alert)) in rules.iter().zip(&alerts) {
            let mut expected = alert.clone();
            expected["alert"] = json!(name);
            if added {
                expected["labels"]["team"] = json!("platform");
                expected["annotations"]["runbook_url"] =
                    json!(format!("https://runbooks.example.com/berth/{name}"));
            }
            assert_eq!(*rule, expected);
        }
    }
    let names: Vec<_> = alerts.keys().map(String::as_str).collect();
    let without = format!("prometheusRule.enabled=true,prometheusRule.disabledAlerts={{{}}}", names[0]);
    assert_eq!(rules(&with(&without)).len(), alerts.len() - 1);
    let none = format!("prometheusRule.enabled=true,prometheusRule.disabledAlerts={{{}}}", names.join(","));
    assert_eq!(rules(&with(&none)), [json!(null); 0]);
    let said = refusal("prometheusRule.enabled=true,prometheusRule.disabledAlerts={BerthAbsnt}");
    assert!(said.contains("there is no alert BerthAbsnt; there are ") && said.contains(names[0]), "{said}");
}

#[test]
fn the_dashboard_is_the_file() {
    let objects = rendered(EVERYTHING);
    let map = objects.iter().find(|object| name(object) == "datastores-dashboard").unwrap();
    let shipped = fs::read_to_string(chart().join("files/dashboard.json")).unwrap();
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parse(map["data"]["berth.json"].as_str().unwrap()), parse(&shipped));
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(map["metadata"]["annotations"]["grafana_folder"], "Storage");
}

#[test]
fn a_network_policy_lets_out_what_is_listed() {
    let objects = rendered(EVERYTHING);
    let policy = &only(&objects, "NetworkPolicy")["spec"];
    let egress = policy["egress"].as_array().unwrap();
    let addresses: Vec<_> = egress
        .iter()
        .map(|rule| {
            let to = rule["to"].as_array().into_iter().flatten();
            to.filter_map(|peer| peer["ipBlock"]["cidr"].as_str()).collect::<Vec<_>>()
        })
        .collect();
    let expected: [&[&str]; 5] =
        [&[], &["10.0.0.1/32"], &["192.0.2.10/32", "2001:db8::10/128"], &["198.51.100.0/24"], &[]];
    assert_eq!(addresses, expected);
    assert_eq!(egress[0]["ports"].as_array().unwrap().len(), 2, "DNS");
    assert_eq!(policy["ingress"][0]["from"].as_array().unwrap().len(), 1);
    // Nobody asked for hosts of images.
    let objects = rendered(HA);
    assert_eq!(only(&objects, "NetworkPolicy")["spec"]["egress"].as_array().unwrap().len(), 3);
}

#[test]
fn extra_objects_are_rendered_as_templates() {
    let objects = rendered(EVERYTHING);
    let notes: BTreeSet<_> = of_kind(&objects, "ConfigMap").into_iter().map(name).collect();
    assert_eq!(notes, BTreeSet::from(["berth-note", "berth-text", "datastores-dashboard"]));
}

#[test]
fn no_credentials_are_rendered() {
    for file in CI {
        // Two kinds speak of them, to people.
        let speaks = |object: &Value| ["CustomResourceDefinition", "PrometheusRule"].contains(&kind(object));
        for object in rendered(file).iter().filter(|object| !speaks(object)) {
            assert!(kind(object) != "Secret" && !object.to_string().contains("password"), "{file}: {object}");
        }
    }
}

/// A place in the values: keys, and `0` for the first element of a list.
type Keys = Vec<String>;

/// Walks a schema; collects the places of maps that take no other keys than those they name, and the JSON
/// pointers of those that do.
fn walk(root: &Value, schema: &Value, path: &[String], closed: &mut Vec<Keys>, open: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let below = |key: &str| [path, &[key.to_owned()]].concat();
    if let Some(items) = schema.get("items") {
        walk(root, items, &below("0"), closed, open);
    }
    let types = schema["type"].to_string();
    if !types.contains("\"object\"") {
        return;
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => closed.push(path.to_vec()),
        // A map from names of any kind to something simple.
        Some(Value::Object(_)) => {}
        _ => open.push(format!("/{}", path.join("/"))),
    }
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(root, property, &below(key), closed, open);
    }
}

/// Puts a key that nobody knows into the values at a path.
fn misspell(values: &mut Value, path: &[String]) {
    match path.split_first() {
        None => values["misspelt"] = json!(1),
        Some((first, rest)) if first == "0" => {
            if !values.is_array() {
                *values = json!([{}]);
            }
            misspell(&mut values[0], rest);
        }
        Some((first, rest)) => misspell(&mut values[first.as_str()], rest),
    }
}

#[test]
fn a_misspelt_key_is_refused_by_name_at_every_level() {
    let text = fs::read_to_string(chart().join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let (mut closed, mut open) = (Vec::new(), Vec::new());
    walk(&schema, &schema, &[], &mut closed, &mut open);
    assert!(closed.len() > 40, "{}", closed.len());
    // What belongs to Kubernetes or to the chart around this one, and is checked by them.
    open.sort();
    assert_eq!(
        open,
        [
            "/affinity/nodeAffinity",
            "/affinity/podAffinity",
            "/affinity/podAntiAffinity",
            "/extraEnv/0/valueFrom/resourceFieldRef",
            "/extraObjects/0",
            "/extraVolumes/0",
            "/global",
        ]
    );
    let mut values = json!({});
    for level in &closed {
        misspell(&mut values, level);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), values.to_string()).unwrap();
    for version in [HelmVersion::Three, HelmVersion::Four] {
        let said =
            format!("{:#}", template(version, &["--values", file.path().to_str().unwrap()]).unwrap_err());
        for level in &closed {
            let at = level.iter().flat_map(|key| ["/", key]).collect::<String>();
            let line = format!("- at '{at}': additional properties 'misspelt' not allowed");
            assert!(said.lines().any(|told| told.trim() == line), "{version:?}: {line}\n{said}");
        }
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (values, at) in [
        ("logLevel=loud", "/logLevel"),
        ("fullnameOverride=a.b", "/fullnameOverride"),
        ("logFormat=xml", "/logFormat"),
        ("replicaCount=two", "/replicaCount"),
        ("leaderElection.leaseDuration=15", "/leaderElection/leaseDuration"),
        ("watchNamespaces={Team_A}", "/watchNamespaces/0"),
        ("credentialsSecretName=", "/credentialsSecretName"),
        ("image.registry=https://r.example", "/image/registry"),
        ("monitoring.renderMode=maybe", "/monitoring/renderMode"),
        ("networkPolicy.vCenter.cidrs={vc-east}", "/networkPolicy/vCenter/cidrs/0"),
        ("terminationGracePeriodSeconds=1", "/terminationGracePeriodSeconds"),
    ] {
        let said = refusal(values);
        assert!(said.contains(&format!("at '{at}'")), "{values}: {said}");
    }
}

/// Schemas of the kinds that a rendering has, written as kubeconform wants them, from the API server's own
/// description. What the description does not name is refused.
fn write_schemas(stack: &Stack, objects: &[Value], folder: &Path) {
    let raw = |path: &str| -> Value {
        serde_json::from_str(&stack.kubectl(&["get", "--raw", path], None).unwrap()).unwrap()
    };
    let index = raw("/openapi/v3");
    let versions: BTreeSet<_> = objects.iter().map(|object| object["apiVersion"].as_str().unwrap()).collect();
    for version in versions {
        let path = if version.contains('/') { format!("apis/{version}") } else { format!("api/{version}") };
        let Some(url) = index["paths"][&path]["serverRelativeURL"].as_str() else { continue };
        let mut schemas = raw(url)["components"]["schemas"].take();
        for schema in schemas.as_object_mut().unwrap().values_mut() {
            let known = schema.get("properties").is_some();
            if known && schema.get("x-kubernetes-preserve-unknown-fields") != Some(&json!(true)) {
                schema["additionalProperties"] = json!(false);
            }
        }
        let schemas = json!({"schemas": schemas});
        let names = schemas["schemas"].as_object().unwrap();
        for (schema_name, schema) in names {
            for gvk in schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
                let kind = gvk["kind"].as_str().unwrap();
                if objects.iter().any(|o| o["kind"] == kind && o["apiVersion"] == version) {
                    let reference = format!("#/components/schemas/{schema_name}");
                    let document = json!({"$ref": reference, "components": schemas});
                    // kubeconform calls the core group by its version.
                    let (group, version) = version.split_once('/').unwrap_or((version, version));
                    let file = folder.join(format!("{group}_{version}_{}.json", kind.to_lowercase()));
                    fs::write(file, document.to_string()).unwrap();
                }
            }
        }
    }
}

#[test]
fn kubeconform_finds_every_object_as_the_api_server_describes_it() {
    let stack = Stack::shared_blocking().unwrap();
    let kubeconform = program("kubeconform", "kubeconform").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for file in CI {
        let text = template(HelmVersion::Four, &["--values", &ci(file)]).unwrap();
        write_schemas(&stack, &objects(&text), folder.path());
        let manifest = folder.path().join("manifest.yaml");
        let check = |text: &str| {
            fs::write(&manifest, text).unwrap();
            let output = Command::new(&kubeconform)
                .args(["-output", "json", "-summary", "-skip", &MONITORING.join(",")])
                .arg("-schema-location")
                .arg(folder.path().join("{{ .Group }}_{{ .ResourceAPIVersion }}_{{ .ResourceKind }}.json"))
                .arg(&manifest)
                .output()
                .unwrap();
            let report: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
            (output.status.success(), report)
        };
        let (valid, report) = check(&text);
        assert!(valid, "{file}: {report:#}");
        let all = objects(&text);
        let skipped = all.iter().filter(|object| MONITORING.contains(&kind(object))).count();
        let summary = &report["summary"];
        assert_eq!(summary["skipped"], skipped, "{file}");
        assert_eq!(summary["valid"], all.len() - skipped, "{file}");
        let (valid, report) = check(&text.replace("automountServiceAccountToken: true", "autoMount: true"));
        assert!(!valid && report.to_string().contains("autoMount"), "it would not notice: {report}");
    }
}

#[test]
fn kube_score_has_nothing_critical_to_say() {
    // Why a finding is right for these values.
    let plain = [
        "container-image-pull-policy", // the tag of a release does not move
        "pod-networkpolicy",           // off unless asked for
    ];
    let exempt = |file: &str| -> Vec<&str> {
        match file {
            // Clean without exception.
            HA | EVERYTHING => Vec::new(),
            // Users are chosen by the namespace.
            OPENSHIFT => [&plain[..], &["container-security-context-user-group-id"]].concat(),
            _ => plain.to_vec(),
        }
    };
    let kube_score = program("kube-score", "kube-score").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for file in CI {
        // The test's Pod lives for a second and is no one's to reach.
        let text = template(HelmVersion::Four, &["--values", &ci(file), "--skip-tests"]).unwrap();
        let manifest = folder.path().join(file);
        fs::write(&manifest, text).unwrap();
        let output = Command::new(&kube_score)
            .args(["score", "--output-format", "json", "--kubernetes-version", "v1.36"])
            // Throttled renewals would lose the Lease.
            .arg("--ignore-container-cpu-limit")
            .arg(&manifest)
            .output()
            .unwrap();
        let report: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert!(report.iter().any(|object| object["type_meta"]["kind"] == "Deployment"), "{file}");
        let mut critical = BTreeSet::new();
        for object in &report {
            for check in object["checks"].as_array().into_iter().flatten() {
                if check["skipped"] == false && check["grade"] == 1 {
                    critical.insert(check["check"]["id"].as_str().unwrap());
                }
            }
        }
        assert_eq!(critical, exempt(file).into_iter().collect(), "{file}: {report:#?}");
    }
}
