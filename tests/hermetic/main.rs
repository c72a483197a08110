//! Tests that need nothing but this machine's processor: no network, no servers.

#[path = "../support/cel_cases.rs"]
mod cel_cases;

mod cel;
mod crd_files;
mod schema;
mod wire;
