//! The kinds that the API server knows.

use std::collections::BTreeMap;

use super::schema::Schema;

/// One kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub name: &'static str,
    pub namespaced: bool,
}

const fn kind(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    name: &'static str,
    namespaced: bool,
) -> Kind {
    Kind { group, version, plural, name, namespaced }
}

pub static KINDS: [Kind; 8] = [
    kind("", "v1", "namespaces", "Namespace", false),
    kind("", "v1", "secrets", "Secret", true),
    kind("", "v1", "configmaps", "ConfigMap", true),
    kind("events.k8s.io", "v1", "events", "Event", true),
    kind("coordination.k8s.io", "v1", "leases", "Lease", true),
    kind("berth.dev", "v1alpha1", "instanceplacements", "InstancePlacement", true),
    kind("berth.dev", "v1alpha1", "placementclasses", "PlacementClass", false),
    kind("berth.dev", "v1alpha1", "vcenters", "VCenter", false),
];

impl Kind {
    /// By its name, in any case.
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name))
    }

    /// `group/version`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `plural.group`, as in messages.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `Kind.group`, as in messages.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.name, self.group) }
    }

    /// Defined by a CRD.
    pub fn is_custom(&self) -> bool {
        self.group == berth::api::GROUP
    }
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Plural of the kind.
    pub resource: &'static str,
    /// Empty when the kind has none.
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(kind: &Kind, namespace: &str, name: &str) -> Self {
        let namespace = if kind.namespaced { namespace.to_owned() } else { String::new() };
        Self { resource: kind.plural, namespace, name: name.to_owned() }
    }
}

/// The schemas of the custom kinds by their plural, from Berth's own CRDs.
pub fn schemas() -> BTreeMap<&'static str, Schema> {
    let crds = berth::api::crds();
    let custom = KINDS.iter().filter(|kind| kind.is_custom());
    custom
        .map(|kind| {
            let crd = crds.iter().find(|crd| crd["spec"]["names"]["plural"] == kind.plural).unwrap();
            (kind.plural, Schema::new(&crd["spec"]["versions"][0]))
        })
        .collect()
}
