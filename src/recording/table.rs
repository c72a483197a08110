//! A recording as a table for a terminal. No I/O.

use super::Recording;
use crate::columns::{UNKNOWN, lines, table};
use crate::placement::{Bytes, Datastore, HostSet, Inventory, clean};

impl Recording {
    /// One line for each datastore, by moRef. `?` is what vCenter did not return. `HOSTS` are those that can use it
    /// and all of its datacenter.
    #[must_use]
    pub fn to_table(&self) -> String {
        let mut datastores = table([
            "NAME",
            "MOREF",
            "TYPE",
            "CAPACITY",
            "FREE",
            "UNCOMMITTED",
            "ACCESSIBLE",
            "MAINTENANCE",
            "HOSTS",
            "DATACENTER",
        ]);
        for datastore in self.inventory.datastores() {
            datastores.add_row(row(datastore, &self.inventory));
        }
        lines(&datastores).map(|line| line + "\n").collect()
    }
}

fn row(datastore: &Datastore, inventory: &Inventory) -> [String; 10] {
    let size = |bytes: Option<u64>| shown(bytes.map(|bytes| Bytes::saturating(u128::from(bytes))));
    let compute = inventory.compute();
    // No other host can mount it.
    let own = datastore.datacenter.as_ref().and_then(|datacenter| compute.hosts_of_datacenter(datacenter));
    let hosts = own.map_or(compute.hosts().len(), HostSet::len);
    let usable = datastore.mounts.read().map(|mounts| format!("{}/{hosts}", mounts.usable.len()));
    [
        clean(&datastore.name),
        clean(&datastore.moref.0),
        clean(datastore.kind.as_deref().unwrap_or(UNKNOWN)),
        size(datastore.capacity),
        size(datastore.free),
        size(datastore.uncommitted),
        shown(datastore.accessible),
        clean(datastore.maintenance_mode.as_deref().unwrap_or("normal")),
        shown(usable),
        inventory.datacenter_of(datastore).map_or_else(|| UNKNOWN.to_owned(), |above| clean(&above.name)),
    ]
}

fn shown(value: Option<impl ToString>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string())
}
