//! Tests that need more than one module: a scripted vCenter over real TLS on the loopback interface.

mod cache;
#[allow(dead_code, reason = "shared with the integration tests; each user needs a part")]
#[path = "../../../tests/support/tls.rs"]
mod certificates;
mod failures;
mod fake;
mod mounts;
mod run;
mod running;
pub(crate) mod samples;
mod tls;
