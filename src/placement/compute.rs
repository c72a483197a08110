//! Where VMs run, as plain values: datacenters, clusters, hosts, and which of the hosts mount a datastore.
//! No I/O.
//!
//! Hosts are numbered by their place in a [`Compute`], so that "the hosts that can use this datastore" is a
//! set of bits: an inventory has as many of those sets as it has datastores.

use super::inventory::MoRef;

/// A datacenter: hosts mount only datastores of their own one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Datacenter {
    /// Managed object reference, for example `datacenter-2`.
    pub moref: MoRef,
    /// Display name.
    pub name: String,
    /// Inventory path, for example `/DC0` or `/europe/DC0`. Empty when vCenter does not show the way up.
    pub path: String,
}

/// A cluster, or the compute resource that a standalone host is by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cluster {
    /// Managed object reference, for example `domain-c8`.
    pub moref: MoRef,
    /// Display name.
    pub name: String,
    /// Inventory path, for example `/DC0/host/C0`.
    pub path: String,
}

/// A host. A disconnected one counts with the mounts that it had last, so that its connection is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// Managed object reference, for example `host-12`.
    pub moref: MoRef,
    /// Display name.
    pub name: String,
    /// Inventory path, for example `/DC0/host/C0/esx1`.
    pub path: String,
    /// Its cluster or own compute resource; none when vCenter does not show it.
    pub cluster: Option<MoRef>,
    /// Its datacenter; none when vCenter does not show it.
    pub datacenter: Option<MoRef>,
    /// `runtime.inMaintenanceMode`: it runs no VMs and must not block placements.
    pub in_maintenance: bool,
}

/// All datacenters, clusters and hosts of one vCenter, each sorted by moRef and there once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Compute {
    datacenters: Vec<Datacenter>,
    clusters: Vec<Cluster>,
    hosts: Vec<Host>,
    /// The hosts of each datacenter, and of each cluster, in their order: every decision asks for them.
    datacenter_hosts: Vec<HostSet>,
    cluster_hosts: Vec<HostSet>,
    in_maintenance: HostSet,
}

impl Compute {
    /// Sorts, and drops repeated moRefs (the first stays).
    #[must_use]
    pub fn new(datacenters: Vec<Datacenter>, clusters: Vec<Cluster>, hosts: Vec<Host>) -> Self {
        let datacenters = once_each(datacenters, |datacenter| &datacenter.moref);
        let clusters = once_each(clusters, |cluster| &cluster.moref);
        let hosts = once_each(hosts, |host| &host.moref);
        let away = hosts.iter().enumerate().filter(|(_, host)| host.in_maintenance);
        Self {
            datacenter_hosts: grouped(&datacenters, |dc| &dc.moref, &hosts, |host| host.datacenter.as_ref()),
            cluster_hosts: grouped(&clusters, |cluster| &cluster.moref, &hosts, |host| host.cluster.as_ref()),
            in_maintenance: away.map(|(number, _)| number).collect(),
            datacenters,
            clusters,
            hosts,
        }
    }

    /// Sorted by moRef.
    #[must_use]
    pub fn datacenters(&self) -> &[Datacenter] {
        &self.datacenters
    }

    /// Sorted by moRef.
    #[must_use]
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// Sorted by moRef: the place of a host is its number in every [`HostSet`].
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The datacenter of this moRef.
    #[must_use]
    pub fn datacenter(&self, moref: &MoRef) -> Option<&Datacenter> {
        let place = self.datacenters.binary_search_by(|datacenter| datacenter.moref.cmp(moref)).ok()?;
        self.datacenters.get(place)
    }

    /// Each cluster with its hosts.
    pub fn clusters_with_hosts(&self) -> impl Iterator<Item = (&Cluster, &HostSet)> {
        self.clusters.iter().zip(&self.cluster_hosts)
    }

    /// The hosts of a datacenter; none when it is not there.
    #[must_use]
    pub fn hosts_of_datacenter(&self, moref: &MoRef) -> Option<&HostSet> {
        let place = self.datacenters.binary_search_by(|datacenter| datacenter.moref.cmp(moref)).ok()?;
        self.datacenter_hosts.get(place)
    }

