//! The judge of the model: it knows the promises from the stored history alone, not from the scheduler.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use berth::placement::Inventory;
use berth::scheduler::{Intent, Journal};
use serde_json::Value;

use super::api::{Decision, Put, Stored, number};
use super::shared::{Shared, hash_of};
use super::state::Object;

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

/// What concerns whoever uses Berth.
pub const HARM: &[Broken] = &[Broken::Oversold, Broken::DecidedTwice, Broken::WentBack];
/// That, and the rules that prevent it.
pub const RULES: &[Broken] = &[
    Broken::Oversold,
    Broken::DecidedTwice,
    Broken::WentBack,
    Broken::Overpromised,
    Broken::NotJournalled,
    Broken::TermWentBack,
];

pub struct Judge {
    /// What is looked for.
    rules: &'static [Broken],
    /// Room of each datastore, by the version of the inventory; the empty version has the most of all.
    room: HashMap<String, BTreeMap<String, u64>>,
    /// The status writes of intents, by the hash of their text.
    intents: Mutex<HashMap<u64, Shared<Put>>>,
}

impl Judge {
    pub fn new(inventories: &[Arc<Inventory>], rules: &'static [Broken]) -> Self {
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
        Self { rules, room, intents: Mutex::default() }
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

    fn first(&self, broken: &[(Broken, bool)]) -> Option<Broken> {
        broken.iter().find(|(rule, is_broken)| *is_broken && self.rules.contains(rule)).map(|(rule, _)| *rule)
    }

    /// What storing this status breaks; the objects are those before it.
    pub fn stored(&self, put: &Put, objects: &[Object]) -> Option<Broken> {
        let object = &objects[put.n];
        let before = object.newest();
        let Some(decision) = &put.decision else {
            return self.first(&[(Broken::WentBack, before.decision.is_some())]);
        };
        let Decision { revision, moref, bytes, .. } = decision;
        if before
            .decision
            .as_ref()
            .is_some_and(|before| before.revision == *revision && before.moref == *moref)
        {
            return None;
        }
        let others = objects.iter().enumerate().filter(|(n, _)| *n != put.n).map(|(_, other)| other.newest());
        let claims = others.filter(|other| other.exists).filter_map(|other| other.decision.as_ref());
        let kept: u64 = claims.filter(|claim| claim.moref == *moref).map(|claim| claim.bytes).sum();
        self.first(&[
            (Broken::Oversold, kept + bytes > self.room[""][moref]),
            (Broken::DecidedTwice, before.decided.iter().any(|(r, other)| r == revision && other != moref)),
            (Broken::WentBack, before.decision.as_ref().is_some_and(|before| before.revision > *revision)),
            (Broken::NotJournalled, !object.journalled.contains(&put.body)),
        ])
    }

    /// What storing this journal breaks.
    pub fn journalled(
        &self,
        before: Option<&Stored>,
        journal: &Journal,
        objects: &[Object],
    ) -> Option<Broken> {
        let is_new = |intent: &&Intent| before.is_none_or(|before| !before.journal.intents.contains(intent));
        let new: Vec<_> = journal.intents.iter().filter(is_new).map(|intent| self.read(intent)).collect();
        let open = self.open(journal, objects);
        // Of one placement, what its status says and what it will say exclude each other.
        let claim = |n: usize, moref: &str| {
            let stored = objects[n].newest();
            let stored = stored.decision.as_ref().filter(|_| stored.exists);
            let promised = open.iter().filter(|put| put.n == n).filter_map(|put| put.decision.as_ref());
            let claims = stored.into_iter().chain(promised).filter(|claim| claim.moref == moref);
            claims.map(|claim| claim.bytes).max().unwrap_or_default()
        };
        let exceeds = |decision: &Decision| {
            let promised: u64 = (0..objects.len()).map(|n| claim(n, &decision.moref)).sum();
            promised > self.room[&decision.inventory][&decision.moref]
        };
        self.first(&[
            (Broken::TermWentBack, before.is_some_and(|before| before.journal.term > journal.term)),
            (Broken::Overpromised, new.iter().filter_map(|put| put.decision.as_ref()).any(exceeds)),
        ])
    }

    /// The intents whose writes may still land.
    fn open(&self, journal: &Journal, objects: &[Object]) -> Vec<Shared<Put>> {
        let puts = journal.intents.iter().map(|intent| self.read(intent));
        puts.filter(|put| !put.is_void(objects[put.n].newest())).collect()
    }

    /// No promise is open, and every placement has a datastore or is told why not.
    pub fn is_settled(&self, journal: Option<&Stored>, objects: &[Object]) -> bool {
        let open = journal.is_some_and(|stored| !self.open(&stored.journal, objects).is_empty());
        let told = objects.iter().map(Object::newest).filter(|version| version.exists).all(|version| {
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
