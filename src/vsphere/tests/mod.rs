//! Tests that need more than one module: a scripted vCenter over real TLS on the loopback interface.

mod cache;
mod failures;
mod fake;
mod mounts;
mod run;
mod running;
pub(crate) mod samples;
mod tls;
