//! Tests that need more than one module: a scripted vCenter over real TLS on the loopback interface.

mod cache;
mod fake;
mod run;
pub(crate) mod samples;
mod tls;
