//! The alerts and the dashboard of the chart: what they say is `PromQL`, alerts fire when they should, and the metrics that
//! both name are there in a scrape of a running controller.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::main_job::{GIB, begin, datastores, placement, settled};
use crate::optional;
use crate::stack::{Stack, repository, wait_for};

fn files() -> PathBuf {
    repository().join("charts/berth/files")
}

/// By name.
fn alerts() -> Map<String, Value> {
    serde_saphyr::from_str(&std::fs::read_to_string(files().join("alerts.yaml")).unwrap()).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&std::fs::read_to_string(files().join("dashboard.json")).unwrap()).unwrap()
}

/// What the dashboard asks, by panel, as Grafana sends it.
fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for panel in dashboard()["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$__rate_interval", "5m").replace("$job", ".*");
            assert!(!query.contains('$'), "{title}: {query}");
            queries.push((title.to_owned(), query));
        }
    }
    queries
}

/// Everything that is asked of the metrics, with where.
fn expressions() -> Vec<(String, String)> {
    let alerts = alerts().into_iter().map(|(name, rule)| (name, rule["expr"].as_str().unwrap().to_owned()));
    alerts.chain(queries()).collect()
}

/// Names of the metrics in an expression that promtool accepts.
fn metrics(expression: &str) -> BTreeSet<String> {
    static NOT_METRICS: LazyLock<Regex> = LazyLock::new(|| {
        let parts = [
            r#""[^"]*""#,
            r"\{[^}]*\}",
            r"\[[^\]]*\]",
            r"\b(\w+\s+)?(by|without)\s*\([^)]*\)",
            r"\b(on|ignoring|group_left|group_right)\s*\([^)]*\)",
            r"\b\w+\s*\(",
            r"\b(and|or|unless|offset|bool|inf|nan)\b",
            r"\b\d[\w.]*",
        ];
        Regex::new(&parts.join("|")).unwrap()
    });
    let left = NOT_METRICS.replace_all(expression, " ");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    left.split(|c| !is_name(c)).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A rule file with these rules, for promtool.
fn rule_file(folder: &Path, rules: &[Value]) {
    let file = json!({"groups": [{"name": "berth", "rules": rules}]});
    std::fs::write(folder.join("rules.yaml"), file.to_string()).unwrap();
}

/// As an entry of a rule file.
fn rule((name, rule): (String, Value)) -> Value {
    let mut rule = rule;
    rule["alert"] = name.into();
    rule
}

fn promtool() -> Option<PathBuf> {
    optional::program("promtool", "prometheus", "alerts")
}

fn run(promtool: &Path, folder: &Path, args: &[&str]) {
    let output = Command::new(promtool).args(args).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn every_alert_and_every_query_of_the_dashboard_is_promql() {
    let Some(promtool) = promtool() else { return };
    let folder = tempfile::tempdir().unwrap();
    let queries = queries()
        .into_iter()
        .zip(0..)
        .map(|((_, query), number)| json!({"record": format!("dashboard:query{number}"), "expr": query}));
    let rules: Vec<Value> = alerts().into_iter().map(rule).chain(queries).collect();
    assert!(rules.len() > 40, "{}", rules.len());
    rule_file(folder.path(), &rules);
    run(&promtool, folder.path(), &["check", "rules", "rules.yaml"]);
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    let Some(promtool) = promtool() else { return };
    let folder = tempfile::tempdir().unwrap();
    // What annotations say is for people: their templates are checked, their wording is not.
    let without_words = |(name, mut alert): (String, Value)| {
        alert.as_object_mut().unwrap().remove("annotations");
        rule((name, alert))
    };
    rule_file(folder.path(), &alerts().into_iter().map(without_words).collect::<Vec<_>>());
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(repository().join("tests/alerts")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let file: Value = serde_saphyr::from_str(&text).unwrap();
        let tests =
            file["tests"].as_array().unwrap().iter().flat_map(|t| t["alert_rule_test"].as_array().unwrap());
        let mut fires: BTreeMap<bool, usize> = BTreeMap::new();
        for test in tests {
            assert_eq!(test["alertname"], name.as_str(), "{}", path.display());
            *fires.entry(!test["exp_alerts"].as_array().unwrap().is_empty()).or_default() += 1;
        }
        assert_eq!(fires.len(), 2, "{name} is tested to fire, and not to");
        let file = format!("{name}.yaml");
        std::fs::write(folder.path().join(&file), text).unwrap();
        run(&promtool, folder.path(), &["test", "rules", &file]);
        names.insert(name);
    }
    assert_eq!(names, alerts().keys().cloned().collect(), "each alert has its file in tests/alerts");
}

#[test]
fn alerts_have_what_a_pager_needs() {
    for (name, rule) in alerts() {
        assert!(name.starts_with("Berth"), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        let fields: BTreeSet<_> = rule.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["expr", "for", "labels", "annotations"].into(), "{name}");
        let annotations: BTreeSet<_> =
            rule["annotations"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(annotations, ["summary", "description"].into(), "{name}");
    }
}

#[test]
fn the_dashboard_takes_its_data_source_from_a_variable() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|v| v["name"] == "datasource" && v["type"] == "datasource"));
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let targets = panel["targets"].as_array().into_iter().flatten();
        for source in targets.chain([panel]).filter_map(|part| part.get("datasource")) {
            assert_eq!(*source, json!({"type": "prometheus", "uid": "${datasource}"}), "{}", panel["title"]);
        }
    }
}

