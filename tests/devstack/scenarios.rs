//! Runs every file of `tests/scenarios/` against the real servers. Each is a story that a user can live:
//! what is applied, what happens at the vCenter, and what the statuses then say.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::stack::{Controller, Stack, Vcenter, VcenterOptions, repository, wait_for};

/// Objects that a scenario has unless it is `bare`.
const BASE: &str = include_str!("../scenarios/base/objects.yaml");

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What a user learns from it.
    about: String,
    /// Without the objects of `base/objects.yaml`.
    #[serde(default)]
    bare: bool,
    /// The clusters of the simulated vCenter; one with three hosts when absent.
    clusters: Option<Vec<Value>>,
    /// The datastores of the simulated vCenter.
    datastores: Vec<Value>,
    steps: Vec<Step>,
}

/// One step. All that is expected is waited for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Step {
    /// Applies an object; a namespaced one without a namespace goes to the scenario's own.
    Apply(Value),
    /// Applies an object that the API server must refuse with these words.
    Refused { object: Value, message: String },
    /// Deletes an object, `kind/name`.
    Delete(String),
    /// Labels the scenario's namespace.
    Label(String),
    /// Waits until an object's status says this.
    Expect(Box<Expected>),
    /// Changes figures of a datastore.
    Datastore { name: String, set: Value },
    /// A datastore appears.
    Appears(Value),
    /// A datastore vanishes.
    Vanishes(String),
    /// Something happens to the vCenter.
    Vcenter(Happening),
    /// So many logins were tried so far, refused ones included.
    Logins(u64),
    /// So many status writes of a placement that the API server accepted so far.
    Writes { name: String, count: usize },
    /// A placement's status was never read before it was written.
    NeverRead(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Happening {
    /// It dies.
    Dies,
    /// It is back, as it was at first.
    Returns,
    /// Every session expires.
    Expires,
    /// It stops in the middle of what it does: connections stand and nothing is answered.
    Hangs,
    /// It goes on.
    GoesOn,
    /// It answers calls of a method with a fault: a rule of the simulator.
    Fault(Value),
    /// It answers as it should again.
    ClearFaults,
}

/// What a status is to say. What is not named can be anything.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    /// `kind/name`.
    object: String,
    /// Reason of the Ready condition.
    reason: String,
    /// Every part that its message holds.
    #[serde(default)]
    message: Vec<String>,
    /// Name of the selected datastore; `none`: there is none.
    datastore: Option<String>,
    /// Other parts of the status, by JSON pointer.
    #[serde(default)]
    status: serde_json::Map<String, Value>,
}

impl Expected {
    fn kind_and_name(&self) -> anyhow::Result<(&str, &str)> {
        self.object.split_once('/').context("object is kind/name")
    }

    /// Whether the object says it.
    fn holds(&self, object: &Value) -> anyhow::Result<()> {
        let status = &object["status"];
        let generation = &object["metadata"]["generation"];
        ensure!(status["observedGeneration"] == *generation, "generation {generation} is not observed");
        let conditions = status["conditions"].as_array().context("there are no conditions")?;
        let find = |type_: &str| conditions.iter().find(|condition| condition["type"] == type_);
        let ready = find("Ready").context("there is no Ready condition")?;
        ensure!(ready["reason"] == self.reason.as_str(), "the reason is {}", ready["reason"]);
        // What kstatus makes of it follows from the reason alone: the table of the API contract.
        let (is_ready, companion) = meaning(&self.reason)?;
        ensure!(ready["status"] == is_ready, "Ready is {}", ready["status"]);
        for type_ in ["Reconciling", "Stalled"] {
            ensure!(find(type_).is_some() == (companion == Some(type_)), "{type_}: {:?}", find(type_));
        }
        let message = ready["message"].as_str().unwrap_or_default();
        for part in &self.message {
            ensure!(message.contains(part), "the message is {message:?}, without {part:?}");
        }
        if let Some(datastore) = &self.datastore {
            let found = status["datastore"]["name"].as_str().unwrap_or("none");
            ensure!(found == datastore, "the datastore is {found}");
        }
        for (pointer, expected) in &self.status {
            let found = status.pointer(pointer).unwrap_or(&Value::Null);
            ensure!(found == expected, "{pointer} is {found}");
        }
        Ok(())
    }
}

