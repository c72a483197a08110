//! Berth's figures, under closed sets of labels: of all names of objects only a VCenter's is one. No I/O.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::vsphere::Reason;

/// Label names with their values.
type Labels<const N: usize, V = &'static str> = [(&'static str, V); N];

/// Types that vSphere is known to have; whatever else comes counts as `other`.
const DATASTORE_TYPES: [&str; 7] = ["VMFS", "NFS", "NFS41", "vsan", "vsanD", "VVOL", "PMEM"];

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    placements: Family<Labels<1>, Gauge>,
    decisions: Family<Labels<1>, Counter>,
    rejections: Family<Labels<1>, Counter>,
    inventory_ages: Arc<Ages>,
    inventory_datastores: Family<Labels<2, String>, Gauge>,
    inventory_skipped: Family<Labels<2, String>, Gauge>,
    inventory_withheld: Family<Labels<1, String>, Gauge>,
    vcenter_requests: Family<Labels<2>, Counter>,
    vcenter_seconds: Family<Labels<1>, Histogram>,
    vcenter_logins: Family<Labels<1>, Counter>,
    kubernetes_requests: Family<Labels<2, String>, Counter>,
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
            registry: Registry::default(),
            placements: Family::default(),
            decisions: Family::default(),
            rejections: Family::default(),
            inventory_ages: Arc::default(),
            inventory_datastores: Family::default(),
            inventory_skipped: Family::default(),
            inventory_withheld: Family::default(),
            vcenter_requests: Family::default(),
            vcenter_seconds: Family::new_with_constructor(|| {
                Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
            }),
            vcenter_logins: Family::default(),
            kubernetes_requests: Family::default(),
        };
        metrics.register();
        metrics
    }

    /// The one list of names. The encoder adds `_total`, `_seconds` and `_info`, and a dot after the help.
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("berth_placements", "Placements by state", self.placements.clone());
        registry.register("berth_decisions", "Decisions by result", self.decisions.clone());
        registry.register(
            "berth_rejections",
            "Datastores found not eligible, by reason, summed over all decisions",
            self.rejections.clone(),
        );
        registry.register_collector(Box::new(Arc::clone(&self.inventory_ages)));
        registry.register(
            "berth_inventory_datastores",
            "Datastores that a vCenter showed, by type",
            self.inventory_datastores.clone(),
        );
        registry.register(
            "berth_inventory_skipped_objects",
            "Objects that a vCenter showed and that are left out since they make no sense, by reason",
            self.inventory_skipped.clone(),
        );
        registry.register(
            "berth_inventory_withheld_datastores",
            "Datastores of which a vCenter does not show every property, usually for want of a privilege",
            self.inventory_withheld.clone(),
        );
        registry.register(
            "berth_vcenter_requests",
            "Requests to vCenters by method and result",
            self.vcenter_requests.clone(),
        );
        registry.register_with_unit(
            "berth_vcenter_request_duration",
            "Duration of requests to vCenters",
            Unit::Seconds,
            self.vcenter_seconds.clone(),
        );
        registry.register("berth_vcenter_logins", "Logins by result", self.vcenter_logins.clone());
        registry.register(
            "rest_client_requests",
            "Requests to the Kubernetes API server by status code and method",
            self.kubernetes_requests.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("berth_build", "The running version of Berth", build);
    }

    /// Everything in the `OpenMetrics` text format.
    ///
    /// # Errors
    /// None in practice: a `String` takes everything.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// How many placements are in each state; a state that is not named has none.
    pub fn placements(&self, counts: &BTreeMap<&'static str, usize>) {
        self.placements.clear();
        for (state, count) in counts {
            self.placements.get_or_create(&[("state", *state)]).set(gauge(*count));
        }
    }

    /// A decision was made, with its result and how many datastores each reason excluded.
    pub fn decision(
        &self,
        result: &'static str,
        rejections: impl IntoIterator<Item = (&'static str, usize)>,
    ) {
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

    /// The API server answered a request with this status code, or did not answer it.
    pub fn kubernetes_request(&self, code: Option<u16>, method: &str) {
        let code = code.map_or_else(|| "error".to_owned(), |code| code.to_string());
        self.kubernetes_requests.get_or_create(&[("code", code), ("method", method.to_owned())]).inc();
    }
}

/// Of a vCenter's figure that is divided once more.
fn labels(vcenter: &str, by: &'static str, value: &str) -> Labels<2, String> {
    [("vcenter", vcenter.to_owned()), (by, value.to_owned())]
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// When each vCenter last answered. Ages are those of the moment of the scrape.
#[derive(Debug, Default)]
struct Ages(Mutex<BTreeMap<String, Instant>>);

impl Ages {
    fn set(&self, vcenter: &str, at: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(vcenter.to_owned(), at);
    }

    fn remove(&self, vcenter: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(vcenter);
    }
}

impl Collector for Ages {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let ages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut metric = encoder.encode_descriptor(
            "berth_inventory_age",
            "Time since the last complete answer of a vCenter.",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        for (vcenter, answered) in ages.iter() {
            let labels = [("vcenter", vcenter.as_str())];
            ConstGauge::new(answered.elapsed().as_secs_f64()).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_every_metric_with_help_and_unit() {
        let metrics = Metrics::new();
        metrics.placements(&BTreeMap::from([("placed", 3), ("waiting", 1)]));
        metrics.placements(&BTreeMap::from([("placed", 4)]));
        metrics.decision("NoEligibleDatastore", [("TypeNotAllowed", 4), ("NameExcluded", 1)]);
        metrics.inventory_answered("vc-east", Instant::now());
        metrics.inventory_skipped("vc-east", "size", 2);
        metrics.inventory_withheld("vc-east", 3);
        metrics.inventory_datastores("vc-east", ["VMFS", "vmfs", "Warp"]);
        metrics.inventory_datastores("vc-east", ["VVOL", "Warp"]);
        metrics.vcenter_request("Login", "ok", Duration::from_millis(20));
        metrics.vcenter_login("ok");
        metrics.kubernetes_request(Some(409), "PUT");
        metrics.kubernetes_request(None, "GET");
        let text = metrics.text().unwrap();
        for line in [
            "# HELP berth_placements Placements by state.",
            "berth_placements{state=\"placed\"} 4",
            "berth_decisions_total{result=\"NoEligibleDatastore\"} 1",
            "berth_rejections_total{reason=\"TypeNotAllowed\"} 4",
            "# UNIT berth_inventory_age_seconds seconds",
            "berth_inventory_datastores{vcenter=\"vc-east\",type=\"VVOL\"} 1",
            "berth_inventory_datastores{vcenter=\"vc-east\",type=\"other\"} 1",
            "berth_inventory_skipped_objects{vcenter=\"vc-east\",reason=\"size\"} 2",
            "berth_inventory_withheld_datastores{vcenter=\"vc-east\"} 3",
            "berth_vcenter_requests_total{method=\"Login\",result=\"ok\"} 1",
            "berth_vcenter_request_duration_seconds_count{method=\"Login\"} 1",
            "berth_vcenter_logins_total{result=\"ok\"} 1",
            "rest_client_requests_total{code=\"409\",method=\"PUT\"} 1",
            "rest_client_requests_total{code=\"error\",method=\"GET\"} 1",
            concat!("berth_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("berth_inventory_age_seconds{vcenter=\"vc-east\"} "), "{text}");
        assert!(!text.contains("waiting") && !text.contains("VMFS"), "{text}");

        metrics.inventory_gone("vc-east");
        assert!(!metrics.text().unwrap().contains("vc-east"));
    }
}
