//! Room that is kept: the ledger, and what it does to decisions.

use proptest::prelude::*;

use super::*;

fn backing(n: u8) -> Backing {
    Backing(format!("ds:///vmfs/volumes/{n}/"))
}

fn claim(of: u64, now: u64) -> Claim {
    Claim { bytes: bytes(of), immediate: bytes(now) }
}

#[test]
fn a_claim_counts_wherever_its_volume_is_seen() {
    let mut twin = datastore("datastore-2", "same-volume", "VMFS");
    twin.url.clone_from(&datastore("datastore-1", "", "").url);
    let both = inventory(vec![datastore("datastore-1", "here", "VMFS"), twin]);
    let mut ledger = Ledger::default();
    ledger.add(&Backing("ds:///vmfs/volumes/datastore-1/".into()), &claim(1000 * GIB, 1000 * GIB));
    let decision = decide(&request(Some("100Gi"), None), &both, &ledger);
    assert_eq!(
        decision.rejections,
        [(RejectionCode::InsufficientFreeSpace, 2), (RejectionCode::OversubscriptionLimit, 2)]
    );
}

#[test]
fn a_volume_without_url_is_found_in_the_ledger_too() {
    let bare = Datastore { url: String::new(), ..datastore("datastore-1", "bare", "NFS") };
    let placed = decide(&request(Some("600Gi"), None), &inventory(vec![bare.clone()]), &Ledger::default());
    let selected = placed.selected.unwrap();
    assert_eq!(selected.backing.0, "vc-1/datastore-1");
    let mut ledger = Ledger::default();
    ledger.add(&selected.backing, &selected.claim);
    assert_eq!(decide(&request(Some("600Gi"), None), &inventory(vec![bare.clone()]), &ledger).eligible, 0);
    let own = OwnClaim { backing: selected.backing, claim: selected.claim };
    let again =
        Request::compile(&ask(Some("600Gi"), None), &ClassRules::default(), &Selector::default(), Some(own));
    assert_eq!(decide(&again, &inventory(vec![bare]), &ledger).eligible, 1, "its own claim is left out");
}

#[test]
fn the_emptiest_datastore_is_that_without_claims_and_after_the_space_factor() {
    let all = inventory(vec![
        datastore("datastore-1", "a", "VMFS"),
        datastore("datastore-2", "b", "VMFS"),
        Datastore { free: Some(900 * GIB), ..datastore("datastore-3", "c", "VMFS") },
        datastore("datastore-4", "0-vsan", "vsan"),
    ]);
    let order = |ledger: &Ledger| {
        let verdicts = explain(&request(Some("1Gi"), None), &all, ledger);
        verdicts.into_iter().map(|verdict| verdict.name).collect::<Vec<_>>()
    };
    let mut ledger = Ledger::default();
    assert_eq!(order(&ledger), ["a", "b", "c", "0-vsan"]);
    ledger.add(&Backing("ds:///vmfs/volumes/datastore-1/".into()), &claim(200 * GIB, 200 * GIB));
    assert_eq!(order(&ledger), ["b", "c", "a", "0-vsan"]);
}

/// As in Cinder: what fits exactly fits. One byte more, of any of the figures, does not.
#[test]
fn the_last_byte_can_be_used() {
    let fits = |image: u64, root: u64, free: u64, percent: u32, kept: u64| {
        let volume =
            Datastore { capacity: Some(1001), free: Some(free), ..datastore("datastore-1", "a", "VMFS") };
        let mut ledger = Ledger::default();
        ledger.add(&Backing(volume.url.clone()), &claim(kept, kept));
        let class = ClassRules { headroom_percent: percent, ..ClassRules::default() };
        let asked = ask(Some(&image.to_string()), Some(&root.to_string()));
        let request = Request::compile(&asked, &class, &Selector::default(), None);
        decide(&request, &inventory(vec![volume]), &ledger).rejections
    };
    let (free, limit) = (RejectionCode::InsufficientFreeSpace, RejectionCode::OversubscriptionLimit);
    // 10 % of 1001 bytes are 101: headroom is rounded up.
    assert_eq!(fits(500, 500, 601, 10, 0), []);
    assert_eq!(fits(501, 501, 601, 10, 0), [(free, 1)]);
    assert_eq!(fits(500, 500, 600, 10, 0), [(free, 1)]);
    assert_eq!(fits(500, 500, 601, 11, 0), [(free, 1)]);
    assert_eq!(fits(400, 400, 601, 10, 100), []);
    assert_eq!(fits(400, 400, 601, 10, 101), [(free, 1)]);
    // Growth is held to the capacity, without headroom.
    assert_eq!(fits(1, 501, 601, 10, 100), []);
    assert_eq!(fits(1, 502, 601, 10, 100), [(limit, 1)]);
}

