//! What operators see: logs, metrics, and whether Berth lives and is ready. Serves HTTP.

mod logs;
mod metrics;
mod readiness;
mod server;

pub use logs::{LogFormat, init_logs};
pub use metrics::{Description, Metrics, Values};
pub use readiness::Readiness;
pub use server::{bind, health_routes, metrics_routes, serve};
