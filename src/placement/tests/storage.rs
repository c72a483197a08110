//! What is asked of vCenter's storage services: names that are not there, what is not read, and what users read.

use super::*;
use crate::api::{HostAccess, PlacementReason};

fn tag(name: &str) -> Tag {
    Tag { category: "tier".into(), name: name.into() }
}

/// Everything that can be asked.
fn everything() -> (StorageAsk, Guards) {
    let storage = StorageAsk {
        policy: Some("gold".into()),
        datastore_cluster: Some("POD-A".into()),
        tags: [tag("fast"), tag("near")].into(),
    };
    let attribute = SuspendMark::CustomAttribute {
        name: "cns.vmware.com/datastoreSuspended".into(),
        value: "true".into(),
    };
    let privileges = ["Datastore.AllocateSpace".to_owned(), "Datastore.FileManagement".to_owned()].into();
    let guards = Guards {
        suspend_marks: vec![attribute, SuspendMark::Tag(tag("drain"))],
        alarms: Some(AlarmStatus::Yellow),
        consumer: Some(Consumer { user: "VSPHERE.LOCAL\\builder".into(), privileges }),
    };
    (storage, guards)
}

fn asking(storage: StorageAsk, guards: Guards) -> Request {
    let asked = Ask { storage, ..ask(Some("1Gi"), None) };
    Request::compile(&asked, &ClassRules::default(), &Selector::default(), None).guarded(guards)
}

#[test]
fn tags_of_class_and_placement_are_all_asked_for() {
    let tagged = |name: &str| StorageAsk { tags: [tag(name)].into(), ..StorageAsk::default() };
    let class = ClassRules { storage: tagged("fast"), ..ClassRules::default() };
    let asked = Ask { storage: tagged("near"), ..ask(Some("1Gi"), None) };
    let request = Request::compile(&asked, &class, &Selector::default(), None);
    for (tags, expected) in [
        (&["fast", "near"][..], &[][..]),
        (&["fast"], &[RejectionCode::TagMissing]),
        (&["near"], &[RejectionCode::TagMissing]),
    ] {
        let one = Datastore { tags: Some(tags.iter().map(|name| tag(name)).collect()), ..good() };
        let all = Inventory::new(overview(), compute(), vec![one]);
        let reasons = explain(&request, &all, &Ledger::default()).remove(0).reasons;
        assert_eq!(reasons.iter().map(|(code, _)| *code).collect::<Vec<_>>(), expected, "{tags:?}");
    }
}

/// A vCenter that was read, with two datastore clusters of one name.
fn overview() -> Overview {
    let pod = |datacenter: u8, name: &str| DatastoreCluster {
        moref: MoRef(format!("group-{datacenter}-{name}")),
        name: name.into(),
        path: format!("/DC{datacenter}/datastore/{name}"),
    };
    Overview {
        policies: Some(vec![StoragePolicy { id: "aa6d".into(), name: "gold".into() }]),
        datastore_clusters: Some(vec![pod(0, "POD-A"), pod(1, "POD-A"), pod(0, "POD-B")]),
        consumer: Some("vsphere.local\\Builder".into()),
        ..Overview::from("vc-1")
    }
}

/// One that has all that can be asked.
fn good() -> Datastore {
    let privileges = ["Datastore.AllocateSpace", "Datastore.FileManagement"];
    Datastore {
        datastore_cluster: Property::Known(MoRef("group-0-POD-A".into())),
        tags: Some([tag("fast"), tag("near"), tag("other")].into()),
        custom_attributes: Some([("cns.vmware.com/datastoreSuspended".into(), "false".into())].into()),
        alarms: Some([].into()),
        policies: [("aa6d".into(), PolicyCheck::Compatible { hosts: None })].into(),
        privileges: privileges.map(|privilege| (privilege.to_owned(), true)).into(),
        ..datastore("datastore-1", "vmfs-1", "VMFS")
    }
}

fn said(request: &Request, overview: Overview, change: impl FnOnce(&mut Datastore)) -> Vec<String> {
    let mut changed = good();
    change(&mut changed);
    let verdicts = explain(request, &Inventory::new(overview, compute(), vec![changed]), &Ledger::default());
    verdicts[0].reasons.iter().map(|(code, message)| format!("{code}: {message}")).collect()
}

