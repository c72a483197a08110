//! `berth plan` and `berth explain` as a user runs them: files in, a report and an exit code out.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use berth::plan::{Explanation, ExplanationFormat};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a run has said, and its exit code.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stderr))
    }

    /// Name, reason and datastore of every placement.
    fn answers(&self) -> Vec<(String, String, String)> {
        let report = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let placements = report["placements"].as_array().unwrap().iter();
        placements
            .map(|p| (text(&p["name"]), text(&p["reason"]), text(&p["status"]["datastore"]["name"])))
            .collect()
    }
}

fn berth(folder: &Path, arguments: &[&str], stdin: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("BERTH_CLUSTER_NAME")
        .env("KUBECONFIG", "nowhere")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that does not want any input is done before it has all of it.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The files of `tests/plan` in a folder of their own.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan");
    for name in ["cluster.yaml", "instances.yaml", "vc-east.json"] {
        fs::copy(source.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// The plan of a file beside those of the cluster, as JSON.
fn plan(folder: &TempDir, name: &str, text: &str) -> Ran {
    fs::write(folder.path().join(name), text).unwrap();
    let arguments = ["plan", "-f", "cluster.yaml", "-f", name, "--inventory", "vc-east.json", "-o", "json"];
    berth(folder.path(), &arguments, "")
}

fn placement(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "berth.dev/v1alpha1", "kind": "InstancePlacement",
        "metadata": {"name": name, "namespace": "team-a"}, "spec": spec,
    })
}

fn small(name: &str) -> String {
    placement(name, &json!({"image": {"virtualSize": "1Gi"}})).to_string()
}

fn placed(name: &str, datastore: &str) -> (String, String, String) {
    (name.into(), "Placed".into(), datastore.into())
}

#[test]
fn the_exit_code_tells_whether_all_are_placed() {
    let folder = folder();
    let all = plan(&folder, "all.yaml", &small("web-01"));
    assert_eq!((all.code, all.stderr.as_str()), (0, ""));
    assert_eq!(all.answers(), [placed("web-01", "gold-1")]);
    let large = placement("web-02", &json!({"image": {"virtualSize": "9Ti"}}));
    let some = plan(&folder, "some.yaml", &format!("{}\n---\n{large}", small("web-01")));
    assert_eq!((some.code, some.stderr.as_str()), (2, ""));
    assert_eq!(some.json()["summary"], json!({"total": 2, "placed": 1, "refused": 1}));
    let wrong = berth(folder.path(), &["plan", "--no-such-flag"], "");
    assert_eq!(wrong.code, 1, "2 is a plan's own answer");
    assert!(wrong.stderr.contains("--no-such-flag"), "{}", wrong.stderr);
    let none = berth(folder.path(), &["plan"], "");
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("--filename <FILE|DIR|->"), "{}", none.stderr);
}

