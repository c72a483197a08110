//! The rules that a datastore must meet: one small function each, and the table that lists them. No I/O.

use super::capacity::{NoRoom, Room};
use super::codes::CodeSet;
use super::inventory::Datastore;
use super::pattern::Pattern;
use super::request::Request;
use super::selector::{lists, shown};
use super::{text, vvol};
use crate::api::RejectionCode;

/// One datastore, measured against one request.
pub(super) struct Case<'a> {
    pub(super) request: &'a Request,
    pub(super) datastore: &'a Datastore,
    pub(super) room: Result<Room, NoRoom>,
    /// What every VVOL datastore has against the request: computed once for all of them.
    pub(super) vvol: CodeSet,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Holds,
    Fails,
    /// vCenter did not return a property that the rule needs: `IncompleteData`, never a pass.
    Lacks,
}

impl Outcome {
    const fn fails_if(fails: bool) -> Self {
        if fails { Self::Fails } else { Self::Holds }
    }
}

/// A rule: the code that it gives, whether it holds, and what to say when it fails.
struct Rule {
    code: RejectionCode,
    check: fn(&Case) -> Outcome,
    say: fn(&Case) -> String,
}

/// All rules. Every one is evaluated for every datastore.
const RULES: [Rule; 10] = [
    Rule { code: RejectionCode::TypeNotAllowed, check: type_allowed, say: say_type },
    Rule { code: RejectionCode::NotAccessible, check: accessible, say: say_accessible },
    Rule { code: RejectionCode::MaintenanceMode, check: maintenance, say: say_maintenance },
    Rule { code: RejectionCode::NameNotMatched, check: name_matched, say: say_not_matched },
    Rule { code: RejectionCode::NameExcluded, check: name_excluded, say: say_excluded },
    Rule { code: RejectionCode::InsufficientFreeSpace, check: free_space, say: say_free_space },
    Rule { code: RejectionCode::OversubscriptionLimit, check: oversubscription, say: say_oversubscription },
    Rule {
        code: RejectionCode::SizeNotMiBAligned,
        check: |case| vvol_takes(case, RejectionCode::SizeNotMiBAligned),
        say: |case| vvol::detail(case.request, RejectionCode::SizeNotMiBAligned),
    },
    Rule {
        code: RejectionCode::BelowMinimumSize,
        check: |case| vvol_takes(case, RejectionCode::BelowMinimumSize),
        say: |case| vvol::detail(case.request, RejectionCode::BelowMinimumSize),
    },
    Rule {
        code: RejectionCode::SizeUnknown,
        check: |case| vvol_takes(case, RejectionCode::SizeUnknown),
        say: |case| vvol::detail(case.request, RejectionCode::SizeUnknown),
    },
];

impl Case<'_> {
    /// The codes of every rule that fails; none: the datastore is eligible.
    pub(super) fn codes(&self) -> CodeSet {
        RULES.iter().fold(CodeSet::default(), |codes, rule| match (rule.check)(self) {
            Outcome::Holds => codes,
            Outcome::Fails => codes.with(rule.code),
            Outcome::Lacks => codes.with(RejectionCode::IncompleteData),
        })
    }

    /// Why the datastore has this code, with numbers.
    pub(super) fn say(&self, code: RejectionCode) -> String {
        match RULES.iter().find(|rule| rule.code == code) {
            Some(rule) => (rule.say)(self),
            None => format!("vCenter did not return {}", self.missing().join(", ")),
        }
    }

    /// The properties that rules need and vCenter did not return.
    fn missing(&self) -> Vec<&'static str> {
        let Datastore { kind, capacity, free, .. } = self.datastore;
        let measured = self.room != Err(NoRoom::Meaningless);
        [
            ("summary.type", kind.is_none()),
            ("summary.capacity", measured && capacity.is_none()),
            ("summary.freeSpace", measured && free.is_none()),
        ]
        .into_iter()
        .filter_map(|(property, missing)| missing.then_some(property))
        .collect()
    }

    fn failing_names(&self) -> impl Iterator<Item = &Pattern> {
        self.request.names.iter().filter(|pattern| !pattern.matches(&self.datastore.name))
    }

    fn excluding_names(&self) -> impl Iterator<Item = &Pattern> {
        self.request.excludes.iter().filter(|pattern| pattern.matches(&self.datastore.name))
    }
}

