//! The mounts that were read, and which are to be read next. Pure: no I/O; the time is an argument.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::placement::{Compute, HostMounts, MoRef, Mount, Mounts};
use crate::vsphere::decode::{
    mounts::RawMount,
    value::{Field, Reason},
};

/// No vCenter has more hosts than this.
const MAX_HOSTS: usize = 100_000;
/// No vCenter has more mounts than this, of all datastores together.
const MAX_MOUNTS: usize = 8_000_000;

/// The mounts of all datastores that are watched, by id.
#[derive(Default)]
pub(crate) struct MountTable {
    datastores: BTreeMap<String, Entry>,
    /// Every host that was ever seen in a mount, with its number here.
    hosts: BTreeMap<String, u32>,
    /// Mounts kept.
    mounts: usize,
}

/// One datastore.
#[derive(Default)]
struct Entry {
    /// To be read, or read again.
    wanted: bool,
    /// When they were read last, and what came.
    read: Option<(Instant, Field<Box<[HostMount]>>)>,
}

/// [`RawMount`] with the number of its host: an inventory can have a million of them.
struct HostMount {
    host: u32,
    mounted: Option<bool>,
    accessible: Option<bool>,
    writable: bool,
}

/// The numbers that an inventory gives to the hosts of a table; none for a host that it does not have.
pub(crate) struct HostNumbers(Vec<Option<usize>>);

impl MountTable {
    /// The mounts of this datastore are to be read. What is known of them stays until then.
    pub fn want(&mut self, id: String) {
        self.datastores.entry(id).or_default().wanted = true;
    }

    /// The same for all datastores.
    pub fn want_all(&mut self) {
        self.datastores.values_mut().for_each(|entry| entry.wanted = true);
    }

    /// The datastore is gone.
    pub fn remove(&mut self, id: &str) {
        let gone = self.datastores.remove(id);
        self.mounts = self.mounts.saturating_sub(gone.map_or(0, |entry| entry.len()));
    }

    /// Whether the mounts of some datastore are to be read.
    pub fn is_wanting(&self) -> bool {
        self.datastores.values().any(|entry| entry.wanted)
    }

    /// Up to this many datastores whose mounts are to be read: those never read first, then those that were read
    /// longest ago.
    pub fn wanted(&self, most: usize) -> Vec<String> {
        self.longest_unread(most, |entry| entry.wanted)
    }

    /// Up to this many datastores whose mounts were read before then, the oldest first.
    pub fn read_before(&self, then: Instant, most: usize) -> Vec<String> {
        self.longest_unread(most, |entry| entry.read.as_ref().is_some_and(|(at, _)| *at < then))
    }

    fn longest_unread(&self, most: usize, among: impl Fn(&Entry) -> bool) -> Vec<String> {
        let among = self.datastores.iter().filter(|(_, entry)| among(entry));
        let mut found: Vec<_> =
            among.map(|(id, entry)| (entry.read.as_ref().map(|(at, _)| *at), id)).collect();
        found.sort_unstable();
        found.into_iter().take(most).map(|(_, id)| id.clone()).collect()
    }

    /// Takes what was read. Nothing, when the datastore is gone by now.
    pub fn set(&mut self, id: &str, mounts: Field<Vec<RawMount>>, at: Instant) {
        let Self { datastores, hosts, mounts: count } = self;
        let Some(entry) = datastores.get_mut(id) else { return };
        *count = count.saturating_sub(entry.len());
        let mounts = mounts.and_then(|mounts| {
            Field::Known(mounts.into_iter().map(|mount| HostMount::new(mount, hosts)).collect())
        });
        *entry = Entry { wanted: false, read: Some((at, mounts)) };
        *count = count.saturating_add(entry.len());
    }

    /// It holds more than any vCenter has.
    pub fn is_too_large(&self) -> bool {
        self.hosts.len() > MAX_HOSTS || self.mounts > MAX_MOUNTS
    }

    /// Why the mounts of a datastore make no sense.
    pub fn malformed(&self, id: &str) -> Option<Reason> {
        self.datastores.get(id)?.read.as_ref()?.1.malformed()
    }

    /// To be asked for once per inventory.
    pub fn hosts_in(&self, compute: &Compute) -> HostNumbers {
        let mut numbers = vec![None; self.hosts.len()];
        for (id, own) in &self.hosts {
            let own = usize::try_from(*own).ok();
            if let Some(number) = own.and_then(|own| numbers.get_mut(own)) {
                *number = compute.number_of(&MoRef(id.clone()));
            }
        }
        HostNumbers(numbers)
    }

    /// The mounts of a datastore, which is itself `accessible`.
    pub fn of(&self, id: &str, accessible: Option<bool>, hosts: &HostNumbers) -> Mounts {
        match self.datastores.get(id).and_then(|entry| entry.read.as_ref()) {
            None => Mounts::Unread,
            Some((_, Field::Withheld | Field::Malformed(_))) => Mounts::Missing,
            Some((_, Field::Absent)) => Mounts::Read(HostMounts::default()),
            Some((_, Field::Known(mounts))) => {
                let numbered =
                    mounts.iter().filter_map(|mount| Some((hosts.of(mount)?, mount.seen(accessible))));
                Mounts::Read(numbered.collect())
            }
        }
    }
}

impl Entry {
    fn len(&self) -> usize {
        let mounts = self.read.as_ref().and_then(|(_, mounts)| mounts.known());
        mounts.map_or(0, |mounts| mounts.len())
    }
}

impl HostMount {
    fn new(mount: RawMount, hosts: &mut BTreeMap<String, u32>) -> Self {
        let RawMount { host, mounted, accessible, writable } = mount;
        let next = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
        Self { host: *hosts.entry(host).or_insert(next), mounted, accessible, writable }
    }

    /// Where the mount does not say whether the host reaches the datastore, the datastore does.
    fn seen(&self, accessible: Option<bool>) -> Mount {
        if self.mounted == Some(false) {
            Mount::Unmounted
        } else if self.accessible.or(accessible) != Some(true) {
            Mount::Inaccessible
        } else if self.writable {
            Mount::Usable
        } else {
            Mount::ReadOnly
        }
    }
}

impl HostNumbers {
    fn of(&self, mount: &HostMount) -> Option<usize> {
        *self.0.get(usize::try_from(mount.host).ok()?)?
    }
}
