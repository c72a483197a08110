//! Every metric with what there is to know of it: the registry is filled from here, and so is the reference. No I/O.

use std::fmt::{self, Write as _};

use prometheus_client::encoding::text;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Metric, Registry, Unit};

/// What can stand in a label: never the name of an object, but for a `VCenter`'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// One of these.
    Words(Vec<&'static str>),
    /// The name of a `VCenter`: administrators make few of them.
    VCenter,
    /// The version of Berth that runs.
    Version,
    /// A status code of HTTP, or `error` when there was no answer.
    StatusCode,
}

/// A label: its name and its values.
pub type Label = (&'static str, Values);

/// What a scrape and the reference say of a metric.
#[derive(Clone, Debug)]
pub struct Description {
    /// As in a query, without the `_bucket`, `_sum` and `_count` of a histogram.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: &'static str,
    /// `seconds` or `bytes`; empty for a count.
    pub unit: String,
    /// In the order of a scrape.
    pub labels: Vec<Label>,
    /// One sentence without its dot.
    pub help: &'static str,
}

impl Description {
    pub(super) fn new(
        name: &str,
        kind: MetricType,
        unit: Option<&Unit>,
        labels: Vec<Label>,
        help: &'static str,
    ) -> Self {
        let unit = unit.map(Unit::as_str).unwrap_or_default().to_owned();
        let name = if unit.is_empty() { name.to_owned() } else { format!("{name}_{unit}") };
        let (kind, suffix) = match kind {
            MetricType::Counter => ("counter", "_total"),
            MetricType::Histogram => ("histogram", ""),
            MetricType::Info => ("info", "_info"),
            MetricType::Gauge | MetricType::Unknown => ("gauge", ""),
        };
        Self { name: name + suffix, kind, unit, labels, help }
    }

    /// A row of the reference.
    fn row(&self) -> String {
        let Self { name, kind, unit, labels, help } = self;
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, values)| {
                let values = match values {
                    Values::Words(words) => {
                        words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
                    }
                    Values::Version => "the version".to_owned(),
                    Values::VCenter => "name of a VCenter".to_owned(),
                    Values::StatusCode => "status code, or `error` when there was no answer".to_owned(),
                };
                format!("`{label}`: {values}")
            })
            .collect();
        format!("| `{name}` | {kind} | {unit} | {} | {help}. |\n", labels.join("<br>"))
    }
}

/// The registry, and the descriptions of what is in it.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    registry: Registry,
    described: Vec<Description>,
}

impl Catalog {
    /// Adds a metric. The encoder adds the unit, `_total` and `_info` to the name, and a dot to the help.
    pub(super) fn add(
        &mut self,
        name: &'static str,
        unit: Option<Unit>,
        labels: impl Into<Vec<Label>>,
        help: &'static str,
        metric: impl Metric,
    ) {
        self.describe(Description::new(name, metric.metric_type(), unit.as_ref(), labels.into(), help));
        match unit {
            Some(unit) => self.registry.register_with_unit(name, help, unit, metric),
            None => self.registry.register(name, help, metric),
        }
    }

    /// The registry, for a collector; what it collects is to be [described](Self::describe).
    pub(super) fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    pub(super) fn describe(&mut self, description: Description) {
        self.described.push(description);
    }

    /// By name.
    pub(super) fn descriptions(&self) -> Vec<&Description> {
        let mut all: Vec<_> = self.described.iter().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// The page for people.
    pub(super) fn reference(&self) -> String {
        let mut page = PREAMBLE.to_owned();
        for description in self.descriptions() {
            // Writing to a String cannot fail.
            write!(page, "{}", description.row()).unwrap_or_default();
        }
        page
    }
}

const PREAMBLE: &str = "\
# Metrics

Berth serves these at `/metrics` of its metrics address (`--metrics-bind-address`, port 8080), in the OpenMetrics text
format. Names that other controllers use too, such as `workqueue_depth`, mean the same here.

A histogram `NAME` has the series `NAME_bucket`, `NAME_sum` and `NAME_count`. A label has no other values than
those named here. No label has the name of an object, but for a VCenter's: whatever the number of placements, the
number of series stays the same. A counter that has not counted yet may be absent.

A standby has the same metrics as the leader. What only the leader does, it counts as nothing.

| name | type | unit | labels | what it is |
|---|---|---|---|---|
";
