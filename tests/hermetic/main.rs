//! Tests that need nothing but this machine's processor: no network, and no servers but those in their own thread.

// Helpers of tests may fail loudly too; clippy's own exception covers only the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/cel_cases.rs"]
mod cel_cases;
#[path = "../support/kube/mod.rs"]
mod kube_server;

mod cel;
mod controller;
mod crd_files;
mod kube_api;
mod schema;
mod wire;
mod words;
