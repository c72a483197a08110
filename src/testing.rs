//! What tests all over the crate share.

use proptest::prelude::ProptestConfig;

/// So many generated cases, or as many as `PROPTEST_CASES` says: fewer while mutants are tried, more in a search.
pub fn cases(usual: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(wanted.unwrap_or(usual))
}
