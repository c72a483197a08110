//! What the scheduler tells of its work, as log lines and metrics. Does I/O: logs.

use std::time::Duration;

use tracing::info;

use crate::scheduler::{DecisionRecord, Input};
use crate::telemetry::Metrics;

/// The one line that a decision gets. It took the scheduler so long.
pub(super) fn decided(metrics: &Metrics, record: &DecisionRecord, took: Duration) {
    let DecisionRecord { key, reason, datastore, evaluated, eligible, rejections } = record;
    let counts: Vec<_> = rejections.iter().map(|(code, count)| format!("{count} {code}")).collect();
    info!(
        placement = %key,
        result = reason.as_str(),
        datastore = datastore.as_deref(),
        evaluated,
        eligible,
        rejections = counts.join(", "),
        duration_seconds = took.as_secs_f64(),
        "decided"
    );
    let rejections = rejections.iter().map(|(code, count)| (code.as_str(), *count));
    metrics.decision(reason.as_str(), rejections, took);
}

/// Some inputs tell whether this process leads.
pub(super) fn leading(metrics: &Metrics, input: &Input) {
    match input {
        Input::LeaseHeld => metrics.leading(true),
        Input::LeaseLost => metrics.leading(false),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{PlacementReason, RejectionCode};
    use crate::scheduler::Key;

    #[test]
    fn decisions_are_counted() {
        let metrics = Metrics::new();
        let record = DecisionRecord {
            key: Key { namespace: "team-a".into(), name: "web-01".into() },
            reason: PlacementReason::Placed,
            datastore: Some("gold-1".into()),
            evaluated: 3,
            eligible: 1,
            rejections: vec![(RejectionCode::TypeNotAllowed, 2)],
        };
        decided(&metrics, &record, Duration::from_millis(2));
        let text = metrics.text().unwrap();
        for line in [
            "berth_decisions_total{result=\"Placed\"} 1",
            "berth_rejections_total{reason=\"TypeNotAllowed\"} 2",
            "berth_decision_duration_seconds_sum 0.002",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
    }

    #[test]
    fn whoever_holds_the_lease_leads() {
        let metrics = Metrics::new();
        let says = |value: &str| {
            let line = format!("leader_election_master_status{{name=\"berth-controller\"}} {value}");
            metrics.text().unwrap().lines().any(|found| found == line)
        };
        assert!(says("0"));
        leading(&metrics, &Input::LeaseHeld);
        leading(&metrics, &Input::Tick);
        assert!(says("1"));
        leading(&metrics, &Input::LeaseLost);
        assert!(says("0"));
    }
}