/// Thin disks that still grow are promised room: their sum stops where the capacity ends.
#[test]
fn thin_placements_are_admitted_until_the_capacity_is_promised() {
    let one = inventory(vec![datastore("datastore-1", "a", "VMFS")]);
    let mut ledger = Ledger::default();
    let request = request(Some("2Gi"), Some("100Gi"));
    let mut placed = 0;
    while let Some(selected) = decide(&request, &one, &ledger).selected {
        ledger.add(&selected.backing, &selected.claim);
        placed += 1;
    }
    assert_eq!(placed, 10, "10 x 100 GiB of 1024 GiB");
    let last = decide(&request, &one, &ledger);
    assert_eq!(last.rejections, [(RejectionCode::OversubscriptionLimit, 1)]);
}

#[test]
fn figures_at_the_edge_of_64_bits_are_harmless() {
    let edge = Datastore {
        capacity: Some(u64::MAX),
        free: Some(u64::MAX),
        uncommitted: Some(u64::MAX),
        ..datastore("datastore-1", "edge", "vsan")
    };
    let class = ClassRules { headroom_percent: 100, headroom: u64::MAX, ..ClassRules::default() };
    let asked = ask(Some("9223372036854775807"), None);
    let mut ledger = Ledger::default();
    for _ in 0..3 {
        ledger.add(&Backing(edge.url.clone()), &claim(Bytes::MAX.get(), Bytes::MAX.get()));
    }
    let request = Request::compile(&asked, &class, &Selector::default(), None);
    let decision = decide(&request, &inventory(vec![edge]), &ledger);
    assert_eq!(
        decision.rejections,
        [(RejectionCode::InsufficientFreeSpace, 1), (RejectionCode::OversubscriptionLimit, 1)]
    );
}

proptest! {
    /// What was added can be removed in any order; what was never added cannot make a sum negative.
    #[test]
    fn the_ledger_adds_and_removes(
        claims in prop::collection::vec((0_u8..4, 0_u64..1000, 0_u64..1000), 0..20),
        strangers in prop::collection::vec((0_u8..4, 0_u64..3000, 0_u64..3000), 0..5),
    ) {
        let mut ledger = Ledger::default();
        for (n, of, now) in &claims {
            let before = ledger.clone();
            ledger.add(&backing(*n), &claim(*of, *now));
            let mut undone = ledger.clone();
            undone.remove(&backing(*n), &claim(*of, *now));
            prop_assert_eq!(before, undone);
        }
        for n in 0..4 {
            let sum = |part: fn(&(u8, u64, u64)) -> u64| {
                claims.iter().filter(|c| c.0 == n).map(|c| u128::from(part(c))).sum::<u128>()
            };
            let kept = ledger.on(&backing(n));
            prop_assert_eq!((kept.bytes, kept.immediate), (sum(|c| c.1), sum(|c| c.2)));
        }
        prop_assert!(ledger.iter().all(|(_, kept)| kept != Kept::default()), "no empty entries");
        let mut emptied = ledger.clone();
        for (n, of, now) in claims.iter().rev() {
            emptied.remove(&backing(*n), &claim(*of, *now));
        }
        prop_assert_eq!(emptied, Ledger::default());
        for (n, of, now) in &strangers {
            let before = ledger.on(&backing(*n));
            ledger.remove(&backing(*n), &claim(*of, *now));
            let after = ledger.on(&backing(*n));
            prop_assert!(after.bytes <= before.bytes && after.immediate <= before.immediate);
        }
    }
}

/// A thin disk without content is written later; a thin root disk is written as far as its image.
#[test]
fn what_is_written_at_once_is_kept_apart() {
    let disks = serde_json::json!([
        {"name": "thick", "size": "2Gi", "provisioning": "Thick"},
        {"name": "thin", "size": "4Gi", "provisioning": "Thin"},
    ]);
    let spec = serde_json::json!({
        "image": {"virtualSize": "8Gi"},
        "rootDisk": {"size": "16Gi", "provisioning": "Thin"},
        "additionalDisks": disks,
    });
    let asked = Ask::parse(&serde_json::from_value(spec).unwrap(), &mut Patterns::default()).unwrap();
    let request = Request::compile(&asked, &ClassRules::default(), &Selector::default(), None);
    let one = inventory(vec![datastore("datastore-1", "a", "VMFS")]);
    let claim = decide(&request, &one, &Ledger::default()).selected.unwrap().claim;
    assert_eq!((claim.bytes, claim.immediate), (bytes(22 * GIB), bytes(10 * GIB)));
}
