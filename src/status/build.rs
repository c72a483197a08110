//! From a decision to the change of status that tells it. No I/O.

use jiff::Timestamp;

use crate::api::{
    Candidate, CandidateReason, Claim, ClaimState, ClassReference, ComputeStatus, Decision, DecisionSource,
    ImageSource, ImageStatus, InventoryReference, PlacementReason, Rejection, SelectedDatastore,
    VCenterReference,
};
use crate::placement::{self, Bytes, Selected, Verdict};

use super::change::{Change, NotReady, Placed, Stance};
use super::condition::whole_second;

/// A status stays below this many bytes of JSON: it is stored with every write and sent to every watcher.
const STATUS_BYTES: usize = 8 * 1024;
/// Names, times, identities and punctuation of a status besides decision and messages.
const FIXED_BYTES: usize = 2 * 1024;

/// Under which circumstances a decision was made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Context {
    /// Generation of the placement.
    pub generation: i64,
    /// `spec.revision` of the placement.
    pub revision: i64,
    /// The image's declared size.
    pub image: Option<Bytes>,
    /// The class that was applied.
    pub class: ClassReference,
    /// Which vCenter was decided on.
    pub vcenter: VCenterReference,
    /// `Inventory::version` of what was decided on.
    pub inventory_version: String,
    /// When the vCenter last confirmed it.
    pub inventory_time: Timestamp,
    /// When the room that it may get is given back, unless the instance has appeared.
    pub claim_expiration: Timestamp,
}

/// Tells a decision that selected a datastore. `instance_uuid` is what the VM is to be created with.
#[must_use]
pub fn placed(
    decision: &placement::Decision,
    selected: &Selected,
    context: &Context,
    instance_uuid: String,
) -> Change {
    let datastore = &selected.datastore;
    Change::Placed(Box::new(Placed {
        generation: context.generation,
        revision: context.revision,
        message: decision.message.clone(),
        instance_uuid,
        datastore: SelectedDatastore {
            name: datastore.name.clone(),
            mo_ref: datastore.moref.to_string(),
            type_: datastore.kind.clone().unwrap_or_default(),
            url: datastore.url.clone(),
            datacenter: selected.datacenter.clone(),
            vcenter: context.vcenter.clone(),
        },
        compute: selected.cluster.as_ref().map(|cluster| ComputeStatus {
            cluster: cluster.name.clone(),
            usable_hosts: int32(cluster.usable_hosts),
            hosts: int32(cluster.hosts),
        }),
        image: context
            .image
            .map(|size| ImageStatus { virtual_size_bytes: size.as_i64(), source: ImageSource::Declared }),
        claim: Claim {
            bytes: selected.claim.bytes.as_i64(),
            immediate_bytes: selected.claim.immediate.as_i64(),
            state: ClaimState::Open,
            expiration_time: Some(whole_second(context.claim_expiration)),
        },
        decision: tell(decision, Some(DecisionSource::Selected), context),
    }))
}

/// Tells a decision that found no eligible datastore.
#[must_use]
pub fn not_eligible(decision: &placement::Decision, context: &Context) -> Change {
    Change::NotReady(Box::new(NotReady {
        generation: context.generation,
        reason: PlacementReason::NoEligibleDatastore,
        message: decision.message.clone(),
        stance: Stance::Reconciling,
        decision: Some(tell(decision, None, context)),
    }))
}

/// The same, of a placement that has waited for longer than it was given.
#[must_use]
pub fn past_deadline(not_ready: NotReady, seconds: u64) -> NotReady {
    let NotReady { generation, reason, message, decision, .. } = not_ready;
    let message = format!("not placed within {seconds} s, still trying; {reason}: {message}");
    NotReady {
        generation,
        reason: PlacementReason::DeadlineExceeded,
        message: placement::bounded_message(&message),
        stance: Stance::Stalled,
        decision,
    }
}

fn tell(decision: &placement::Decision, source: Option<DecisionSource>, context: &Context) -> Decision {
    let mut told = Decision {
        source,
        placement_class: Some(context.class.clone()),
        inventory: Some(InventoryReference {
            version: context.inventory_version.clone(),
            time: context.inventory_time,
        }),
        evaluated: int32(decision.evaluated),
        eligible: int32(decision.eligible),
        rejections: decision
            .rejections
            .iter()
            .map(|(code, count)| Rejection { reason: code.to_string(), count: int32(*count) })
            .collect(),
        candidates: Vec::new(),
    };
    // The message stands in two conditions.
    let mut bytes = FIXED_BYTES + json_bytes(&told) + 2 * json_bytes(&decision.message);
    for verdict in &decision.candidates {
        let candidate = candidate(verdict);
        bytes += json_bytes(&candidate) + 1;
        if bytes > STATUS_BYTES {
            break;
        }
        told.candidates.push(candidate);
    }
    told
}

/// A datastore as a status tells of it.
pub(crate) fn candidate(verdict: &Verdict) -> Candidate {
    let reason = |(code, message): &(crate::api::RejectionCode, String)| CandidateReason {
        code: code.to_string(),
        message: message.clone(),
    };
    Candidate {
        name: verdict.name.clone(),
        mo_ref: verdict.moref.to_string(),
        type_: verdict.kind.clone(),
        eligible: verdict.reasons.is_empty(),
        rank: verdict.rank.map(int32),
        reasons: verdict.reasons.iter().map(reason).collect(),
    }
}

fn json_bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(STATUS_BYTES, |json| json.len())
}

fn int32(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
