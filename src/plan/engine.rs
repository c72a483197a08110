//! From manifests and recorded inventories to a report. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;
use serde_json::Value;

use crate::manifests::{Kind, Manifest};
use crate::objects::{self, RawObject};
use crate::placement::{Backing, Ledger, Verdict};
use crate::scheduler::{self, Input, Key, Offer, Settings};

use super::matrix::MatrixBuilder;
use super::rehearsal::Rehearsal;
use super::report::{API_VERSION, PlannedDatastore, PlannedPlacement, Report, Summary};
use super::{Explanation, Inputs, Plan, Recorded, missing, timeless};

/// Places every manifest as the controller would, one after another, on what the inventories show. `progress`
/// is told how many of all are done.
pub fn plan(inputs: &Inputs, progress: &mut dyn FnMut(usize, usize)) -> Plan {
    let mut stage = Stage::set(inputs);
    let columns = Columns::of(&stage.rehearsal.offers(), &stage.before);
    let mut matrix = inputs.matrix.then(MatrixBuilder::new);
    let applied = std::mem::take(&mut stage.applied);
    let all = applied.len();
    for ((key, raw), number) in applied.into_iter().zip(1..) {
        stage.rehearsal.apply(&key, raw);
        progress(number, all);
        if let Some(matrix) = &mut matrix {
            let survey = stage.rehearsal.survey(&key, matrix.wants_words());
            let row = survey.and_then(|(vcenter, findings)| Some((columns.first_of(vcenter)?, findings)));
            let selected = stage.rehearsal.status(&key).and_then(|status| columns.selected(status));
            matrix.push(columns.datastores.len(), row, selected);
        }
    }
    stage.rehearsal.finish(&stage.keys);
    let placements: Vec<_> = stage.keys.iter().map(|key| stage.planned(key)).collect();
    let placed = placements.iter().filter(|placement| placement.ready).count();
    let summary =
        Summary { total: placements.len(), placed, refused: placements.len().saturating_sub(placed) };
    let missing = missing::find(inputs, &stage.recordings, &placements);
    Plan {
        report: Report {
            api_version: API_VERSION,
            placements,
            datastores: columns.after(stage.rehearsal.ledger()),
            summary,
            matrix: matrix.map(MatrixBuilder::finish),
        },
        missing,
        warnings: stage.warnings(),
    }
}

/// Every datastore's verdict on one placement, when its turn comes; on one that exists already, when all that
/// exist have been seen. None when there is no such placement.
#[must_use]
pub fn explain(inputs: &Inputs, key: &Key) -> Option<Explanation> {
    let mut stage = Stage::set(inputs);
    let applied = std::mem::take(&mut stage.applied);
    let last = applied.iter().position(|(applied, _)| applied == key);
    for (key, raw) in applied.into_iter().take(last.map_or(0, |last| last.saturating_add(1))) {
        stage.rehearsal.apply(&key, raw);
    }
    stage.rehearsal.finish(std::slice::from_ref(key));
    stage.rehearsal.status(key)?;
    let placement = stage.planned(key);
    let verdicts: Option<(String, Vec<Verdict>)> =
        stage.rehearsal.explain(key).map(|(vcenter, verdicts)| (vcenter.to_owned(), verdicts));
    let (vcenter, verdicts) = verdicts.unwrap_or_default();
    let missing = missing::find(inputs, &stage.recordings, std::slice::from_ref(&placement));
    Some(Explanation { placement, vcenter, verdicts, missing, warnings: stage.warnings() })
}

/// Everything in place, and no manifest applied yet.
struct Stage {
    rehearsal: Rehearsal,
    /// By name of the `VCenter`.
    recordings: BTreeMap<String, Recorded>,
    /// Room kept before anything was decided.
    before: Ledger,
    /// The placements to apply, in order.
    applied: Vec<(Key, RawObject)>,
    /// Theirs, each once.
    keys: Vec<Key>,
    /// uids that objects were given here, since their manifests have none.
    invented: BTreeSet<String>,
    /// The cluster's name is known, and so are instanceUUIDs.
    named_cluster: bool,
    warnings: Vec<String>,
}

