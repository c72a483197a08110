//! Real servers for tests and the demo: etcd, a kube-apiserver and simulated vCenters. Does I/O: it starts
//! processes, listens on loopback ports only, and keeps its files in a folder of its own.
//!
//! - [`Stack`]: one cluster, with `kubectl` and helpers. `Stack::shared()` is the one of a test binary.
//! - [`Helm`]: Helm in two versions.
//! - [`Vcenter`]: a simulated vCenter that belongs to whoever started it.
//! - [`Controller`]: a running `berth controller` with the rights of the chart.
//! - [`wait_for`]: everything here is seen by asking until it is so.
//!
//! Nothing outlives its owner: dropping a handle kills and reaps its process, and a watchdog does the same
//! when the owning process ends in any other way.

mod audit;
mod cluster;
mod controller;
mod environment;
mod helm;
mod http;
mod kubectl;
mod process;
mod programs;
mod shared;
mod vcenter;
mod wait;

pub use audit::{AuditEvent, AuditObject};
pub use controller::Controller;
pub use environment::{Stack, repository};
pub use helm::{Helm, HelmVersion, chart};
pub use process::Memory;
pub use programs::program;
pub use vcenter::{Logins, Session, Vcenter, VcenterOptions};
pub use wait::wait_for;
