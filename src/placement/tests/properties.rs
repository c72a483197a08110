//! The properties that every decision is held to, on generated worlds.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::oracle::{Conditions, Names, World, judge};
use super::*;

fn sizes() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 1_u64..=24,
        6 => (1_u64..=24).prop_map(|n| n * MIB / 2),
        1 => (1_u64..=24).prop_map(|n| n * MIB + 1),
        1 => select(vec![Bytes::MAX.get(), Bytes::MAX.get() / 2 + 1]),
    ]
}

/// Figures of datastores: around the sizes, and at the edges.
fn figure() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        12 => (0_u64..=64).prop_map(|n| Some(n * MIB / 2)),
        2 => (0_u64..=64).prop_map(Some),
        2 => select(vec![Some(Bytes::MAX.get()), Some(u64::MAX)]),
        1 => Just(None),
    ]
}

/// Mostly of the same grain as sizes and figures, so that sums often meet a limit exactly.
fn promise() -> impl Strategy<Value = u64> {
    prop_oneof![4 => (0_u64..8).prop_map(|n| n * MIB / 2), 1 => 0_u64..8 * MIB]
}

fn kinds() -> impl Strategy<Value = Option<String>> {
    let known = vec!["VMFS", "vmfs", "NFS", "NFS41", "vsan", "VSAN", "VVOL", "vvol", "vsanD", "PMEM"];
    prop_oneof![20 => select(known).prop_map(|kind| Some(kind.to_owned())), 1 => Just(None)]
}

