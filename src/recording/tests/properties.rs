//! What holds of every recording.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;

use super::generated::{self, MARK};
use super::*;
use crate::api::{HostAccess, RejectionCode, Sharing, Strategy as Strategy_, WhenUnsatisfiable};
use crate::placement::{
    Ask, Backing, Bytes, Claim, ClassRules, Cluster, Compute, Datacenter, Decision, Host, Ledger, Patterns,
    Request, ScopeAsk, Selector, Spread, Verdict, decide, explain,
};

/// Everything in it, and not only what an inventory is equal by.
fn content(recording: &Recording) -> String {
    format!("{recording:?}")
}

/// The shape of every text, and which texts are equal, but for their words.
fn unnamed(decision: &Decision, recording: &Recording) -> impl Eq + std::fmt::Debug + use<> {
    let selected = decision.selected.as_ref().map(|selected| {
        let clusters = recording.inventory.compute().clusters();
        let cluster = selected.cluster.as_ref().map(|served| {
            // The name is for display; which ones have it is not.
            let named =
                clusters.iter().filter(|cluster| crate::placement::clean(&cluster.name) == served.name);
            (named.map(|one| one.moref.clone()).collect::<Vec<_>>(), served.usable_hosts, served.hosts)
        });
        (selected.datastore.moref.clone(), selected.claim, cluster)
    });
    let counts = (decision.evaluated, decision.eligible, decision.rejections.clone());
    (counts, selected, verdicts(&decision.candidates))
}

fn verdicts(all: &[Verdict]) -> Vec<(MoRef, Option<usize>, Vec<RejectionCode>)> {
    let codes = |verdict: &Verdict| verdict.reasons.iter().map(|(code, _)| *code).collect();
    all.iter().map(|verdict| (verdict.moref.clone(), verdict.rank, codes(verdict))).collect()
}

/// A request that names nothing.
fn request() -> impl Strategy<Value = Request> {
    let strategies =
        vec![Strategy_::MostFree, Strategy_::LeastUtilized, Strategy_::MostShared, Strategy_::Pack];
    let access = vec![None, Some(HostAccess::AnyHost), Some(HostAccess::AllHosts)];
    (1..40_u64, select(strategies), select(access), any::<bool>(), select(vec![Some(100), None])).prop_map(
        |(gib, strategy, access, any_sharing, oversubscription)| {
            let spec = serde_json::json!({"image": {"virtualSize": format!("{gib}Gi")}});
            let spec = serde_json::from_value(spec).unwrap();
            let ask = Ask {
                spread: Some(Spread {
                    group: "g".into(),
                    when_unsatisfiable: WhenUnsatisfiable::PlaceAnyway,
                }),
                ..Ask::parse(&spec, &mut Patterns::default()).unwrap()
            };
            let class = ClassRules {
                compute: ScopeAsk { access, ..ScopeAsk::default() },
                sharing: if any_sharing { Sharing::Any } else { Sharing::Shared },
                strategy,
                oversubscription,
                ..ClassRules::default()
            };
            Request::compile(&ask, &class, &Selector::default(), None)
        },
    )
}

/// The backings of some datastores, by their places.
fn backings(recording: &Recording, of: &[Index]) -> Vec<Backing> {
    let all = recording.inventory.datastores();
    let of = of.iter().filter(|_| !all.is_empty()).map(|index| index.get(all));
    of.map(|one| Backing::of(&one.url, &recording.inventory.instance_uuid, &one.moref)).collect()
}

/// Equal stays equal, different different, empty empty, and smaller smaller, but for paths and urls.
fn assert_renamed<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) {
    let pairs: BTreeSet<_> = pairs.collect();
    let instead: BTreeMap<_, _> = pairs.iter().copied().collect();
    assert_eq!(instead.len(), pairs.len(), "two for one: {pairs:?}");
    assert_eq!(instead.values().collect::<BTreeSet<_>>().len(), pairs.len(), "one for two: {pairs:?}");
    assert!(instead.iter().all(|(text, other)| text.is_empty() == other.is_empty()), "{pairs:?}");
}

