//! THE STATE: everything that Berth knows and intends, and the one function that changes it. Pure.

mod action;
mod input;
mod journal;

pub use action::{Action, Announcement, DecisionRecord, Endpoint, Subject};
pub use input::{
    Attempt, ConnectionFailure, ConnectionNews, Input, Key, Kind, Meta, Now, ReadOutcome, SeenClass,
    SeenPlacement, SeenSecret, SeenVCenter, WriteFailure, WriteId,
};
pub use journal::{Intent, Journal};

/// Everything that Berth knows and intends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scheduler {}

impl Scheduler {
    /// Takes one input at a time and appends what is to be done about it.
    pub fn step(&mut self, _now: Now, _input: Input, _actions: &mut Vec<Action>) {}
}
