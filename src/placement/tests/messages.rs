//! What users read.

use super::*;

const MISALIGNED: &str = "10737418752";

/// Of seven datastores, three are too full for the headroom, two are in maintenance, two of type VVOL.
fn seven() -> Vec<Datastore> {
    let mut all: Vec<_> =
        (1..=5).map(|n| datastore(&format!("datastore-{n}"), &format!("vmfs-{n}"), "VMFS")).collect();
    for full in &mut all[0..3] {
        full.free = Some(100 * GIB);
    }
    for away in &mut all[3..5] {
        away.maintenance_mode = Some("inMaintenance".into());
    }
    all.extend((6..=7).map(|n| datastore(&format!("datastore-{n}"), &format!("vvol-{n}"), "VVOL")));
    all
}

fn with_headroom() -> Request {
    let class = ClassRules { headroom_percent: 10, ..ClassRules::default() };
    Request::compile(&ask(Some(MISALIGNED), None), &class, &Selector::default(), None)
}

#[test]
fn a_refusal_counts_every_reason_and_gives_the_advice() {
    let decision = decide(&with_headroom(), &inventory(seven()), &Ledger::default());
    assert_eq!(
        decision.message,
        "0/7 datastores are eligible: 3 InsufficientFreeSpace, 2 MaintenanceMode, 2 SizeNotMiBAligned (image is \
         10737418752 B = 10240 MiB + 512 B; next whole size 10738466816 B)."
    );
    assert_eq!((decision.evaluated, decision.eligible, decision.selected), (7, 0, None));
    let names: Vec<_> = decision.candidates.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["vmfs-1", "vmfs-2", "vmfs-3", "vmfs-4", "vmfs-5", "vvol-6", "vvol-7"]);
    assert!(decision.candidates.iter().all(|c| c.rank.is_none() && c.reasons.len() == 1));
}

#[test]
fn a_datastore_that_fails_several_rules_counts_under_each() {
    let mut all = seven();
    all[0].maintenance_mode = Some("enteringMaintenance".into());
    let decide_on = |all| decide(&with_headroom(), &inventory(all), &Ledger::default()).message;
    let message = decide_on(all.clone());
    assert!(message.contains(": 3 InsufficientFreeSpace, 3 MaintenanceMode, 2 SizeNot"), "{message}");
    assert!(message.ends_with("10738466816 B) (1 fails more than one rule)."), "{message}");
    all[1].maintenance_mode = Some("enteringMaintenance".into());
    let message = decide_on(all);
    assert!(message.ends_with("10738466816 B) (2 fail more than one rule)."), "{message}");
}

#[test]
fn a_selection_names_the_datastore_and_what_the_others_lack() {
    let mut all: Vec<_> =
        (1..=2).map(|n| datastore(&format!("datastore-{n}"), &format!("vmfs-{n}"), "VMFS")).collect();
    all.push(datastore("datastore-3", "vvol-3", "VVOL"));
    let decision = decide(&request(Some(MISALIGNED), Some("40Gi")), &inventory(all), &Ledger::default());
    assert_eq!(
        decision.message,
        "selected vmfs-1 (2 of 3 eligible); not eligible: 1 SizeNotMiBAligned (image is 10737418752 B = 10240 MiB + \
         512 B; next whole size 10738466816 B)"
    );
    let selected = decision.selected.unwrap();
    assert_eq!(selected.backing.0, "ds:///vmfs/volumes/datastore-1/");
    assert_eq!(selected.claim, Claim { bytes: bytes(40 * GIB), immediate: bytes(10_737_418_752) });
    let ranks: Vec<_> = decision.candidates.iter().map(|c| (c.name.as_str(), c.rank)).collect();
    assert_eq!(ranks, [("vmfs-1", Some(1)), ("vmfs-2", Some(2))]);
}

#[test]
fn nothing_to_choose_from_is_said_so() {
    let said = "there is no datastore to choose from: the vCenter has none, its account sees none, or the VCenter's \
                own limits leave none";
    let empty = decide(&request(Some("1Gi"), None), &inventory(vec![]), &Ledger::default());
    assert_eq!((empty.message.as_str(), empty.evaluated), (said, 0));
    let limits = selector(&[], "", ".*");
    let hidden = Request::compile(&ask(Some("1Gi"), None), &ClassRules::default(), &limits, None);
    let decision = decide(&hidden, &inventory(seven()), &Ledger::default());
    assert_eq!((decision.message.as_str(), decision.evaluated), (said, 0));
    assert!(decision.candidates.is_empty() && decision.rejections.is_empty());
}