#[test]
fn every_reason_of_storage_says_what_is_wrong() {
    let (storage, guards) = everything();
    let request = asking(storage, guards);
    let said = |change: fn(&mut Datastore)| said(&request, overview(), change);
    assert_eq!(said(|_| ()), Vec::<String>::new());
    let refused = said(|d| {
        let why = "Datastore does not satisfy\nrule tier=gold".into();
        d.policies = [("aa6d".into(), PolicyCheck::Incompatible { why })].into();
    });
    assert_eq!(refused, ["PolicyIncompatible: Datastore does not satisfy\u{fffd}rule tier=gold"]);
    let silent = said(|d| {
        d.policies = [("aa6d".into(), PolicyCheck::Incompatible { why: " ".into() })].into();
    });
    assert_eq!(silent, ["PolicyIncompatible: vCenter gives no reason why policy \"gold\" is not met"]);
    assert_eq!(
        said(|d| d.tags = Some([tag("near")].into())),
        ["TagMissing: has no tag tier/fast"],
        "every tag is wanted"
    );
    assert_eq!(said(|d| d.tags = Some([].into())), ["TagMissing: has no tag tier/fast and no tag tier/near"]);
    assert_eq!(
        said(|d| d.tags = Some([tag("near"), Tag { category: "zone".into(), name: "fast".into() }].into())),
        ["TagMissing: has no tag tier/fast"],
        "that of another category is another tag"
    );
    assert_eq!(
        said(|d| d.datastore_cluster = Property::Known(MoRef("group-0-POD-B".into()))),
        ["NotInDatastoreCluster: in datastore cluster POD-B"]
    );
    assert_eq!(
        said(|d| d.datastore_cluster = Property::Known(MoRef("group-1-POD-A".into()))),
        Vec::<String>::new(),
        "one of that name"
    );
    assert_eq!(
        said(|d| d.datastore_cluster = Property::Absent),
        ["NotInDatastoreCluster: not in the datastore cluster asked for"]
    );
    assert_eq!(
        said(|d| d.privileges.values_mut().for_each(|granted| *granted = false)),
        ["MissingPrivilege: VSPHERE.LOCAL\\builder lacks Datastore.AllocateSpace, Datastore.FileManagement \
             here"]
    );
    let marked = said(|d| {
        d.tags.as_mut().unwrap().insert(tag("drain"));
        d.custom_attributes = Some([("cns.vmware.com/datastoreSuspended".into(), "true".into())].into());
    });
    assert_eq!(
        marked,
        [
            "DatastoreSuspended: suspended: custom attribute cns.vmware.com/datastoreSuspended is \"true\", it has \
             tag tier/drain"
        ]
    );
    let alarm = |name: &str, status| Alarm { name: name.into(), status };
    let alarmed = Datastore {
        alarms: Some([alarm("usage", AlarmStatus::Yellow), alarm("lost", AlarmStatus::Red)].into()),
        ..good()
    };
    let reasons = |request: &Request, one: &Datastore| {
        let all = Inventory::new(overview(), compute(), vec![one.clone()]);
        explain(request, &all, &Ledger::default())[0].reasons.clone()
    };
    let both = "alarm \"lost\" is red, alarm \"usage\" is yellow".to_owned();
    assert_eq!(reasons(&request, &alarmed), [(RejectionCode::AlarmTriggered, both)]);
    let (storage, guards) = everything();
    let red_only = asking(storage, Guards { alarms: Some(AlarmStatus::Red), ..guards });
    let one = "alarm \"lost\" is red".to_owned();
    assert_eq!(reasons(&red_only, &alarmed), [(RejectionCode::AlarmTriggered, one)]);
}

/// What is asked about and not read is named, every part of it; what is not asked about does not matter.
#[test]
fn what_is_not_read_is_named_where_it_is_asked_about() {
    let nothing_asked = asking(StorageAsk::default(), Guards::default());
    let unread = |d: &mut Datastore| *d = datastore("datastore-1", "vmfs-1", "VMFS");
    assert_eq!(said(&nothing_asked, "vc-1".into(), unread), Vec::<String>::new());

    let (storage, guards) = everything();
    let request = asking(storage, guards.clone());
    let parts =
        "tags, datastore cluster, customValue, triggeredAlarmState, privileges of VSPHERE.LOCAL\\builder";
    assert_eq!(
        said(&request, "vc-1".into(), unread),
        [format!("IncompleteData: vCenter did not return storage policies, {parts}")]
    );
    assert_eq!(
        said(&request, overview(), unread),
        [format!(
            "IncompleteData: vCenter did not return compatibility with storage policy \"gold\", {parts}"
        )]
    );
    let stranger = Overview { consumer: Some("VSPHERE.LOCAL\\other".into()), ..overview() };
    let lacks = |overview, change: fn(&mut Datastore)| said(&request, overview, change);
    let theirs = ["IncompleteData: vCenter did not return privileges of VSPHERE.LOCAL\\builder"];
    assert_eq!(lacks(stranger, |_| ()), theirs, "the privileges of another account say nothing");
    let without_one =
        |d: &mut Datastore| d.privileges.retain(|privilege, _| privilege != "Datastore.FileManagement");
    assert_eq!(lacks(overview(), without_one), theirs);
    // Each by itself.
    let ask_only =
        |storage: StorageAsk, guards: Guards| said(&asking(storage, guards), "vc-1".into(), unread);
    let (all, none) = (|| everything().0, StorageAsk::default);
    let missing = |what: &str| [format!("IncompleteData: vCenter did not return {what}")];
    let only = StorageAsk { policy: all().policy, ..none() };
    assert_eq!(ask_only(only, Guards::default()), missing("storage policies"));
    let only = StorageAsk { tags: all().tags, ..none() };
    assert_eq!(ask_only(only, Guards::default()), missing("tags"));
    let only = StorageAsk { datastore_cluster: all().datastore_cluster, ..none() };
    assert_eq!(ask_only(only, Guards::default()), missing("datastore cluster"));
    let mark =
        |n: usize| Guards { suspend_marks: vec![guards.suspend_marks[n].clone()], ..Guards::default() };
    assert_eq!(ask_only(none(), mark(0)), missing("customValue"));
    assert_eq!(ask_only(none(), mark(1)), missing("tags"));
    let alarms = Guards { alarms: Some(AlarmStatus::Red), ..Guards::default() };
    assert_eq!(ask_only(none(), alarms), missing("triggeredAlarmState"));
}

