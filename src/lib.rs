//! Berth gives every VM instance its vSphere datastore.

pub mod api;
pub mod placement;
#[cfg(test)]
mod purity;
