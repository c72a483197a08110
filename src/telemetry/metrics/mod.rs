//! Berth's figures, under closed sets of labels: of all names of objects only a VCenter's is one.

mod ages;
mod catalog;
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
use prometheus_client::registry::Unit;

use crate::api::{PlacementReason, RejectionCode};
use crate::scheduler::{Figures, Kind};
use crate::vsphere::{self, Method, Reason};

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
/// Methods of HTTP that the API server is asked with.
const VERBS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

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

    /// Closed sets begin with a nought for each word, so that the first event is an increase.
    fn begin(&self) {
        for result in RESULTS {
            self.decisions.get_or_create(&[("result", result)]).inc_by(0);
        }
        for code in RejectionCode::ALL {
            self.rejections.get_or_create(&[("reason", code.as_str())]).inc_by(0);
        }
        for result in request_results() {
            self.vcenter_logins.get_or_create(&[("result", result)]).inc_by(0);
        }
        for kind in Kind::ALL {
            self.watch_failures.get_or_create(&[("kind", kind.as_str())]).inc_by(0);
        }
        self.leading(false);
        self.figures(&Figures::default());
        drop(self.queue_seconds.get_or_create(&QUEUE));
    }

    fn register_placements(&mut self) {
        let catalog = &mut self.catalog;
        let states = [("state", Values::Words(Figures::STATES.to_vec()))];
        let results = [("result", Values::Words(RESULTS.to_vec()))];
        let codes = [("reason", Values::Words(RejectionCode::ALL.iter().map(|c| c.as_str()).collect()))];
        let queue = || [("name", Values::Words(QUEUE.map(|(_, name)| name).to_vec()))];
        let lease = [("name", Values::Words(LEASE.map(|(_, name)| name).to_vec()))];
        catalog.add("berth_placements", None, states, "Placements by state", self.placements.clone());
        catalog.add(
            "berth_claims",
            Some(Unit::Bytes),
            [],
            "Room that is kept for instances, until their disks have grown to their full size",
            self.claimed.clone(),
        );
        catalog.add(
            "berth_claims_immediate",
            Some(Unit::Bytes),
            [],
            "The part of berth_claims_bytes that instances take when they are created",
            self.claimed_immediately.clone(),
        );
        catalog.add("berth_decisions", None, results, "Decisions by result", self.decisions.clone());
        catalog.add(
            "berth_rejections",
            None,
            codes,
            "Datastores found not eligible, by reason, summed over all decisions",
            self.rejections.clone(),
        );
        catalog.add(
            "berth_decision_duration",
            Some(Unit::Seconds),
            [],
            "Time that a decision took: that of its batch, divided by the decisions in it",
            self.decision_seconds.clone(),
        );
        catalog.add(
            "berth_placement_duration",
            Some(Unit::Seconds),
            [],
            "Time from when a placement, or a change of its spec, was first seen until its status answered it; \
             those found at the start are left out",
            self.placement_seconds.clone(),
        );
        catalog.add(
            "workqueue_depth",
            None,
            queue(),
            "Placements that wait for their turn",
            self.queue_depth.clone(),
        );
        catalog.add(
            "workqueue_queue_duration",
            Some(Unit::Seconds),
            queue(),
            "Time that placements waited for their turn",
            self.queue_seconds.clone(),
        );
        catalog.add(
            "leader_election_master_status",
            None,
            lease,
            "1 while this process is the leader, else 0",
            self.leading.clone(),
        );
    }

    fn register_vcenters(&mut self) {
        let catalog = &mut self.catalog;
        let vcenter = || ("vcenter", Values::VCenter);
        let methods = || ("method", Values::Words(Method::ALL.map(Method::label).to_vec()));
        let types = Values::Words(DATASTORE_TYPES.into_iter().chain(["other"]).collect());
        let reasons = Values::Words(Reason::ALL.map(Reason::label).to_vec());
        self.inventory_ages.register(catalog);
        catalog.add(
            "berth_inventory_datastores",
            None,
            [vcenter(), ("type", types)],
            "Datastores that a vCenter showed, by type",
            self.inventory_datastores.clone(),
        );
        catalog.add(
            "berth_inventory_skipped_objects",
            None,
            [vcenter(), ("reason", reasons)],
            "Objects that a vCenter showed and that are left out since they make no sense, by reason",
            self.inventory_skipped.clone(),
        );
        catalog.add(
            "berth_inventory_withheld_datastores",
            None,
            [vcenter()],
            "Datastores of which a vCenter does not show every property, usually for want of a privilege",
            self.inventory_withheld.clone(),
        );
        catalog.add(
            "berth_vcenter_up",
            None,
            [vcenter()],
            "1 while Berth is logged in to a vCenter and its inventory is young enough to decide on, else 0",
            self.vcenter_up.clone(),
        );
        catalog.add(
            "berth_vcenter_requests",
            None,
            [methods(), ("result", Values::Words(request_results().collect()))],
            "Requests to vCenters by method and result",
            self.vcenter_requests.clone(),
        );
        catalog.add(
            "berth_vcenter_request_duration",
            Some(Unit::Seconds),
            [methods()],
            "Duration of requests to vCenters; WaitForUpdatesEx waits until something changes",
            self.vcenter_seconds.clone(),
        );
        catalog.add(
            "berth_vcenter_logins",
            None,
            [("result", Values::Words(request_results().collect()))],
            "Logins by result",
            self.vcenter_logins.clone(),
        );
    }

    fn register_kubernetes(&mut self) {
        let catalog = &mut self.catalog;
        let verbs = || Values::Words(VERBS.to_vec());
        catalog.add(
            "rest_client_requests",
            None,
            [("code", Values::StatusCode), ("method", verbs())],
            "Requests to the Kubernetes API server by status code and method",
            self.kubernetes_requests.clone(),
        );
        catalog.add(
            "rest_client_request_duration",
            Some(Unit::Seconds),
            [("verb", verbs())],
            "Time until the Kubernetes API server began to answer a request",
            self.kubernetes_seconds.clone(),
        );
        let kinds = [("kind", Values::Words(Kind::ALL.map(Kind::as_str).to_vec()))];
        catalog.add(
            "berth_watch_failures",
            None,
            kinds,
            "Lists and watches that failed and were tried again, by kind",
            self.watch_failures.clone(),
        );
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

/// How a request to a vCenter can end, a login too.
fn request_results() -> impl Iterator<Item = &'static str> {
    ["ok"].into_iter().chain(vsphere::Error::LABELS)
}

/// Of a vCenter's figure that is divided once more.
fn labels(vcenter: &str, by: &'static str, value: &str) -> Labels<2, String> {
    [("vcenter", vcenter.to_owned()), (by, value.to_owned())]
}

fn gauge<T: TryInto<i64>>(count: T) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