#[test]
fn a_policy_or_datastore_cluster_that_is_not_there_is_named() {
    let all = Inventory::new(overview(), compute(), vec![good()]);
    let not_found = |storage: StorageAsk| {
        let request = asking(storage, Guards::default());
        crate::placement::decide(&request, &all, &Ledger::default()).unwrap_err()
    };
    let policy = not_found(StorageAsk { policy: Some("Gold".into()), ..StorageAsk::default() });
    assert_eq!(policy.to_string(), "datastores: there is no storage policy \"Gold\" in the vCenter");
    assert_eq!(policy.reason(), PlacementReason::PolicyNotFound);
    let cluster = |name: &str| StorageAsk { datastore_cluster: Some(name.into()), ..StorageAsk::default() };
    let pod = not_found(cluster("POD-C"));
    assert_eq!(pod.to_string(), "datastores: there is no datastore cluster \"POD-C\" in the vCenter");
    assert_eq!(pod.reason(), PlacementReason::ScopeNotFound);
    // A path names one of several.
    let one = |path: &str| said(&asking(cluster(path), Guards::default()), overview(), |_| ());
    assert_eq!(one("/DC0/datastore/POD-A"), Vec::<String>::new());
    assert_eq!(one("/DC1/datastore/POD-A"), ["NotInDatastoreCluster: in datastore cluster POD-A"]);
}

/// Class and placement can each name a policy: both must be met, and the placement's is the one for the disks.
#[test]
fn a_placement_adds_its_policy_to_that_of_its_class() {
    let policy = |name: &str| StorageAsk { policy: Some(name.into()), ..StorageAsk::default() };
    let class = ClassRules { storage: policy("gold"), ..ClassRules::default() };
    let asked = Ask { storage: policy("silver"), ..ask(Some("1Gi"), None) };
    let request = Request::compile(&asked, &class, &Selector::default(), None);
    let mut all = overview();
    all.policies.as_mut().unwrap().push(StoragePolicy { id: "bb7e".into(), name: "silver".into() });
    let with = |gold: bool, silver: bool| {
        let check = |compatible| {
            let why = "no".to_owned();
            if compatible {
                PolicyCheck::Compatible { hosts: None }
            } else {
                PolicyCheck::Incompatible { why }
            }
        };
        let one = Datastore {
            policies: [("aa6d".into(), check(gold)), ("bb7e".into(), check(silver))].into(),
            ..good()
        };
        decide(&request, &Inventory::new(all.clone(), compute(), vec![one]), &Ledger::default())
    };
    assert_eq!(with(true, true).selected.unwrap().policy.unwrap().name, "silver");
    for (gold, silver) in [(true, false), (false, true), (false, false)] {
        assert_eq!(with(gold, silver).rejections, [(RejectionCode::PolicyIncompatible, 1)]);
    }
}

