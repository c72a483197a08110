//! How long ago each vCenter last answered. No I/O.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::catalog::{Catalog, Description, Values};

const NAME: &str = "berth_inventory_age";
const HELP: &str = "Time since the last complete answer of a vCenter";

/// When each vCenter last answered. Ages are those of the moment of the scrape.
#[derive(Debug, Default)]
pub(super) struct Ages(Mutex<BTreeMap<String, Instant>>);

impl Ages {
    pub(super) fn register(self: &Arc<Self>, catalog: &mut Catalog) {
        let labels = vec![("vcenter", Values::VCenter)];
        catalog.describe(Description::new(NAME, MetricType::Gauge, Some(&Unit::Seconds), labels, HELP));
        catalog.registry().register_collector(Box::new(Arc::clone(self)));
    }

    pub(super) fn set(&self, vcenter: &str, at: Instant) {
        self.lock().insert(vcenter.to_owned(), at);
    }

    pub(super) fn remove(&self, vcenter: &str) {
        self.lock().remove(vcenter);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Ages {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let ages = self.lock();
        let help = format!("{HELP}.");
        let mut metric = encoder.encode_descriptor(NAME, &help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for (vcenter, answered) in ages.iter() {
            let labels = [("vcenter", vcenter.as_str())];
            ConstGauge::new(answered.elapsed().as_secs_f64()).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