/// What of storage has no name: how much there is of each, and what is said of it.
fn shape(inventory: &Inventory) -> impl Eq + std::fmt::Debug + use<> {
    let of = |one: &Datastore| {
        let alarms = one.alarms.as_ref().map(|all| all.iter().map(|alarm| alarm.status).collect::<Vec<_>>());
        let checks = one.policies.values().map(|check| match check {
            PolicyCheck::Compatible { hosts } => Some(hosts.clone()),
            PolicyCheck::Incompatible { .. } => None,
        });
        let arrays: Vec<bool> = one.arrays.values().copied().collect();
        let attributes = one.custom_attributes.as_ref().map(BTreeMap::len);
        (one.tags.as_ref().map(BTreeSet::len), attributes, alarms, checks.collect::<Vec<_>>(), arrays)
    };
    let counts = (inventory.policies().map(<[_]>::len), inventory.datastore_clusters().map(<[_]>::len));
    (counts, inventory.consumer().is_some(), inventory.datastores().iter().map(of).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(crate::testing::cases(200))]

    #[test]
    fn whatever_is_written_is_read_back_and_written_again_as_the_same_bytes(recording in generated::one()) {
        let file = recording.to_json().unwrap();
        let read = Recording::read(&file).unwrap();
        prop_assert_eq!(&read, &recording);
        prop_assert_eq!(content(&read), content(&recording));
        prop_assert_eq!(read.to_json().unwrap(), file);
    }

    #[test]
    fn of_an_anonymous_recording_no_original_remains(recording in generated::one()) {
        let file = recording.to_json().unwrap().to_lowercase();
        prop_assert!(file.contains(&MARK.to_lowercase()));
        let anonymous = recording.anonymized();
        let file = anonymous.to_json().unwrap();
        let found = file.to_lowercase().contains(&MARK.to_lowercase()) || file.contains(UUID);
        prop_assert!(!found, "{file}");
        prop_assert_eq!(Recording::read(&file).unwrap(), anonymous);
    }

    #[test]
    fn equal_names_stay_equal_and_different_ones_different(recording in generated::one()) {
        let anonymous = recording.anonymized();
        let (old, new) = (&recording.inventory, &anonymous.inventory);
        let datacenters = || old.compute().datacenters().iter().zip(new.compute().datacenters());
        let clusters = || old.compute().clusters().iter().zip(new.compute().clusters());
        let hosts = || old.compute().hosts().iter().zip(new.compute().hosts());
        let pods = || old.datastore_clusters().into_iter().flatten().zip(new.datastore_clusters().into_iter().flatten());
        let policies = || old.policies().into_iter().flatten().zip(new.policies().into_iter().flatten());
        let datastores = || old.datastores().iter().zip(new.datastores());
        let tags = || datastores().flat_map(|(a, b)| a.tags.iter().flatten().zip(b.tags.iter().flatten()));
        let attributes = || datastores().flat_map(|(a, b)| {
            a.custom_attributes.iter().flatten().zip(b.custom_attributes.iter().flatten())
        });
        let alarms = || datastores().flat_map(|(a, b)| a.alarms.iter().flatten().zip(b.alarms.iter().flatten()));
        assert_renamed(datacenters().map(|(a, b)| (&a.name, &b.name)));
        assert_renamed(clusters().map(|(a, b)| (&a.name, &b.name)));
        assert_renamed(hosts().map(|(a, b)| (&a.name, &b.name)));
        assert_renamed(pods().map(|(a, b)| (&a.name, &b.name)));
        assert_renamed(policies().map(|(a, b)| (&a.id, &b.id)));
        assert_renamed(policies().map(|(a, b)| (&a.name, &b.name)));
        assert_renamed(datastores().map(|(a, b)| (&a.name, &b.name)));
        assert_renamed(datastores().map(|(a, b)| (&a.url, &b.url)));
        assert_renamed(tags().map(|(a, b)| (&a.category, &b.category)));
        assert_renamed(tags().map(|(a, b)| (&a.name, &b.name)));
        assert_renamed(attributes().map(|(a, b)| (a.0, b.0)));
        assert_renamed(attributes().map(|(a, b)| (a.1, b.1)));
        assert_renamed(alarms().map(|(a, b)| (&a.name, &b.name)));
        assert_renamed(datastores().flat_map(|(a, b)| a.arrays.keys().zip(b.arrays.keys())));
        assert_renamed(datastores().flat_map(|(a, b)| a.policies.keys().zip(b.policies.keys()))
            .chain(policies().map(|(a, b)| (&a.id, &b.id))));
        let paths = || datacenters().map(|(a, b)| (&a.path, &b.path))
            .chain(clusters().map(|(a, b)| (&a.path, &b.path)))
            .chain(hosts().map(|(a, b)| (&a.path, &b.path)))
            .chain(pods().map(|(a, b)| (&a.path, &b.path)));
        assert_renamed(paths());
        let named = |host: &Host| host.path.ends_with(&format!("/{}", host.name.replace('/', "%2f")));
        // A path that leads to two objects, as no vCenter has it, has the name of one of them.
        let is_its_own = |host: &Host| paths().filter(|(path, _)| **path == host.path).count() == 1;
        let leads = |(a, b): (&Host, &Host)| !is_its_own(a) || named(a) == named(b);
        prop_assert!(hosts().all(leads), "a path leads to its name");
        // All else is as it was.
        let overview = Overview {
            instance_uuid: old.instance_uuid.clone(),
            version: new.vcenter_version.clone(),
            policies: old.policies().map(<[_]>::to_vec),
            datastore_clusters: old.datastore_clusters().map(<[_]>::to_vec),
            consumer: old.consumer().map(str::to_owned),
        };
        let renamed = Compute::new(
            datacenters().map(|(a, b)| Datacenter { name: a.name.clone(), path: a.path.clone(), ..b.clone() }).collect(),
            clusters().map(|(a, b)| Cluster { name: a.name.clone(), path: a.path.clone(), ..b.clone() }).collect(),
            hosts().map(|(a, b)| Host { name: a.name.clone(), path: a.path.clone(), ..b.clone() }).collect(),
        );
        let datastores = datastores().map(|(a, b)| Datastore {
            name: a.name.clone(),
            url: a.url.clone(),
            tags: a.tags.clone(),
            custom_attributes: a.custom_attributes.clone(),
            alarms: a.alarms.clone(),
            policies: a.policies.clone(),
            arrays: a.arrays.clone(),
            ..b.clone()
        });
        prop_assert_eq!(&Inventory::new(overview, renamed, datastores.collect()), old);
        prop_assert_eq!(shape(new), shape(old));
    }

    #[test]
    fn what_names_nothing_is_decided_as_before(
        recording in generated::one(),
        request in request(),
        claimed in prop::collection::vec((any::<Index>(), 0..40_u64), 0..4),
        members in prop::collection::vec(any::<Index>(), 0..3),
    ) {
        let anonymous = recording.anonymized();
        let answer = |recording: &Recording| {
            let mut ledger = Ledger::default();
            let (on, sizes): (Vec<_>, Vec<_>) = claimed.iter().copied().unzip();
            for (backing, gib) in backings(recording, &on).iter().zip(sizes) {
                let bytes = Bytes::new(gib * GIB).unwrap();
                ledger.add(backing, &Claim { bytes, immediate: bytes });
            }
            let request = request.clone().spread_from(backings(recording, &members).into_iter().collect());
            let decision = decide(&request, &recording.inventory, &ledger).unwrap();
            let all = explain(&request, &recording.inventory, &ledger).unwrap();
            (unnamed(&decision, recording), verdicts(&all))
        };
        prop_assert_eq!(answer(&anonymous), answer(&recording));
    }
}

