//! What operators see: logs, metrics, and whether Berth lives and is ready. Serves HTTP.

mod logs;
mod metrics;
mod readiness;
mod server;

pub use logs::{LogFormat, LogLevel, init_logs};
pub use metrics::{Description, Metrics, Values};
pub use readiness::Readiness;
pub use server::{Peer, bind, health_routes, metrics_routes, serve};