#[test]
fn a_misspelt_metric_would_be_found() {
    let expression = "sum without (pod) (rate(berth_decisions_total{result!=\"berth_x\"}[5m])) / 1e3 > 0.5 and \
                      on (instance) berth_typo unless absent(berth_build_info offset 5m)";
    let found: Vec<_> = metrics(expression).into_iter().collect();
    assert_eq!(found, ["berth_build_info", "berth_decisions_total", "berth_typo"]);
    let scrape =
        "# HELP x y\nberth_decisions_total{result=\"Placed\"} 1\nberth_build_info{version=\"1\"} 1\n# EOF\n";
    assert_eq!(missing(&[("Alert".to_owned(), expression.to_owned())], scrape), ["Alert: berth_typo"]);
}

/// The metrics that are asked for and not in the scrape, with where.
fn missing(expressions: &[(String, String)], scrape: &str) -> Vec<String> {
    let samples = scrape.lines().filter(|line| !line.starts_with('#'));
    let known: BTreeSet<_> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
    let asked = expressions
        .iter()
        .flat_map(|(place, expression)| metrics(expression).into_iter().map(move |name| (place, name)));
    asked
        .filter(|(_, name)| !known.contains(name.as_str()))
        .map(|(place, name)| format!("{place}: {name}"))
        .collect()
}

#[test]
fn a_running_controller_has_every_metric_that_alerts_and_dashboard_ask_for() {
    let stack = Stack::shared_blocking().unwrap();
    let (_vcenter, mut controller) = begin(&stack, &datastores(&["a"], 100 * GIB));
    let namespace = stack.fresh_namespace("scrape").unwrap();
    stack.apply_yaml(&placement(&namespace, "one", &json!({"image": {"virtualSize": "10Gi"}}))).unwrap();
    settled(&stack, &namespace, 1, 0);
    let expressions = expressions();
    assert!(expressions.len() > 40);
    let scrape = wait_for("a scrape that shows the placement", || {
        let scrape = controller.metrics("/metrics")?;
        let is_placed = |line: &str| {
            line.strip_prefix("berth_placements{state=\"placed\"} ").is_some_and(|count| count != "0")
        };
        anyhow::ensure!(scrape.lines().any(is_placed), "{scrape}");
        Ok(Some(scrape))
    })
    .unwrap();
    assert_eq!(missing(&expressions, &scrape), Vec::<String>::new());
    assert!(scrape.contains("berth_vcenter_up{vcenter=\"vc-east\"} 1\n"), "{scrape}");
    assert!(controller.terminate().unwrap().success());
}