#[test]
fn unreadable_yaml_is_named_by_line_and_the_rest_is_planned() {
    let folder = folder();
    let text =
        format!("{}\n---\nkind: [InstancePlacement\nspec: x\n---\n{}\n", small("web-01"), small("web-02"));
    let ran = plan(&folder, "broken.yaml", &text);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.starts_with("error: broken.yaml:4:"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert_eq!(ran.answers(), [placed("web-01", "gold-1"), placed("web-02", "gold-1")]);
}

#[test]
fn an_unknown_field_is_named_with_the_nearest_known_one() {
    let folder = folder();
    let text = "apiVersion: berth.dev/v1alpha1\nkind: InstancePlacement\nmetadata:\n  name: web-01\n\
                spec:\n  image:\n    virtualSiez: 1Gi\n";
    let ran = plan(&folder, "typo.yaml", text);
    assert_eq!(ran.code, 1);
    let first = ran.stderr.lines().next().unwrap_or_default();
    assert!(first.starts_with("error: typo.yaml:7:5:"), "{}", ran.stderr);
    assert!(first.contains("virtualSiez") && first.contains("virtualSize"), "{}", ran.stderr);
    assert!(ran.answers().is_empty(), "what the API server would refuse is not placed");
}

#[test]
fn nothing_to_read_is_said() {
    let folder = folder();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let of = |argument: &str, stdin: &str| {
        berth(folder.path(), &["plan", "-f", argument, "--inventory", "vc-east.json"], stdin)
    };
    let (nothing, empty, gone) = (of("-", " \n"), of("empty", ""), of("gone.yaml", ""));
    assert_eq!((nothing.code, nothing.stderr.as_str()), (1, "error: -: standard input is empty\n"));
    assert_eq!(empty.code, 1);
    assert!(
        empty.stderr.contains("the directory has no manifests (*.yaml, *.yml, *.json)"),
        "{}",
        empty.stderr
    );
    assert_eq!((gone.code, gone.stderr.as_str()), (1, "error: gone.yaml: not found\n"));
}

#[test]
fn what_is_in_none_of_the_inputs_is_said() {
    let folder = folder();
    let spec = |field: &str, value: &str| json!({"image": {"virtualSize": "1Gi"}, field: value});
    let class =
        plan(&folder, "x.yaml", &placement("web-01", &spec("placementClassName", "gold")).to_string());
    assert_eq!(class.code, 1);
    assert!(class.stderr.contains("PlacementClass gold is in none of the inputs"), "{}", class.stderr);
    let vcenter = plan(&folder, "x.yaml", &placement("web-01", &spec("vCenterName", "vc-west")).to_string());
    // The default class is for another one.
    assert_eq!((vcenter.code, vcenter.json()["placements"][0]["reason"].as_str()), (2, Some("InvalidSpec")));
    fs::write(folder.path().join("web.yaml"), small("web-01")).unwrap();
    let alone = berth(folder.path(), &["plan", "-f", "web.yaml", "--inventory", "vc-east.json"], "");
    assert_eq!(alone.code, 1);
    assert!(alone.stderr.contains("no PlacementClass is in any of the inputs"), "{}", alone.stderr);
    let unrecorded = berth(folder.path(), &["plan", "-f", "web.yaml", "cluster.yaml"], "");
    assert_eq!(unrecorded.code, 1);
    let expected = "no --inventory is of VCenter vc-east (https://vc-east.example.com)";
    assert!(unrecorded.stderr.contains(expected), "{}", unrecorded.stderr);
}

#[test]
fn an_inventory_that_cannot_be_is_refused() {
    let folder = folder();
    let good = fs::read_to_string(folder.path().join("vc-east.json")).unwrap();
    fs::write(folder.path().join("web.yaml"), small("web-01")).unwrap();
    let refused = |text: &str| {
        fs::write(folder.path().join("other.json"), text).unwrap();
        let ran = berth(
            folder.path(),
            &["plan", "-f", "web.yaml", "cluster.yaml", "--inventory", "other.json", "-o", "json"],
            "",
        );
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        let first = ran.stderr.lines().next().unwrap_or_default().to_owned();
        assert!(first.starts_with("error: other.json: "), "{first}");
        first
    };
    let newer = refused(&good.replace("inventory/v1", "inventory/v2"));
    assert!(newer.contains("berth.dev/inventory/v2") && newer.contains("berth.dev/inventory/v1"), "{newer}");
    let truncated = refused(good.split_at(good.len() / 2).0);
    assert!(truncated.contains("line"), "{truncated}");
    let negative = refused(&good.replace("\"freeBytes\":824633720832", "\"freeBytes\":-1"));
    assert!(negative.contains("datastore-1: freeBytes is -1"), "{negative}");
    let absurd = refused(&good.replace("\"freeBytes\":824633720832", "\"freeBytes\":18446744073709551615"));
    assert!(absurd.contains("datastore-1") && absurd.contains("freeBytes"), "{absurd}");
    let twice = refused(&good.replace("datastore-2", "datastore-1"));
    assert!(twice.contains("datastore-1") && twice.contains("twice"), "{twice}");
    let text = refused("this is no inventory");
    assert!(text.contains("line 1"), "{text}");
}

#[test]
fn what_is_placed_is_respected_and_cannot_be_changed_in_passing() {
    let folder = folder();
    let spec = |gib: u64| json!({"image": {"virtualSize": "1Gi"}, "rootDisk": {"size": format!("{gib}Gi"), "provisioning": "Thick"}});
    let first = plan(&folder, "first.yaml", &placement("db-01", &spec(450)).to_string());
    assert_eq!(first.answers(), [placed("db-01", "gold-1")]);
    let mut exists = placement("db-01", &spec(450));
    exists["status"] = first.json()["placements"][0]["status"].clone();
    exists["metadata"]["uid"] = json!("u-1");
    exists["metadata"]["generation"] = json!(1);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [exists]});
    fs::write(folder.path().join("placed.yaml"), list.to_string()).unwrap();
    let with = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        let files =
            ["plan", "-f", "cluster.yaml", name, "--inventory", "vc-east.json", "--placed", "placed.yaml"];
        berth(folder.path(), &[&files[..], &["-o", "json"]].concat(), "")
    };
    let second = with("second.yaml", &placement("db-02", &spec(450)).to_string());
    assert_eq!((second.code, second.answers()), (0, vec![placed("db-02", "vmfs-1")]));
    let claimed: Vec<_> = second.json()["datastores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["claimedBeforeBytes"].clone())
        .collect();
    assert_eq!(claimed[0], json!(450_u64 << 30));
    let changed = with("changed.yaml", &placement("db-01", &spec(600)).to_string());
    assert_eq!(changed.code, 1);
    assert!(changed.stderr.contains("spec is immutable after placement"), "{}", changed.stderr);
    assert!(changed.stderr.starts_with("error: changed.yaml:1:1: "), "{}", changed.stderr);
    let mut raised = spec(100);
    raised["revision"] = json!(1);
    let raised = with("raised.yaml", &placement("db-01", &raised).to_string());
    assert_eq!((raised.code, raised.answers()), (0, vec![placed("db-01", "gold-1")]));
}

