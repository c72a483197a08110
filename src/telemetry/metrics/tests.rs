use super::*;

#[test]
fn what_is_fed_is_shown_until_it_is_gone() {
    let metrics = Metrics::new();
    let figures = |placed, vcenters: &[(&str, bool)]| Figures {
        placements: BTreeMap::from([("placed", placed)]),
        queued: 2,
        claimed: crate::placement::Kept { bytes: 30, immediate: 10 },
        vcenters: vcenters.iter().map(|(name, is_up)| ((*name).to_owned(), *is_up)).collect(),
    };
    metrics.figures(&figures(3, &[("vc-west", false)]));
    metrics.figures(&figures(4, &[("vc-east", true)]));
    metrics.decision("NoEligibleDatastore", [("TypeNotAllowed", 4)], Duration::from_millis(1));
    metrics.turn(Duration::from_secs(1));
    metrics.answered(Duration::from_secs(2));
    metrics.leading(true);
    metrics.inventory_answered("vc-east", Instant::now());
    metrics.inventory_skipped("vc-east", "size", 2);
    metrics.inventory_withheld("vc-east", 3);
    metrics.inventory_datastores("vc-east", ["VMFS", "vmfs", "Warp"]);
    metrics.inventory_datastores("vc-east", ["VVOL", "Warp"]);
    metrics.vcenter_request("Login", "ok", Duration::from_millis(20));
    metrics.vcenter_login("ok");
    metrics.kubernetes_request(Some(409), "PUT", Duration::from_secs(1));
    metrics.kubernetes_request(None, "GET", Duration::from_secs(1));
    metrics.watch_failure(Kind::Secret);
    let text = metrics.text().unwrap();
    for line in [
        "# HELP berth_placements Placements by state.",
        "berth_placements{state=\"placed\"} 4",
        "berth_placements{state=\"waiting\"} 0",
        "berth_claims_bytes 30",
        "berth_claims_immediate_bytes 10",
        "berth_decisions_total{result=\"NoEligibleDatastore\"} 1",
        "berth_decisions_total{result=\"Placed\"} 0",
        "berth_rejections_total{reason=\"TypeNotAllowed\"} 4",
        "berth_decision_duration_seconds_sum 0.001",
        "berth_placement_duration_seconds_sum 2.0",
        "workqueue_depth{name=\"placements\"} 2",
        "workqueue_queue_duration_seconds_sum{name=\"placements\"} 1.0",
        "leader_election_master_status{name=\"berth-controller\"} 1",
        "# UNIT berth_inventory_age_seconds seconds",
        "berth_inventory_datastores{vcenter=\"vc-east\",type=\"VVOL\"} 1",
        "berth_inventory_datastores{vcenter=\"vc-east\",type=\"other\"} 1",
        "berth_inventory_skipped_objects{vcenter=\"vc-east\",reason=\"size\"} 2",
        "berth_inventory_withheld_datastores{vcenter=\"vc-east\"} 3",
        "berth_vcenter_up{vcenter=\"vc-east\"} 1",
        "berth_vcenter_requests_total{method=\"Login\",result=\"ok\"} 1",
        "berth_vcenter_request_duration_seconds_count{method=\"Login\"} 1",
        "berth_vcenter_logins_total{result=\"ok\"} 1",
        "rest_client_requests_total{code=\"409\",method=\"PUT\"} 1",
        "rest_client_requests_total{code=\"error\",method=\"GET\"} 1",
        "rest_client_request_duration_seconds_count{verb=\"PUT\"} 1",
        "berth_watch_failures_total{kind=\"Secret\"} 1",
        concat!("berth_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("berth_inventory_age_seconds{vcenter=\"vc-east\"} "), "{text}");
    assert!(!text.contains("VMFS") && !text.contains("vc-west"), "{text}");

    metrics.inventory_gone("vc-east");
    metrics.figures(&figures(4, &[]));
    assert!(!metrics.text().unwrap().contains("vc-east"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_is_shown_as_the_kernel_sees_it() {
    let text = Metrics::new().text().unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse::<f64>().unwrap()
    };
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds") >= 3.0);
    assert!(value("process_cpu_seconds_total") >= 0.0);
    let began = value("process_start_time_seconds");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((now - 86_400.0..now + 10.0).contains(&began), "{began} at {now}");
}