/// Status of Ready and the condition that goes with it.
fn meaning(reason: &str) -> anyhow::Result<(&'static str, Option<&'static str>)> {
    Ok(match reason {
        "Placed" | "Connected" => ("True", None),
        "Suspended" => ("False", None),
        "InvalidSpec" | "RootDiskSmallerThanImage" | "DeadlineExceeded" | "DuplicateVCenter" => {
            ("False", Some("Stalled"))
        }
        "NoEligibleDatastore"
        | "VCenterUnavailable"
        | "ClassNotFound"
        | "ClassInvalid"
        | "ScopeNotFound"
        | "Pending"
        | "VCenterNotAllowed"
        | "AmbiguousVCenter"
        | "ConnectionFailed"
        | "InventoryStale"
        | "Forbidden"
        | "SecretNotFound"
        | "InvalidCredentials"
        | "CertificateInvalid" => ("False", Some("Reconciling")),
        other => bail!("the runner does not know the reason {other}"),
    })
}

/// A scenario under way.
struct Run<'a> {
    stack: &'a Stack,
    vcenter: Vcenter,
    namespace: String,
    controller: Controller,
}

/// What the controller's log says of every inventory that differs from the one before.
const NEW_INVENTORY: &str = "the inventory is new";

impl Run<'_> {
    /// Makes a change and waits until the controller has seen it: the next step is to meet it.
    fn change(&self, change: impl FnOnce(&Vcenter) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let seen = || anyhow::Ok(self.controller.log()?.matches(NEW_INVENTORY).count());
        let before = seen()?;
        change(&self.vcenter)?;
        wait_for("the controller to see the change", || Ok((seen()? > before).then_some(())))
    }

    fn step(&mut self, step: Step) -> anyhow::Result<()> {
        match step {
            Step::Apply(object) => self.apply(object),
            Step::Refused { object, message } => match self.apply(object) {
                Ok(()) => bail!("it was accepted"),
                Err(error) => {
                    let text = format!("{error:#}");
                    ensure!(text.contains(&message), "it was refused with: {text}");
                    Ok(())
                }
            },
            Step::Delete(object) => {
                let own = object.starts_with("secret/") || object.starts_with("configmap/");
                let namespace = if own { "berth-system" } else { &self.namespace };
                self.stack
                    .kubectl(&["delete", "--namespace", namespace, &object, "--wait=false"], None)
                    .map(drop)
            }
            Step::Label(label) => self
                .stack
                .kubectl(&["label", "--overwrite", "namespace", &self.namespace, &label], None)
                .map(drop),
            Step::Expect(expected) => {
                let (kind, name) = expected.kind_and_name()?;
                let mut last = Value::Null;
                let waited = wait_for(&format!("{} to be {}", expected.object, expected.reason), || {
                    last = self.stack.get_json(&["--namespace", &self.namespace, kind, name])?;
                    expected.holds(&last).map(Some)
                });
                waited.with_context(|| format!("its status is {:#}", last["status"]))
            }
            Step::Datastore { name, set } => self.change(|vcenter| vcenter.set_datastore(&name, set)),
            Step::Appears(datastore) => self.change(|vcenter| vcenter.create_datastore(datastore)),
            Step::Vanishes(name) => self.change(|vcenter| vcenter.delete_datastore(&name)),
            Step::Vcenter(Happening::Dies) => self.vcenter.kill(),
            Step::Vcenter(Happening::Returns) => self.vcenter.restart(),
            Step::Vcenter(Happening::Expires) => self.change(Vcenter::end_sessions),
            Step::Vcenter(Happening::Hangs) => self.vcenter.signal("STOP"),
            Step::Vcenter(Happening::GoesOn) => self.vcenter.signal("CONT"),
            Step::Vcenter(Happening::Fault(rule)) => self.vcenter.inject_fault(rule),
            Step::Vcenter(Happening::ClearFaults) => self.vcenter.clear_faults(),
            Step::Logins(count) => {
                let logins = self.vcenter.logins()?;
                ensure!(logins.succeeded + logins.failed == count, "there were {logins:?}");
                Ok(())
            }
            Step::Writes { name, count } => {
                let writes = super::requests(self.stack, "update", &name)?;
                ensure!(writes == count, "there were {writes} writes");
                Ok(())
            }
            Step::NeverRead(name) => {
                let reads = super::requests(self.stack, "get", &name)?;
                ensure!(reads == 0, "it was read {reads} times");
                Ok(())
            }
        }
    }

    fn apply(&self, mut object: Value) -> anyhow::Result<()> {
        let namespaced = object["kind"] == "InstancePlacement";
        if namespaced && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = json!(self.namespace);
        }
        self.stack.apply_yaml(&object.to_string())
    }
}

