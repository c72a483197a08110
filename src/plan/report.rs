//! What a plan says, as plain values. Its JSON form is the json report. No I/O.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::timeless;
use crate::api::RejectionCode;
use crate::scheduler::Key;

/// `apiVersion` of the json report.
pub const API_VERSION: &str = "berth.dev/plan/v1";

/// Where every placement lands and what becomes of every datastore. It holds no time of day: the same input
/// gives the same report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`API_VERSION`].
    pub api_version: &'static str,
    /// In the order of the manifests, which is the order in which they were placed.
    pub placements: Vec<PlannedPlacement>,
    /// Those that exist for Berth, by `VCenter`, then moRef.
    pub datastores: Vec<PlannedDatastore>,
    /// Counts.
    pub summary: Summary,
    /// Every placement against every datastore, when it was asked for.
    #[serde(skip)]
    pub matrix: Option<Matrix>,
}

/// What becomes of one placement.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedPlacement {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// It has a datastore.
    pub ready: bool,
    /// Reason of its Ready condition, such as `Placed` or `NoEligibleDatastore`.
    pub reason: String,
    /// Message of its Ready condition.
    pub message: String,
    /// Its status as the controller would write it, without what only the moment of writing has: times, and
    /// the instanceUUID unless the cluster's name is known.
    pub status: Value,
}

impl PlannedPlacement {
    /// What a status says of this placement.
    #[must_use]
    pub fn new(key: &Key, status: Value) -> Self {
        let ready = timeless::ready(&status);
        let said = |field| {
            let found = ready.and_then(|ready| ready.get(field)).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        Self {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            ready: said("status") == "True",
            reason: said("reason"),
            message: said("message"),
            status,
        }
    }

    /// Name of the selected datastore.
    #[must_use]
    pub fn datastore(&self) -> Option<&str> {
        self.status.pointer("/datastore/name").and_then(Value::as_str)
    }
}

/// One datastore before and after. Sizes are bytes; one that vCenter did not return is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedDatastore {
    /// Name of its `VCenter` object: a moRef is unique within one vCenter only.
    #[serde(rename = "vCenter")]
    pub vcenter: String,
    /// Its name.
    pub name: String,
    /// Managed object reference, such as `datastore-42`.
    pub mo_ref: String,
    /// Type in vSphere's spelling; empty when vCenter did not return it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its capacity.
    pub capacity_bytes: Option<u64>,
    /// Its free space when the inventory was recorded.
    pub free_bytes: Option<u64>,
    /// Room kept on it for instances before the plan.
    pub claimed_before_bytes: u64,
    /// Room kept on it for instances after the plan.
    pub claimed_after_bytes: u64,
}

impl PlannedDatastore {
    /// The plan keeps more or less room on it than was kept before.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.claimed_before_bytes != self.claimed_after_bytes
    }
}

/// How many placements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// All of them.
    pub total: usize,
    /// Those that have a datastore.
    pub placed: usize,
    /// The others.
    pub refused: usize,
}

/// Every placement against every datastore, at the moment when the placement was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    /// One for each placement, in the report's order.
    pub rows: Vec<Row>,
    /// Sets of reasons, each there once: [`Cell::Refused`] names one by its place.
    pub code_sets: Vec<Vec<RejectionCode>>,
    /// What the reasons of a cell say with their numbers, a line for each code of its set: [`Cell::Refused`]
    /// names one by its place.
    pub details: Vec<String>,
}

/// One placement against the datastores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// One for each datastore, in the report's order; none at all when nothing could be decided.
    pub cells: Vec<Cell>,
}

/// One placement against one datastore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cell {
    /// It is another vCenter's.
    #[default]
    Elsewhere,
    /// Every rule holds.
    Eligible {
        /// Its place among the eligible ones, from 2; 1 is the one that the placement has.
        rank: u32,
    },
    /// Some rule fails.
    Refused {
        /// Place in [`Matrix::code_sets`].
        codes: u32,
        /// Place in [`Matrix::details`]; none when the details of a large plan were left out.
        detail: Option<u32>,
    },
}
