//! From decisions to statuses, through the public door.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Change, Context, apply, not_eligible, placed};
use crate::api::{ClassReference, RejectionCode, VCenterReference};
use crate::placement::samples::{compute, datastore};
use crate::placement::{
    self, Ask, ClassRules, Decision, Inventory, Ledger, MoRef, Patterns, Request, Selector, Verdict,
};

/// As long as vSphere's names can become: 80 characters of three bytes each.
const NAME_BYTES: usize = 240;

fn context() -> Context {
    Context {
        generation: i64::MAX,
        revision: i64::MAX,
        image: None,
        class: ClassReference { name: "c".repeat(253), uid: "u".repeat(36), generation: i64::MAX },
        vcenter: VCenterReference { name: "v".repeat(253), instance_uuid: "i".repeat(36) },
        inventory_version: "0".repeat(16),
        inventory_time: Timestamp::UNIX_EPOCH,
        claim_expiration: Timestamp::UNIX_EPOCH,
    }
}

/// Ten datastores that were refused, each for this many reasons.
fn refusal(message_bytes: usize, reasons: usize, reason_bytes: usize) -> Decision {
    let verdict = |n: usize| Verdict {
        name: "n".repeat(NAME_BYTES),
        moref: MoRef(format!("datastore-{n}")),
        kind: "VMFS".to_owned(),
        rank: None,
        reasons: vec![(RejectionCode::InsufficientFreeSpace, "r".repeat(reason_bytes)); reasons],
        figures_time: None,
    };
    Decision {
        evaluated: 1_000,
        eligible: 0,
        rejections: vec![(RejectionCode::InsufficientFreeSpace, 1_000); reasons],
        selected: None,
        candidates: (1..=10).map(verdict).collect(),
        message: "m".repeat(message_bytes),
    }
}

/// A datastore with long names is selected, for an instance in a cluster or outside of any.
fn selection(in_cluster: bool) -> Change {
    let spec = serde_json::from_value(json!({"image": {"virtualSize": "1Gi"}})).unwrap();
    let asked = Ask::parse(&spec, &mut Patterns::default()).unwrap();
    let request = Request::compile(&asked, &ClassRules::default(), &Selector::default(), None);
    let one = datastore("datastore-1", &"n".repeat(NAME_BYTES), "VMFS");
    let inventory = Inventory::new("vc-1", compute(), vec![one]);
    let decision = placement::decide(&request, &inventory, &Ledger::default()).unwrap();
    let mut selected = decision.selected.clone().unwrap();
    match &mut selected.cluster {
        Some(served) if in_cluster => served.name = "k".repeat(NAME_BYTES),
        served => *served = None,
    }
    placed(&decision, &selected, &context(), "i".repeat(36))
}

fn after(status: &Value, change: &Change) -> Value {
    apply(status, change, Timestamp::UNIX_EPOCH)
}

fn bytes(value: &Value) -> usize {
    serde_json::to_vec(value).unwrap().len()
}

/// It is stored with every write and sent to every watcher.
#[test]
fn a_status_stays_below_8_kib_and_names_the_candidates_that_fit() {
    for message in [0, 100, 500, 1_024] {
        for (reasons, reason) in [(1, 10), (1, 256), (3, 100), (5, 256), (13, 256)] {
            let decision = refusal(message, reasons, reason);
            let status = after(&after(&json!({}), &selection(true)), &not_eligible(&decision, &context()));
            let size = bytes(&status);
            assert!(size < 8 * 1024, "{message} {reasons} {reason}: {size}");
            let told = status["decision"]["candidates"].as_array().map_or(0, Vec::len);
            let candidate = bytes(&json!(super::candidate(&decision.candidates[0])));
            // What else a status can have takes up to 2 KiB, of which this one uses a good part.
            assert!(
                told == 10 || size + candidate > 6 * 1024,
                "{message} {reasons} {reason}: {told}, {size}"
            );
        }
    }
}

#[test]
fn a_new_selection_takes_away_what_is_not_true_of_it() {
    let first = after(&json!({}), &selection(true));
    assert_eq!(first["compute"]["hosts"], 2);
    let second = after(&first, &selection(false));
    assert_eq!(second.get("compute"), None);
}

/// A decision is told as long as what it led to.
#[test]
fn a_refusal_without_datastore_is_forgotten_when_nothing_can_be_decided() {
    let suspended = Change::NotReady(Box::new(super::NotReady {
        generation: 2,
        reason: crate::api::PlacementReason::Suspended,
        message: "suspended".to_owned(),
        stance: super::Stance::Neither,
        decision: None,
    }));
    let refused = after(&json!({}), &not_eligible(&refusal(10, 1, 10), &context()));
    assert_eq!(refused["decision"]["evaluated"], 1_000);
    assert_eq!(after(&refused, &suspended).get("decision"), None);
    let selected = after(&json!({}), &selection(true));
    assert_eq!(after(&selected, &suspended)["decision"], selected["decision"]);
}
