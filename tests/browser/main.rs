//! Tests in a real browser, headless Chromium. Without one they say SKIPPED, or fail when `BERTH_STRICT` is set.

// Helpers of tests may fail loudly too; clippy's own exception covers only the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/optional.rs"]
mod optional;
#[path = "../support/plan_reports.rs"]
mod plan_reports;
#[path = "../support/random.rs"]
mod random;

mod chromium;
mod plan_page;
