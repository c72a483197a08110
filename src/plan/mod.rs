//! Decisions without a cluster: manifests and recorded inventories in, a report out. No I/O.

mod render;
mod report;

pub use render::{Format, RenderError};
pub use report::{API_VERSION, Cell, Matrix, PlannedDatastore, PlannedPlacement, Report, Row, Summary};
