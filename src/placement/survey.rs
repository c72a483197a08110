//! What every datastore is to one request, in the inventory's order: for reports. No I/O.

use super::NotFound;
use super::codes::CodeSet;
use super::explain::reasons;
use super::inventory::Inventory;
use super::ledger::Ledger;
use super::question::Question;
use super::rank::Standing;
use super::request::Request;
use crate::api::RejectionCode;

/// What one datastore is to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its place among the eligible ones, from 1. None when it is not eligible.
    pub rank: Option<u32>,
    /// The codes of the rules that it fails.
    pub codes: CodeSet,
    /// The same with numbers, as in [`Verdict::reasons`](super::Verdict::reasons); empty unless asked for.
    pub reasons: Vec<(RejectionCode, String)>,
}

/// One finding for each datastore that the `VCenter`'s limits show, in the inventory's order. To put a reason
/// into words takes longer than to find it: `words` asks for them.
///
/// # Errors
/// As [`decide`](super::decide).
pub fn survey(
    request: &Request,
    inventory: &Inventory,
    ledger: &Ledger,
    words: bool,
) -> Result<Vec<Finding>, NotFound> {
    let question = Question::new(request, inventory, ledger)?;
    let mut findings = Vec::new();
    let mut eligible = Vec::new();
    for case in question.cases() {
        let codes = case.codes();
        match &case.room {
            Ok(room) if codes.is_empty() => eligible.push((Standing::new(&case, room), findings.len())),
            _ => {}
        }
        let reasons = if words { reasons(&case, codes) } else { Vec::new() };
        findings.push(Finding { rank: None, codes, reasons });
    }
    eligible.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    for ((_, at), rank) in eligible.into_iter().zip(1..) {
        if let Some(finding) = findings.get_mut(at) {
            finding.rank = Some(rank);
        }
    }
    Ok(findings)
}
