//! What is asked of storage besides type, name and room, and whether a datastore meets it. No I/O.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::NotFound;
use super::case::Outcome;
use super::compute::HostSet;
use super::found::{Kind, found};
use super::inventory::{Datastore, Inventory, MoRef, Property};
use super::request::Request;
use super::storage::{Alarm, AlarmStatus, PolicyCheck, StoragePolicy, Tag};
use super::text;

/// What a placement or a class asks of a datastore besides type and name. Empty and absent parts are no condition.
/// What both ask must both hold: a placement narrows what its class says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StorageAsk {
    /// Name of the storage policy that it is compatible with.
    pub policy: Option<String>,
    /// Name or inventory path of the datastore cluster that it is in.
    pub datastore_cluster: Option<String>,
    /// The tags that are attached to it, every one of them.
    pub tags: BTreeSet<Tag>,
}

/// What keeps instances away from a datastore, as its `VCenter` says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Guards {
    /// `suspendMarks`: it carries none of these.
    pub suspend_marks: Vec<SuspendMark>,
    /// `alarms`: it has no alarm that is as bad as this or worse. None: alarms are ignored.
    pub alarms: Option<AlarmStatus>,
    /// `consumer`: this account may use it. None: nobody asks.
    pub consumer: Option<Consumer>,
}

/// What an administrator marks a datastore with that gets no new instances.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SuspendMark {
    /// A custom attribute with this value.
    CustomAttribute {
        /// Its name, for example `cns.vmware.com/datastoreSuspended`.
        name: String,
        /// The value that marks, for example `true`.
        value: String,
    },
    /// A tag.
    Tag(Tag),
}

/// The account that creates the VMs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Consumer {
    /// Its name, for example `VSPHERE.LOCAL\builder`; upper and lower case are the same.
    pub user: String,
    /// The ids of the privileges that it needs, for example `Datastore.AllocateSpace`.
    pub privileges: BTreeSet<String>,
}

/// What a request asks of storage, in one inventory.
#[derive(Clone, Debug)]
pub(super) struct Demands<'a> {
    /// What class and placement ask, names found. None: policies are asked for and not read.
    policies: Option<Vec<&'a StoragePolicy>>,
    /// Of class and placement, each that asks: the datastore clusters with the name or path. None: not read.
    clusters: Option<Vec<Vec<&'a MoRef>>>,
    tags: BTreeSet<&'a Tag>,
    guards: &'a Guards,
    /// The privileges in the inventory are those of the account in question.
    knows_consumer: bool,
}

impl<'a> Demands<'a> {
    pub(super) fn resolve(request: &'a Request, inventory: &'a Inventory) -> Result<Self, NotFound> {
        let asks = || request.storage.iter();
        let policies = asks().filter_map(|ask| ask.policy.as_ref()).map(|name| {
            let Some(all) = inventory.policies() else { return Ok(None) };
            let named = all.iter().find(|policy| policy.name == *name);
            named.map(Some).ok_or_else(|| NotFound::new(Kind::StoragePolicy, name))
        });
        let mut policies = policies.collect::<Result<Option<Vec<_>>, _>>()?;
        policies.iter_mut().for_each(Vec::dedup);
        let clusters = asks().filter_map(|ask| ask.datastore_cluster.as_ref()).map(|name| {
            let Some(all) = inventory.datastore_clusters() else { return Ok(None) };
            let named = found(name, Kind::DatastoreCluster, all, |c| (&c.moref, &c.name, &c.path))?;
            Ok(Some(named))
        });
        let consumer = request.guards.consumer.as_ref();
        Ok(Self {
            policies,
            clusters: clusters.collect::<Result<_, _>>()?,
            tags: asks().flat_map(|ask| &ask.tags).collect(),
            guards: &request.guards,
            knows_consumer: consumer.is_none_or(|consumer| {
                inventory.consumer().is_some_and(|known| known.eq_ignore_ascii_case(&consumer.user))
            }),
        })
    }

