//! Decisions without a cluster: manifests and recorded inventories in, a report out. No I/O.
//!
//! A plan is no second engine: [`rehearsal`] plays the controller's own scheduler, [`engine`] feeds it one
//! manifest after another, and [`report`] is what came of it.

mod engine;
mod matrix;
mod missing;
mod rehearsal;
mod render;
mod report;
mod timeless;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::manifests::Manifest;
use crate::placement::{Inventory, Verdict};
use crate::recording;

pub use engine::{explain, plan};
pub use render::{ExplanationFormat, Format, RenderError};
pub use report::{API_VERSION, Cell, Matrix, PlannedDatastore, PlannedPlacement, Report, Row, Summary};

/// Everything that a plan is made from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// What is to be applied, in this order, and what it refers to.
    pub manifests: Vec<Manifest>,
    /// What exists already, placements with their statuses: their room is kept, before anything is decided.
    pub placed: Vec<Manifest>,
    /// What the vCenters show.
    pub inventories: Vec<Recorded>,
    /// Namespace of a placement that names none.
    pub namespace: String,
    /// Name of the cluster, as the controller is told it: with it, instanceUUIDs can be foretold.
    pub cluster_name: Option<String>,
    /// Every placement is to be measured against every datastore for the report.
    pub matrix: bool,
}

/// What one vCenter shows.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Name of the `VCenter` that it was said to be of; else its server tells.
    pub vcenter: Option<String>,
    /// Its address, as [`recording::server`] writes it.
    pub server: String,
    /// Everything else.
    pub inventory: Arc<Inventory>,
}

impl Recorded {
    /// It is the vCenter at this address.
    fn is_of(&self, server: &str) -> bool {
        recording::server(server).is_some_and(|server| self.server == server)
    }
}

/// What came of the manifests.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The report.
    pub report: Report,
    /// What placements refer to and is in none of the inputs; unless this is empty, the plan is not what the
    /// controller would do.
    pub missing: Vec<String>,
    /// What else an administrator should know.
    pub warnings: Vec<String>,
}

/// What there is to say of one placement.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What becomes of it, or became of it.
    pub placement: PlannedPlacement,
    /// Name of its `VCenter`; empty when nothing can be decided for it.
    pub vcenter: String,
    /// What every datastore is to it, its own claim left out, the best first.
    pub verdicts: Vec<Verdict>,
    /// As in [`Plan`].
    pub missing: Vec<String>,
    /// As in [`Plan`].
    pub warnings: Vec<String>,
}