/// Reads a file with the names of what is only known at run time replaced.
fn read(text: &str, stack: &Stack, vcenter: Option<&Vcenter>) -> String {
    let (server, thumbprint) = vcenter.map_or(("", ""), |v| (v.server_url(), v.thumbprint()));
    let inline = |pem: &str| pem.replace('\n', "\\n");
    let options = vcenter.map(Vcenter::options);
    text.replace("${SERVER}", server)
        .replace("${THUMBPRINT}", thumbprint)
        .replace("${CA}", &inline(stack.ca_pem()))
        .replace("${OTHER_CA}", &inline(stack.unrelated_ca_pem()))
        .replace("${USERNAME}", options.map_or("", |o| &o.username))
        .replace("${PASSWORD}", options.map_or("", |o| &o.password))
}

fn documents(text: &str) -> anyhow::Result<Vec<Value>> {
    Ok(serde_saphyr::from_multiple(text)?)
}

fn run(stack: &Stack, file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    // Once for the datastores, and once more when the vCenter that they belong to has an address.
    let scenario: Scenario = serde_saphyr::from_str(&read(&text, stack, None))?;
    let mut datacenter = json!({"name": "DC0", "datastores": scenario.datastores});
    if let Some(clusters) = scenario.clusters {
        datacenter["clusters"] = json!(clusters);
    }
    let inventory = json!({"datacenters": [datacenter]});
    let vcenter =
        stack.start_vcenter("vc-east", VcenterOptions { inventory, ..VcenterOptions::default() })?;
    let namespace = stack.fresh_namespace("story")?;
    let scenario: Scenario = serde_saphyr::from_str(&read(&text, stack, Some(&vcenter)))?;
    println!("{}: {}", file.file_stem().unwrap_or_default().display(), scenario.about);
    let mut controller = stack.start_controller(super::berth(), &["--log-level", "trace"])?;
    controller.wait_ready()?;
    let mut run = Run { stack, vcenter, namespace, controller };
    if !scenario.bare {
        for object in documents(&read(BASE, stack, Some(&run.vcenter)))? {
            run.apply(object)?;
        }
    }
    for (number, step) in (1..).zip(scenario.steps) {
        run.step(step)
            .with_context(|| format!("step {number}"))
            .with_context(|| format!("the controller's log:\n{}", super::tail(&run.controller)))?;
    }
    let log = run.controller.log()?;
    let password = &run.vcenter.options().password;
    ensure!(!log.contains(password.as_str()), "the log holds the password");
    ensure!(run.controller.terminate()?.success(), "the controller did not end well");
    Ok(())
}

/// One test for each file.
macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let file = format!("tests/scenarios/{}.yaml", stringify!($name).replace('_', "-"));
                let stack = Stack::shared_blocking().unwrap();
                if let Err(error) = run(&stack, &repository().join(&file)) {
                    panic!("{file}: {error:?}");
                }
            }
        )*

        #[test]
        fn every_file_is_a_test() {
            let folder = fs::read_dir(repository().join("tests/scenarios")).unwrap();
            let paths = folder.map(|entry| entry.unwrap().path());
            let names = paths.filter(|path| path.is_file()).map(|path| {
                path.file_stem().unwrap().to_string_lossy().replace('-', "_")
            });
            let mut names: Vec<_> = names.collect();
            names.sort();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

scenarios! {
    ambiguous_and_duplicate_vcenters
    bad_input
    claims_and_deadlines_run_out
    datastores_change
    disks
    hosts_and_sharing
    journal_cannot_be_read
    names_and_limits
    references_heal
    revision
    room_is_kept
    session_expires
    spread
    suspend
    vcenter_dies_and_returns
    vcenter_in_trouble
    vvol_takes_whole_mib_only
    wrong_certificate
    wrong_password
}