fn one_datastore() -> impl Strategy<Value = Datastore> {
    let text = |all: &[&str]| select(all.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mode = select(vec![
        None,
        Some("normal"),
        Some("normal"),
        Some("normal"),
        Some("inMaintenance"),
        Some("Normal"),
    ]);
    let accessible = select(vec![Some(true), Some(true), Some(true), Some(true), Some(false), None]);
    (
        0_u8..20,
        text(&["a", "a-old", "b", "ab", "b\u{7}old", "a-1"]),
        kinds(),
        text(&["", "ds:///1/", "ds:///2/", "ds:///3/"]),
        accessible,
        mode,
        (figure(), figure(), prop_oneof![3 => Just(Some(0)), 1 => figure()]),
    )
        .prop_map(|(n, name, kind, url, accessible, mode, (capacity, free, uncommitted))| Datastore {
            maintenance_mode: mode.map(str::to_owned),
            kind,
            url,
            accessible,
            capacity,
            free,
            uncommitted,
            ..datastore(&format!("datastore-{n}"), &name, "")
        })
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let types =
        vec![vec![], vec![], vec!["vmfs", "VVOL", "VSAN"], vec!["nfs", "PMEM", "VMFS", "vvol"], vec!["vmfs"]];
    let names =
        || select(vec![Names::Any, Names::Any, Names::Any, Names::StartingWithA, Names::EndingWithOld]);
    (select(types), names(), names()).prop_map(|(types, names, excludes)| Conditions {
        types,
        names,
        excludes,
    })
}

fn world() -> impl Strategy<Value = World> {
    let claims = (select(vec!["ds:///1/", "ds:///2/", "vc-1/datastore-1"]), promise(), promise())
        .prop_map(|(url, bytes, now)| (url.to_owned(), bytes, now));
    (
        prop::collection::vec(one_datastore(), 0..16),
        prop::collection::vec(claims, 0..5),
        (sizes(), sizes(), 0_u8..3),
        (conditions(), conditions(), conditions()),
        (select(vec![0_u32, 0, 10, 33, 100]), select(vec![0_u64, 0, 1, MIB, 5 * MIB])),
        (select(vec![MIB, MIB, 4 * MIB]), any::<Option<Index>>()),
    )
        .prop_map(
            |(
                datastores,
                claims,
                (image, more, given),
                (limits, class, ask),
                (percent, headroom),
                (minimum, own),
            )| {
                let root = image.saturating_add(more).min(Bytes::MAX.get());
                World {
                    own: own.filter(|_| !claims.is_empty()).map(|own| own.index(claims.len())),
                    image: (given != 1).then_some(image),
                    root: (given != 0).then_some(root),
                    datastores,
                    claims,
                    limits,
                    class,
                    ask,
                    percent,
                    headroom,
                    minimum,
                }
            },
        )
}

fn parsed(conditions: &Conditions) -> Selector {
    selector(&conditions.types, conditions.names.pattern(), conditions.excludes.pattern())
}

fn compile(w: &World) -> (Request, Ledger) {
    let text = |size: Option<u64>| size.map(|size| size.to_string());
    let class = ClassRules {
        vcenter: None,
        datastores: parsed(&w.class),
        headroom_percent: w.percent,
        headroom: w.headroom,
        minimum_vvol_disk: bytes(w.minimum),
        ..ClassRules::default()
    };
    let asked = Ask { datastores: parsed(&w.ask), ..ask(text(w.image).as_deref(), text(w.root).as_deref()) };
    let claims: Vec<_> = w
        .claims
        .iter()
        .map(|(url, of, now)| OwnClaim {
            backing: Backing(url.clone()),
            claim: Claim { bytes: bytes(*of), immediate: bytes(*now) },
        })
        .collect();
    let mut ledger = Ledger::default();
    for kept in &claims {
        ledger.add(&kept.backing, &kept.claim);
    }
    let own = w.own.map(|n| claims[n].clone());
    (Request::compile(&asked, &class, &parsed(&w.limits), own), ledger)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// 1. Any order of the datastores gives the same decision and the same explanation.
    #[test]
    fn order_does_not_matter(w in world(), seed in any::<[u8; 16]>()) {
        let (request, ledger) = compile(&w);
        let all = inventory(w.datastores);
        let mut shuffled: Vec<_> = all.datastores().to_vec();
        for (n, swap) in seed.iter().enumerate().take(shuffled.len()) {
            let other = usize::from(*swap) % shuffled.len();
            shuffled.swap(n, other);
        }
        let again = inventory(shuffled);
        prop_assert_eq!(decide(&request, &all, &ledger), decide(&request, &again, &ledger));
        prop_assert_eq!(explain(&request, &all, &ledger), explain(&request, &again, &ledger));
    }

    /// 2. and 4. The oracle agrees on every code and on the order; counts add up; texts are bounded.
    #[test]
    fn the_oracle_agrees(w in world()) {
        let (request, ledger) = compile(&w);
        let all = inventory(w.datastores.clone());
        let mut expected: Vec<_> = all
            .datastores()
            .iter()
            .filter_map(|d| judge(&w, d).map(|(failed, rank)| (failed.len(), -rank, d.name.clone(), d, failed)))
            .map(|(count, rank, name, d, failed)| (count, if count == 0 { rank } else { 0 }, name, &d.moref, failed))
            .collect();
        expected.sort();
        let verdicts = explain(&request, &all, &ledger);
        let found: Vec<_> = verdicts.iter().map(|v| (&v.moref, v.reasons.iter().map(|(c, _)| c.as_str()).collect::<BTreeSet<_>>())).collect();
        prop_assert_eq!(found, expected.iter().map(|e| (e.3, e.4.clone())).collect::<Vec<_>>());

        let decision = decide(&request, &all, &ledger);
        let eligible = expected.iter().filter(|e| e.0 == 0).count();
        prop_assert_eq!((decision.evaluated, decision.eligible), (expected.len(), eligible));
        let first = expected.first().filter(|e| e.0 == 0).map(|e| e.3);
        prop_assert_eq!(decision.selected.as_ref().map(|s| &s.datastore.moref), first);
        for code in RejectionCode::ALL {
            let count = expected.iter().filter(|e| e.4.contains(code.as_str())).count();
            let reported = decision.rejections.iter().find(|(c, _)| c == code).map_or(0, |(_, n)| *n);
            prop_assert_eq!(count, reported, "{}", code);
        }
        let shown = if eligible == 0 { verdicts.len().min(10) } else { eligible.min(3) };
        prop_assert_eq!(&decision.candidates[..], &verdicts[..shown]);

        prop_assert!(!decision.message.is_empty() && decision.message.len() <= 1024);
        prop_assert!(!decision.message.chars().any(char::is_control));
        for (n, verdict) in verdicts.iter().enumerate() {
            prop_assert_eq!(verdict.rank, (n < eligible).then_some(n + 1));
            prop_assert_eq!(verdict.rank.is_none(), !verdict.reasons.is_empty(), "eligible, or a reason");
            for (_, message) in &verdict.reasons {
                prop_assert!(!message.is_empty() && message.len() <= 256, "{}", message);
                prop_assert!(!message.chars().any(char::is_control));
            }
        }
    }

    /// 3. Another datastore takes nothing away, and one that was not selected can go.
    #[test]
    fn other_datastores_do_not_hurt(w in world(), other in one_datastore(), gone in any::<Index>()) {
        let (request, ledger) = compile(&w);
        let all = inventory(w.datastores);
        let before = decide(&request, &all, &ledger);
        let Some(selected) = &before.selected else { return Ok(()) };
        let mut more = all.datastores().to_vec();
        more.push(Datastore { moref: MoRef("datastore-new".into()), ..other });
        let after = decide(&request, &inventory(more), &ledger);
        let moref = &after.selected.as_ref().unwrap().datastore.moref;
        prop_assert!(*moref == selected.datastore.moref || moref.0 == "datastore-new");
        let mut fewer = all.datastores().to_vec();
        let removed = fewer.remove(gone.index(fewer.len()));
        if removed.moref != selected.datastore.moref {
            prop_assert_eq!(decide(&request, &inventory(fewer), &ledger).selected, before.selected);
        }
    }

    /// 5. More free space never worsens a rank, and never costs eligibility.
    #[test]
    fn more_free_space_does_not_hurt(w in world(), which in any::<Index>(), more in 0_u64..4 * MIB) {
        let (request, ledger) = compile(&w);
        let all = inventory(w.datastores);
        prop_assume!(!all.datastores().is_empty());
        let mut changed = all.datastores().to_vec();
        let at = which.index(changed.len());
        changed[at].free = changed[at].free.map(|free| free.saturating_add(more));
        let rank = |all: &Inventory| {
            let moref = &all.datastores()[at].moref;
            explain(&request, all, &ledger).into_iter().find(|v| v.moref == *moref).and_then(|v| v.rank)
        };
        if let Some(before) = rank(&all) {
            prop_assert!(rank(&inventory(changed)).is_some_and(|after| after <= before));
        }
    }
}