#[test]
fn pipelines_write_to_standard_input() {
    let folder = folder();
    let text = format!(
        "{}---\n# Source: chart/templates/web.yaml\n{}\n",
        fs::read_to_string(folder.path().join("cluster.yaml")).unwrap(),
        small("web-01")
    );
    let ran = berth(
        folder.path(),
        &["plan", "-f", "-", "--inventory", "vc-east=vc-east.json", "-o", "json"],
        &text,
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.answers(), [placed("web-01", "gold-1")]);
}

/// The whole way from files to files: `tests/plan/*` gives `tests/plan/expected/*`, byte for byte.
#[test]
fn what_is_expected_is_written() {
    let (folder, root) = (folder(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let written = root.join("target/plan");
    fs::create_dir_all(&written).unwrap();
    let inputs =
        ["-f", "cluster.yaml", "-f", "instances.yaml", "--inventory", "vc-east.json", "-n", "team-a"];
    let mut differ = Vec::new();
    for (name, subcommand, output, code) in [
        ("plan.txt", &["plan"][..], "table", 2),
        ("plan.json", &["plan"], "json", 2),
        ("plan.yaml", &["plan"], "yaml", 2),
        ("plan.md", &["plan"], "markdown", 2),
        ("plan.html", &["plan"], "html", 2),
        ("explain.txt", &["explain", "gold-01"], "table", 0),
        ("explain.json", &["explain", "gold-01"], "json", 0),
        ("explain.yaml", &["explain", "gold-01"], "yaml", 0),
    ] {
        let ran = berth(folder.path(), &[subcommand, &inputs, &["-o", output]].concat(), "");
        assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{name}");
        if fs::read_to_string(root.join("tests/plan/expected").join(name)).ok().as_ref() != Some(&ran.stdout)
        {
            differ.push(name);
        }
        fs::write(written.join(name), ran.stdout).unwrap();
    }
    assert!(
        differ.is_empty(),
        "{} of tests/plan/expected is not what is written now; if that is meant: cp target/plan/* tests/plan/expected/",
        differ.join(", ")
    );
}

#[test]
fn explain_shows_every_datastore_with_all_reasons() {
    let folder = folder();
    let explain = |name: &str, more: &[&str]| {
        let arguments = ["explain", name, "-n", "team-a", "-f", "cluster.yaml", "-f", "instances.yaml"];
        berth(folder.path(), &[&arguments[..], &["--inventory", "vc-east.json"], more].concat(), "")
    };
    let gold = explain("gold-01", &["-o", "json"]);
    assert_eq!((gold.code, gold.stderr.as_str()), (0, ""));
    let json = gold.json();
    assert_eq!(
        (&json["apiVersion"], &json["vCenter"]),
        (&json!("berth.dev/explanation/v1"), &json!("vc-east"))
    );
    assert_eq!(json["placement"]["reason"], "NoEligibleDatastore");
    let datastores = json["datastores"].as_array().unwrap();
    assert_eq!(datastores.len(), 6);
    let local = datastores.iter().find(|one| one["name"] == "local-1").unwrap();
    let codes: Vec<_> = local["reasons"].as_array().unwrap().iter().map(|reason| &reason["code"]).collect();
    assert_eq!(codes, ["NameNotMatched", "NotShared", "NotMountedOnHosts"]);
    let web = explain("web-01", &[]);
    assert!(
        web.stdout.starts_with("team-a/web-01: Placed\nselected gold-1 (3 of 6 eligible)"),
        "{}",
        web.stdout
    );
    assert!(
        web.stdout.contains("\n1      gold-1      VVOL   2026-11-26T08:00:00Z   selected"),
        "{}",
        web.stdout
    );
    let nobody = explain("web-99", &[]);
    assert_eq!(nobody.code, 1);
    assert_eq!(nobody.stderr, "error: there is no InstancePlacement web-99 in namespace team-a\n");
    let alone = berth(folder.path(), &["explain", "web-01", "--inventory", "vc-east.json"], "");
    assert_eq!(alone.code, 1);
    assert!(alone.stderr.contains("set KUBECONFIG, or name the manifests with -f"), "{}", alone.stderr);
}

#[test]
fn a_shell_completes_the_arguments() {
    let folder = folder();
    let script = berth(folder.path(), &["completion", "bash"], "");
    assert_eq!(script.code, 0);
    for word in ["plan", "explain", "inventory", "--placed", "markdown"] {
        assert!(script.stdout.contains(word), "{word}");
    }
    let syntax = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn();
    let mut bash = syntax.unwrap();
    bash.stdin.take().unwrap().write_all(script.stdout.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn what_explain_writes_for_programs_can_be_read_back() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/expected/explain.json");
    let text = std::fs::read_to_string(path).unwrap();
    let read = Explanation::from_json(&text).unwrap();
    assert_eq!(read.render(ExplanationFormat::Json).unwrap(), text);
    for nonsense in ["", "{}", "[]", &text.replace("explanation/v1", "explanation/v2")] {
        assert!(Explanation::from_json(nonsense).is_err(), "{nonsense}");
    }
}
