//! Property 7: under the rule set of Nova, and of Cinder, the same datastores are eligible as there, on every vector
//! and on generated inventories.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use regex::Regex;

use super::vectors::{
    HostState, Kind, MountRow, RegexMode, Row, RuleSet, Vector, Wanted, compile, seen_by, vectors,
};
use super::*;

/// `_is_datastore_valid` of Nova, which starts from a best datastore with nothing free. Types are spelled as
/// vSphere spells them; see N30 for others.
fn nova(vector: &Vector, row: &Row) -> bool {
    let Wanted { name_regex, disk_type, policy_matches, .. } = &vector.request;
    let on_vsan = disk_type.as_deref().is_none_or(|disk_type| disk_type == "streamOptimized");
    row.accessible == Some(true)
        && matches!(row.maintenance_mode.as_deref(), None | Some("normal"))
        && match row.r#type.as_deref() {
            Some("VMFS" | "NFS" | "NFS41") => true,
            Some("vsan") => on_vsan,
            _ => false,
        }
        && matches_start(name_regex.as_ref(), &row.name)
        && policy_matches.as_ref().is_none_or(|all| all.contains(&row.id))
        && row.free_bytes > Some(0)
}

/// `_filter_datastores` of Cinder, and a host that can use what is left. Two words are read as vSphere documents
/// them, where Cinder does not: a mode of maintenance that is not known (N29j), and a mount that does not say whether
/// it is accessible (C4f).
fn cinder(vector: &Vector, row: &Row) -> bool {
    let wanted = &vector.request;
    let asked = |mount: &&MountRow| wanted.hosts.is_empty() || wanted.hosts.contains(&mount.host);
    let away = |host: &String| vector.hosts.iter().any(|h| h.id == *host && h.in_maintenance_mode);
    let usable = |mount: &&MountRow| {
        mount.access_mode == "readWrite"
            && mount.mounted != Some(false)
            && mount.accessible.or(row.accessible) == Some(true)
            && !away(&mount.host)
    };
    let kind = row.r#type.as_deref().unwrap_or_default().to_lowercase();
    ["vmfs", "nfs", "nfs41", "vsan", "vvol"].contains(&kind.as_str())
        && (wanted.affinity_types.is_empty() || wanted.affinity_types.contains(&kind))
        && matches_start(wanted.name_regex.as_ref(), &row.name)
        && !wanted.anti_affinity.contains(&row.id)
        && row.capacity_bytes > Some(0)
        && row.free_bytes >= Some(wanted.size_bytes.unwrap_or(1))
        && row.accessible == Some(true)
        && matches!(row.maintenance_mode.as_deref(), None | Some("normal"))
        && row.mounts.iter().filter(asked).any(|mount| usable(&mount))
        && wanted.policy_matches.as_ref().is_none_or(|all| all.contains(&row.id))
}

/// Python's `re.match`.
fn matches_start(regex: Option<&String>, name: &str) -> bool {
    regex.is_none_or(|regex| Regex::new(&format!(r"\A(?:{regex})")).unwrap().is_match(name))
}

/// What is eligible for Berth, and for the one whose rule set it is.
fn both(vector: &Vector) -> [BTreeSet<String>; 2] {
    let verdicts = explain(&compile(vector), &seen_by(vector), &Ledger::default());
    let eligible = verdicts.into_iter().filter(|verdict| verdict.rank.is_some());
    let rule = if vector.rules == RuleSet::Nova { nova } else { cinder };
    let theirs = vector.datastores.iter().filter(|row| rule(vector, row)).map(|row| row.id.clone());
    [eligible.map(|verdict| verdict.moref.0).collect(), theirs.collect()]
}

