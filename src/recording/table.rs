//! A recording as a table for a terminal. No I/O.

use super::Recording;
use crate::columns::{UNKNOWN, lines, table};
use crate::placement::{Bytes, Datastore, Inventory, Mounts, clean};

impl Recording {
    /// One line for each datastore, by moRef. A column says `?` where vCenter did not return the property.
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
    let hosts = match &datastore.mounts {
        Mounts::Read(mounts) => {
            Some(format!("{}/{}", mounts.usable.len(), inventory.compute().hosts().len()))
        }
        Mounts::Unread | Mounts::Missing => None,
    };
    [
        clean(&datastore.name),
        clean(&datastore.moref.0),
        clean(datastore.kind.as_deref().unwrap_or(UNKNOWN)),
        size(datastore.capacity),
        size(datastore.free),
        size(datastore.uncommitted),
        shown(datastore.accessible),
        clean(datastore.maintenance_mode.as_deref().unwrap_or("normal")),
        shown(hosts),
        inventory.datacenter_of(datastore).map_or_else(|| UNKNOWN.to_owned(), |above| clean(&above.name)),
    ]
}

fn shown(value: Option<impl ToString>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string())
}
