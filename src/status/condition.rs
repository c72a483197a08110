//! A condition as Berth says it. No I/O.

use jiff::Timestamp;

use crate::api::{Condition, ConditionStatus, ConditionType};

/// A condition whose status has just become what it is. Times have no fraction in any Kubernetes API.
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
        last_transition_time: Timestamp::from_second(now.as_second()).unwrap_or(now),
        observed_generation: Some(generation),
    }
}
