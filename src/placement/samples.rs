//! Values for tests all over the crate. No I/O.

use proptest::prelude::ProptestConfig;

use super::compute::{Cluster, Compute, Datacenter, Host, Mount, Mounts};
use super::inventory::{Datastore, MoRef, Property};

pub const GIB: u64 = 1 << 30;

/// So many generated cases, or as many as `PROPTEST_CASES` says: fewer while mutants are tried, more in a search.
pub fn cases(usual: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(wanted.unwrap_or(usual))
}

/// One datacenter with one cluster of two hosts.
pub fn compute() -> Compute {
    let moref = |text: &str| MoRef(text.into());
    let host = |name: &str| Host {
        moref: MoRef(format!("host-{name}")),
        name: name.into(),
        path: format!("/DC0/host/C0/{name}"),
        cluster: Some(moref("domain-c0")),
        datacenter: Some(moref("datacenter-0")),
        in_maintenance: false,
    };
    Compute::new(
        vec![Datacenter { moref: moref("datacenter-0"), name: "DC0".into(), path: "/DC0".into() }],
        vec![Cluster { moref: moref("domain-c0"), name: "C0".into(), path: "/DC0/host/C0".into() }],
        vec![host("h1"), host("h2")],
    )
}

/// A healthy datastore of 1024 GiB, all of it free, with its own url, that both hosts of [`compute`] use.
pub fn datastore(moref: &str, name: &str, kind: &str) -> Datastore {
    let hosts = ["host-h1", "host-h2"].map(|host| MoRef(host.into()));
    let mounts = compute().mounts(hosts.iter().map(|host| (host, Mount::Usable)));
    Datastore {
        name: name.into(),
        datacenter: Some(MoRef("datacenter-0".into())),
        kind: Some(kind.into()),
        url: format!("ds:///vmfs/volumes/{moref}/"),
        accessible: Some(true),
        maintenance_mode: Some("normal".into()),
        capacity: Some(1024 * GIB),
        free: Some(1024 * GIB),
        uncommitted: Some(0),
        multiple_host_access: Some(true),
        max_virtual_disk: Property::Absent,
        thin_provisioning: Property::Known(true),
        figures_time: None,
        mounts: Mounts::Read(mounts),
        ..Datastore::unread(MoRef(moref.into()))
    }
}
