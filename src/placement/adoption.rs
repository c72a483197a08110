//! A placement whose instance is there before any decision: it keeps its datastore. No I/O.

use super::codes::CodeSet;
use super::explain::Choice;
use super::instance::Drift;
use super::question::Question;
use super::{Decision, ELIGIBLE_SHOWN, Inventory, Judged, Ledger, NotFound, Request, Selected, Verdict};
use crate::api::DriftReason;

/// The datastore that an instance is on, taken as its placement's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Adoption {
    /// Counts and rejections are those of a fresh decision, which may prefer another datastore. The first candidate
    /// is the adopted one, with the rules that it breaks.
    pub decision: Decision,
    /// Whether it breaks any: class and placement may say what they like, the VM stays.
    pub drift: Drift,
}

/// Takes the datastore of the request's [instance](Request::of_instance): after a cluster is rebuilt from Git,
/// statuses are gone and VMs are not. None when there is no instance, or its datastore does not exist for Berth.
///
/// # Errors
/// As [`decide`](super::decide).
pub fn adopt(
    request: &Request,
    inventory: &Inventory,
    ledger: &Ledger,
) -> Result<Option<Adoption>, NotFound> {
    let question = Question::new(request, inventory, ledger)?;
    let Some(present) = question.present() else { return Ok(None) };
    let judged = Judged::of(&question);
    let codes = present.codes();
    // While it is eligible it comes first.
    let own = Verdict::new(&present, codes, codes.is_empty().then_some(1));
    let others = judged.eligible.iter().map(|(_, case)| case).zip(1..);
    let others = others.filter(|(case, _)| !case.is_present);
    let others = others.map(|(case, rank)| Verdict::new(case, CodeSet::default(), Some(rank)));
    let mut drift = Drift::default();
    if !own.reasons.is_empty() {
        let broken: Vec<_> = own.reasons.iter().map(|(code, why)| format!("{code} ({why})")).collect();
        drift.add(DriftReason::RulesBroken, format!("{} breaks {}", own.name, broken.join(", ")));
    }
    let selected = Selected::new(&present);
    let message = judged.tally.message(&question, Some(Choice::Adopted(&selected.datastore, codes)));
    let candidates = std::iter::once(own).chain(others).take(ELIGIBLE_SHOWN).collect();
    Ok(Some(Adoption { decision: judged.tally.decision(Some(selected), candidates, message), drift }))
}