impl Stage {
    fn set(inputs: &Inputs) -> Self {
        let mut objects = Objects::new(&inputs.namespace);
        let existing: Vec<_> =
            inputs.placed.iter().filter_map(|manifest| objects.placement(manifest)).collect();
        let settings = Settings {
            cluster_identity: inputs.cluster_name.clone().unwrap_or_default(),
            watch_namespaces: BTreeSet::new(),
        };
        let mut rehearsal = Rehearsal::begin(settings, existing.iter().cloned());
        let before = rehearsal.ledger().clone();

        let applied = inputs.manifests.iter().filter_map(|manifest| {
            // What a manifest says of its own status is not applied.
            let (key, raw) = objects.placement(manifest)?;
            Some((key, RawObject { status: Value::Null, ..raw }))
        });
        let applied: Vec<_> = applied.collect();
        let mut seen = BTreeSet::new();
        let keys: Vec<_> =
            applied.iter().map(|(key, _)| key.clone()).filter(|key| seen.insert(key.clone())).collect();

        // What both say, the manifests say last.
        let others = |kind| inputs.placed.iter().chain(&inputs.manifests).filter(move |one| one.kind == kind);
        let mut labels: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for key in existing.iter().chain(&applied).map(|(key, _)| key) {
            labels.entry(key.namespace.clone()).or_insert_with(|| own_label(&key.namespace));
        }
        for manifest in others(Kind::Namespace) {
            labels.insert(manifest.name().to_owned(), namespace_labels(manifest));
        }
        let namespaces = labels.into_iter().map(|(name, labels)| Input::NamespaceSeen { name, labels });
        rehearsal.list(scheduler::Kind::Namespace, namespaces);
        let secrets = others(Kind::VCenter)
            .filter_map(|one| one.object.pointer("/spec/credentialsSecretName")?.as_str());
        rehearsal.secrets(secrets.collect::<BTreeSet<_>>().into_iter());
        let classes: Vec<_> = latest(others(Kind::PlacementClass));
        let classes = classes.into_iter().filter_map(|one| objects::class(objects.raw(one)?).ok());
        let classes: Vec<_> = classes.map(|class| Input::ClassSeen(Box::new(class))).collect();
        rehearsal.list(scheduler::Kind::Class, classes.into_iter());
        let vcenters = latest(others(Kind::VCenter));
        let recordings = recordings(inputs, &vcenters);
        let mut warnings = missing::unknown_labels(inputs);
        warnings.extend(missing::unused_inventories(inputs, &recordings));
        rehearsal.record(recordings.clone());
        let vcenters = vcenters.into_iter().filter_map(|one| objects::vcenter(objects.raw(one)?).ok());
        let vcenters: Vec<_> = vcenters.map(|vcenter| Input::VCenterSeen(Box::new(vcenter))).collect();
        rehearsal.list(scheduler::Kind::VCenter, vcenters.into_iter());
        Self {
            rehearsal,
            recordings,
            before,
            applied,
            keys,
            invented: objects.invented,
            named_cluster: inputs.cluster_name.is_some(),
            warnings,
        }
    }

    fn planned(&self, key: &Key) -> PlannedPlacement {
        let status = self.rehearsal.status(key).cloned().unwrap_or_default();
        PlannedPlacement::new(key, timeless::status(status, self.named_cluster, &self.invented))
    }

    fn warnings(self) -> Vec<String> {
        let mut warnings = self.warnings;
        warnings.extend_from_slice(self.rehearsal.warnings());
        warnings
    }
}

/// The datastores of a report.
struct Columns {
    datastores: Vec<(PlannedDatastore, Backing)>,
    /// Name of a `VCenter`, and the column of its first datastore.
    first: BTreeMap<String, usize>,
}

