//! A state of the model, what is true of it, and the plain changes of it.

use super::api::{JournalWrite, Put, Stored, Version};
use super::judge::Broken;
use super::process::{Process, Request, WALL};
use super::shared::{Shared, hash_of};

/// How often each thing may go wrong, or happen at all: what makes the model finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// A process is killed; a new one starts. What it had sent may still land.
    pub crashes: u8,
    /// An answer is lost; what was asked may still land.
    pub lost: u8,
    /// A status write is delivered twice.
    pub duplicates: u8,
    /// A user asks for a new decision.
    pub revisions: u8,
    /// A user edits something else.
    pub edits: u8,
    /// A placement is deleted.
    pub deletions: u8,
    /// A deleted placement is created again.
    pub creations: u8,
    /// A datastore shrinks.
    pub shrinks: u8,
    /// A process is told that it lost the Lease.
    pub lease_losses: u8,
    /// Somebody waits until it is time to try again.
    pub waits: u8,
    /// The journal is read at the beginning of a term: so many terms in all, conflicts included.
    pub terms: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// The newest last; the first is the oldest that a process has seen last.
    pub versions: Vec<Shared<Version>>,
    /// Bodies of status writes for the newest version that were in the journal.
    pub journalled: Vec<u64>,
}

impl Object {
    pub fn newest(&self) -> &Shared<Version> {
        self.versions.last().unwrap()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub process: Shared<Process>,
    /// Which inventory the vCenter told it last.
    pub inventory: usize,
    /// How many versions of each placement its watch still has to show it.
    pub behind: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub objects: Vec<Object>,
    pub journal: Option<Shared<Stored>>,
    /// The two have no names: they are kept in an order of their own.
    pub nodes: [Node; 2],
    /// Status writes whose sender does not wait for them any more, and that may still land.
    pub adrift: Vec<Shared<Put>>,
    pub journal_adrift: Vec<Shared<JournalWrite>>,
    /// Which inventory is true.
    pub inventory: usize,
    pub left: Budget,
    pub broken: Option<Broken>,
}

/// One step. Numbers are indices into what the state lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    LeaseHeld(usize),
    LeaseLost(usize),
    /// The API server does what a process asks, and the answer arrives; that of a status write has a step of
    /// its own.
    Perform(usize, usize),
    /// The process learns no more of this request, which stays adrift.
    Lose(usize, usize),
    Duplicate(usize, usize),
    Watch(usize, usize),
    Inventory(usize),
    Wait(usize),
    Crash(usize),
    Land(usize),
    LandJournal(usize),
    Revise(usize),
    Edit(usize),
    Delete(usize),
    Create(usize),
    Shrink,
}

/// One state for all that differ only in what cannot matter any more.
pub fn tidy(state: &mut State) {
    let objects = &mut state.objects;
    state.adrift.retain(|put| !put.is_void(objects[put.n].newest()));
    state.adrift.sort_unstable_by_key(|put| put.hash);
    state.adrift.dedup();
    state.journal_adrift.retain(|write| !write.is_void(state.journal.as_deref()));
    state.journal_adrift.sort_unstable_by_key(|write| write.hash);
    for (n, object) in objects.iter_mut().enumerate() {
        let most = state.nodes.iter().map(|node| node.behind[n]).max().unwrap_or_default();
        object.versions.drain(..object.versions.len() - 1 - most);
    }
    state.nodes.sort_by_key(hash_of);
}

/// Nothing is under way, everybody knows everything.
pub fn is_quiet(state: &State) -> bool {
    state.nodes.iter().all(|node| {
        node.process.requests.is_empty()
            && node.behind.iter().all(|behind| *behind == 0)
            && node.inventory == state.inventory
    })
}

pub fn store(state: &mut State, n: usize, version: Version) {
    state.objects[n].versions.push(Shared::new(version));
    state.objects[n].journalled.clear();
    for node in &mut state.nodes {
        node.behind[n] += 1;
    }
}

pub fn edit(state: &mut State, n: usize, change: impl FnOnce(&mut Version)) {
    let mut version = (**state.objects[n].newest()).clone();
    version.number += 1;
    change(&mut version);
    store(state, n, version);
}

/// Request `r` of process `i` may land from now on, whatever becomes of the process.
pub fn set_adrift(state: &mut State, i: usize, r: usize) {
    match &state.nodes[i].process.requests[r].clone() {
        Request::Put(_, put) => state.adrift.push(put.clone()),
        change @ Request::Change(..) => state.adrift.extend(changed(state, change).map(Shared::new)),
        Request::WriteJournal(write) => state.journal_adrift.push(write.clone()),
        Request::ReadJournal | Request::List | Request::Get(_) | Request::Answer(..) => {}
    }
}

/// The write that a change comes to if its read is done now; `None` where the object is gone.
pub fn changed(state: &State, request: &Request) -> Option<Put> {
    let Request::Change(_, n, uid, change) = request else { return None };
    let version = state.objects[*n].newest();
    if !version.exists || version.uid(*n) != *uid {
        return None;
    }
    let status = berth::status::apply(&serde_json::from_str(&version.status).unwrap(), change, WALL);
    Some(Put::onto(*n, version, &status))
}
