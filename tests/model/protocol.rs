//! The model: its states, and every step from each of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth::placement::Inventory;
use berth::scheduler::{Device, WriteFailure};
use stateright::{Model, Property};

use super::api::{JournalWrite, Put, Stored, Version, inventories};
use super::judge::{Broken, Judge};
use super::process::{News, Process, Request};
use super::shared::{Shared, hash_of};
use super::state::{Budget, Node, Object, State, Step, changed, edit, is_quiet, set_adrift, store, tidy};

/// Which model.
#[derive(Clone, Debug)]
pub struct Config {
    pub placements: usize,
    pub budget: Budget,
    /// A safety device that is switched off.
    pub without: Option<Device>,
    /// What is looked for.
    pub rules: &'static [Broken],
}

/// What has to have happened somewhere, for the absence of a violation to mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    JournalConflict,
    StatusConflict,
    LandedLate,
    JournalLandedLate,
    FoundCompleted,
    WatchOvertookAnswer,
    Settled,
}

pub const FACTS: [Fact; 7] = [
    Fact::JournalConflict,
    Fact::StatusConflict,
    Fact::LandedLate,
    Fact::JournalLandedLate,
    Fact::FoundCompleted,
    Fact::WatchOvertookAnswer,
    Fact::Settled,
];

/// The properties that a violation is of.
pub const HELD: &str = "no promise is broken";
pub const RESOLVED: &str = "every promise is kept or void in the end";

pub struct Protocol {
    config: Config,
    judge: Judge,
    inventories: Vec<Arc<Inventory>>,
    /// What became of a process that was told something: the same wherever else it is told.
    processes: Mutex<HashMap<u64, Shared<Process>>>,
    facts: [AtomicU64; FACTS.len()],
}

impl Protocol {
    pub fn new(config: Config) -> Self {
        let inventories = inventories();
        Self {
            judge: Judge::new(&inventories, config.rules),
            config,
            inventories,
            processes: Mutex::default(),
            facts: Default::default(),
        }
    }

    pub fn processes(&self) -> usize {
        self.processes.lock().unwrap().len()
    }

    pub fn count(&self, fact: Fact) -> u64 {
        self.facts[fact as usize].load(Ordering::Relaxed)
    }

