//! The properties that every decision is held to, on generated worlds.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use super::oracle::{World, better, judge};
use super::worlds::{compile, one_datastore, seen_by, within, world};
use super::*;
use crate::api::Strategy as Strategy_;

proptest! {
    #![proptest_config(samples::cases(400))]

    /// 1. Any order of the datastores gives the same decision and the same explanation.
    #[test]
    fn order_does_not_matter(w in world(), seed in any::<[u8; 16]>()) {
        let (request, ledger) = compile(&w);
        let all = seen_by(&w);
        let mut shuffled: Vec<_> = all.datastores().to_vec();
        for (n, swap) in seed.iter().enumerate().take(shuffled.len()) {
            let other = usize::from(*swap) % shuffled.len();
            shuffled.swap(n, other);
        }
        let again = within(&w, shuffled);
        prop_assert_eq!(decide(&request, &all, &ledger), decide(&request, &again, &ledger));
        prop_assert_eq!(explain(&request, &all, &ledger), explain(&request, &again, &ledger));
    }

    /// 2. and 4. The oracle agrees on every code and on the order; counts add up; texts are bounded.
    #[test]
    fn the_oracle_agrees(w in world()) {
        let (request, ledger) = compile(&w);
        let all = seen_by(&w);
        let mut expected: Vec<_> = w
            .datastores
            .iter()
            .filter_map(|seen| judge(&w, seen).map(|(failed, merits)| (failed, merits, &seen.datastore)))
            .collect();
        expected.sort_by(|(a_failed, a, a_is), (b_failed, b, b_is)| {
            let by_merit = if a_failed.is_empty() && b_failed.is_empty() { better(&w, a, b) } else { Ordering::Equal };
            let names = a_is.name.cmp(&b_is.name).then(a_is.moref.cmp(&b_is.moref));
            a_failed.len().cmp(&b_failed.len()).then(by_merit).then(names)
        });
        let verdicts = explain(&request, &all, &ledger);
        let found: Vec<_> = verdicts.iter().map(|v| (&v.moref, v.reasons.iter().map(|(c, _)| c.as_str()).collect::<BTreeSet<_>>())).collect();
        prop_assert_eq!(found, expected.iter().map(|e| (&e.2.moref, e.0.clone())).collect::<Vec<_>>());

        let decision = decide(&request, &all, &ledger);
        let eligible = expected.iter().filter(|e| e.0.is_empty()).count();
        prop_assert_eq!((decision.evaluated, decision.eligible), (expected.len(), eligible));
        let first = expected.first().filter(|e| e.0.is_empty()).map(|e| &e.2.moref);
        prop_assert_eq!(decision.selected.as_ref().map(|s| &s.datastore.moref), first);
        for code in RejectionCode::ALL {
            let count = expected.iter().filter(|e| e.0.contains(code.as_str())).count();
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
        let all = seen_by(&w);
        let before = decide(&request, &all, &ledger);
        let Some(selected) = &before.selected else { return Ok(()) };
        let mut more = all.datastores().to_vec();
        more.push(Datastore { moref: MoRef("datastore-new".into()), ..other.datastore });
        let after = decide(&request, &within(&w, more), &ledger);
        let moref = &after.selected.as_ref().unwrap().datastore.moref;
        prop_assert!(*moref == selected.datastore.moref || moref.0 == "datastore-new");
        let mut fewer = all.datastores().to_vec();
        let removed = fewer.remove(gone.index(fewer.len()));
        if removed.moref != selected.datastore.moref {
            prop_assert_eq!(decide(&request, &within(&w, fewer), &ledger).selected, before.selected);
        }
    }

    /// 5. More free space never worsens a rank, and never costs eligibility.
    #[test]
    fn more_free_space_does_not_hurt(w in world().prop_map(|w| World { strategy: Strategy_::MostFree, ..w }), which in any::<Index>(), more in 0_u64..4 * MIB) {
        let (request, ledger) = compile(&w);
        let all = seen_by(&w);
        prop_assume!(!all.datastores().is_empty());
        let mut changed = all.datastores().to_vec();
        let at = which.index(changed.len());
        changed[at].free = changed[at].free.map(|free| free.saturating_add(more));
        let rank = |all: &Inventory| {
            let moref = &all.datastores()[at].moref;
            explain(&request, all, &ledger).into_iter().find(|v| v.moref == *moref).and_then(|v| v.rank)
        };
        if let Some(before) = rank(&all) {
            prop_assert!(rank(&within(&w, changed)).is_some_and(|after| after <= before));
        }
    }
}
