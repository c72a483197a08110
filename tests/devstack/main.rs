//! Tests against real servers; a missing one is a failure here.

// Helpers of tests may fail loudly too; clippy's own exception covers only the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/cel_cases.rs"]
mod cel_cases;
#[allow(dead_code, unused_imports, reason = "each user needs a part")]
#[path = "../support/proxy/mod.rs"]
mod fault_proxy;
#[path = "../support/observer.rs"]
mod observed;
#[path = "../support/optional.rs"]
mod optional;
#[path = "../support/random.rs"]
mod random;
#[allow(dead_code, unused_imports, reason = "each user needs a part")]
#[path = "../support/scenario.rs"]
mod scenario;
#[allow(dead_code, unused_imports, reason = "shared with the demo; each user needs a part")]
#[path = "../support/stack/mod.rs"]
mod stack;
#[allow(dead_code, reason = "each user needs a part")]
#[path = "../support/statuses.rs"]
mod statuses;
#[allow(dead_code, reason = "each user needs a part")]
#[path = "../support/tls.rs"]
mod tls;

mod alerts;
mod cel;
mod chart;
mod credentials;
mod debug;
mod gitops;
mod helm;
mod herd;
mod history;
mod inventory;
mod kstatus;
mod leadership;
mod main_job;
mod plan;
mod proxy;
mod rights;
mod scenarios;
mod servers;

use std::collections::BTreeMap;
use std::path::Path;

use stack::{AuditEvent, AuditObject, Controller, Stack};

/// The binary under test.
fn berth() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_berth"))
}

/// Berth's own requests so far that a verb and a test of what they are about choose, with any outcome.
fn own_requests(
    stack: &Stack,
    verb: &str,
    about: impl Fn(&AuditObject) -> bool,
) -> anyhow::Result<Vec<AuditEvent>> {
    let mut events = stack.audit_events()?;
    events.retain(|event| event.is_berths() && event.verb == verb && about(&event.object_ref));
    Ok(events)
}

/// Berth's own successful requests for one placement: `update` of its status, or `get`.
fn requests(stack: &Stack, verb: &str, name: &str) -> anyhow::Result<usize> {
    let own = own_requests(stack, verb, |o| o.resource == "instanceplacements" && o.name == name)?;
    Ok(own.iter().filter(|event| event.response_status.code == 200).count())
}

/// Berth's own successful status writes of one resource, by the names of the objects.
fn status_writes(stack: &Stack, resource: &str) -> anyhow::Result<BTreeMap<String, usize>> {
    let own = own_requests(stack, "update", |o| o.resource == resource && o.subresource == "status")?;
    let mut writes = BTreeMap::new();
    for event in own.into_iter().filter(|event| event.response_status.code == 200) {
        *writes.entry(event.object_ref.name).or_default() += 1;
    }
    Ok(writes)
}

/// The end of a controller's log.
fn tail(controller: &Controller) -> String {
    let log = controller.log().unwrap_or_default();
    let lines: Vec<_> = log.lines().filter(|line| !line.contains("TRACE")).collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

#[tokio::test]
async fn the_api_server_accepts_and_refuses_what_it_should() {
    let stack = Stack::shared().await.unwrap();
    let client = stack.client().await.unwrap();
    let cases = cel::every_case_holds(&client).await.unwrap();
    println!("{cases} cases");
}