    fn happened(&self, fact: Fact) {
        self.facts[fact as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn remembered(&self, key: u64, make: impl FnOnce() -> Process) -> Shared<Process> {
        if let Some(known) = self.processes.lock().unwrap().get(&key) {
            return known.clone();
        }
        let process = Shared::new(make());
        self.processes.lock().unwrap().insert(key, process.clone());
        process
    }

    fn start(&self, objects: &[Object], inventory: usize) -> Node {
        let versions: Vec<_> = objects.iter().map(|object| object.newest().clone()).collect();
        let process = self.remembered(hash_of(&("start", &versions, inventory)), || {
            Process::start(self.config.without, self.inventories[inventory].clone(), &versions)
        });
        Node { process, inventory, behind: vec![0; objects.len()] }
    }

    fn tell(&self, state: &mut State, i: usize, request: Option<usize>, news: &News) {
        let process = state.nodes[i].process.clone();
        state.nodes[i].process = self.remembered(hash_of(&(&process, request, news)), || {
            process.told(request, news, &self.inventories)
        });
    }

    /// The API server does what process `i` asks.
    fn perform(&self, state: &mut State, i: usize, r: usize) {
        let process = state.nodes[i].process.clone();
        let news = match &process.requests[r] {
            Request::ReadJournal => News::JournalRead(state.journal.clone()),
            Request::WriteJournal(write) => match self.write_journal(state, write) {
                Some(version) => News::JournalWritten(version),
                None => News::JournalConflict,
            },
            Request::List => {
                state.nodes[i].behind.fill(0);
                News::Listed(state.objects.iter().map(|object| object.newest().clone()).collect())
            }
            Request::Get(n) => News::Got(state.objects[*n].newest().clone()),
            Request::Put(_, put) => {
                let elsewhere = state.adrift.contains(put)
                    || state.nodes[1 - i]
                        .process
                        .requests
                        .iter()
                        .any(|request| matches!(request, Request::Put(_, other) if other == put));
                let outcome = self.put(state, put);
                if outcome.is_ok() && elsewhere {
                    self.happened(Fact::FoundCompleted);
                }
                outcome.map_or_else(News::Refused, News::Done)
            }
            Request::Change(..) => match changed(state, &process.requests[r]) {
                None => News::Refused(WriteFailure::Gone),
                Some(put) => self.put(state, &put).map_or_else(News::Refused, News::Done),
            },
            Request::Answer(..) => News::Answer,
        };
        self.tell(state, i, Some(r), &news);
    }

    fn put(&self, state: &mut State, put: &Put) -> Result<u64, WriteFailure> {
        let before = state.objects[put.n].newest();
        let applied = put.applied(before).inspect_err(|_| self.happened(Fact::StatusConflict))?;
        state.broken = state.broken.or(self.judge.stored(put, &state.objects));
        let version = applied.number;
        store(state, put.n, applied);
        Ok(version)
    }

    fn write_journal(&self, state: &mut State, write: &JournalWrite) -> Option<u64> {
        if write.is_void(state.journal.as_deref()) {
            self.happened(Fact::JournalConflict);
            return None;
        }
        let broken = self.judge.journalled(state.journal.as_deref(), &write.journal, &state.objects);
        state.broken = state.broken.or(broken);
        for intent in &write.journal.intents {
            let put = self.judge.read(intent);
            let object = &mut state.objects[put.n];
            let body = put.body;
            if !put.is_void(object.newest()) && !object.journalled.contains(&body) {
                object.journalled.push(body);
                object.journalled.sort_unstable();
            }
        }
        let version = state.journal.as_ref().map_or(0, |stored| stored.version) + 1;
        state.journal = Some(Shared::new(Stored { version, journal: write.journal.clone() }));
        Some(version)
    }

    fn step(&self, state: &mut State, step: &Step) {
        match *step {
            Step::LeaseHeld(i) => self.tell(state, i, None, &News::LeaseHeld),
            Step::LeaseLost(i) => {
                state.left.lease_losses -= 1;
                self.tell(state, i, None, &News::LeaseLost);
            }
            Step::Perform(i, r) => {
                if state.nodes[i].process.requests[r] == Request::ReadJournal {
                    state.left.terms -= 1;
                }
                self.perform(state, i, r);
            }
            Step::Lose(i, r) => {
                state.left.lost -= 1;
                set_adrift(state, i, r);
                let news = match state.nodes[i].process.requests[r] {
                    Request::WriteJournal(_) => News::JournalAmbiguous,
                    _ => News::Refused(WriteFailure::Ambiguous),
                };
                self.tell(state, i, Some(r), &news);
            }
            Step::Duplicate(i, r) => {
                state.left.duplicates -= 1;
                set_adrift(state, i, r);
            }
            Step::Watch(i, n) => {
                let versions = &state.objects[n].versions;
                let version = versions[versions.len() - state.nodes[i].behind[n]].clone();
                state.nodes[i].behind[n] -= 1;
                let awaited = |request: &Request| matches!(request, Request::Answer(..));
                if state.nodes[i].process.requests.iter().any(awaited) {
                    self.happened(Fact::WatchOvertookAnswer);
                }
                self.tell(state, i, None, &News::Seen(n, version));
            }
            Step::Inventory(i) => {
                state.nodes[i].inventory = state.inventory;
                self.tell(state, i, None, &News::Inventory(state.inventory));
            }
            Step::Wait(i) => {
                state.left.waits -= 1;
                self.tell(state, i, None, &News::Time);
            }
            Step::Crash(i) => {
                state.left.crashes -= 1;
                for r in 0..state.nodes[i].process.requests.len() {
                    set_adrift(state, i, r);
                }
                state.nodes[i] = self.start(&state.objects, state.inventory);
            }
            Step::Land(k) => {
                let put = state.adrift.remove(k);
                if self.put(state, &put).is_ok() {
                    self.happened(Fact::LandedLate);
                }
            }
            Step::LandJournal(k) => {
                let write = state.journal_adrift.remove(k);
                if self.write_journal(state, &write).is_some() {
                    self.happened(Fact::JournalLandedLate);
                }
            }
            Step::Revise(n) => {
                state.left.revisions -= 1;
                edit(state, n, |version| {
                    version.generation += 1;
                    version.revision += 1;
                });
            }
            Step::Edit(n) => {
                state.left.edits -= 1;
                edit(state, n, |version| version.generation += 1);
            }
            Step::Delete(n) => {
                state.left.deletions -= 1;
                edit(state, n, |version| version.exists = false);
            }
            Step::Create(n) => {
                state.left.creations -= 1;
                edit(state, n, |version| *version = Version::first(version.uid + 1, version.number));
            }
            Step::Shrink => {
                state.left.shrinks -= 1;
                state.inventory += 1;
            }
        }
    }

    /// From a quiet state on, nothing goes wrong any more, and only process `i` goes on: what is to be done is
    /// done in the end. Where another has led since, the Lease has told it so: it begins a new term.
    fn settles(&self, state: &State, i: usize) -> bool {
        let mut state = State { adrift: Vec::new(), journal_adrift: Vec::new(), ..state.clone() };
        if state.journal.as_ref().is_some_and(|stored| stored.journal.term > state.nodes[i].process.term) {
            self.tell(&mut state, i, None, &News::LeaseLost);
            self.tell(&mut state, i, None, &News::LeaseHeld);
        }
        let end = state.nodes[i].process.now + Duration::from_mins(2);
        // Far more than it takes; whoever needs more does not come to rest.
        for _ in 0..1000 {
            let node = &state.nodes[i];
            if !node.process.requests.is_empty() {
                self.perform(&mut state, i, 0);
            } else if let Some(n) = node.behind.iter().position(|behind| *behind > 0) {
                self.step(&mut state, &Step::Watch(i, n));
            } else if node.process.wake_at.is_some_and(|at| at <= end) {
                self.tell(&mut state, i, None, &News::Time);
            } else {
                self.happened(Fact::Settled);
                return self.judge.is_settled(state.journal.as_deref(), &state.objects);
            }
        }
        false
    }

    fn is_resolved_in_the_end(&self, state: &State) -> bool {
        !is_quiet(state) || (0..2).filter(|i| state.nodes[*i].process.leads).all(|i| self.settles(state, i))
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let first = || Object { versions: vec![Shared::new(Version::first(1, 1))], journalled: Vec::new() };
        let objects: Vec<_> = (0..self.config.placements).map(|_| first()).collect();
        let node = self.start(&objects, 0);
        vec![State {
            objects,
            journal: None,
            nodes: [node.clone(), node],
            adrift: Vec::new(),
            journal_adrift: Vec::new(),
            inventory: 0,
            left: self.config.budget,
            broken: None,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let State { objects, nodes, left, .. } = state;
        if state.broken.is_some() {
            return;
        }
        for (i, node) in nodes.iter().enumerate() {
            if i == 1 && node == &nodes[0] {
                break;
            }
            let process = &node.process;
            let possible = [
                (!process.leads, Step::LeaseHeld(i)),
                (process.leads && left.lease_losses > 0, Step::LeaseLost(i)),
                (process.leads && left.crashes > 0, Step::Crash(i)),
            ];
            steps.extend(possible.into_iter().filter(|(possible, _)| *possible).map(|(_, step)| step));
            for (r, request) in process.requests.iter().enumerate() {
                if *request != Request::ReadJournal || left.terms > 0 {
                    steps.push(Step::Perform(i, r));
                }
                let writes = matches!(request, Request::Put(..) | Request::Change(..));
                if left.lost > 0 && (writes || matches!(request, Request::WriteJournal(_))) {
                    steps.push(Step::Lose(i, r));
                }
                if left.duplicates > 0 && writes {
                    steps.push(Step::Duplicate(i, r));
                }
            }
            let shown = node.behind.iter().enumerate().filter(|(_, behind)| **behind > 0);
            steps.extend(shown.map(|(n, _)| Step::Watch(i, n)));
            if node.inventory != state.inventory {
                steps.push(Step::Inventory(i));
            }
            // Longer waits are for people alone.
            let soon = process.now + Duration::from_secs(9);
            let waits = process.requests.is_empty() && process.wake_at.is_some_and(|at| at < soon);
            if left.waits > 0 && process.leads && waits {
                steps.push(Step::Wait(i));
            }
        }
        steps.extend((0..state.adrift.len()).map(Step::Land));
        steps.extend((0..state.journal_adrift.len()).map(Step::LandJournal));
        for (n, object) in objects.iter().enumerate() {
            let exists = object.newest().exists;
            let possible = [
                (exists && left.revisions > 0, Step::Revise(n)),
                (exists && left.edits > 0, Step::Edit(n)),
                (exists && left.deletions > 0, Step::Delete(n)),
                (!exists && left.creations > 0, Step::Create(n)),
            ];
            steps.extend(possible.into_iter().filter(|(possible, _)| *possible).map(|(_, step)| step));
        }
        if left.shrinks > 0 {
            steps.push(Step::Shrink);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        self.step(&mut state, &step);
        tidy(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(HELD, |_, state: &State| state.broken.is_none()),
            Property::always(RESOLVED, |model: &Self, state: &State| model.is_resolved_in_the_end(state)),
            Property::sometimes("a placement is placed", |_, state: &State| {
                state.objects.iter().any(|object| object.newest().decision.is_some())
            }),
            Property::sometimes("both datastores are full", |_, state: &State| {
                let decisions = state.objects.iter().filter_map(|object| object.newest().decision.as_ref());
                let morefs: BTreeSet<_> = decisions.map(|decision| &decision.moref).collect();
                morefs.len() == 2
            }),
            Property::sometimes("both processes decide", |_, state: &State| {
                state.nodes.iter().all(|node| node.process.scheduler.is_deciding())
            }),
        ]
    }
}
