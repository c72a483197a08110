//! What goes wrong on purpose.

use std::time::Duration;

use super::call::{Call, Verb};
use super::refusal::Refusal;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// It is refused.
    Refuse(Refusal),
    /// Its connection is reset, with whatever else is on it.
    Reset,
    /// No answer, or no rest of it, ever comes.
    Hang,
    /// It takes so long.
    Delay(Duration),
    /// The answer is cut in the middle of a word, and complete as HTTP sees it.
    Cut,
    /// The answer carries this warning.
    Warn(&'static str),
}

/// What happens to an event of a watch.
#[derive(Clone, Debug)]
pub enum OnEvent {
    /// It never comes.
    Drop,
    /// It comes twice.
    Repeat,
    /// It comes so much later, and what follows after it.
    Delay(Duration),
    /// An error comes in its place.
    Fail(Refusal),
}

/// When it happens.
#[derive(Clone, Debug)]
enum When {
    Before(Action),
    AfterCommit(Action),
    InAnswer(Action),
    Event(OnEvent),
}

/// A moment in the life of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    Before,
    AfterCommit,
    InAnswer,
}

/// What goes wrong, and for which requests.
#[derive(Clone, Debug)]
pub struct Fault {
    verb: Verb,
    resource: &'static str,
    status: Option<bool>,
    name: String,
    skip: usize,
    times: usize,
    when: When,
}

/// Which requests a fault is meant for: the next one of this verb, unless it is said otherwise.
#[derive(Clone, Debug)]
pub struct On(Fault);

impl On {
    /// The plural of the kind.
    pub fn new(verb: Verb, resource: &'static str) -> Self {
        let when = When::Before(Action::Hang);
        Self(Fault { verb, resource, status: None, name: String::new(), skip: 0, times: 1, when })
    }

    /// Only at the status endpoint.
    pub fn status(mut self) -> Self {
        self.0.status = Some(true);
        self
    }

    /// Only objects whose name begins so.
    pub fn named(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.0.name);
        self
    }

    /// Lets so many pass first.
    pub fn skip(mut self, count: usize) -> Self {
        self.0.skip = count;
        self
    }

    /// So many in a row.
    pub fn times(mut self, count: usize) -> Self {
        self.0.times = count;
        self
    }

    /// All of them, until [`super::Kube::heal`].
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Nothing is done then, unless it is only delayed.
    pub fn before(self, action: Action) -> Fault {
        assert!(!matches!(action, Action::Cut | Action::Warn(_)), "{action:?} is for answers");
        self.when(When::Before(action))
    }

    /// What was asked is done, and then this happens.
    pub fn after_commit(self, action: Action) -> Fault {
        assert!(!matches!(action, Action::Cut), "{action:?} is for the inside of answers");
        self.when(When::AfterCommit(action))
    }

    /// After half of the answer.
    pub fn in_answer(self, action: Action) -> Fault {
        assert!(!matches!(action, Action::Refuse(_) | Action::Warn(_)), "{action:?} comes too late then");
        self.when(When::InAnswer(action))
    }

    /// To an event of a watch.
    pub fn on_event(self, what: OnEvent) -> Fault {
        self.when(When::Event(what))
    }

    fn when(mut self, when: When) -> Fault {
        self.0.when = when;
        self.0
    }
}

/// The faults that are still to happen.
#[derive(Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many have not happened yet.
    pub fn left(&self) -> usize {
        self.0.iter().filter(|fault| fault.times > 0).count()
    }

    /// What happens to this request at this point.
    pub fn take(&mut self, call: &Call, point: Point) -> Option<Action> {
        self.first(call, &call.name, |when| match (when, point) {
            (When::Before(action), Point::Before)
            | (When::AfterCommit(action), Point::AfterCommit)
            | (When::InAnswer(action), Point::InAnswer) => Some(action.clone()),
            _ => None,
        })
    }

    /// What happens to this event of a watch.
    pub fn take_event(&mut self, watch: &Call, name: &str) -> Option<OnEvent> {
        self.first(watch, name, |when| match when {
            When::Event(what) => Some(what.clone()),
            _ => None,
        })
    }

    fn first<T>(&mut self, call: &Call, name: &str, happens: impl Fn(&When) -> Option<T>) -> Option<T> {
        for fault in &mut self.0 {
            let meant = fault.verb == call.verb
                && fault.resource == call.kind.plural
                && fault.status.is_none_or(|status| status == call.status)
                && name.starts_with(&fault.name)
                && fault.times > 0;
            let Some(what) = happens(&fault.when).filter(|_| meant) else { continue };
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(what);
        }
        None
    }
}