    /// The policy that the instance's disks are to have: the placement's, else its class's.
    pub(super) fn policy(&self) -> Option<&'a StoragePolicy> {
        self.policies.as_ref().and_then(|policies| policies.last().copied())
    }

    /// Those of the hosts on which the policies are met.
    pub(super) fn matching<'h>(&self, datastore: &Datastore, hosts: &'h HostSet) -> Cow<'h, HostSet> {
        let mut matching = Cow::Borrowed(hosts);
        for policy in self.policies.iter().flatten() {
            if let Some(PolicyCheck::Compatible { hosts: Some(named) }) = datastore.policies.get(&policy.id) {
                matching = Cow::Owned(matching.intersection(named));
            }
        }
        matching
    }

    /// `PolicyIncompatible`: as in Nova and Cinder, which do not say why.
    pub(super) fn check_policy(&self, datastore: &Datastore) -> Outcome {
        let Some(policies) = &self.policies else { return Outcome::Lacks };
        if self.refusals(datastore).next().is_some() {
            return Outcome::Fails;
        }
        Outcome::lacks_if(policies.iter().any(|policy| !datastore.policies.contains_key(&policy.id)))
    }

    pub(super) fn say_policy(&self, datastore: &Datastore) -> String {
        let said = self.refusals(datastore).map(|(policy, why)| match why.trim() {
            "" => format!("vCenter gives no reason why policy {} is not met", text::quoted(&policy.name)),
            why => text::clean(why),
        });
        said.collect::<Vec<_>>().join("; ")
    }

    fn refusals<'d>(&self, datastore: &'d Datastore) -> impl Iterator<Item = (&'a StoragePolicy, &'d str)> {
        self.policies.iter().flatten().filter_map(|policy| match datastore.policies.get(&policy.id) {
            Some(PolicyCheck::Incompatible { why }) => Some((*policy, why.as_str())),
            _ => None,
        })
    }

    /// `TagMissing`.
    pub(super) fn check_tags(&self, datastore: &Datastore) -> Outcome {
        let Some(tags) = &datastore.tags else { return Outcome::lacks_if(!self.tags.is_empty()) };
        Outcome::fails_if(self.tags.iter().any(|tag| !tags.contains(*tag)))
    }

    pub(super) fn say_tags(&self, datastore: &Datastore) -> String {
        let has = |tag: &Tag| datastore.tags.as_ref().is_some_and(|tags| tags.contains(tag));
        let missing = self.tags.iter().filter(|tag| !has(tag)).map(|tag| said(tag));
        format!("has no tag {}", missing.collect::<Vec<_>>().join(" and no tag "))
    }

    /// `NotInDatastoreCluster`.
    pub(super) fn check_cluster(&self, datastore: &Datastore) -> Outcome {
        let Some(clusters) = &self.clusters else { return Outcome::Lacks };
        match &datastore.datastore_cluster {
            Property::Withheld => Outcome::Lacks,
            Property::Absent => Outcome::Fails,
            Property::Known(own) => Outcome::fails_if(!clusters.iter().all(|named| named.contains(&own))),
        }
    }

    /// `MissingPrivilege`: as in the CSI driver, but for the account that creates the VMs.
    pub(super) fn check_privileges(&self, datastore: &Datastore) -> Outcome {
        if !self.knows_consumer {
            return Outcome::Lacks;
        }
        if self.missing_privileges(datastore).next().is_some() {
            return Outcome::Fails;
        }
        let known = |privilege: &String| datastore.privileges.contains_key(privilege);
        Outcome::lacks_if(self.guards.consumer.iter().any(|c| !c.privileges.iter().all(known)))
    }

    pub(super) fn say_privileges(&self, datastore: &Datastore) -> String {
        let user = self.guards.consumer.as_ref().map_or("", |consumer| &consumer.user);
        let missing: Vec<_> =
            self.missing_privileges(datastore).map(|privilege| text::words(privilege)).collect();
        format!("{} lacks {} here", text::words(user), missing.join(", "))
    }

    fn missing_privileges(&self, datastore: &Datastore) -> impl Iterator<Item = &'a String> {
        let needed = self.guards.consumer.iter().flat_map(|consumer| &consumer.privileges);
        needed.filter(|privilege| datastore.privileges.get(*privilege) == Some(&false))
    }

    /// `DatastoreSuspended`: as in the CSI driver. One mark is enough, so that another which is not read does not
    /// matter then.
    pub(super) fn check_marks(&self, datastore: &Datastore) -> Outcome {
        if self.marks(datastore).next().is_some() {
            return Outcome::Fails;
        }
        Outcome::lacks_if(self.guards.suspend_marks.iter().any(|mark| match mark {
            SuspendMark::CustomAttribute { .. } => datastore.custom_attributes.is_none(),
            SuspendMark::Tag(_) => datastore.tags.is_none(),
        }))
    }

    pub(super) fn say_marks(&self, datastore: &Datastore) -> String {
        let marks = self.marks(datastore).map(|mark| match mark {
            SuspendMark::CustomAttribute { name, value } => {
                format!("custom attribute {} is {}", text::words(name), text::quoted(value))
            }
            SuspendMark::Tag(tag) => format!("it has tag {}", said(tag)),
        });
        format!("suspended: {}", marks.collect::<Vec<_>>().join(", "))
    }

    fn marks(&self, datastore: &Datastore) -> impl Iterator<Item = &'a SuspendMark> {
        self.guards.suspend_marks.iter().filter(|mark| match mark {
            SuspendMark::CustomAttribute { name, value } => {
                let attributes = datastore.custom_attributes.as_ref();
                attributes.and_then(|attributes| attributes.get(name)) == Some(value)
            }
            SuspendMark::Tag(tag) => datastore.tags.as_ref().is_some_and(|tags| tags.contains(tag)),
        })
    }

    /// `AlarmTriggered`: as in SAP's forks.
    pub(super) fn check_alarms(&self, datastore: &Datastore) -> Outcome {
        match (self.guards.alarms, &datastore.alarms) {
            (None, _) => Outcome::Holds,
            (Some(_), None) => Outcome::Lacks,
            (Some(_), Some(_)) => Outcome::fails_if(self.alarms(datastore).next().is_some()),
        }
    }

    pub(super) fn say_alarms(&self, datastore: &Datastore) -> String {
        let alarms = self.alarms(datastore).map(|alarm| {
            let colour = match alarm.status {
                AlarmStatus::Yellow => "yellow",
                AlarmStatus::Red => "red",
            };
            format!("alarm {} is {colour}", text::quoted(&alarm.name))
        });
        alarms.collect::<Vec<_>>().join(", ")
    }

    fn alarms<'d>(&self, datastore: &'d Datastore) -> impl Iterator<Item = &'d Alarm> {
        let least = self.guards.alarms;
        let alarms = datastore.alarms.iter().flatten();
        alarms.filter(move |alarm| least.is_some_and(|least| alarm.status >= least))
    }

    /// What is asked about and was not read.
    pub(super) fn missing(&self, datastore: &Datastore) -> Vec<String> {
        let mut missing = Vec::new();
        if self.policies.is_none() {
            missing.push("storage policies".to_owned());
        }
        for policy in self.policies.iter().flatten().filter(|p| !datastore.policies.contains_key(&p.id)) {
            missing.push(format!("compatibility with storage policy {}", text::quoted(&policy.name)));
        }
        let marks = || self.guards.suspend_marks.iter();
        let by_tag = marks().any(|mark| matches!(mark, SuspendMark::Tag(_)));
        let by_attribute = marks().any(|mark| matches!(mark, SuspendMark::CustomAttribute { .. }));
        let wants_cluster = self.clusters.as_ref().is_none_or(|clusters| !clusters.is_empty());
        let cluster_unread = self.clusters.is_none() || datastore.datastore_cluster == Property::Withheld;
        for (what, lacks) in [
            ("tags", datastore.tags.is_none() && (by_tag || !self.tags.is_empty())),
            ("datastore cluster", wants_cluster && cluster_unread),
            ("customValue", by_attribute && datastore.custom_attributes.is_none()),
            ("triggeredAlarmState", self.guards.alarms.is_some() && datastore.alarms.is_none()),
        ] {
            if lacks {
                missing.push(what.to_owned());
            }
        }
        if let Some(consumer) = &self.guards.consumer
            && self.check_privileges(datastore) == Outcome::Lacks
        {
            missing.push(format!("privileges of {}", text::words(&consumer.user)));
        }
        missing
    }
}

fn said(tag: &Tag) -> String {
    format!("{}/{}", text::words(&tag.category), text::words(&tag.name))
}
