//! A survey says the same as an explanation, in another order.

use proptest::prelude::*;

use super::worlds::{compile, seen_by, world};
use super::*;

proptest! {
    #![proptest_config(samples::cases(200))]

    #[test]
    fn a_survey_is_the_explanation_in_the_inventorys_order(w in world()) {
        let (request, ledger) = compile(&w);
        let all = seen_by(&w);
        let mut verdicts = explain(&request, &all, &ledger);
        verdicts.sort_by(|a, b| a.moref.cmp(&b.moref));
        let surveyed = survey(&request, &all, &ledger, true).unwrap();
        let found: Vec<_> = surveyed.iter().map(|f| (f.rank.map(|rank| rank as usize), f.reasons.clone())).collect();
        let expected: Vec<_> = verdicts.into_iter().map(|v| (v.rank, v.reasons)).collect();
        prop_assert_eq!(found, expected);
        let brief = survey(&request, &all, &ledger, false).unwrap();
        for (brief, full) in brief.iter().zip(&surveyed) {
            prop_assert_eq!((brief.rank, brief.codes), (full.rank, full.codes));
            let said: Vec<_> = full.reasons.iter().map(|(code, _)| *code).collect();
            prop_assert_eq!(brief.codes.iter().collect::<Vec<_>>(), said);
            prop_assert!(brief.reasons.is_empty());
        }
    }
}
