//! How long to wait before something that failed is tried again. No I/O, no randomness.

use std::time::Duration;

use super::input::Key;

/// `first` after one failure, doubled with every further one in a row, never more than `most`.
pub(super) fn doubled(first: Duration, failures: u32, most: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(most)
}

/// For requests about one placement: 1 s doubling to 5 min, spread by a tenth so that what failed together
/// does not come back together. The spread comes from the name.
pub(super) fn of_placement(key: &Key, failures: u32) -> Duration {
    let wait = doubled(Duration::from_secs(1), failures, Duration::from_mins(5));
    let bytes = key.namespace.bytes().chain(key.name.bytes());
    let spread = bytes.fold(failures, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) % 100;
    wait.saturating_add(wait.saturating_mul(spread).checked_div(1000).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
        let waits = [0, 1, 2, 6, 7, u32::MAX].map(|failures| doubled(second, failures, minute).as_secs());
        assert_eq!(waits, [1, 1, 2, 32, 60, 60]);
    }

    #[test]
    fn placements_that_failed_together_come_back_apart_but_not_much() {
        let of = |name: &str| of_placement(&Key { namespace: "a".into(), name: name.into() }, 4).as_millis();
        let waits: std::collections::BTreeSet<_> = (0..50).map(|n| of(&format!("p{n}"))).collect();
        assert!(waits.len() > 20, "{waits:?}");
        assert!(waits.iter().all(|wait| (8000..8800).contains(wait)), "{waits:?}");
    }
}
