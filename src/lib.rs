//! Berth gives every VM instance its vSphere datastore.

pub mod placement;
pub mod vsphere;