#[test]
fn peers_find_the_same_datastores_eligible_in_every_vector() {
    let mut compared = 0;
    for vector in vectors() {
        // What was found before is no candidate, a vector of ids alone has no properties, and where Berth is meant
        // to differ it does.
        let whole = vector.request.current_best.is_none() && vector.request.current_datastore.is_none();
        if vector.kind == Kind::Selection
            && vector.rules != RuleSet::Glance
            && whole
            && vector.berth.is_none()
        {
            let [ours, theirs] = both(&vector);
            assert_eq!(ours, theirs, "{}", vector.id);
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared}");
}

fn row(cinder: bool) -> impl Strategy<Value = Row> {
    let text = |all: &[&str]| select(all.iter().map(|word| Some((*word).to_owned())).collect::<Vec<_>>());
    let maybe = |most: usize| select([vec![Some(true); most], vec![Some(false), None]].concat());
    let kinds: &[&str] = if cinder {
        &["vmfs", "VMFS", "NFS", "NFS41", "vsan", "VSAN", "VVOL", "PMEM"]
    } else {
        &["VMFS", "VMFS", "NFS", "NFS41", "vsan", "VVOL", "PMEM"]
    };
    let modes = &["normal", "normal", "normal", "enteringMaintenance", "inMaintenance", "unheardOf"];
    let mount = (
        select(vec!["host-1", "host-2", "host-3"]),
        text(&["readWrite", "readWrite", "readOnly"]),
        maybe(3),
        maybe(3),
    );
    let mounts = prop::collection::vec(mount, 0..4).prop_map(|mounts| {
        let mut seen = BTreeSet::new();
        let once = mounts.into_iter().filter(|(host, ..)| seen.insert(*host)).collect::<Vec<_>>();
        let mounts = once.into_iter().map(|(host, mode, mounted, accessible)| MountRow {
            host: host.to_owned(),
            access_mode: mode.unwrap(),
            mounted,
            accessible,
        });
        mounts.collect::<Vec<_>>()
    });
    (
        select(vec!["ds-1", "ds-2", "gold-1", "gold-old"]),
        prop_oneof![9 => text(kinds), 1 => Just(None)],
        maybe(6),
        prop_oneof![5 => text(modes), 1 => Just(None)],
        (0_u64..8, 0_u64..8),
        mounts,
    )
        .prop_map(|(name, kind, accessible, maintenance_mode, (more, free), mounts)| Row {
            name: name.to_owned(),
            r#type: kind,
            accessible,
            maintenance_mode,
            capacity_bytes: Some((free + more) * GIB / 2),
            free_bytes: Some(free * GIB / 2),
            mounts,
            ..Row::default()
        })
}

fn world() -> impl Strategy<Value = Vector> {
    let ids = |n: usize| prop::collection::vec(0..n, 0..n);
    let named = |ids: Vec<usize>| ids.into_iter().map(|n| format!("datastore-{n}")).collect::<Vec<_>>();
    any::<bool>().prop_flat_map(move |is_cinder| {
        let regex = select(vec![None, None, Some("ds-"), Some(".*1$"), Some("gold|silver")]);
        let disk_type = select(vec![None, Some("preallocated"), Some("sparse"), Some("streamOptimized")]);
        let types = select(vec![vec![], vec![], vec!["vmfs", "nfs"], vec!["vsan", "vvol"]]);
        let hosts = select(vec![vec![], vec!["host-1"], vec!["host-2", "host-3"]]);
        (
            prop::collection::vec(row(is_cinder), 0..10),
            (regex, disk_type, types, hosts),
            (1_u64..4, prop_oneof![3 => Just(None), 1 => ids(10).prop_map(Some)], ids(4)),
            [any::<bool>(), any::<bool>(), any::<bool>()],
        )
            .prop_map(
                move |(rows, (regex, disk_type, types, hosts), (size, policy, members), away)| {
                    let owned = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect::<Vec<_>>();
                    let request = Wanted {
                        // Its volumes are whole GiB, so that VVOL takes each.
                        size_bytes: is_cinder.then_some(size * GIB),
                        name_regex: regex.map(str::to_owned),
                        regex_mode: regex.map(|_| RegexMode::Prefix),
                        disk_type: disk_type.filter(|_| !is_cinder).map(str::to_owned),
                        policy_matches: policy.map(named),
                        anti_affinity: if is_cinder { named(members) } else { vec![] },
                        affinity_types: if is_cinder { owned(types) } else { vec![] },
                        hosts: if is_cinder { owned(hosts) } else { vec![] },
                        ..Wanted::default()
                    };
                    let numbered = rows
                        .into_iter()
                        .enumerate()
                        .map(|(n, row)| Row { id: format!("datastore-{n}"), ..row });
                    let hosts = away.into_iter().zip(1..).map(|(in_maintenance_mode, n)| HostState {
                        id: format!("host-{n}"),
                        in_maintenance_mode: is_cinder && in_maintenance_mode,
                        _connection_state: "connected".to_owned(),
                    });
                    Vector {
                        rules: if is_cinder { RuleSet::Cinder } else { RuleSet::Nova },
                        request,
                        hosts: hosts.collect(),
                        datastores: numbered.collect(),
                        ..Vector::default()
                    }
                },
            )
    })
}

proptest! {
    #![proptest_config(samples::cases(400))]

    #[test]
    fn peers_find_the_same_datastores_eligible(vector in world()) {
        let [ours, theirs] = both(&vector);
        prop_assert_eq!(ours, theirs);
    }
}
