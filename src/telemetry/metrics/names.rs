//! The one list of names, with types, units, labels and help. No I/O.

use prometheus_client::registry::Unit;

use super::catalog::Values;
use super::{DATASTORE_TYPES, LEASE, Metrics, QUEUE, RESULTS};
use crate::api::RejectionCode;
use crate::scheduler::{Figures, Kind};
use crate::vsphere::{self, Method, Reason};

/// Methods of HTTP that the API server is asked with.
const VERBS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

impl Metrics {
    /// Closed sets begin with a nought for each word, so that the first event is an increase.
    pub(super) fn begin(&self) {
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

    pub(super) fn register_placements(&mut self) {
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

    pub(super) fn register_vcenters(&mut self) {
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

    pub(super) fn register_kubernetes(&mut self) {
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
}

/// How a request to a vCenter can end, a login too.
fn request_results() -> impl Iterator<Item = &'static str> {
    ["ok"].into_iter().chain(vsphere::Error::LABELS)
}
