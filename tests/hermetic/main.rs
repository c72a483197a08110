//! Tests that need nothing but this machine's processor: no network, and no servers but those in their own thread.

// Helpers of tests may fail loudly too; clippy's own exception covers only the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/cel_cases.rs"]
mod cel_cases;
#[allow(dead_code, unused_imports, reason = "each user needs a part")]
#[path = "../support/vcenter/mod.rs"]
mod fake_vcenter;
#[allow(dead_code, unused_imports, reason = "each user needs a part")]
#[path = "../support/proxy/mod.rs"]
mod fault_proxy;
#[path = "../support/generated.rs"]
mod generated;
#[path = "../support/kube/mod.rs"]
mod kube_server;
#[allow(dead_code, reason = "each user needs a part")]
#[path = "../support/observer.rs"]
mod observed;
#[path = "../support/plan_reports.rs"]
mod plan_reports;
#[path = "../support/random.rs"]
mod random;
#[allow(dead_code, unused_imports, reason = "each user needs a part")]
#[path = "../support/scenario.rs"]
mod scenario;
#[allow(dead_code, reason = "each user needs a part")]
#[path = "../support/statuses.rs"]
mod statuses;
#[allow(dead_code, unused_imports, reason = "each user needs a part")]
#[path = "../support/tls.rs"]
mod tls;

mod adapter;
mod argocd;
mod broken_placement;
mod cel;
mod chart;
mod controller;
mod crd_files;
mod docs;
mod inventory;
mod kube_api;
mod leadership;
mod manifests;
mod metrics;
mod nonsense;
mod observer;
mod plan;
mod plan_cost;
mod plan_formats;
mod proxy;
mod references;
mod scenarios;
mod schema;
mod status_samples;
mod vcenter;
mod vcenter_strict;
mod whole;
mod wire;
mod words;