#[test]
fn a_limit_of_its_own_is_told_with_its_percent() {
    let class = ClassRules { oversubscription: Some(150), ..ClassRules::default() };
    let request = Request::compile(&ask(Some("200Gi"), None), &class, &Selector::default(), None);
    let of = |gib| Datastore {
        capacity: Some(gib * GIB),
        free: Some(gib * GIB),
        ..datastore("datastore-1", "a", "VMFS")
    };
    let said = |gib| {
        let verdict = explain(&request, &inventory(vec![of(gib)]), &Ledger::default()).remove(0);
        verdict.reasons.into_iter().map(|(_, message)| message).collect::<Vec<_>>().join("\n")
    };
    let over = said(100);
    assert!(over.contains("would promise 200.0 GiB of 150.0 GiB (100.0 x 150 %): "), "{over}");
}

#[test]
fn every_reason_has_its_numbers() {
    let class = ClassRules {
        datastores: selector(&["VMFS", "vsan", "VVOL"], "gold-.*", ".*-old"),
        headroom_percent: 10,
        headroom: 12 * GIB,
        minimum_vvol_disk: bytes(4 * MIB),
        ..ClassRules::default()
    };
    let said = |image: Option<&str>, root: Option<&str>, change: fn(&mut Datastore)| {
        let mut changed = datastore("datastore-1", "gold-1", "VMFS");
        changed.capacity = Some(120 * GIB);
        changed.free = Some(120 * GIB);
        change(&mut changed);
        let request = Request::compile(&ask(image, root), &class, &Selector::default(), None);
        let mut ledger = Ledger::default();
        let claim = Claim { bytes: bytes(40 * GIB), immediate: bytes(348 * GIB / 10) };
        ledger.add(&Backing(changed.url.clone()), &claim);
        explain(&request, &inventory(vec![changed]), &ledger)[0]
            .reasons
            .iter()
            .map(|(code, message)| format!("{code}: {message}"))
            .collect::<Vec<_>>()
    };
    let small = Some("1Gi");
    assert_eq!(said(small, None, |_| ()), Vec::<String>::new());
    assert_eq!(
        said(Some("100Gi"), None, |_| ()),
        [
            "InsufficientFreeSpace: needs 100.0 GiB, has 73.2 GiB: 120.0 free - 12.0 headroom - 34.7 claimed",
            "OversubscriptionLimit: would promise 140.0 GiB of 120.0 GiB: 0.0 used + 0.0 uncommitted + 40.0 claimed + \
             100.0 requested",
        ]
    );
    assert_eq!(
        said(Some("40Gi"), Some("50Gi"), |d| {
            d.kind = Some("vSAN".into());
            d.uncommitted = None;
        }),
        [
            "InsufficientFreeSpace: needs 80.0 GiB (40.0 x 200 %), has 73.2 GiB: 120.0 free - 12.0 headroom - 34.7 \
             claimed",
            "OversubscriptionLimit: would promise 140.0 GiB of 120.0 GiB: 0.0 used + 0 uncommitted (not reported) + \
             40.0 claimed + 100.0 requested (50.0 x 200 %)",
        ]
    );
    // One byte too much: only bytes tell the difference.
    let edge = said(Some("78597901518"), None, |_| ());
    let exact = "needs 78597901518 B, has 78597901517 B: 128849018880 free - 12884901888 headroom - 37366215475 claimed";
    assert!(edge[0].ends_with(exact), "{edge:?}");
    assert_eq!(
        said(small, None, |d| d.kind = Some("PMEM".into())),
        ["TypeNotAllowed: type PMEM is not one of VMFS, vsan, VVOL"]
    );
    assert_eq!(
        said(Some("100Gi"), None, |d| d.accessible = Some(false)),
        ["NotAccessible: vCenter reports that no host can reach it"],
        "its figures mean nothing"
    );
    assert_eq!(
        said(small, None, |d| d.accessible = None),
        ["NotAccessible: vCenter did not return summary.accessible"]
    );
    assert_eq!(
        said(small, None, |d| d.maintenance_mode = Some("inMaintenance".into())),
        ["MaintenanceMode: maintenanceMode is inMaintenance"]
    );
    assert_eq!(said(small, None, |d| d.maintenance_mode = None), Vec::<String>::new());
    assert_eq!(
        said(small, None, |d| d.name = "silver-old".into()),
        ["NameNotMatched: name does not match \"gold-.*\"", "NameExcluded: name matches \".*-old\""]
    );
    assert_eq!(
        said(small, None, |d| (d.kind, d.free, d.capacity) = (None, None, None)),
        ["IncompleteData: vCenter did not return summary.type, summary.capacity, summary.freeSpace"]
    );
    assert_eq!(
        said(small, None, |d| (d.accessible, d.free) = (Some(false), None)),
        ["NotAccessible: vCenter reports that no host can reach it"]
    );
}

