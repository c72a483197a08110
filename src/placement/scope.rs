//! Which hosts a placement is about, and whether they can use a datastore. No I/O.

use std::borrow::Cow;

use super::NotFound;
use super::compute::{Compute, HostMounts, HostSet};
use super::found::{Kind, found};
use super::inventory::{Datastore, MoRef};
use super::text;
use crate::api::{ComputeSpec, HostAccess};

/// Where a VM will run, as a placement or a class says it. Names or inventory paths; none: no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScopeAsk {
    /// The datacenter.
    pub datacenter: Option<String>,
    /// Clusters, one of which is enough.
    pub clusters: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
    /// Which of the hosts must be able to use the datastore.
    pub access: Option<HostAccess>,
}

impl ScopeAsk {
    pub(super) fn parse(spec: Option<&ComputeSpec>) -> Self {
        let ComputeSpec { datacenter, clusters, hosts, host_access } = spec.cloned().unwrap_or_default();
        Self { datacenter, clusters, hosts, access: host_access }
    }
}

/// The hosts that a request is about, in one inventory.
#[derive(Clone, Debug)]
pub(super) struct Scope<'a> {
    compute: &'a Compute,
    access: HostAccess,
    /// Clusters or hosts were asked for.
    narrowed: bool,
    /// None: any.
    datacenters: Option<Vec<&'a MoRef>>,
    /// The hosts asked for; all when none were.
    hosts: HostSet,
    clusters: Vec<InScope<'a>>,
}

/// The part of a cluster that is in scope.
#[derive(Clone, Debug)]
struct InScope<'a> {
    name: &'a str,
    hosts: HostSet,
    /// Those not in maintenance.
    awake: HostSet,
}

/// How the hosts have one datastore.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reach<'a> {
    pub mounts: &'a HostMounts,
    /// Those of the hosts that can use it on which the storage policy is met, too.
    pub usable: Cow<'a, HostSet>,
}

/// What the hosts in scope make of one datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostView {
    /// Hosts anywhere that can use it, whatever the storage policy: a shared disk stays one.
    pub usable_anywhere: usize,
    /// Hosts in scope that can use it and are not in maintenance.
    pub usable: usize,
    /// Some host in scope mounts it.
    pub in_scope: bool,
    /// Those hosts can use it that must be able to.
    pub satisfied: bool,
}

impl<'a> Scope<'a> {
    /// Both asks must be met: a placement narrows what its class says, and never widens it.
    pub fn resolve(asks: [&ScopeAsk; 2], compute: &'a Compute) -> Result<Self, NotFound> {
        let mut hosts = compute.hosts_where(|_| true);
        let mut datacenters: Option<Vec<&MoRef>> = None;
        for ask in asks {
            if let Some(name) = &ask.datacenter {
                let named = found(name, Kind::Datacenter, compute.datacenters(), |dc| {
                    (&dc.moref, &dc.name, &dc.path)
                })?;
                hosts = hosts.intersection(
                    &compute.hosts_where(|h| h.datacenter.as_ref().is_some_and(|dc| named.contains(&dc))),
                );
                datacenters = Some(match datacenters {
                    None => named,
                    Some(before) => before.into_iter().filter(|dc| named.contains(dc)).collect(),
                });
            }
            let mut clusters = Vec::new();
            for name in &ask.clusters {
                clusters.extend(found(name, Kind::Cluster, compute.clusters(), |c| {
                    (&c.moref, &c.name, &c.path)
                })?);
            }
            if !ask.clusters.is_empty() {
                let in_clusters =
                    compute.hosts_where(|h| h.cluster.as_ref().is_some_and(|c| clusters.contains(&c)));
                hosts = hosts.intersection(&in_clusters);
            }
            let mut named = Vec::new();
            for name in &ask.hosts {
                named.extend(found(name, Kind::Host, compute.hosts(), |h| (&h.moref, &h.name, &h.path))?);
            }
            if !ask.hosts.is_empty() {
                hosts = hosts.intersection(&compute.hosts_where(|h| named.contains(&&h.moref)));
            }
        }
        let clusters = compute.clusters_with_hosts().filter_map(|(cluster, of_cluster)| {
            let hosts = of_cluster.intersection(&hosts);
            let awake = hosts.without(compute.in_maintenance());
            (!hosts.is_empty()).then_some(InScope { name: &cluster.name, hosts, awake })
        });
        Ok(Self {
            compute,
            // The stricter of the two; a placement's own when its class says nothing.
            access: asks.into_iter().filter_map(|ask| ask.access).max().unwrap_or_default(),
            narrowed: asks.into_iter().any(|ask| !ask.clusters.is_empty() || !ask.hosts.is_empty()),
            datacenters,
            clusters: clusters.collect(),
            hosts,
        })
    }

