//! What a replica is told of the election. No I/O.

use std::time::Duration;

/// How replicas agree on their leader; the names and the meaning are those of client-go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderElection {
    /// Tells replicas apart. A restarted container that has the same one takes its own lease back at once.
    pub identity: String,
    /// So long after its last renewal was seen, a leader may be replaced. Whole seconds.
    pub lease_duration: Duration,
    /// A leader that could not renew for so long stops to decide.
    pub renew_deadline: Duration,
    /// Time between two renewals.
    pub retry_period: Duration,
}

/// What cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElectionError {
    /// An empty holder means that nobody leads.
    #[error("the identity must not be empty")]
    Identity,
    /// The object has no room for fractions, or for none at all.
    #[error("the lease duration must be a whole number of seconds, at least 1")]
    LeaseDuration,
    /// Two could lead at a time.
    #[error("the lease duration must be longer than the renew deadline")]
    RenewDeadline,
    /// One late answer would end a term.
    #[error("the renew deadline must be longer than 1.2 times the retry period, and that longer than 0")]
    RetryPeriod,
}

impl LeaderElection {
    /// With the times that controllers usually have.
    #[must_use]
    pub fn of(identity: &str) -> Self {
        Self {
            identity: identity.to_owned(),
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }

    /// Whether it can work.
    ///
    /// # Errors
    /// When it cannot: what is to be changed.
    pub fn check(&self) -> Result<(), ElectionError> {
        let Self { identity, lease_duration, renew_deadline, retry_period } = self;
        if identity.is_empty() {
            return Err(ElectionError::Identity);
        }
        if lease_duration.subsec_nanos() != 0 || !(1..=86_400).contains(&lease_duration.as_secs()) {
            return Err(ElectionError::LeaseDuration);
        }
        if renew_deadline >= lease_duration {
            return Err(ElectionError::RenewDeadline);
        }
        if retry_period.is_zero() || retry_period.mul_f64(1.2) >= *renew_deadline {
            return Err(ElectionError::RetryPeriod);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_cannot_work_together_are_refused() {
        let check = |lease_duration: u64, renew_deadline: u64, retry_period: u64| {
            let [lease_duration, renew_deadline, retry_period] =
                [lease_duration, renew_deadline, retry_period].map(Duration::from_millis);
            let identity = "berth-1".to_owned();
            LeaderElection { identity, lease_duration, renew_deadline, retry_period }.check()
        };
        assert_eq!(LeaderElection::of("a").check(), Ok(()));
        assert_eq!(LeaderElection::of("").check(), Err(ElectionError::Identity));
        assert_eq!(check(2_000, 1_000, 100), Ok(()));
        for lease_duration in [0, 999, 1_500, 86_401_000] {
            assert_eq!(check(lease_duration, 500, 100), Err(ElectionError::LeaseDuration));
        }
        assert_eq!(check(10_000, 10_000, 2_000), Err(ElectionError::RenewDeadline));
        assert_eq!(check(10_000, 6_000, 5_000), Err(ElectionError::RetryPeriod));
        assert_eq!(check(10_000, 6_001, 5_000), Ok(()));
        assert_eq!(check(10_000, 6_000, 0), Err(ElectionError::RetryPeriod));
    }
}
