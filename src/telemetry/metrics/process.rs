//! What the process itself takes, as the kernel tells it at every scrape. Does I/O: reads `/proc`.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::catalog::{Catalog, Description};

const CPU: (&str, &str) = ("process_cpu", "Processor time that the process has taken, user and system");
const MEMORY: (&str, &str) = ("process_resident_memory", "Memory of the process that is resident");
const START: (&str, &str) = ("process_start_time", "When the process began, since 1970-01-01T00:00:00Z");
const FILES: (&str, &str) = ("process_open_fds", "File descriptors that are open");

/// Adds them.
pub(super) fn register(catalog: &mut Catalog) {
    let all = [
        (CPU, MetricType::Counter, Some(Unit::Seconds)),
        (MEMORY, MetricType::Gauge, Some(Unit::Bytes)),
        (START, MetricType::Gauge, Some(Unit::Seconds)),
        (FILES, MetricType::Gauge, None),
    ];
    for ((name, help), kind, unit) in all {
        catalog.describe(Description::new(name, kind, unit.as_ref(), Vec::new(), help));
    }
    catalog.registry().register_collector(Box::new(Process { started: started() }));
}

#[derive(Debug)]
struct Process {
    /// Seconds since the epoch. The kernel moves it a little when the clock is set, so it is asked once.
    started: Option<f64>,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        // Where the kernel does not tell, there is nothing to show.
        let (Some(started), Some(now)) = (self.started, Usage::now()) else { return Ok(()) };
        let mut gauge = |(name, help): (&str, &str), unit: Option<&Unit>, value: f64| {
            let help = format!("{help}.");
            let metric = encoder.encode_descriptor(name, &help, unit, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)
        };
        gauge(MEMORY, Some(&Unit::Bytes), now.resident_bytes)?;
        gauge(START, Some(&Unit::Seconds), started)?;
        gauge(FILES, None, now.open_files)?;
        let help = format!("{}.", CPU.1);
        let metric = encoder.encode_descriptor(CPU.0, &help, Some(&Unit::Seconds), MetricType::Counter)?;
        ConstCounter::new(now.processor_seconds).encode(metric)
    }
}

struct Usage {
    processor_seconds: f64,
    resident_bytes: f64,
    open_files: f64,
}

impl Usage {
    #[cfg(target_os = "linux")]
    #[expect(clippy::cast_precision_loss, reason = "figures of a process are far below 2^53")]
    fn now() -> Option<Self> {
        let process = procfs::process::Process::myself().ok()?;
        let stat = process.stat().ok()?;
        let ticks = procfs::ticks_per_second() as f64;
        Some(Self {
            processor_seconds: stat.utime.saturating_add(stat.stime) as f64 / ticks,
            resident_bytes: stat.rss.saturating_mul(procfs::page_size()) as f64,
            open_files: process.fd_count().ok()? as f64,
        })
    }

    #[cfg(not(target_os = "linux"))]
    const fn now() -> Option<Self> {
        None
    }
}

#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "a time in seconds is far below 2^53")]
fn started() -> Option<f64> {
    let stat = procfs::process::Process::myself().ok()?.stat().ok()?;
    Some(procfs::boot_time_secs().ok()? as f64 + stat.starttime as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(not(target_os = "linux"))]
const fn started() -> Option<f64> {
    None
}