    /// The hosts in maintenance.
    #[must_use]
    pub fn in_maintenance(&self) -> &HostSet {
        &self.in_maintenance
    }

    /// The hosts for which this holds.
    #[must_use]
    pub fn hosts_where(&self, holds: impl Fn(&Host) -> bool) -> HostSet {
        self.hosts.iter().enumerate().filter(|(_, host)| holds(host)).map(|(number, _)| number).collect()
    }

    /// The number of a host in every [`HostSet`].
    #[must_use]
    pub fn number_of(&self, moref: &MoRef) -> Option<usize> {
        self.hosts.binary_search_by(|host| host.moref.cmp(moref)).ok()
    }

    /// The mounts of one datastore. A host that is not in the inventory is left out: nothing can be said of
    /// where it is.
    #[must_use]
    pub fn mounts<'a>(&self, mounts: impl IntoIterator<Item = (&'a MoRef, Mount)>) -> HostMounts {
        let mounts = mounts.into_iter();
        mounts.filter_map(|(moref, mount)| Some((self.number_of(moref)?, mount))).collect()
    }
}

/// The hosts of each group, in the order of the groups, which are sorted by moRef.
fn grouped<T>(
    groups: &[T],
    moref: fn(&T) -> &MoRef,
    hosts: &[Host],
    group_of: fn(&Host) -> Option<&MoRef>,
) -> Vec<HostSet> {
    let mut sets = vec![HostSet::default(); groups.len()];
    for (number, host) in hosts.iter().enumerate() {
        let place = group_of(host).and_then(|of| groups.binary_search_by(|group| moref(group).cmp(of)).ok());
        if let Some(set) = place.and_then(|place| sets.get_mut(place)) {
            set.insert(number);
        }
    }
    sets
}

/// Sorted, each id once; the first of several stays.
pub(super) fn once_each<T, Id: Ord>(mut all: Vec<T>, id: fn(&T) -> &Id) -> Vec<T> {
    all.sort_by(|a, b| id(a).cmp(id(b)));
    all.dedup_by(|later, first| id(later) == id(first));
    all
}

/// How one host has a datastore: `Datastore.host[].mountInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mount {
    /// Mounted, accessible, readWrite.
    Usable,
    /// Mounted and accessible, but not readWrite.
    ReadOnly,
    /// Mounted, but no path leads there.
    Inaccessible,
    /// Known to the host and not mounted.
    Unmounted,
}

/// What is known of the mounts of a datastore.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mounts {
    /// They were not read yet: nothing can be decided until they are.
    #[default]
    Unread,
    /// vCenter did not return them.
    Missing,
    /// As they were read.
    Read(HostMounts),
}

impl Mounts {
    /// The mounts, when they are known.
    #[must_use]
    pub fn read(&self) -> Option<&HostMounts> {
        match self {
            Self::Read(mounts) => Some(mounts),
            Self::Unread | Self::Missing => None,
        }
    }
}

/// The hosts that mount a datastore, by how they can use it; each is in one set at the most.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostMounts {
    /// See [`Mount::Usable`].
    pub usable: HostSet,
    /// See [`Mount::ReadOnly`].
    pub read_only: HostSet,
    /// See [`Mount::Inaccessible`].
    pub inaccessible: HostSet,
}

impl HostMounts {
    /// All hosts that mount it, whether they can use it or not.
    #[must_use]
    pub fn mounted(&self) -> HostSet {
        self.usable.union(&self.read_only).union(&self.inaccessible)
    }

    /// The host mounts it.
    fn has(&self, number: usize) -> bool {
        [&self.usable, &self.read_only, &self.inaccessible].into_iter().any(|set| set.contains(number))
    }
}

impl FromIterator<(usize, Mount)> for HostMounts {
    /// By the numbers of the hosts; of several mounts by one host the first counts.
    fn from_iter<I: IntoIterator<Item = (usize, Mount)>>(mounts: I) -> Self {
        let mut found = Self::default();
        for (number, mount) in mounts {
            if found.has(number) {
                continue;
            }
            match mount {
                Mount::Usable => found.usable.insert(number),
                Mount::ReadOnly => found.read_only.insert(number),
                Mount::Inaccessible => found.inaccessible.insert(number),
                Mount::Unmounted => {}
            }
        }
        found
    }
}

