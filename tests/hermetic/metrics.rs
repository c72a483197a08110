//! The metrics as a whole: what each is called, what it says, how many lines there are, and their reference.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use berth::api::{InstancePlacementSpec, InstancePlacementStatus, RejectionCode};
use berth::scheduler::{Figures, Input, Key, Kind, Meta, Now, Scheduler, SeenPlacement, Settings};
use berth::telemetry::{Description, Metrics, Values};
use berth::vsphere::{Error, Method, Reason};
use jiff::Timestamp;

/// One of each that there can be, for a `VCenter` of this name.
fn fill(metrics: &Metrics, vcenter: &str) {
    let soon = Duration::from_millis(3);
    for result in ["Placed", "NoEligibleDatastore"] {
        metrics.decision(result, RejectionCode::ALL.iter().map(|code| (code.as_str(), 1)), soon);
    }
    metrics.turn(soon);
    metrics.answered(soon);
    metrics.leading(true);
    metrics.inventory_answered(vcenter, Instant::now());
    metrics.inventory_datastores(vcenter, ["VMFS", "NFS", "NFS41", "vsan", "vsanD", "VVOL", "PMEM", "new"]);
    for reason in Reason::ALL {
        metrics.inventory_skipped(vcenter, reason.label(), 1);
    }
    metrics.inventory_withheld(vcenter, 1);
    for result in Error::LABELS.into_iter().chain(["ok"]) {
        for method in Method::ALL {
            metrics.vcenter_request(method.label(), result, soon);
        }
        metrics.vcenter_login(result);
    }
    for verb in ["GET", "POST", "PUT", "DELETE"] {
        for code in [Some(200), Some(201), Some(403), Some(404), Some(409), Some(429), Some(503), None] {
            metrics.kubernetes_request(code, verb, soon);
        }
    }
    for kind in Kind::ALL {
        metrics.watch_failure(kind);
    }
}

/// A metric as a scrape shows it.
#[derive(Debug, Default)]
struct Scraped {
    kind: String,
    unit: String,
    help: String,
    /// Names of its series.
    series: BTreeSet<String>,
    /// Values by label, without `le`.
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// By the name of the family, as the scrape's comments have it.
fn scraped(text: &str) -> BTreeMap<String, Scraped> {
    let mut families: BTreeMap<String, Scraped> = BTreeMap::new();
    let mut family = String::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (what, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let of = families.entry(name.to_owned()).or_default();
            match what {
                "HELP" => rest.clone_into(&mut of.help),
                "TYPE" => rest.clone_into(&mut of.kind),
                "UNIT" => rest.clone_into(&mut of.unit),
                other => panic!("{other}"),
            }
            name.clone_into(&mut family);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap_or_else(|error| panic!("{line}: {error}"));
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let of = families.get_mut(&family).unwrap();
        of.series.insert(name.to_owned());
        for pair in labels.strip_suffix('}').unwrap().split(',').filter(|pair| !pair.is_empty()) {
            let (label, value) = pair.split_once('=').unwrap();
            if label != "le" {
                let value = value.trim_matches('"').to_owned();
                of.labels.entry(label.to_owned()).or_default().insert(value);
            }
        }
    }
    families
}

fn check(family: &str, found: &Scraped, described: &Description) {
    let Description { name, kind, unit, labels, help } = described;
    assert_eq!((&*found.kind, &found.unit), (*kind, unit), "{family}");
    assert_eq!(found.help, format!("{help}."), "{family}");
    assert!(help.len() > 10 && !help.ends_with('.') && !help.contains('|'), "{family}: {help}");
    let suffixes: &[&str] = if *kind == "histogram" { &["_bucket", "_count", "_sum"] } else { &[""] };
    let series = suffixes.iter().map(|suffix| format!("{name}{suffix}"));
    assert_eq!(found.series, series.collect(), "{family}");
    assert!(unit.is_empty() || family.ends_with(&format!("_{unit}")), "{family} has no unit");
    let is_time = ["duration", "_age", "_time"].iter().any(|word| family.contains(word));
    assert_eq!(is_time || family.contains("_cpu"), unit == "seconds", "{family}");
    let names: Vec<_> = labels.iter().map(|(label, _)| (*label).to_owned()).collect();
    assert_eq!(found.labels.keys().collect::<BTreeSet<_>>(), names.iter().collect(), "{family}");
    for (label, values) in labels {
        let shown = &found.labels[*label];
        match values {
            Values::Words(words) => {
                let words: BTreeSet<_> = words.iter().map(|word| (*word).to_owned()).collect();
                assert_eq!(*shown, words, "{family} {label}");
            }
            Values::Version => assert_eq!(*shown, [env!("CARGO_PKG_VERSION").to_owned()].into()),
            Values::VCenter => assert_eq!(*label, "vcenter", "{family}"),
            Values::StatusCode => assert_eq!((family, *label), ("rest_client_requests", "code")),
        }
    }
}

#[test]
fn every_metric_has_the_name_type_unit_help_and_labels_that_its_reference_says() {
    let metrics = Metrics::new();
    let one = Figures { vcenters: vec![("vc".to_owned(), true)], ..Figures::default() };
    metrics.figures(&one);
    fill(&metrics, "vc");
    let families = scraped(&metrics.text().unwrap());
    let descriptions = metrics.descriptions();
    for described in &descriptions {
        let name = described.name.trim_end_matches("_total").trim_end_matches("_info");
        let found = families.get(name).unwrap_or_else(|| panic!("{name} is not in the scrape"));
        check(name, found, described);
    }
    assert_eq!(families.len(), descriptions.len(), "{:?}", families.keys());
}

fn seen(number: usize) -> Input {
    let key = Key { namespace: format!("team-{}", number % 100), name: format!("instance-{number}") };
    let meta = Meta { uid: format!("u-{number}"), resource_version: "1".into(), generation: 1 };
    let spec = serde_json::from_str::<InstancePlacementSpec>(r#"{"image": {"virtualSize": "10Gi"}}"#);
    Input::PlacementSeen(Box::new(SeenPlacement {
        key,
        meta,
        deleting: false,
        spec: spec.map_err(|error| error.to_string()),
        status: InstancePlacementStatus::default(),
        foreign_status: false,
    }))
}

#[test]
fn a_scrape_with_ten_thousand_placements_is_small() {
    let mut scheduler = Scheduler::new(Settings::default());
    let now = Now { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::ZERO };
    let mut actions = Vec::new();
    scheduler.step(now, Input::ListStarted(Kind::Placement), &mut actions);
    for number in 0..10_000 {
        scheduler.step(now, seen(number), &mut actions);
    }
    let metrics = Metrics::new();
    let mut figures = scheduler.figures(now);
    assert_eq!((figures.placements["pending"], figures.queued), (10_000, 10_000));
    figures.vcenters = (0..16).map(|n| (format!("vcenter-{n:02}.example.com"), true)).collect();
    metrics.figures(&figures);
    for (vcenter, _) in &figures.vcenters {
        fill(&metrics, vcenter);
    }
    let text = metrics.text().unwrap();
    assert!(text.contains("berth_placements{state=\"pending\"} 10000\n"));
    assert!(!text.contains("instance-") && !text.contains("team-"));
    assert!(text.len() < 200_000, "{} bytes", text.len());
}

#[test]
fn the_reference_is_up_to_date() {
    super::generated::compare("docs/reference/metrics.md", &Metrics::new().reference());
}
