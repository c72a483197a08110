//! The path to a violation, in words.

use super::api::{JournalWrite, Put};
use super::process::Request;
use super::state::{State, Step};

/// Every step, and what is broken in the end.
pub fn path(path: Vec<(State, Option<Step>)>) -> Vec<String> {
    let last = path.last().map(|(state, _)| format!("in the end: {:?}", state.broken));
    let steps = path.into_iter().filter_map(|(state, step)| Some(of_step(&state, &step?)));
    steps.chain(last).collect()
}

/// The processes have no names: which of them is 0 may change from step to step.
fn of_step(state: &State, step: &Step) -> String {
    let request = |i: usize, r: usize| of_request(&state.nodes[i].process.requests[r]);
    match *step {
        Step::Perform(i, r) => format!("process {i}: {}: performed", request(i, r)),
        Step::Lose(i, r) => format!("process {i}: {}: no answer", request(i, r)),
        Step::Duplicate(i, r) => format!("process {i}: {}: delivered twice", request(i, r)),
        Step::Watch(i, n) => format!("process {i}: sees p{n}"),
        Step::Land(k) => format!("lands late: {}", of_put(&state.adrift[k])),
        Step::LandJournal(k) => format!("lands late: {}", of_journal(&state.journal_adrift[k])),
        _ => format!("{step:?}"),
    }
}

fn of_request(request: &Request) -> String {
    match request {
        Request::WriteJournal(write) => of_journal(write),
        Request::Put(_, put) => of_put(put),
        Request::Change(_, n, _, change) => format!("change p{n}: {change:?}"),
        other => format!("{other:?}"),
    }
}

fn of_journal(write: &JournalWrite) -> String {
    let intents = write.journal.intents.iter();
    let intents: Vec<_> =
        intents.map(|i| format!("{} at {} to {}", i.name, i.resource_version, i.backing)).collect();
    format!("journal of term {} for {:?}: {intents:?}", write.journal.term, write.replaces)
}

fn of_put(put: &Put) -> String {
    let decision = put.decision.as_ref();
    let decision = decision.map(|decision| format!("{} for revision {}", decision.moref, decision.revision));
    format!("status of p{} at {:?}: {}", put.n, put.version, decision.as_deref().unwrap_or("no datastore"))
}
