//! What a status tells its readers: the measure of whether a waiting placement is written again. No I/O.

use crate::api::{
    Condition, ConditionStatus, ConditionType, Decision, InstancePlacementStatus, PlacementReason,
};

use super::change::{Change, NotReady};

/// What a status tells its readers. Two statuses that show the same are not worth a write: figures in
/// messages are as of the write that brought them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shown {
    generation: i64,
    reason: String,
    ready: bool,
    told: Told,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Told {
    /// Reason and generation say it all.
    Nothing,
    /// The words are the content.
    Message(String),
    /// The verdicts are the content, never their figures.
    Verdicts {
        evaluated: i32,
        eligible: i32,
        rejections: Vec<(String, i32)>,
        candidates: Vec<(String, Vec<String>)>,
    },
}

impl Shown {
    /// What this status shows; nothing when it has no Ready condition.
    #[must_use]
    pub fn of(status: &InstancePlacementStatus) -> Option<Self> {
        let ready = find(&status.conditions, ConditionType::Ready)?;
        let companion = [ConditionType::Reconciling, ConditionType::Stalled]
            .into_iter()
            .filter(|type_| find(&status.conditions, *type_).is_some())
            .count();
        let is_ready = ready.status == ConditionStatus::True;
        // A Ready status with a companion contradicts itself: no change shows the same.
        if is_ready && companion > 0 {
            return None;
        }
        let told = if is_ready {
            Told::Nothing
        } else if ready.reason == PlacementReason::NoEligibleDatastore.as_str() {
            verdicts(status.decision.as_ref()?)
        } else if ready.reason == PlacementReason::DeadlineExceeded.as_str()
            && let Some(refused) = status.decision.as_ref().filter(|decision| decision.source.is_none())
        {
            verdicts(refused)
        } else {
            Told::Message(ready.message.clone())
        };
        Some(Self {
            generation: status.observed_generation?,
            reason: ready.reason.clone(),
            ready: is_ready,
            told,
        })
    }

    /// What a status shows after this change; nothing when that is what it showed before.
    #[must_use]
    pub fn after(change: &Change) -> Option<Self> {
        let (generation, reason, ready, told) = match change {
            Change::ClaimExpired { .. } => return None,
            Change::Placed(placed) => (placed.generation, PlacementReason::Placed, true, Told::Nothing),
            Change::Observed { generation } => (*generation, PlacementReason::Placed, true, Told::Nothing),
            Change::NotReady(not_ready) => {
                let NotReady { generation, reason, message, decision, .. } = not_ready.as_ref();
                let told = match decision {
                    Some(decision) => verdicts(decision),
                    None => Told::Message(message.clone()),
                };
                (*generation, *reason, false, told)
            }
        };
        Some(Self { generation, reason: reason.as_str().to_owned(), ready, told })
    }

    /// The reason of the Ready condition.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The generation that it is about.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.generation
    }
}

fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == type_.as_str())
}

fn verdicts(decision: &Decision) -> Told {
    let codes = |c: &crate::api::Candidate| c.reasons.iter().map(|r| r.code.clone()).collect();
    Told::Verdicts {
        evaluated: decision.evaluated,
        eligible: decision.eligible,
        rejections: decision.rejections.iter().map(|r| (r.reason.clone(), r.count)).collect(),
        candidates: decision.candidates.iter().map(|c| (c.mo_ref.clone(), codes(c))).collect(),
    }
}
