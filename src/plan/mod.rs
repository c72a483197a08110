//! Decisions without a cluster: manifests and recorded inventories in, a report out. No I/O.

mod report;

pub use report::{API_VERSION, Cell, Matrix, PlannedDatastore, PlannedPlacement, Report, Row, Summary};
