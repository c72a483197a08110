//! What is said of a decision: counts, verdicts and one message. No I/O.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::codes::CodeSet;
use super::inventory::Datastore;
use super::request::Request;
use super::rules::Case;
use super::{Verdict, text, vvol};
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

    /// The message of the decision: see [`super::Decision::message`].
    pub(super) fn message(&self, request: &Request, selected: Option<&Datastore>) -> String {
        let (eligible, evaluated) = (self.eligible, self.evaluated());
        if evaluated == 0 {
            return "there is no datastore to choose from: the vCenter has none, its account sees none, or \
                    the VCenter's own limits leave none"
                .to_owned();
        }
        let against = self.against(request);
        let message = match selected {
            None => format!("{eligible}/{evaluated} datastores are eligible: {against}."),
            Some(datastore) => {
                let selected =
                    format!("selected {} ({eligible} of {evaluated} eligible)", text::words(&datastore.name));
                if against.is_empty() { selected } else { format!("{selected}; not eligible: {against}") }
            }
        };
        bounded_message(&message)
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

impl Verdict {
    /// `rank` is none for a refused datastore.
    pub(super) fn new(case: &Case, codes: CodeSet, rank: Option<usize>) -> Self {
        Self {
            name: text::clean(&case.datastore.name),
            moref: case.datastore.moref.clone(),
            kind: text::clean(case.datastore.kind.as_deref().unwrap_or_default()),
            rank,
            reasons: reasons(case, codes),
        }
    }
}

/// Every rule that a datastore fails, in words.
pub(super) fn reasons(case: &Case, codes: CodeSet) -> Vec<(RejectionCode, String)> {
    codes.iter().map(|code| (code, text::cut(&case.say(code), MAX_REASON))).collect()
}
