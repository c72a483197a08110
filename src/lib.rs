//! Berth gives every VM instance its vSphere datastore.

pub mod api;
pub mod controller;
pub mod placement;
pub mod resolve;
pub mod scheduler;
pub mod status;
pub mod telemetry;
pub mod vsphere;