impl Columns {
    fn of(offers: &[Offer<'_>], before: &Ledger) -> Self {
        let mut columns = Self { datastores: Vec::new(), first: BTreeMap::new() };
        for offer in offers {
            columns.first.insert(offer.vcenter.to_owned(), columns.datastores.len());
            for datastore in &offer.datastores {
                let backing = offer.inventory.backing_of(datastore);
                let column = PlannedDatastore {
                    vcenter: offer.vcenter.to_owned(),
                    name: datastore.name.clone(),
                    mo_ref: datastore.moref.to_string(),
                    kind: datastore.kind.clone().unwrap_or_default(),
                    capacity_bytes: datastore.capacity,
                    free_bytes: datastore.free,
                    claimed_before_bytes: claimed(before, &backing),
                    claimed_after_bytes: 0,
                };
                columns.datastores.push((column, backing));
            }
        }
        columns
    }

    fn first_of(&self, vcenter: &str) -> Option<usize> {
        self.first.get(vcenter).copied()
    }

    /// The column of the datastore that a status names.
    fn selected(&self, status: &Value) -> Option<usize> {
        let text = |pointer| status.pointer(pointer).and_then(Value::as_str);
        let (vcenter, moref) = (text("/datastore/vCenter/name")?, text("/datastore/moRef")?);
        self.datastores.iter().position(|(one, _)| one.vcenter == vcenter && one.mo_ref == moref)
    }

    fn after(self, ledger: &Ledger) -> Vec<PlannedDatastore> {
        let columns = self.datastores.into_iter();
        columns
            .map(|(column, backing)| PlannedDatastore {
                claimed_after_bytes: claimed(ledger, &backing),
                ..column
            })
            .collect()
    }
}

fn claimed(ledger: &Ledger, backing: &Backing) -> u64 {
    u64::try_from(ledger.on(backing).bytes).unwrap_or(u64::MAX)
}

/// The last manifest of each name, in order.
fn latest<'a>(manifests: impl DoubleEndedIterator<Item = &'a Manifest>) -> Vec<&'a Manifest> {
    let mut seen = BTreeSet::new();
    let mut latest: Vec<_> = manifests.rev().filter(|manifest| seen.insert(manifest.name())).collect();
    latest.reverse();
    latest
}

/// Which inventory is which `VCenter`'s: the one that was given its name, else the one of its server.
fn recordings(inputs: &Inputs, vcenters: &[&Manifest]) -> BTreeMap<String, Recorded> {
    let of = |vcenter: &Manifest| {
        let server = vcenter.object.pointer("/spec/server").and_then(Value::as_str).unwrap_or_default();
        let named = inputs.inventories.iter().find(|one| one.vcenter.as_deref() == Some(vcenter.name()));
        named.or_else(|| inputs.inventories.iter().find(|one| one.vcenter.is_none() && one.is_of(server)))
    };
    let found = vcenters.iter().filter_map(|vcenter| Some((vcenter.name().to_owned(), of(vcenter)?.clone())));
    found.collect()
}

/// The label that the API server gives every namespace.
fn own_label(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())])
}

fn namespace_labels(manifest: &Manifest) -> BTreeMap<String, String> {
    let mut labels = own_label(manifest.name());
    let given = manifest.object.pointer("/metadata/labels");
    labels.extend(
        given.and_then(|given| BTreeMap::<String, String>::deserialize(given).ok()).unwrap_or_default(),
    );
    labels
}

/// Manifests as the API server would have them: with what it fills in.
struct Objects<'a> {
    /// Namespace of a placement that names none.
    namespace: &'a str,
    number: i64,
    invented: BTreeSet<String>,
}

impl<'a> Objects<'a> {
    fn new(namespace: &'a str) -> Self {
        Self { namespace, number: 0, invented: BTreeSet::new() }
    }

    fn placement(&mut self, manifest: &Manifest) -> Option<(Key, RawObject)> {
        if manifest.kind != Kind::InstancePlacement {
            return None;
        }
        let mut raw = self.raw(manifest)?;
        let namespace = raw.metadata.namespace.get_or_insert_with(|| self.namespace.to_owned()).clone();
        Some((Key { namespace, name: raw.metadata.name.clone()? }, raw))
    }

    fn raw(&mut self, manifest: &Manifest) -> Option<RawObject> {
        let mut raw = RawObject::deserialize(&manifest.object).ok()?;
        self.number = self.number.saturating_add(1);
        let (number, metadata) = (self.number, &mut raw.metadata);
        if metadata.uid.is_none() {
            let uid = format!("planned-{number}");
            self.invented.insert(uid.clone());
            metadata.uid = Some(uid);
        }
        metadata.resource_version = Some(number.to_string());
        metadata.generation.get_or_insert(1);
        // What does not exist yet is newer than what does, the last one newest.
        let late =
            || Timestamp::from_second(Timestamp::MAX.as_second().saturating_sub(LATE).saturating_add(number));
        metadata.creation_timestamp.get_or_insert_with(|| Time(late().unwrap_or(Timestamp::MAX)));
        Some(raw)
    }
}

/// More than there are manifests, in seconds.
const LATE: i64 = 1 << 32;
