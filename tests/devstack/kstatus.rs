//! What kstatus itself makes of every status that Berth writes: Flux, `helm --wait` and many others wait by it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::main_job::placement;
use crate::stack::{Stack, program};
use crate::statuses::{KINDS, Outcome, committed, outcome};

/// The situations that the table of conditions names, and the sample that shows each.
const SITUATIONS: [(&str, &str, &str); 23] = [
    ("just created", "InstancePlacement/created", "InProgress"),
    ("edited, not seen by Berth yet", "InstancePlacement/placed-edited", "InProgress"),
    ("datastore selected", "InstancePlacement/placed", "Current"),
    // Nothing that happens later changes what a decided status says: no flapping.
    ("vCenter silent, selected earlier", "InstancePlacement/placed", "Current"),
    ("suspended after it was decided", "InstancePlacement/placed", "Current"),
    ("datastore selected, the instance did not appear", "InstancePlacement/placed-room-expired", "Current"),
    ("nothing fits now, may change", "InstancePlacement/no-eligible-datastore", "InProgress"),
    ("nothing fits a new revision", "InstancePlacement/no-eligible-datastore-again", "InProgress"),
    ("vCenter silent, nothing selected", "InstancePlacement/vcenter-unavailable", "InProgress"),
    ("a class is missing", "InstancePlacement/class-not-found", "InProgress"),
    ("a class cannot be used", "InstancePlacement/class-invalid", "InProgress"),
    ("a VCenter is missing or not allowed", "InstancePlacement/vcenter-not-allowed", "InProgress"),
    ("several VCenters", "InstancePlacement/ambiguous-vcenter", "InProgress"),
    ("a decision is due", "InstancePlacement/pending", "InProgress"),
    ("suspended before it was decided", "InstancePlacement/suspended", "InProgress"),
    ("cannot succeed without an edit", "InstancePlacement/invalid-spec", "Failed"),
    ("root disk too small", "InstancePlacement/root-disk-smaller-than-image", "Failed"),
    ("past its deadline", "InstancePlacement/deadline-exceeded", "Failed"),
    ("vCenter just registered", "VCenter/created", "InProgress"),
    ("vCenter connected", "VCenter/connected", "Current"),
    ("vCenter silent", "VCenter/connection-failed", "InProgress"),
    ("vCenter with a bad CA", "VCenter/invalid-spec", "Failed"),
    ("vCenter registered twice", "VCenter/duplicate-vcenter", "Failed"),
];

/// One line of the program's answer.
#[derive(Deserialize)]
struct Answer {
    status: String,
    message: String,
}

/// What the library says of objects.
fn kstatus(objects: &[Value]) -> Vec<Answer> {
    let mut program = Command::new(program("kstatus", "kstatus").unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    let lines = objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = program.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), objects.len());
    answers
}

/// Every committed sample by its name, with its object.
fn samples() -> BTreeMap<String, Value> {
    let of = |kind| committed(kind).into_iter().map(move |(name, object)| (format!("{kind}/{name}"), object));
    KINDS.into_iter().flat_map(of).collect()
}

#[test]
fn every_status_means_what_the_table_of_conditions_says() {
    let samples = samples();
    let objects: Vec<_> = samples.values().cloned().collect();
    let answers: BTreeMap<_, _> = samples.keys().zip(kstatus(&objects)).collect();
    for (situation, sample, expected) in SITUATIONS {
        assert_eq!(answers[&sample.to_owned()].status, expected, "{situation}: {sample}");
    }
    let mut seen = BTreeSet::new();
    for (name, object) in &samples {
        let expected = match outcome(object).unwrap() {
            Outcome::Current => "Current",
            Outcome::InProgress => "InProgress",
            Outcome::Failed => "Failed",
        };
        let Answer { status, message } = &answers[name];
        assert_eq!(status, expected, "{name}: {message}");
        seen.insert(expected);
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}

/// The message is what a waiting tool shows: Berth's own words where there are any.
#[test]
fn the_message_is_berths_own() {
    let samples = samples();
    let waiting = &samples["InstancePlacement/no-eligible-datastore"];
    let failed = &samples["InstancePlacement/invalid-spec"];
    let answers = kstatus(&[waiting.clone(), failed.clone()]);
    for (answer, object) in answers.iter().zip([waiting, failed]) {
        assert_eq!(answer.message, object["status"]["conditions"][0]["message"].as_str().unwrap());
    }
}

/// As the API server gives it: the default of the status is what keeps waiting tools from passing at once.
#[test]
fn what_no_controller_has_seen_is_in_progress() {
    let stack = Stack::shared_blocking().unwrap();
    let namespace = stack.fresh_namespace("fresh").unwrap();
    let spec = json!({"rootDisk": {"size": "1Gi"}});
    stack.apply_yaml(&placement(&namespace, "web", &spec)).unwrap();
    let vcenter = json!({
        "apiVersion": "berth.dev/v1alpha1", "kind": "VCenter", "metadata": {"name": "vc-east"},
        "spec": {"server": "https://vc-east.example.com", "credentialsSecretName": "vc-east"},
    });
    stack.apply_yaml(&vcenter.to_string()).unwrap();
    let objects = [
        stack.get_json(&["--namespace", &namespace, "instanceplacement", "web"]).unwrap(),
        stack.get_json(&["vcenter", "vc-east"]).unwrap(),
    ];
    for answer in kstatus(&objects) {
        assert_eq!(answer.status, "InProgress", "{}", answer.message);
    }
}