/// Where PBM names hosts, the others cannot use the datastore under the policy.
#[test]
fn hosts_that_a_policy_does_not_name_are_not_usable() {
    let with = |access, hosts: &[usize]| {
        let storage = StorageAsk { policy: Some("gold".into()), ..StorageAsk::default() };
        let scope = ScopeAsk { access: Some(access), ..ScopeAsk::default() };
        let asked = Ask { storage, compute: scope, ..ask(Some("1Gi"), None) };
        let request = Request::compile(&asked, &ClassRules::default(), &Selector::default(), None);
        let hosts = Some(hosts.iter().copied().collect());
        let policies = [("aa6d".into(), PolicyCheck::Compatible { hosts })].into();
        let one = Datastore { policies, multiple_host_access: None, ..good() };
        decide(&request, &Inventory::new(overview(), compute(), vec![one]), &Ledger::default())
    };
    let reason = |decision: Decision| decision.candidates[0].reasons.clone();
    let one_of_two =
        "usable on 1 of 2 hosts (1 off the storage policy); OneCluster wants all hosts of a cluster";
    assert_eq!(
        reason(with(HostAccess::OneCluster, &[1])),
        [(RejectionCode::NotMountedOnHosts, one_of_two.to_owned())],
        "and it is a shared disk all the same"
    );
    let none = "usable on 0 of 2 hosts (2 off the storage policy); AnyHost wants one".to_owned();
    assert_eq!(reason(with(HostAccess::AnyHost, &[])), [(RejectionCode::NotMountedOnHosts, none)]);
    let cluster = with(HostAccess::AnyHost, &[1]).selected.unwrap().cluster.unwrap();
    assert_eq!((cluster.usable_hosts, cluster.hosts), (1, 2));
    assert_eq!(with(HostAccess::AllHosts, &[0, 1]).eligible, 1);
}

#[test]
fn a_virtual_volume_needs_an_active_array_and_an_endpoint() {
    let said = |kind: &str, change: fn(&mut Datastore)| {
        let mut one = datastore("datastore-1", "vvol-1", kind);
        change(&mut one);
        let found = reasons(&request(Some("1Gi"), None), one);
        found.iter().map(|(code, message)| format!("{code}: {message}")).collect::<Vec<_>>()
    };
    let holds = Vec::<String>::new();
    let arrays = |d: &mut Datastore| d.arrays = [("pure-1".into(), false), ("pure-2".into(), false)].into();
    assert_eq!(said("vvol", |_| ()), holds, "not reported");
    assert_eq!(said("vvol", arrays), ["VvolUnavailable: no storage array is active: pure-1, pure-2"]);
    assert_eq!(
        said("vvol", |d| d.arrays = [("pure-1".into(), false), ("pure-2".into(), true)].into()),
        holds
    );
    let nowhere = |d: &mut Datastore| d.endpoints = Some([].into_iter().collect());
    let no_endpoint = "VvolUnavailable: no protocol endpoint for any of 2 usable hosts";
    assert_eq!(said("vvol", nowhere), [no_endpoint]);
    assert_eq!(said("vvol", |d| d.endpoints = Some([1].into_iter().collect())), holds, "one is enough");
    assert_eq!(said("VMFS", arrays), holds);
    assert_eq!(said("VMFS", nowhere), holds);
    let unreachable = said("vvol", |d| {
        d.accessible = Some(false);
        d.endpoints = Some([].into_iter().collect());
    });
    assert_eq!(unreachable, ["NotAccessible: vCenter reports that no host can reach it"]);
}

/// It says so, and changes nothing.
#[test]
fn a_virtual_volume_on_a_new_vsphere_comes_with_a_warning() {
    let message = |version: &str, kind: &str| {
        let overview = Overview { version: version.into(), ..Overview::from("vc-1") };
        let all = vec![datastore("datastore-1", "one", kind), datastore("datastore-2", "two", "PMEM")];
        let decision = decide(
            &request(Some("1Gi"), None),
            &Inventory::new(overview, compute(), all),
            &Ledger::default(),
        );
        assert_eq!(decision.eligible, 1);
        decision.message
    };
    let plain = "selected one (1 of 2 eligible); not eligible: 1 TypeNotAllowed";
    let warned = "selected one (1 of 2 eligible); vVols are deprecated since vSphere 9; not eligible: 1 TypeNotAllowed";
    for version in ["9.0.0", "9", "10.1.0.0"] {
        assert_eq!(message(version, "vvol"), warned, "{version}");
        assert_eq!(message(version, "VMFS"), plain, "{version}");
    }
    for version in ["8.0.3", "", "new", "90x", "-9.0"] {
        assert_eq!(message(version, "VVOL"), plain, "{version}");
    }
}

/// The age is for those who look; a decision stays the same while nothing but time passes.
#[test]
fn figures_have_an_age() {
    let taken = "2026-01-01T00:00:00Z".parse().unwrap();
    let one = Datastore { figures_time: Some(taken), ..datastore("datastore-1", "a", "VMFS") };
    let age = |one: &Datastore, now: &str| {
        let verdicts =
            explain(&request(Some("1Gi"), None), &inventory(vec![one.clone()]), &Ledger::default());
        verdicts[0].figures_age(now.parse().unwrap())
    };
    assert_eq!(age(&one, "2026-01-01T00:30:00Z"), Some(Duration::from_mins(30)));
    assert_eq!(age(&one, "2025-12-31T23:59:00Z"), Some(Duration::ZERO), "a clock runs ahead");
    assert_eq!(age(&Datastore { figures_time: None, ..one }, "2026-01-01T00:30:00Z"), None);
}
