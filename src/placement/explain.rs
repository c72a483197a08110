//! What is said of a decision: counts, verdicts and one message. No I/O.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::case::Case;
use super::codes::CodeSet;
use super::inventory::Datastore;
use super::question::Question;
use super::request::Request;
use super::{Decision, Selected, Verdict, text, vvol};
use crate::api::RejectionCode;

/// Longest message of a decision, in bytes: that of an event.
const MAX_MESSAGE: usize = 1024;
/// Longest message of one reason, in bytes.
const MAX_REASON: usize = 256;

/// A message within the bounds of a condition's and an event's.
#[must_use]
pub fn bounded_message(message: &str) -> String {
    text::cut(message, MAX_MESSAGE)
}

/// The datastore that a placement gets.
#[derive(Clone, Copy)]
pub(super) enum Choice<'a> {
    /// The best of the eligible ones.
    Selected(&'a Datastore),
    /// The one that the instance is on, and the rules that it breaks.
    Adopted(&'a Datastore, CodeSet),
}

/// How many datastores there are of each verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) eligible: usize,
    /// How many fail exactly these rules. Few sets occur, however many datastores there are.
    refused: BTreeMap<CodeSet, usize>,
}

impl Tally {
    pub(super) fn count(&mut self, codes: CodeSet) {
        let counter =
            if codes.is_empty() { &mut self.eligible } else { self.refused.entry(codes).or_default() };
        *counter = counter.saturating_add(1);
    }

    pub(super) fn evaluated(&self) -> usize {
        self.refused.values().fold(self.eligible, |sum, count| sum.saturating_add(*count))
    }

    /// The most frequent code first, then by its word.
    pub(super) fn rejections(&self) -> Vec<(RejectionCode, usize)> {
        let mut rejections: Vec<_> = RejectionCode::ALL
            .iter()
            .map(|code| (*code, self.refused_with(|codes| codes.has(*code))))
            .filter(|(_, count)| *count > 0)
            .collect();
        rejections.sort_by_key(|(code, count)| (Reverse(*count), code.as_str()));
        rejections
    }

    fn refused_with(&self, holds: impl Fn(CodeSet) -> bool) -> usize {
        let counts = self.refused.iter().filter(|(codes, _)| holds(**codes)).map(|(_, count)| *count);
        counts.fold(0, usize::saturating_add)
    }

    pub(super) fn decision(
        &self,
        selected: Option<Selected>,
        candidates: Vec<Verdict>,
        message: String,
    ) -> Decision {
        Decision {
            evaluated: self.evaluated(),
            eligible: self.eligible,
            rejections: self.rejections(),
            selected,
            candidates,
            message,
        }
    }

    /// The message of the decision: see [`Decision::message`].
    pub(super) fn message(&self, question: &Question, choice: Option<Choice>) -> String {
        let (eligible, evaluated) = (self.eligible, self.evaluated());
        if evaluated == 0 {
            return "there is no datastore to choose from: the vCenter has none, its account sees none, or \
                    the VCenter's own limits leave none"
                .to_owned();
        }
        let against = self.against(question.request);
        let mut said = match choice {
            None => {
                return bounded_message(&format!(
                    "{eligible}/{evaluated} datastores are eligible: {against}."
                ));
            }
            Some(Choice::Selected(datastore)) => {
                format!("selected {} ({eligible} of {evaluated} eligible)", text::words(&datastore.name))
            }
            Some(Choice::Adopted(datastore, broken)) => {
                let name = text::words(&datastore.name);
                let breaks = broken.iter().map(RejectionCode::as_str).collect::<Vec<_>>().join(", ");
                let breaks = if breaks.is_empty() { breaks } else { format!("; it breaks {breaks}") };
                format!("adopted {name}, where the VM is ({eligible} of {evaluated} eligible){breaks}")
            }
        };
        for note in notes(question, choice) {
            said = format!("{said}; {note}");
        }
        bounded_message(&if against.is_empty() { said } else { format!("{said}; not eligible: {against}") })
    }

    /// `3 InsufficientFreeSpace, 2 SizeNotMiBAligned (image is ...) (2 fail more than one rule)`.
    fn against(&self, request: &Request) -> String {
        let counts = self.rejections().into_iter().map(|(code, count)| {
            let detail = vvol::detail(request, code);
            if detail.is_empty() { format!("{count} {code}") } else { format!("{count} {code} ({detail})") }
        });
        let counts = counts.collect::<Vec<_>>().join(", ");
        match self.refused_with(|codes| codes.len() > 1) {
            0 => counts,
            1 => format!("{counts} (1 fails more than one rule)"),
            several => format!("{counts} ({several} fail more than one rule)"),
        }
    }
}

/// What else is to be known of a choice.
fn notes(question: &Question, choice: Option<Choice>) -> impl Iterator<Item = String> {
    let (chosen, moves) = match choice {
        Some(Choice::Selected(datastore)) => {
            let instance = question.request.instance.as_ref();
            (Some(datastore), instance.filter(|instance| instance.datastore != datastore.moref))
        }
        Some(Choice::Adopted(datastore, _)) => (Some(datastore), None),
        None => (None, None),
    };
    let must_move = moves.map(|_| match question.present() {
        Some(present) => {
            format!("the VM is on {} and must be moved", text::words(&present.datastore.name))
        }
        None => "the VM is on another datastore and must be moved".to_owned(),
    });
    let is_vvol = chosen.and_then(|d| d.kind.as_deref()).is_some_and(|k| k.eq_ignore_ascii_case(vvol::VVOL));
    let deprecated = vvol::deprecation(&question.inventory.vcenter_version).filter(|_| is_vvol);
    must_move.into_iter().chain(deprecated.map(str::to_owned))
}

impl Verdict {
    /// `rank` is none for a refused datastore.
    pub(super) fn new(case: &Case, codes: CodeSet, rank: Option<usize>) -> Self {
        Self {
            name: text::clean(&case.datastore.name),
            moref: case.datastore.moref.clone(),
            kind: text::clean(case.datastore.kind.as_deref().unwrap_or_default()),
            rank,
            reasons: reasons(case, codes),
            figures_time: case.datastore.figures_time,
        }
    }
}

/// Every rule that a datastore fails, in words.
pub(super) fn reasons(case: &Case, codes: CodeSet) -> Vec<(RejectionCode, String)> {
    codes.iter().map(|code| (code, text::cut(&case.say(code), MAX_REASON))).collect()
}