/// As in Nova, which has a fixed set, and Cinder, whose set has VVOL; compared without case.
fn type_allowed(case: &Case) -> Outcome {
    match &case.datastore.kind {
        None => Outcome::Lacks,
        Some(kind) => Outcome::fails_if(!lists(&case.request.types, kind)),
    }
}

fn say_type(case: &Case) -> String {
    let kind = text::words(case.datastore.kind.as_deref().unwrap_or_default());
    if case.request.types.is_empty() {
        return format!("type {kind}: class and placement allow no type in common");
    }
    format!("type {kind} is not one of {}", text::words(&shown(&case.request.types)))
}

/// As in Nova and Cinder: it must be true, so that an absent value fails too.
fn accessible(case: &Case) -> Outcome {
    Outcome::fails_if(case.datastore.accessible != Some(true))
}

fn say_accessible(case: &Case) -> String {
    match case.datastore.accessible {
        None => "vCenter did not return summary.accessible".to_owned(),
        Some(_) => "vCenter reports that no host can reach it".to_owned(),
    }
}

/// As in Nova: an absent mode is `normal`, any other word is not.
fn maintenance(case: &Case) -> Outcome {
    Outcome::fails_if(case.datastore.maintenance_mode.as_deref().is_some_and(|mode| mode != "normal"))
}

fn say_maintenance(case: &Case) -> String {
    let mode = case.datastore.maintenance_mode.as_deref().unwrap_or_default();
    format!("maintenanceMode is {}", text::words(mode))
}

/// Class and placement can each have a pattern. Nova's matches a prefix; these match the whole name.
fn name_matched(case: &Case) -> Outcome {
    Outcome::fails_if(case.failing_names().next().is_some())
}

fn say_not_matched(case: &Case) -> String {
    format!("name does not match {}", listed(case.failing_names(), " and "))
}

fn name_excluded(case: &Case) -> Outcome {
    Outcome::fails_if(case.excluding_names().next().is_some())
}

fn say_excluded(case: &Case) -> String {
    format!("name matches {}", listed(case.excluding_names(), " and "))
}

fn listed<'a>(patterns: impl Iterator<Item = &'a Pattern>, separator: &str) -> String {
    patterns.map(|pattern| text::quoted(pattern.as_str())).collect::<Vec<_>>().join(separator)
}

/// See [`Room::is_insufficient`].
fn free_space(case: &Case) -> Outcome {
    space(case, Room::is_insufficient)
}

fn say_free_space(case: &Case) -> String {
    case.room.as_ref().map(Room::say_insufficient).unwrap_or_default()
}

/// See [`Room::is_oversubscribed`].
fn oversubscription(case: &Case) -> Outcome {
    space(case, Room::is_oversubscribed)
}

fn say_oversubscription(case: &Case) -> String {
    case.room.as_ref().map(Room::say_oversubscribed).unwrap_or_default()
}

fn space(case: &Case, fails: fn(&Room) -> bool) -> Outcome {
    match &case.room {
        Ok(room) => Outcome::fails_if(fails(room)),
        Err(NoRoom::Unknown) => Outcome::Lacks,
        Err(NoRoom::Meaningless) => Outcome::Holds,
    }
}

/// See [`vvol`]: a size excludes datastores of type VVOL, and no others.
fn vvol_takes(case: &Case, code: RejectionCode) -> Outcome {
    if !case.vvol.has(code) {
        return Outcome::Holds;
    }
    match &case.datastore.kind {
        None => Outcome::Lacks,
        Some(kind) => Outcome::fails_if(kind.eq_ignore_ascii_case("VVOL")),
    }
}