/// A set of hosts, by their numbers in a [`Compute`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostSet(
    /// 64 hosts each; the last word is never 0, so that equal sets are equal.
    Vec<u64>,
);

impl HostSet {
    /// Adds a host.
    pub fn insert(&mut self, number: usize) {
        let (word, bit) = place(number);
        if self.0.len() <= word {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= bit;
        }
    }

    /// Whether a host is in it.
    #[must_use]
    pub fn contains(&self, number: usize) -> bool {
        let (word, bit) = place(number);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// How many hosts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().fold(0, |sum, bits| sum.saturating_add(ones(*bits)))
    }

    /// No host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many hosts are in both.
    #[must_use]
    pub fn shared_with(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).fold(0, |sum, (a, b)| sum.saturating_add(ones(a & b)))
    }

    /// Some host is in both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Every host of this one is in the other.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.shared_with(other) == self.len()
    }

    /// The hosts of both together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (mut long, short) = if self.0.len() >= other.0.len() {
            (self.0.clone(), &other.0)
        } else {
            (other.0.clone(), &self.0)
        };
        long.iter_mut().zip(short).for_each(|(a, b)| *a |= b);
        Self(long)
    }

    /// The hosts that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::trimmed(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    /// The hosts that are not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        Self::trimmed(self.0.iter().zip(others).map(|(a, b)| a & !b).collect())
    }

    /// The words that the set is made of, for hashing.
    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }

    fn trimmed(mut words: Vec<u64>) -> Self {
        while words.last() == Some(&0) {
            words.pop();
        }
        Self(words)
    }
}

impl FromIterator<usize> for HostSet {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        let mut set = Self::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

fn place(number: usize) -> (usize, u64) {
    const BITS: usize = u64::BITS as usize;
    (number / BITS, 1_u64.wrapping_shl(u32::try_from(number % BITS).unwrap_or(0)))
}

fn ones(bits: u64) -> usize {
    usize::try_from(bits.count_ones()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A set of bits is a set.
        #[test]
        fn sets_are_sets(a in prop::collection::btree_set(0_usize..200, 0..40), b in prop::collection::btree_set(0_usize..200, 0..40)) {
            let set = |numbers: &BTreeSet<usize>| numbers.iter().copied().collect::<HostSet>();
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(x.len(), a.len());
            prop_assert_eq!(x.is_empty(), a.is_empty());
            prop_assert_eq!(x.union(&y), set(&(&a | &b)));
            prop_assert_eq!(x.intersection(&y), set(&(&a & &b)));
            prop_assert_eq!(x.without(&y), set(&a.difference(&b).copied().collect()));
            prop_assert_eq!(x.shared_with(&y), (&a & &b).len());
            prop_assert_eq!(x.meets(&y), !a.is_disjoint(&b));
            prop_assert_eq!(x.is_within(&y), a.is_subset(&b));
            prop_assert!((0..220).all(|n| x.contains(n) == a.contains(&n)));
        }
    }

    #[test]
    fn mounts_are_sorted_by_what_a_host_can_do() {
        let host = |moref: &str| Host {
            moref: MoRef(moref.into()),
            name: moref.into(),
            path: String::new(),
            cluster: None,
            datacenter: None,
            in_maintenance: false,
        };
        let compute = Compute::new(vec![], vec![], ["h3", "h1", "h2", "h1"].map(host).to_vec());
        assert_eq!(compute.hosts().len(), 3);
        let refs = ["h1", "h2", "h3", "elsewhere", "h1"].map(|moref| MoRef(moref.into()));
        let states = [Mount::ReadOnly, Mount::Usable, Mount::Unmounted, Mount::Usable, Mount::Usable];
        let mounts = compute.mounts(refs.iter().zip(states));
        assert_eq!(mounts.read_only, HostSet::from_iter([0]));
        assert_eq!(mounts.usable, HostSet::from_iter([1]));
        assert_eq!(mounts.mounted(), HostSet::from_iter([0, 1]));
    }
}
