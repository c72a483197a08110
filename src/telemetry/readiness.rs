//! What stands between Berth and its work. No I/O.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is pending, each with the reason. Ready when nothing is.
#[derive(Debug, Default)]
pub struct Readiness {
    pending: Mutex<BTreeMap<&'static str, String>>,
}

impl Readiness {
    /// `what` is pending because of `why`. True when that is news.
    pub fn pending(&self, what: &'static str, why: impl Into<String>) -> bool {
        let why = why.into();
        let mut pending = self.lock();
        pending.get(what) != Some(&why) && {
            pending.insert(what, why);
            true
        }
    }

    /// `what` is no longer pending. True when it was.
    pub fn done(&self, what: &'static str) -> bool {
        self.lock().remove(what).is_some()
    }

    /// Everything that is pending, one per line; `None` when ready.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let pending = self.lock();
        if pending.is_empty() {
            return None;
        }
        Some(pending.iter().fold(String::new(), |mut text, (what, why)| {
            // Writing to a String cannot fail.
            writeln!(text, "{what}: {why}").unwrap_or_default();
            text
        }))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_what_is_pending_one_per_line() {
        let readiness = Readiness::default();
        assert!(readiness.pending("Secret", "not listed yet"));
        assert!(readiness.pending("InstancePlacement", "no such kind"));
        assert!(!readiness.pending("Secret", "not listed yet"));
        assert_eq!(readiness.report().unwrap(), "InstancePlacement: no such kind\nSecret: not listed yet\n");
        assert!(readiness.done("Secret") && !readiness.done("Secret"));
        assert!(readiness.done("InstancePlacement"));
        assert_eq!(readiness.report(), None);
    }
}
