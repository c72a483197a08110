//! Scenarios: stories that a user can live, as files, and how they are played. What they are played on is a
//! [`Stage`]: real servers, or the fakes. Does no I/O of its own but reading the files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

/// Objects that a scenario has unless it is `bare`.
const BASE: &str = include_str!("../scenarios/base/objects.yaml");
/// How often a condition is looked at before it is given up; a stage says how long it pauses in between.
const LOOKS: usize = 3000;

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
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
pub enum Step {
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
pub enum Happening {
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
    /// It answers every call of this method with this fault.
    Faults {
        /// Its name.
        method: String,
        /// The type of the fault.
        fault: String,
    },
    /// It answers as it should again.
    Heals,
}

/// What a status is to say. What is not named can be anything.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expected {
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

/// Status of Ready and the condition that goes with it, by the reason alone: the table of the API contract.
///
/// # Errors
/// When the reason is not known here.
pub fn meaning(reason: &str) -> anyhow::Result<(&'static str, Option<&'static str>)> {
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

/// What is only known when a stage stands: replaces `${NAME}` in the files.
pub struct Names {
    pub server: String,
    pub thumbprint: String,
    pub ca: String,
    pub other_ca: String,
    pub username: String,
    pub password: String,
}

impl Names {
    fn put_into(&self, text: &str) -> String {
        let inline = |pem: &str| pem.replace('\n', "\\n");
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        text.replace("${SERVER}", &self.server)
            .replace("${THUMBPRINT}", &self.thumbprint)
            .replace("${CA}", &inline(&self.ca))
            .replace("${OTHER_CA}", &inline(&self.other_ca))
            .replace("${USERNAME}", &quoted(&self.username))
            .replace("${PASSWORD}", &quoted(&self.password))
    }
}

/// A change of the vCenter's datastores.
pub enum DatastoreChange {
    Set { name: String, set: Value },
    Appears(Value),
    Vanishes(String),
}

/// What scenarios are played on: an API server, one vCenter, and Berth.
#[allow(async_fn_in_trait, reason = "used within the tests alone")]
pub trait Stage {
    /// What the files leave open.
    fn names(&self) -> Names;
    /// The scenario's own namespace.
    fn namespace(&self) -> &str;
    /// Applies an object as a user does.
    async fn apply(&self, object: Value) -> anyhow::Result<()>;
    /// Deletes `kind/name`.
    async fn delete(&self, namespace: &str, object: &str) -> anyhow::Result<()>;
    /// Labels the scenario's namespace, `key=value`.
    async fn label(&self, label: &str) -> anyhow::Result<()>;
    /// Reads an object; null when there is none.
    async fn get(&self, kind: &str, name: &str) -> anyhow::Result<Value>;
    /// Changes datastores, and waits until Berth has seen it.
    async fn change(&mut self, change: DatastoreChange) -> anyhow::Result<()>;
    /// Something happens to the vCenter.
    async fn happen(&mut self, happening: Happening) -> anyhow::Result<()>;
    /// Logins that were tried so far, refused ones included.
    async fn logins(&self) -> anyhow::Result<u64>;
    /// Berth's own accepted `update`s or `get`s of a placement.
    async fn requests(&self, verb: &str, name: &str) -> anyhow::Result<usize>;
    /// Lets a little time pass.
    async fn pause(&self);
}

/// Every file, in order.
pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// The file of this name.
pub fn file(name: &str) -> PathBuf {
    let file = format!("tests/scenarios/{}.yaml", name.replace('_', "-"));
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

impl Scenario {
    /// Reads a file, for what does not depend on a stage.
    ///
    /// # Errors
    /// When it is no scenario.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        Ok(serde_saphyr::from_str(&fs::read_to_string(file)?)?)
    }

    /// The simulator's inventory file.
    pub fn inventory(&self) -> Value {
        let mut datacenter = json!({"name": "DC0", "datastores": self.datastores});
        if let Some(clusters) = &self.clusters {
            datacenter["clusters"] = json!(clusters);
        }
        json!({"datacenters": [datacenter]})
    }
}

/// Plays a file on a stage that has its inventory.
///
/// # Errors
/// The step that went otherwise.
pub async fn play(file: &Path, stage: &mut impl Stage) -> anyhow::Result<()> {
    let names = stage.names();
    let scenario: Scenario = serde_saphyr::from_str(&names.put_into(&fs::read_to_string(file)?))?;
    println!("{}: {}", file.file_stem().unwrap_or_default().display(), scenario.about);
    if !scenario.bare {
        for object in serde_saphyr::from_multiple(&names.put_into(BASE))? {
            apply(stage, object).await?;
        }
    }
    for (number, step) in (1..).zip(scenario.steps) {
        self::step(stage, step).await.with_context(|| format!("step {number}"))?;
    }
    Ok(())
}

async fn step(stage: &mut impl Stage, step: Step) -> anyhow::Result<()> {
    match step {
        Step::Apply(object) => apply(stage, object).await,
        Step::Refused { object, message } => match apply(stage, object).await {
            Ok(()) => bail!("it was accepted"),
            Err(error) => {
                let text = format!("{error:#}");
                ensure!(text.contains(&message), "it was refused with: {text}");
                Ok(())
            }
        },
        Step::Delete(object) => {
            let own = object.starts_with("secret/") || object.starts_with("configmap/");
            let namespace = if own { "berth-system" } else { stage.namespace() };
            stage.delete(namespace, &object).await
        }
        Step::Label(label) => stage.label(&label).await,
        Step::Expect(expected) => expect(stage, &expected).await,
        Step::Datastore { name, set } => stage.change(DatastoreChange::Set { name, set }).await,
        Step::Appears(datastore) => stage.change(DatastoreChange::Appears(datastore)).await,
        Step::Vanishes(name) => stage.change(DatastoreChange::Vanishes(name)).await,
        Step::Vcenter(happening) => stage.happen(happening).await,
        Step::Logins(count) => {
            let logins = stage.logins().await?;
            ensure!(logins == count, "there were {logins} logins");
            Ok(())
        }
        Step::Writes { name, count } => {
            let writes = stage.requests("update", &name).await?;
            ensure!(writes == count, "there were {writes} writes");
            Ok(())
        }
        Step::NeverRead(name) => {
            let reads = stage.requests("get", &name).await?;
            ensure!(reads == 0, "it was read {reads} times");
            Ok(())
        }
    }
}

async fn expect(stage: &impl Stage, expected: &Expected) -> anyhow::Result<()> {
    let (kind, name) = expected.kind_and_name()?;
    let mut last = Ok(());
    for _ in 0..LOOKS {
        let object = stage.get(kind, name).await?;
        last = expected.holds(&object).with_context(|| format!("its status is {:#}", object["status"]));
        if last.is_ok() {
            return Ok(());
        }
        stage.pause().await;
    }
    last.with_context(|| format!("{} was to be {}", expected.object, expected.reason))
}

async fn apply(stage: &impl Stage, mut object: Value) -> anyhow::Result<()> {
    if object["kind"] == "InstancePlacement" && object["metadata"]["namespace"].is_null() {
        object["metadata"]["namespace"] = json!(stage.namespace());
    }
    stage.apply(object).await
}

/// One test for each file, which `$play` plays; `every_file_is_a_test` fails when a file has none.
macro_rules! scenarios {
    ($play:ident) => {
        $crate::scenario::scenarios! {
            $play:
            absent_data
            ambiguous_and_duplicate_vcenters
            bad_input
            claims_and_deadlines_run_out
            control_characters
            datastores_change
            disks
            figures_that_make_no_sense
            hosts_and_sharing
            journal_cannot_be_read
            names_and_limits
            references_heal
            revision
            room_is_kept
            session_expires
            sixty_disks
            spread
            suspend
            vcenter_dies_and_returns
            vcenter_in_trouble
            vvol_takes_whole_mib_only
            wrong_certificate
            wrong_password
        }
    };
    ($play:ident: $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                if let Err(error) = $play(&scenario::file(stringify!($name))) {
                    panic!("{error:?}");
                }
            }
        )*

        #[test]
        fn every_file_is_a_test() {
            let names = scenario::files().into_iter().map(|path| {
                path.file_stem().unwrap().to_string_lossy().replace('-', "_")
            });
            assert_eq!(names.collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}
pub(crate) use scenarios;
