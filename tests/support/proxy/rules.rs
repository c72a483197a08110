//! Which requests are interfered with, how, and the handle of whoever waits for it. No I/O.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use regex::Regex;
use tokio::sync::watch;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// Nothing but to be counted.
    Count,
    /// Read whole, and kept until [`RuleHandle::release`]; then it goes to the server, also when its sender
    /// is gone by then.
    HoldBefore,
    /// The server has answered, and the sender does not hear of it until [`RuleHandle::release`].
    HoldAfter,
    /// The server never sees it; the sender gets this status and body.
    Answer(u16, String),
    /// As [`Action::Answer`], with one more header.
    AnswerWith(u16, &'static str, String, String),
    /// The server never sees it; the connection is reset.
    ResetBefore,
    /// The server has answered, and the connection is reset before the sender hears of it.
    ResetAfter,
    /// The server never sees it, and the sender never gets an answer.
    BlackHole,
    /// It goes to the server this much later.
    Delay(Duration),
    /// The stream breaks after this many bytes of the answer's body.
    Truncate(usize),
    /// After this many bytes of the answer's body nothing more comes.
    Stall(usize),
}

/// Which requests a rule is for. The next one that fits, unless said otherwise.
#[derive(Clone, Debug)]
pub struct Match {
    method: Option<String>,
    path: Option<Regex>,
    pass: usize,
    left: Option<usize>,
}

impl Match {
    /// The next request, whatever it is.
    pub fn any() -> Self {
        Self { method: None, path: None, pass: 0, left: Some(1) }
    }

    /// Only requests with this verb, for example `PUT`.
    pub fn method(self, method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..self }
    }

    /// Only requests in whose path with query this regular expression is found.
    pub fn path(self, expression: &str) -> Self {
        Self { path: Some(Regex::new(expression).unwrap()), ..self }
    }

    /// Only the `nth` that fits, counted from 1.
    pub fn nth(self, nth: usize) -> Self {
        Self { pass: nth - 1, ..self }
    }

    /// All that fit, from the one that [`Match::nth`] names on.
    pub fn every(self) -> Self {
        Self { left: None, ..self }
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.path.as_ref().is_none_or(|wanted| wanted.is_match(path))
    }
}

/// A rule in force.
pub(super) struct Rule {
    which: Match,
    pub action: Action,
    pub signals: Arc<Signals>,
}

/// What a rule and its handle tell each other.
pub(super) struct Signals {
    hits: watch::Sender<usize>,
    released: watch::Sender<bool>,
    over: watch::Sender<bool>,
}

impl Signals {
    pub fn hit(&self) {
        self.hits.send_modify(|hits| *hits += 1);
    }

    pub async fn released(&self) {
        // Never fails: the sender is here.
        drop(self.released.subscribe().wait_for(|released| *released).await);
    }
}

/// The rules in the order of their making.
#[derive(Default)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    pub fn add(&mut self, which: Match, action: Action) -> RuleHandle {
        let signals = Arc::new(Signals {
            hits: watch::Sender::new(0),
            released: watch::Sender::new(false),
            over: watch::Sender::new(false),
        });
        self.0.push(Rule { which, action, signals: Arc::clone(&signals) });
        RuleHandle(signals)
    }

    /// The first rule whose turn it is. Every rule that fits counts the request.
    pub fn take(&mut self, method: &str, path: &str) -> Option<(Action, Arc<Signals>)> {
        self.0.retain(|rule| !*rule.signals.over.borrow());
        let mut found = None;
        for rule in self.0.iter_mut().filter(|rule| rule.which.fits(method, path)) {
            if rule.which.pass > 0 {
                rule.which.pass -= 1;
            } else if found.is_none() {
                rule.which.left = rule.which.left.map(|left| left - 1);
                found = Some((rule.action.clone(), Arc::clone(&rule.signals)));
            }
        }
        self.0.retain(|rule| rule.which.left != Some(0));
        found
    }
}

/// Tells when a rule was used, and lets go what it holds. Dropping it changes nothing.
#[derive(Clone)]
pub struct RuleHandle(Arc<Signals>);

impl RuleHandle {
    /// How many requests it was used on. One that is held counts from when it is held.
    pub fn hits(&self) -> usize {
        *self.0.hits.borrow()
    }

    /// Until it was used.
    pub async fn wait_hit(&self) {
        drop(self.0.hits.subscribe().wait_for(|hits| *hits > 0).await);
    }

    /// [`RuleHandle::wait_hit`] for tests without a runtime.
    ///
    /// # Panics
    /// After a minute.
    pub fn wait_hit_blocking(&self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.hits() == 0 {
            assert!(Instant::now() < deadline, "no such request within a minute");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets go what is held, now and later.
    pub fn release(&self) {
        self.0.released.send_replace(true);
    }

    /// The rule is used on no further request.
    pub fn end(&self) {
        self.0.over.send_replace(true);
    }
}
