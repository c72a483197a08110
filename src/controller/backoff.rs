//! How long to wait before something is tried again. No I/O.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// Doubling waits with jitter: between the half and the whole of 1, 2, 4, 8, 10, 10, ... seconds. Begins
/// anew when the last failure is long ago; a success in between is no reason, since something that fails
/// right after each success must be slowed down too.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    last: Option<Instant>,
}

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(10);
    const FORGET: Duration = Duration::from_mins(1);

    pub(super) const fn new() -> Self {
        Self { next: Self::FIRST, last: None }
    }

    /// The wait after one more failure.
    pub(super) fn delay(&mut self) -> Duration {
        if self.last.is_some_and(|last| last.elapsed() > Self::FORGET) {
            self.next = Self::FIRST;
        }
        self.last = Some(Instant::now());
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(Self::LONGEST);
        let half = whole / 2;
        half.saturating_add(half.mul_f64(random_fraction()))
    }
}

/// From 0 up to 1: the standard library seeds every `RandomState` differently, which is all that jitter
/// needs.
pub(super) fn random_fraction() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_a_limit_and_begin_anew_after_a_quiet_minute() {
        let mut backoff = Backoff::new();
        for whole in [1, 2, 4, 8, 10, 10].map(Duration::from_secs) {
            let delay = backoff.delay();
            assert!(delay >= whole / 2 && delay <= whole, "{delay:?} for {whole:?}");
        }
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(backoff.delay() <= Duration::from_secs(1));
    }
}
