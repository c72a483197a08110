//! A condition as Berth says it. No I/O.

use jiff::Timestamp;

use crate::api::{Condition, ConditionStatus, ConditionType};

/// Times have no fraction in any Kubernetes API.
pub(super) fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// A condition whose status has just become what it is.
#[must_use]
pub fn condition(
    type_: ConditionType,
    status: ConditionStatus,
    reason: &str,
    message: &str,
    generation: i64,
    now: Timestamp,
) -> Condition {
    Condition {
        type_: type_.as_str().to_owned(),
        status,
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: whole_second(now),
        observed_generation: Some(generation),
    }
}