#[test]
fn some_generated_recordings_have_something_to_decide() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut eligible = 0;
    for _ in 0..200 {
        let recording = generated::one().new_tree(&mut runner).unwrap().current();
        let request = request().new_tree(&mut runner).unwrap().current();
        let decision = decide(&request, &recording.inventory, &Ledger::default()).unwrap();
        eligible += usize::from(decision.eligible > 1);
    }
    assert!(eligible > 20, "{eligible} of 200 have more than one eligible datastore");
}

#[test]
fn any_other_byte_gives_a_recording_or_an_error() {
    let (mut read, mut refused) = (0, 0);
    for place in 0..FILE.len() {
        for byte in *b"\"0-9,}]\\e \n\0" {
            let mut bytes = FILE.as_bytes().to_vec();
            bytes[place] = byte;
            match Recording::read(std::str::from_utf8(&bytes).unwrap()) {
                Ok(recording) => {
                    read += 1;
                    let again = Recording::read(&recording.to_json().unwrap()).unwrap();
                    assert_eq!(content(&again), content(&recording));
                }
                Err(error) => {
                    refused += 1;
                    assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
                }
            }
        }
    }
    assert!(read > 100 && refused > 100, "{read} {refused}");
}

#[test]
fn two_vcenters_stay_two_and_one_stays_one() {
    let anonymous = |uuid: &str, server: &str| {
        let inventory = Inventory::new(uuid, compute(), vec![datastore("datastore-1", "a", "NFS")]);
        Recording { server: server.into(), inventory }.anonymized()
    };
    let one = anonymous("a", "https://a.example.com");
    let other = anonymous("b", "https://b.example.com");
    let again = anonymous("a", "https://a.example.com");
    assert_eq!(one.to_json().unwrap(), again.to_json().unwrap());
    assert_ne!(one.server, other.server);
    assert_ne!(one.inventory.instance_uuid, other.inventory.instance_uuid);
    // Room that is kept on a volume of one is not kept on one of the other.
    assert_ne!(one.inventory.datastores()[0].url, other.inventory.datastores()[0].url);
}
