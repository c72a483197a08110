//! The judge of the model: it knows the promises from the stored history alone, not from the scheduler.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use berth::placement::Inventory;
use berth::scheduler::{Intent, Journal};
use serde_json::Value;

use super::api::{Decision, Put, Stored, number};
use super::protocol::Object;
use super::shared::{Shared, hash_of};

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// Statuses claim more of a datastore than it ever had.
    Oversold,
    /// One revision of one object has had two datastores.
    DecidedTwice,
    /// A status shows an older decision than it did, or none any more.
    WentBack,
    /// With a new intent more is promised than the inventory has that it names.
    Overpromised,
    /// A datastore in a status that was not in the journal before.
    NotJournalled,
    /// The term of the journal went back.
    TermWentBack,
}

impl Broken {
    /// It concerns whoever uses Berth; the others are the rules that prevent it.
    pub fn is_harm(self) -> bool {
        matches!(self, Self::Oversold | Self::DecidedTwice | Self::WentBack)
    }
}

pub struct Judge {
    /// Room of each datastore, by the version of the inventory; the empty version has the most of all.
    room: HashMap<String, BTreeMap<String, u64>>,
    /// The status writes of intents, by the hash of their text.
    intents: Mutex<HashMap<u64, Shared<Put>>>,
}

impl Judge {
    pub fn new(inventories: &[Arc<Inventory>]) -> Self {
        let mut room: HashMap<String, BTreeMap<String, u64>> = HashMap::new();
        for inventory in inventories {
            for datastore in inventory.datastores() {
                let free = datastore.free.unwrap();
                let (version, moref) = (inventory.version().to_owned(), datastore.moref.to_string());
                room.entry(version).or_default().insert(moref.clone(), free);
                let most = room.entry(String::new()).or_default().entry(moref).or_default();
                *most = free.max(*most);
            }
        }
        Self { room, intents: Mutex::default() }
    }

    /// The status write that an intent stands for. Where it may land is said by the intent.
    pub fn read(&self, intent: &Intent) -> Shared<Put> {
        let hash = hash_of(intent);
        let mut intents = self.intents.lock().unwrap();
        let read = || {
            let put = Put::of(number(&intent.key()), &intent.body);
            Shared::new(Put { version: intent.resource_version.clone(), ..put })
        };
        intents.entry(hash).or_insert_with(read).clone()
    }

    /// Before a status is stored.
    pub fn stored(&self, object: &Object, put: &Put, objects: &[Object]) -> Option<Broken> {
        let before = object.newest();
        let Some(decision) = &put.decision else { return before.decision.as_ref().map(|_| Broken::WentBack) };
        if before.decision.as_ref().is_some_and(|before| before == decision) {
            return None;
        }
        let other = |(revision, moref): &(i64, String)| *revision == decision.revision && *moref != decision.moref;
        if before.decided.iter().any(other) {
            return Some(Broken::DecidedTwice);
        }
        if before.decision.as_ref().is_some_and(|before| before.revision > decision.revision) {
            return Some(Broken::WentBack);
        }
        let others = objects.iter().enumerate().filter(|(n, _)| *n != put.n).map(|(_, other)| other.newest());
        let claims = others.filter(|other| other.exists).filter_map(|other| other.decision.as_ref());
        let kept: u64 = claims.filter(|other| other.moref == decision.moref).map(|other| other.bytes).sum();
        if kept + decision.bytes > self.room[""][&decision.moref] {
            return Some(Broken::Oversold);
        }
        (!object.journalled.contains(&put.body)).then_some(Broken::NotJournalled)
    }

    /// Before the journal is stored.
    pub fn journalled(&self, before: Option<&Stored>, journal: &Journal, objects: &[Object]) -> Option<Broken> {
        if before.is_some_and(|before| before.journal.term > journal.term) {
            return Some(Broken::TermWentBack);
        }
        let new = journal.intents.iter().filter(|intent| {
            before.is_none_or(|before| before.journal.intents.iter().all(|known| known != *intent))
        });
        let open = self.open(journal, objects);
        let exceeds = |decision: &Decision| {
            let promised: u64 = (objects.iter().enumerate())
                .map(|(n, object)| {
                    let newest = object.newest();
                    let shown = newest.decision.as_ref().filter(|_| newest.exists);
                    let claims = shown.into_iter().chain(open.iter().filter(|put| put.n == n).filter_map(|put| put.decision.as_ref()));
                    claims.filter(|claim| claim.moref == decision.moref).map(|claim| claim.bytes).max().unwrap_or_default()
                })
                .sum();
            promised > self.room[&decision.inventory][&decision.moref]
        };
        let new: Vec<_> = new.map(|intent| self.read(intent)).collect();
        new.iter().filter_map(|put| put.decision.as_ref()).any(exceeds).then_some(Broken::Overpromised)
    }

    /// The intents whose writes may still land.
    fn open(&self, journal: &Journal, objects: &[Object]) -> Vec<Shared<Put>> {
        let puts = journal.intents.iter().map(|intent| self.read(intent));
        puts.filter(|put| !put.is_void(objects[put.n].newest())).collect()
    }

    /// No promise is open, and every placement has a datastore or is told why not.
    pub fn is_settled(&self, journal: Option<&Stored>, objects: &[Object]) -> bool {
        let open = journal.is_some_and(|stored| !self.open(&stored.journal, objects).is_empty());
        let told = objects.iter().map(|object| object.newest()).filter(|version| version.exists).all(|version| {
            let status: Value = serde_json::from_str(&version.status).unwrap();
            match status["conditions"][0]["reason"].as_str() {
                Some("Placed") => {
                    version.decision.as_ref().is_some_and(|decision| decision.revision == version.revision)
                }
                Some("NoEligibleDatastore") => true,
                _ => false,
            }
        });
        !open && told
    }
}
