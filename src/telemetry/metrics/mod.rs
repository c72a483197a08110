//! Berth's figures, under closed sets of labels: of all names of objects only a VCenter's is one.

mod ages;
mod catalog;
mod names;
mod process;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;

use crate::api::PlacementReason;
use crate::scheduler::{Figures, Kind};
use crate::vsphere::Reason;

use ages::Ages;
use catalog::Catalog;

pub use catalog::{Description, Values};

/// Label names with their values.
type Labels<const N: usize, V = &'static str> = [(&'static str, V); N];

/// Types that vSphere is known to have; whatever else comes counts as `other`.
const DATASTORE_TYPES: [&str; 7] = ["VMFS", "NFS", "NFS41", "vsan", "vsanD", "VVOL", "PMEM"];
/// What a decision ends with.
const RESULTS: [&str; 2] = [PlacementReason::Placed.as_str(), PlacementReason::NoEligibleDatastore.as_str()];
/// The one queue that there is.
const QUEUE: Labels<1> = [("name", "placements")];
/// The Lease that a leader holds.
const LEASE: Labels<1> = [("name", "berth-controller")];

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    catalog: Catalog,
    placements: Family<Labels<1>, Gauge>,
    claimed: Gauge,
    claimed_immediately: Gauge,
    decisions: Family<Labels<1>, Counter>,
    rejections: Family<Labels<1>, Counter>,
    decision_seconds: Histogram,
    placement_seconds: Histogram,
    queue_depth: Family<Labels<1>, Gauge>,
    queue_seconds: Family<Labels<1>, Histogram>,
    leading: Family<Labels<1>, Gauge>,
    inventory_ages: Arc<Ages>,
    inventory_datastores: Family<Labels<2, String>, Gauge>,
    inventory_skipped: Family<Labels<2, String>, Gauge>,
    inventory_withheld: Family<Labels<1, String>, Gauge>,
    vcenter_up: Family<Labels<1, String>, Gauge>,
    vcenter_requests: Family<Labels<2>, Counter>,
    vcenter_seconds: Family<Labels<1>, Histogram>,
    vcenter_logins: Family<Labels<1>, Counter>,
    kubernetes_requests: Family<Labels<2, String>, Counter>,
    kubernetes_seconds: Family<Labels<1, String>, Histogram>,
    watch_failures: Family<Labels<1>, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics, with nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            catalog: Catalog::default(),
            placements: Family::default(),
            claimed: Gauge::default(),
            claimed_immediately: Gauge::default(),
            decisions: Family::default(),
            rejections: Family::default(),
            decision_seconds: Histogram::new([
                0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0,
            ]),
            placement_seconds: waiting(),
            queue_depth: Family::default(),
            queue_seconds: Family::new_with_constructor(waiting),
            leading: Family::default(),
            inventory_ages: Arc::default(),
            inventory_datastores: Family::default(),
            inventory_skipped: Family::default(),
            inventory_withheld: Family::default(),
            vcenter_up: Family::default(),
            vcenter_requests: Family::default(),
            vcenter_seconds: Family::new_with_constructor(asking),
            vcenter_logins: Family::default(),
            kubernetes_requests: Family::default(),
            kubernetes_seconds: Family::new_with_constructor(asking),
            watch_failures: Family::default(),
        };
        metrics.register_placements();
        metrics.register_vcenters();
        metrics.register_kubernetes();
        process::register(&mut metrics.catalog);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        let labels = [("version", Values::Version)];
        metrics.catalog.add("berth_build", None, labels, "The running version of Berth", build);
        metrics.begin();
        metrics
    }

    /// Every metric by name.
    #[must_use]
    pub fn descriptions(&self) -> Vec<&Description> {
        self.catalog.descriptions()
    }

    /// `docs/reference/metrics.md`.
    #[must_use]
    pub fn reference(&self) -> String {
        self.catalog.reference()
    }

    /// Everything in the `OpenMetrics` text format.
    ///
    /// # Errors
    /// None in practice: a `String` takes everything.
    pub fn text(&self) -> Result<String, fmt::Error> {
        self.catalog.text()
    }

    /// What the scheduler holds now. A `VCenter` that is not named is gone.
    pub fn figures(&self, figures: &Figures) {
        for state in Figures::STATES {
            let count = figures.placements.get(state).copied().unwrap_or_default();
            self.placements.get_or_create(&[("state", state)]).set(gauge(count));
        }
        self.claimed.set(gauge(figures.claimed.bytes));
        self.claimed_immediately.set(gauge(figures.claimed.immediate));
        self.queue_depth.get_or_create(&QUEUE).set(gauge(figures.queued));
        self.vcenter_up.clear();
        for (vcenter, is_up) in &figures.vcenters {
            self.vcenter_up.get_or_create(&[("vcenter", vcenter.clone())]).set(i64::from(*is_up));
        }
    }

    /// This process has become the leader, or is it no more.
    pub fn leading(&self, is_leader: bool) {
        self.leading.get_or_create(&LEASE).set(i64::from(is_leader));
    }

    /// A placement had its turn after this time in the queue.
    pub fn turn(&self, waited: Duration) {
        self.queue_seconds.get_or_create(&QUEUE).observe(waited.as_secs_f64());
    }

    /// The status of a placement answers what was first seen so long ago.
    pub fn answered(&self, took: Duration) {
        self.placement_seconds.observe(took.as_secs_f64());
    }

    /// A decision was made, with its result and how many datastores each reason excluded.
    pub fn decision(
        &self,
        result: &'static str,
        rejections: impl IntoIterator<Item = (&'static str, usize)>,
        took: Duration,
    ) {
        self.decision_seconds.observe(took.as_secs_f64());
        self.decisions.get_or_create(&[("result", result)]).inc();
        for (reason, count) in rejections {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.rejections.get_or_create(&[("reason", reason)]).inc_by(count);
        }
    }

    /// A vCenter gave a complete answer then.
    pub fn inventory_answered(&self, vcenter: &str, at: Instant) {
        self.inventory_ages.set(vcenter, at);
    }

    /// A vCenter has these datastores, given by type in vSphere's spelling.
    pub fn inventory_datastores<'a>(&self, vcenter: &str, types: impl IntoIterator<Item = &'a str>) {
        let mut counts = BTreeMap::from(DATASTORE_TYPES.map(|known| (known, 0)));
        for kind in types {
            let known = DATASTORE_TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(kind));
            *counts.entry(known.unwrap_or("other")).or_default() += 1;
        }
        self.forget_datastores(vcenter);
        for (kind, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            self.inventory_datastores.get_or_create(&labels(vcenter, "type", kind)).set(count);
        }
    }

    /// So many objects of a vCenter are left out for this reason.
    pub fn inventory_skipped(&self, vcenter: &str, reason: &str, objects: usize) {
        self.inventory_skipped.get_or_create(&labels(vcenter, "reason", reason)).set(gauge(objects));
    }

    /// So many datastores of a vCenter have a property that is not shown.
    pub fn inventory_withheld(&self, vcenter: &str, datastores: usize) {
        self.inventory_withheld.get_or_create(&[("vcenter", vcenter.to_owned())]).set(gauge(datastores));
    }

    /// A vCenter is no longer asked.
    pub fn inventory_gone(&self, vcenter: &str) {
        self.inventory_ages.remove(vcenter);
        self.forget_datastores(vcenter);
        for reason in Reason::ALL {
            self.inventory_skipped.remove(&labels(vcenter, "reason", reason.label()));
        }
        self.inventory_withheld.remove(&[("vcenter", vcenter.to_owned())]);
    }

    fn forget_datastores(&self, vcenter: &str) {
        for kind in DATASTORE_TYPES.into_iter().chain(["other"]) {
            self.inventory_datastores.remove(&labels(vcenter, "type", kind));
        }
    }

    /// A request to a vCenter has ended.
    pub fn vcenter_request(&self, method: &'static str, result: &'static str, took: Duration) {
        self.vcenter_requests.get_or_create(&[("method", method), ("result", result)]).inc();
        self.vcenter_seconds.get_or_create(&[("method", method)]).observe(took.as_secs_f64());
    }

    /// A login has ended.
    pub fn vcenter_login(&self, result: &'static str) {
        self.vcenter_logins.get_or_create(&[("result", result)]).inc();
    }

    /// The API server answered a request with this status code after this time, or did not answer it.
    pub fn kubernetes_request(&self, code: Option<u16>, method: &str, took: Duration) {
        let code = code.map_or_else(|| "error".to_owned(), |code| code.to_string());
        self.kubernetes_requests.get_or_create(&[("code", code), ("method", method.to_owned())]).inc();
        self.kubernetes_seconds.get_or_create(&[("verb", method.to_owned())]).observe(took.as_secs_f64());
    }

    /// A list or watch of this kind failed and is tried again.
    pub fn watch_failure(&self, kind: Kind) {
        self.watch_failures.get_or_create(&[("kind", kind.as_str())]).inc();
    }
}

/// For what waits for something.
fn waiting() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0])
}

/// For requests.
fn asking() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

/// Of a vCenter's figure that is divided once more.
fn labels(vcenter: &str, by: &'static str, value: &str) -> Labels<2, String> {
    [("vcenter", vcenter.to_owned()), (by, value.to_owned())]
}

fn gauge<T: TryInto<i64>>(count: T) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
