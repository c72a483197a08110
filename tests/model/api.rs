//! The API server of the model: placements with their versions, and the journal. Every write is atomic;
//! whether its answer arrives is not decided here.

use std::sync::Arc;

use berth::placement::{Cluster, Compute, Datastore, Host, Inventory, MoRef, Mount, Mounts, Property};
use berth::scheduler::{Journal, Key, Meta, SeenPlacement, WriteFailure};
use serde_json::{Value, json};

use super::shared::hash_of;

pub const GIB: u64 = 1 << 30;
const VCENTER: &str = "dbed6e0c-bd88-4ef6-b594-21283e1c677f";
/// Of every placement's image: one fits on each datastore, two do not.
const IMAGE: u64 = 10 * GIB;
const NAMESPACE: &str = "team-a";

pub fn key(n: usize) -> Key {
    Key { namespace: NAMESPACE.into(), name: format!("p{n}") }
}

/// The inverse of [`key`].
pub fn number(key: &Key) -> usize {
    key.name[1..].parse().unwrap()
}

/// What the vCenter shows at first, and after the datastore that ranks first has shrunk below one image.
pub fn inventories() -> Vec<Arc<Inventory>> {
    let moref = |text: &str| MoRef(text.into());
    let host = Host {
        moref: moref("host-1"),
        name: "h1".into(),
        path: String::new(),
        cluster: Some(moref("domain-c1")),
        datacenter: None,
        in_maintenance: false,
    };
    let cluster = Cluster { moref: moref("domain-c1"), name: "C1".into(), path: String::new() };
    let compute = Compute::new(Vec::new(), vec![cluster], vec![host]);
    let mounts = Mounts::Read(compute.mounts([(&moref("host-1"), Mount::Usable)]));
    let datastore = |name: &str, free: u64| Datastore {
        name: name.into(),
        kind: Some("VMFS".into()),
        url: format!("ds:///vmfs/volumes/{name}/"),
        accessible: Some(true),
        maintenance_mode: Some("normal".into()),
        capacity: Some(1000 * GIB),
        free: Some(free),
        uncommitted: Some(0),
        multiple_host_access: Some(true),
        max_virtual_disk: Property::Absent,
        thin_provisioning: Property::Absent,
        mounts: mounts.clone(),
        ..Datastore::unread(MoRef(format!("datastore-{name}")))
    };
    [19, 5]
        .map(|free| {
            let both = vec![datastore("a", free * GIB), datastore("b", 15 * GIB)];
            Arc::new(Inventory::new(VCENTER, compute.clone(), both))
        })
        .to_vec()
}

/// What a status says was decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    pub revision: i64,
    pub moref: String,
    pub bytes: u64,
    /// Version of the inventory that it names.
    pub inventory: String,
}

impl Decision {
    fn of(status: &Value) -> Option<Self> {
        let moref = status["datastore"]["moRef"].as_str()?.to_owned();
        Some(Self {
            revision: status["revision"].as_i64().unwrap(),
            moref,
            bytes: status["claim"]["bytes"].as_u64().unwrap(),
            inventory: status["decision"]["inventory"]["version"].as_str().unwrap().to_owned(),
        })
    }
}

/// One stored version of a placement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// Counts the objects of this name.
    pub uid: u64,
    /// Counts the versions of this name.
    pub number: u64,
    pub exists: bool,
    pub generation: i64,
    pub revision: i64,
    /// JSON.
    pub status: String,
    pub decision: Option<Decision>,
    /// Every decision that this object ever showed: revision and datastore.
    pub decided: Vec<(i64, String)>,
}

impl Version {
    pub fn first(uid: u64, number: u64) -> Self {
        Self {
            uid,
            number,
            exists: true,
            generation: 1,
            revision: 0,
            status: r#"{"observedGeneration":-1}"#.into(),
            decision: None,
            decided: Vec::new(),
        }
    }

    pub fn uid(&self, n: usize) -> String {
        format!("uid-{n}-{}", self.uid)
    }

    /// As the shell shows it to the scheduler.
    pub fn seen(&self, n: usize) -> SeenPlacement {
        let spec = json!({"image": {"virtualSize": IMAGE.to_string()}, "revision": self.revision});
        SeenPlacement {
            key: key(n),
            meta: Meta {
                uid: self.uid(n),
                resource_version: self.number.to_string(),
                generation: self.generation,
            },
            deleting: false,
            spec: serde_json::from_value(spec).map_err(|error| error.to_string()),
            status: serde_json::from_str(&self.status).unwrap(),
            foreign_status: false,
        }
    }
}

/// A status write on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Put {
    pub n: usize,
    pub uid: String,
    /// Empty: whatever the version is.
    pub version: String,
    pub status: String,
    pub decision: Option<Decision>,
    /// Of the whole body, as the journal knows it.
    pub body: u64,
}

impl Put {
    pub fn of(n: usize, body: &str) -> Self {
        let parsed: Value = serde_json::from_str(body).unwrap();
        let text = |name: &str| parsed["metadata"][name].as_str().unwrap().to_owned();
        Self {
            n,
            uid: text("uid"),
            version: text("resourceVersion"),
            status: parsed["status"].to_string(),
            decision: Decision::of(&parsed["status"]),
            body: hash_of(&body),
        }
    }

    /// What a read, a change and a write of the object as it is now come to.
    pub fn onto(n: usize, version: &Version, status: &Value) -> Self {
        let text = status.to_string();
        Self {
            n,
            uid: version.uid(n),
            version: version.number.to_string(),
            body: hash_of(&text),
            decision: Decision::of(status),
            status: text,
        }
    }

    /// It would be refused by an object at this version, and by every later one.
    pub fn is_void(&self, now: &Version) -> bool {
        !now.exists || self.uid != now.uid(self.n) || !(self.version.is_empty() || self.is_at(now))
    }

    fn is_at(&self, now: &Version) -> bool {
        self.version == now.number.to_string()
    }

    /// What the object becomes, or why it stays.
    pub fn applied(&self, now: &Version) -> Result<Version, WriteFailure> {
        if !now.exists || self.uid != now.uid(self.n) {
            return Err(WriteFailure::Gone);
        }
        if self.is_void(now) {
            return Err(WriteFailure::Conflict);
        }
        let mut next = Version {
            number: now.number + 1,
            status: self.status.clone(),
            decision: self.decision.clone(),
            ..now.clone()
        };
        if let Some(Decision { revision, moref, .. }) = &self.decision {
            let decided = (*revision, moref.clone());
            if next.decided.last() != Some(&decided) {
                next.decided.push(decided);
            }
        }
        Ok(next)
    }
}

/// The journal as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    pub version: u64,
    pub journal: Journal,
}

/// A write of the journal on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JournalWrite {
    /// `None`: create it; empty: whatever the version is.
    pub replaces: Option<String>,
    pub journal: Journal,
}

impl JournalWrite {
    pub fn is_void(&self, stored: Option<&Stored>) -> bool {
        self.replaces.as_deref() != Some("")
            && self.replaces != stored.map(|stored| stored.version.to_string())
    }
}