/// The VVOL rules name the disk, and give one piece of advice for each.
#[test]
fn vvol_reasons_name_the_disk() {
    let said = |image: Option<&str>, root: Option<&str>| {
        reasons(&request(image, root), datastore("datastore-1", "vvol-1", "vvol"))
            .iter()
            .map(|(code, message)| format!("{code}: {message}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(said(Some("10Gi"), Some("11Gi")), Vec::<String>::new());
    assert_eq!(
        said(Some("10Gi"), Some("20G")),
        [
            "SizeNotMiBAligned: root disk is 20000000000 B = 19073 MiB + 509952 B; next whole size 20000538624 B; 20G is \
          decimal, 20Gi is whole MiB"
        ]
    );
    assert_eq!(
        said(Some("1.3333G"), None),
        [
            "SizeNotMiBAligned: image is 1333300000 B = 1271 MiB + 559904 B; next whole size 1333788672 B; 1.3333G is \
          decimal"
        ]
    );
    assert_eq!(
        said(Some("512Ki"), Some("1048577")),
        [
            "SizeNotMiBAligned: root disk is 1048577 B = 1 MiB + 1 B; next whole size 2097152 B",
            "BelowMinimumSize: image is 524288 B, less than the minimum of 1048576 B; next whole size 1048576 B",
        ]
    );
    assert_eq!(
        said(Some("1048577"), Some("1048577")),
        ["SizeNotMiBAligned: image and root disk are 1048577 B = 1 MiB + 1 B; next whole size 2097152 B"]
    );
    assert_eq!(
        said(Some("1048577"), Some("2097153")),
        [
            "SizeNotMiBAligned: image is 1048577 B = 1 MiB + 1 B; next whole size 2097152 B; root disk is 2097153 B = \
             2 MiB + 1 B; next whole size 3145728 B"
        ],
        "they differ"
    );
    assert_eq!(
        said(None, Some("10Gi")),
        ["SizeUnknown: the image's own size is not known; set image.virtualSize"]
    );
    let disks = serde_json::json!([{"name": "data", "size": "1048577"}]);
    let asked = api::InstancePlacementSpec {
        additional_disks: serde_json::from_value(disks).unwrap(),
        ..spec(Some("1048577"), None)
    };
    let asked = Ask::parse(&asked, &mut Patterns::default()).unwrap();
    let request = Request::compile(&asked, &ClassRules::default(), &Selector::default(), None);
    let said = reasons(&request, datastore("datastore-1", "vvol-1", "VVOL")).remove(0).1;
    assert_eq!(
        said,
        "image is 1048577 B = 1 MiB + 1 B; next whole size 2097152 B; disk data is 1048577 B = 1 MiB + 1 B; next \
         whole size 2097152 B",
        "a further disk of the same size is another disk"
    );
}

/// What depends on the instance and the hosts more than on the datastore.
#[test]
fn rules_of_disks_hosts_and_groups_say_what_is_wrong() {
    let asked = Ask {
        disk_type: Some(api::DiskType::Sparse),
        spread: Some(Spread { group: "g".into(), when_unsatisfiable: api::WhenUnsatisfiable::DoNotPlace }),
        ..ask(Some("3Gi"), Some("4Gi"))
    };
    let class = ClassRules { image_transfer: api::ImageTransfer::DirectUpload, ..ClassRules::default() };
    let one = |change: fn(&mut Datastore)| {
        let mut changed = datastore("datastore-1", "a", "VMFS");
        change(&mut changed);
        let taken = [Backing(datastore("datastore-9", "", "").url)].into();
        let request = Request::compile(&asked, &class, &Selector::default(), None).spread_from(taken);
        let said = reasons(&request, changed).into_iter();
        said.map(|(code, message)| format!("{code}: {message}")).collect::<Vec<_>>()
    };
    assert_eq!(one(|_| ()), [] as [String; 0]);
    assert_eq!(
        one(|d| d.multiple_host_access = Some(false)),
        ["NotShared: one host alone has access; the class wants two"]
    );
    assert_eq!(one(|d| d.multiple_host_access = None), [] as [String; 0], "two hosts use it");
    assert_eq!(
        one(|d| {
            d.multiple_host_access = None;
            d.mounts = Mounts::Read(compute().mounts([(&MoRef("host-h1".into()), Mount::Usable)]));
        })[0],
        "NotShared: usable on 1 hosts; the class wants two"
    );
    assert_eq!(
        one(|d| d.max_virtual_disk = Property::Known(3 * GIB)),
        ["DiskTooLarge: root disk is 4294967296 B; the largest here is 3221225472 B"]
    );
    assert_eq!(one(|d| d.max_virtual_disk = Property::Known(4 * GIB)), [] as [String; 0]);
    assert_eq!(
        one(|d| d.kind = Some("vsan".into())),
        ["DiskTypeUnsupported: an image of diskType Sparse cannot be uploaded to vsan; StreamOptimized can"]
    );
    assert_eq!(
        one(|d| d.url = datastore("datastore-9", "", "").url),
        ["SpreadConflict: another member of the spread group is here"]
    );
}

#[test]
fn a_thin_disk_needs_a_datastore_that_has_thin_disks() {
    let asked = Ask { root_provisioning: api::Provisioning::Thin, ..ask(Some("3Gi"), None) };
    let request = Request::compile(&asked, &ClassRules::default(), &Selector::default(), None);
    let thick_only =
        Datastore { thin_provisioning: Property::Known(false), ..datastore("datastore-1", "a", "VMFS") };
    let said = "thin disks are not supported here; ask for Thick".to_owned();
    assert_eq!(reasons(&request, thick_only), [(RejectionCode::ProvisioningUnsupported, said)]);
}

#[test]
fn names_and_lengths_cannot_spoil_a_message() {
    let mut hostile = datastore("datastore-1", "a\u{1b}[31m\r\nb\u{202e}c", "VMFS");
    let clean = decide(&request(Some("1Gi"), None), &inventory(vec![hostile.clone()]), &Ledger::default());
    assert_eq!(clean.message, "selected a\u{fffd}[31m\u{fffd}\u{fffd}b\u{fffd}c (1 of 1 eligible)");
    assert_eq!(clean.candidates[0].name, "a\u{fffd}[31m\u{fffd}\u{fffd}b\u{fffd}c");
    assert_eq!(clean.selected.unwrap().datastore, hostile, "what is selected is as in the inventory");

    hostile.name = "é".repeat(2_000);
    hostile.kind = Some("x\u{7}".repeat(2_000));
    hostile.maintenance_mode = Some("\u{7}é".repeat(2_000));
    for (_, message) in reasons(&request(Some("1Gi"), None), hostile.clone()) {
        assert!(message.len() <= 256 && !message.chars().any(char::is_control), "{message:?}");
    }
    hostile.kind = Some("VMFS".into());
    hostile.maintenance_mode = None;
    let long = decide(&request(Some("1Gi"), None), &inventory(vec![hostile]), &Ledger::default());
    assert!(long.message.len() <= 1024 && long.message.contains("..."), "{}", long.message);
}

#[test]
fn a_placement_narrows_its_class_and_never_widens_it() {
    let compile = |class: &[&str], ask_types: &[&str]| {
        let class = ClassRules { datastores: selector(class, "", ""), ..ClassRules::default() };
        let asked = Ask { datastores: selector(ask_types, "", ""), ..ask(Some("1Gi"), None) };
        Request::compile(&asked, &class, &Selector::default(), None)
    };
    let refused = |request: &Request, kind: &str| {
        reasons(request, datastore("datastore-1", "a", kind)).first().map(|(_, message)| message.clone())
    };
    let default = compile(&[], &[]);
    for kind in ["VMFS", "vmfs", "NFS", "NFS41", "vsan", "VVOL"] {
        assert_eq!(refused(&default, kind), None, "{kind}");
    }
    let not_default = "type PMEM is not one of NFS, NFS41, VMFS, vsan, VVOL";
    assert_eq!(refused(&default, "PMEM").as_deref(), Some(not_default));
    assert_eq!(
        refused(&compile(&[], &["PMEM"]), "PMEM").as_deref(),
        Some("type PMEM: class and placement allow no type in common")
    );
    assert_eq!(refused(&compile(&["PMEM", "VMFS"], &["pmem"]), "PMEM"), None);
    assert_eq!(
        refused(&compile(&["PMEM", "VMFS"], &["pmem"]), "VMFS").as_deref(),
        Some("type VMFS is not one of PMEM")
    );
}

#[test]
fn a_datastore_out_of_scope_says_where_it_is() {
    let one = compute();
    let other = Datacenter { moref: MoRef("datacenter-1".into()), name: "DC1".into(), path: "/DC1".into() };
    let two =
        Compute::new([one.datacenters(), &[other]].concat(), one.clusters().to_vec(), one.hosts().to_vec());
    let scope = ScopeAsk { datacenter: Some("DC0".into()), ..ScopeAsk::default() };
    let asked = Ask { compute: scope, ..ask(Some("1Gi"), None) };
    let request = Request::compile(&asked, &ClassRules::default(), &Selector::default(), None);
    for (datacenter, expected) in [
        ("datacenter-1", "in datacenter DC1"),
        ("datacenter-9", "in a datacenter that vCenter does not show"),
    ] {
        let there = Datastore {
            datacenter: Some(MoRef(datacenter.into())),
            mounts: Mounts::Read(two.mounts([])),
            ..datastore("datastore-1", "a", "VMFS")
        };
        let all = Inventory::new("vc-1", two.clone(), vec![there]);
        let reasons = explain(&request, &all, &Ledger::default()).remove(0).reasons;
        assert_eq!(reasons[0], (RejectionCode::NotInScope, expected.to_owned()));
    }
}

#[test]
fn a_datastore_that_no_host_asked_for_mounts_is_out_of_scope() {
    let asked = Ask {
        compute: ScopeAsk { hosts: vec!["h2".into()], ..ScopeAsk::default() },
        ..ask(Some("1Gi"), None)
    };
    let class = ClassRules { sharing: api::Sharing::Any, ..ClassRules::default() };
    let request = Request::compile(&asked, &class, &Selector::default(), None);
    let on = |host: &str| Datastore {
        mounts: Mounts::Read(compute().mounts([(&MoRef(host.into()), Mount::Usable)])),
        ..datastore("datastore-1", "a", "VMFS")
    };
    assert_eq!(reasons(&request, on("host-h2")), []);
    let codes: Vec<_> = reasons(&request, on("host-h1")).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [RejectionCode::NotInScope, RejectionCode::NotMountedOnHosts]);

    // Where no host is asked for, none can be the wrong one.
    let nowhere =
        Datastore { mounts: Mounts::Read(compute().mounts([])), ..datastore("datastore-1", "a", "VMFS") };
    let request = Request::compile(&ask(Some("1Gi"), None), &class, &Selector::default(), None);
    let codes: Vec<_> = reasons(&request, nowhere).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [RejectionCode::NotMountedOnHosts]);
}

/// By name, datacenter and name, or moRef. `c` is first by everything else.
#[test]
fn what_is_preferred_comes_first_by_each_of_its_names() {
    let all = inventory(vec![
        Datastore { free: Some(100 * GIB), ..datastore("datastore-1", "a", "VMFS") },
        Datastore { free: Some(200 * GIB), ..datastore("datastore-2", "b", "VMFS") },
        Datastore { free: Some(300 * GIB), ..datastore("datastore-3", "c", "VMFS") },
    ]);
    let first = |preferred: &[&str]| {
        let preferred = preferred.iter().map(ToString::to_string).collect();
        let asked = Ask { preferred, ..ask(Some("1Gi"), None) };
        let request = Request::compile(&asked, &ClassRules::default(), &Selector::default(), None);
        decide(&request, &all, &Ledger::default()).selected.unwrap().datastore.name
    };
    for (preferred, expected) in [
        (&[][..], "c"),
        (&["a"], "a"),
        (&["datastore-1"], "a"),
        (&["DC0/a"], "a"),
        (&["DC1/a"], "c"),
        (&["DC0a"], "c"),
        (&["DC0/"], "c"),
        (&["a", "b"], "b"),
        (&["gone"], "c"),
    ] {
        assert_eq!(first(preferred), expected, "{preferred:?}");
    }
}