    /// The datastore is in a datacenter that was asked for, or none was.
    pub fn has_datacenter_of(&self, datastore: &Datastore) -> bool {
        let Some(wanted) = &self.datacenters else { return true };
        datastore.datacenter.as_ref().is_some_and(|datacenter| wanted.contains(&datacenter))
    }

    /// Clusters or hosts were asked for.
    pub fn is_narrowed(&self) -> bool {
        self.narrowed
    }

    pub fn view(&self, datastore: &Datastore, reach: &Reach) -> HostView {
        let concerned = self.concerned(datastore);
        let usable = reach.usable.shared_with(&concerned);
        let satisfied = match self.access {
            HostAccess::AnyHost => true,
            HostAccess::OneCluster => self.clusters.iter().any(|cluster| cluster.is_served(reach)),
            HostAccess::AllHosts => concerned.is_within(&reach.usable),
        };
        HostView {
            usable_anywhere: reach.mounts.usable.len(),
            usable,
            in_scope: reach.mounts.mounted().meets(&self.hosts),
            satisfied: satisfied && usable > 0,
        }
    }

    /// How many of the hosts that can use the datastore and are not in maintenance are among these.
    pub fn usable_among(&self, datastore: &Datastore, reach: &Reach, hosts: &HostSet) -> usize {
        reach.usable.intersection(hosts).shared_with(&self.concerned(datastore))
    }

    /// The hosts that matter for one datastore: those asked for, or when none were, those of its datacenter,
    /// since no other can mount it. Hosts in maintenance run no VMs: they must not block a placement.
    fn concerned(&self, datastore: &Datastore) -> HostSet {
        let datacenter = datastore.datacenter.as_ref().filter(|_| !self.narrowed);
        let own = datacenter.and_then(|moref| self.compute.hosts_of_datacenter(moref));
        let hosts = own.map_or_else(|| self.hosts.clone(), |own| self.hosts.intersection(own));
        hosts.without(self.compute.in_maintenance())
    }

    /// Where a VM can run best with this datastore: cluster, usable hosts, hosts.
    pub fn best_cluster(&self, reach: &Reach) -> Option<(&'a str, usize, usize)> {
        self.clusters
            .iter()
            .map(|cluster| {
                let usable = cluster.awake.shared_with(&reach.usable);
                (cluster.is_served(reach), usable, std::cmp::Reverse(cluster.name), cluster)
            })
            .max_by_key(|(served, usable, name, _)| (*served, *usable, *name))
            .map(|(_, usable, _, cluster)| (cluster.name, usable, cluster.hosts.len()))
    }

    /// `usable on 1 of 3 hosts (1 read-only, 1 not mounted), OneCluster wants all hosts of a cluster`.
    pub fn say_not_mounted(&self, datastore: &Datastore, reach: &Reach) -> String {
        let wanted = match self.access {
            HostAccess::AnyHost => "AnyHost wants one",
            HostAccess::OneCluster => "OneCluster wants all hosts of a cluster",
            HostAccess::AllHosts => "AllHosts wants all",
        };
        let concerned = self.concerned(datastore);
        if concerned.is_empty() {
            return format!("no host in scope is out of maintenance; {wanted}");
        }
        let mounts = reach.mounts;
        let not_mounted = concerned.len().saturating_sub(mounts.mounted().shared_with(&concerned));
        let usable = reach.usable.shared_with(&concerned);
        let off_policy = mounts.usable.shared_with(&concerned).saturating_sub(usable);
        let why = [
            (mounts.read_only.shared_with(&concerned), "read-only"),
            (mounts.inaccessible.shared_with(&concerned), "all paths down"),
            (not_mounted, "not mounted"),
            (off_policy, "off the storage policy"),
        ];
        let why: Vec<_> = why
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let all = concerned.len();
        let hosts = if all == 1 { "host" } else { "hosts" };
        let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
        format!("usable on {usable} of {all} {hosts}{why}; {wanted}")
    }

    /// `in datacenter DC1`, `mounted by none of the 3 hosts asked for`.
    pub fn say_out_of_scope(&self, datastore: &Datastore) -> String {
        if self.has_datacenter_of(datastore) {
            return format!("mounted by none of the {} hosts asked for", self.hosts.len());
        }
        let name = datastore.datacenter.as_ref().and_then(|moref| self.compute.datacenter(moref));
        match name {
            Some(datacenter) => format!("in datacenter {}", text::words(&datacenter.name)),
            None => "in a datacenter that vCenter does not show".to_owned(),
        }
    }
}

impl InScope<'_> {
    /// All of its hosts that are not in maintenance can use the datastore, and there are some.
    fn is_served(&self, reach: &Reach) -> bool {
        !self.awake.is_empty() && self.awake.is_within(&reach.usable)
    }
}
