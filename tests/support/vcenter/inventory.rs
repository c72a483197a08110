//! What the vCenter holds: managed objects with their properties, made from a specification and changed
//! while clients watch. No I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use super::{
    schema,
    spec::{ClusterSpec, DatacenterSpec, DatastoreSpec, HostSpec, InventorySpec, MountSpec},
    value::{Ref, Value},
};

/// Hosts of a cluster when nothing is said.
const USUAL_HOSTS: usize = 3;
/// What vSphere allows where the storage itself has no smaller limit.
const LARGEST_DISK: i64 = 62 << 40;
/// Datastores are numbered on their own, so that a host more does not rename them.
const FIRST_DATASTORE: u64 = 10_001;

/// A managed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its reference.
    pub this: Ref,
    /// Top-level properties; one that is unset is not there.
    pub properties: BTreeMap<String, Value>,
    /// Paths that the user may not read.
    pub withheld: BTreeSet<String>,
}

impl Object {
    /// The value at a dotted path.
    pub(super) fn at(&self, path: &str) -> Option<&Value> {
        match path.split_once('.') {
            None => self.properties.get(path),
            Some((name, rest)) => self.properties.get(name)?.at(rest),
        }
    }

    pub(super) fn is_withheld(&self, path: &str) -> bool {
        let below =
            |outer: &String| path.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('.'));
        self.withheld.contains(path) || self.withheld.iter().any(below)
    }

    fn parent(&self) -> Option<&Ref> {
        self.properties.get("parent").and_then(|parent| parent.objects().first())
    }
}

struct Host {
    object: Ref,
    name: String,
    spec: HostSpec,
}

/// A cluster, or what one host outside of clusters is in.
struct Cluster {
    object: Ref,
    name: String,
    standalone: bool,
    hosts: Vec<Host>,
}

struct Datastore {
    object: Ref,
    json: Map<String, Json>,
    spec: DatastoreSpec,
    mounts: Vec<MountSpec>,
    parent: Ref,
}

struct Datacenter {
    object: Ref,
    name: String,
    host_folder: Ref,
    datastore_folder: Ref,
    other_folders: [(&'static str, Ref); 2],
    clusters: Vec<Cluster>,
    /// Datastore clusters and folders below the datastore folder, by name.
    groups: BTreeMap<String, Ref>,
    datastores: Vec<Datastore>,
}

/// All objects, and what they were made from.
pub(super) struct Inventory {
    pub objects: BTreeMap<Ref, Arc<Object>>,
    datacenters: Vec<Datacenter>,
    withheld: BTreeMap<Ref, BTreeSet<String>>,
    numbered: u64,
    created: u64,
}

/// The folder of everything.
pub(super) fn root_folder() -> Ref {
    Ref::new("Folder", "group-d1")
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// An inventory name on the wire.
fn entity_name(name: &str) -> Value {
    Value::Text(name.replace('%', "%25").replace('/', "%2f").replace('\\', "%5c"))
}

/// Imitates the shape of a real one and depends on the names only.
fn usual_url(datacenter: &str, name: &str, kind: &str) -> String {
    let digest = Sha256::digest(format!("{datacenter}/{name}"));
    let hex = super::value::hex(&digest);
    let id = format!("{}-{}-{}-{}", &hex[..8], &hex[8..16], &hex[16..20], &hex[20..32]);
    let kind = kind.to_lowercase();
    let prefix = if ["vsan", "vsand", "vvol"].contains(&kind.as_str()) { kind + ":" } else { String::new() };
    format!("ds:///vmfs/volumes/{prefix}{id}/")
}

impl Inventory {
    /// Reads a specification; see [`super::spec`].
    pub fn new(json: &Json) -> Self {
        let spec: InventorySpec = serde_json::from_value(json.clone()).expect("an inventory");
        let mut inventory = Self {
            objects: BTreeMap::new(),
            datacenters: Vec::new(),
            withheld: BTreeMap::new(),
            numbered: 1,
            created: 0,
        };
        for (index, spec) in
            spec.datacenters.unwrap_or_else(|| vec![DatacenterSpec::default()]).into_iter().enumerate()
        {
            inventory.add_datacenter(index, spec);
        }
        inventory.refresh_root();
        inventory
    }

    fn number(&mut self, kind: &str, prefix: &str) -> Ref {
        self.numbered += 1;
        Ref::new(kind, format!("{prefix}{}", self.numbered))
    }

    fn add_datacenter(&mut self, index: usize, spec: DatacenterSpec) {
        let name = spec.name.unwrap_or_else(|| format!("DC{index}"));
        let object = self.number("Datacenter", "datacenter-");
        let vm_folder = self.number("Folder", "group-v");
        let host_folder = self.number("Folder", "group-h");
        let datastore_folder = self.number("Folder", "group-s");
        let network_folder = self.number("Folder", "group-n");
        let mut clusters = Vec::new();
        let standalone = spec.hosts.list();
        // Whoever names hosts outside of clusters gets no cluster unasked.
        let unasked = if standalone.is_empty() { vec![ClusterSpec::default()] } else { Vec::new() };
        let cluster_specs = spec.clusters.unwrap_or(unasked);
        for (index, cluster) in cluster_specs.into_iter().enumerate() {
            let cluster_name = cluster.name.unwrap_or_else(|| format!("C{index}"));
            let object = self.number("ClusterComputeResource", "domain-c");
            let hosts = cluster.hosts.map_or_else(|| vec![HostSpec::default(); USUAL_HOSTS], |h| h.list());
            let hosts = hosts.into_iter().enumerate();
            let hosts = hosts
                .map(|(index, host)| self.host(host, format!("{name}_{cluster_name}_H{index}")))
                .collect();
            clusters.push(Cluster { object, name: cluster_name, standalone: false, hosts });
        }
        for (index, host) in standalone.into_iter().enumerate() {
            let host = self.host(host, format!("{name}_H{index}"));
            let object = self.number("ComputeResource", "domain-s");
            clusters.push(Cluster { object, name: host.name.clone(), standalone: true, hosts: vec![host] });
        }
        self.datacenters.push(Datacenter {
            object,
            name,
            host_folder,
            datastore_folder,
            other_folders: [("vm", vm_folder), ("network", network_folder)],
            clusters,
            groups: BTreeMap::new(),
            datastores: Vec::new(),
        });
        let at = self.datacenters.len() - 1;
        for json in spec.datastores {
            self.add_datastore(at, json);
        }
        self.refresh(at);
    }

    fn host(&mut self, spec: HostSpec, usual_name: String) -> Host {
        let object = self.number("HostSystem", "host-");
        Host { object, name: spec.name.clone().unwrap_or(usual_name), spec }
    }

    fn add_datastore(&mut self, at: usize, mut json: Map<String, Json>) -> Ref {
        if let (None, Some(capacity)) = (json.get("free"), json.get("capacity").cloned()) {
            // Where it is full or empty does not follow its size later.
            json.insert("free".to_owned(), capacity);
        }
        let spec = datastore_spec(&json);
        let group = [("StoragePod", "group-p", &spec.pod), ("Folder", "group-s", &spec.folder)];
        let mut parent = self.datacenters[at].datastore_folder.clone();
        for (kind, prefix, name) in group {
            let Some(name) = name else { continue };
            parent = match self.datacenters[at].groups.get(name) {
                Some(known) => known.clone(),
                None => self.number(kind, prefix),
            };
            self.datacenters[at].groups.insert(name.clone(), parent.clone());
        }
        let object = Ref::new("Datastore", format!("datastore-{}", FIRST_DATASTORE + self.created));
        self.created += 1;
        let mounts = spec.mounts.or(None).unwrap_or_else(|| self.datacenters[at].usual_mounts(&spec));
        let datastore = Datastore { object: object.clone(), json, spec, mounts, parent };
        self.datacenters[at].datastores.push(datastore);
        object
    }

    /// Creates a datastore.
    pub fn create_datastore(&mut self, datacenter: &str, json: &Json) -> Ref {
        let at = self.datacenter(datacenter);
        let json = json.as_object().expect("an object").clone();
        let object = self.add_datastore(at, json);
        self.refresh(at);
        object
    }

    /// Merges keys of the specification into a datastore.
    pub fn set_datastore(&mut self, name: &str, set: &Json) -> Ref {
        let (at, index) = self.datastore(name);
        let datastore = &mut self.datacenters[at].datastores[index];
        for (key, value) in set.as_object().expect("an object") {
            let key = if key == "freeSpace" { "free" } else { key };
            datastore.json.insert(key.to_owned(), value.clone());
        }
        datastore.spec = datastore_spec(&datastore.json);
        if let Some(mounts) = datastore.spec.mounts.or(None) {
            datastore.mounts = mounts;
        }
        let object = datastore.object.clone();
        self.refresh(at);
        object
    }

    /// Removes a datastore.
    pub fn delete_datastore(&mut self, name: &str) {
        let (at, index) = self.datastore(name);
        let gone = self.datacenters[at].datastores.remove(index);
        self.objects.remove(&gone.object);
        self.refresh(at);
    }

    /// Merges `maintenance` and `connectionState` into a host.
    pub fn set_host(&mut self, name: &str, set: &Json) {
        let set: HostSpec = serde_json::from_value(set.clone()).expect("a host");
        for at in 0..self.datacenters.len() {
            let hosts = self.datacenters[at].clusters.iter_mut().flat_map(|cluster| &mut cluster.hosts);
            let found: Vec<_> = hosts.filter(|host| host.name == name).collect();
            let any = !found.is_empty();
            for host in found {
                if set.maintenance != <_>::default() {
                    host.spec.maintenance = set.maintenance.clone();
                }
                if set.connection_state != <_>::default() {
                    host.spec.connection_state = set.connection_state.clone();
                }
            }
            if any {
                self.refresh(at);
                return;
            }
        }
        panic!("no host {name}");
    }

    /// Adds a host, which mounts nothing yet, to a cluster.
    pub fn create_host(&mut self, cluster: &str, name: &str) -> Ref {
        let wanted = |c: &Cluster| c.name == cluster && !c.standalone;
        let at = self.datacenters.iter().position(|dc| dc.clusters.iter().any(wanted));
        let at = at.unwrap_or_else(|| panic!("no cluster {cluster}"));
        let host = self.host(HostSpec::default(), name.to_owned());
        let object = host.object.clone();
        let found = self.datacenters[at].clusters.iter_mut().find(|c| wanted(c));
        if let Some(cluster) = found {
            cluster.hosts.push(host);
        }
        self.refresh(at);
        object
    }

    /// Removes a host with its mounts.
    pub fn delete_host(&mut self, name: &str) {
        let object = self.host_ref(name);
        self.objects.remove(&object);
        for at in 0..self.datacenters.len() {
            let dc = &mut self.datacenters[at];
            for cluster in &mut dc.clusters {
                cluster.hosts.retain(|host| host.name != name);
            }
            for datastore in &mut dc.datastores {
                datastore.mounts.retain(|mount| mount.host != name);
            }
            self.refresh(at);
        }
    }

    /// The user may no longer read, or may read again, a property of an object.
    pub fn withhold(&mut self, object: &Ref, path: &str, withheld: bool) {
        let paths = self.withheld.entry(object.clone()).or_default();
        if withheld {
            paths.insert(path.to_owned())
        } else {
            paths.remove(path)
        };
        let known = self.objects.get(object).expect("an object of the inventory");
        let mut changed = Object::clone(known);
        if withheld {
            changed.withheld.insert(path.to_owned())
        } else {
            changed.withheld.remove(path)
        };
        self.objects.insert(object.clone(), Arc::new(changed));
    }

    /// Puts an object of any known type, for what the specification cannot say.
    pub fn put(&mut self, mut object: Object) {
        assert!(schema::is_known(&object.this.kind), "unknown type {}", object.this.kind);
        if let Some(paths) = self.withheld.get(&object.this) {
            object.withheld.extend(paths.iter().cloned());
        }
        if self.objects.get(&object.this).is_none_or(|known| **known != object) {
            self.objects.insert(object.this.clone(), Arc::new(object));
        }
    }

    /// Removes an object.
    pub fn remove(&mut self, object: &Ref) {
        self.objects.remove(object);
    }

    /// The reference of a datastore, by its name or by `datacenter/name`.
    pub fn datastore_ref(&self, name: &str) -> Ref {
        let (at, index) = self.datastore(name);
        self.datacenters[at].datastores[index].object.clone()
    }

    /// The reference of a host, by its name.
    pub fn host_ref(&self, name: &str) -> Ref {
        let mut hosts = self.datacenters.iter().flat_map(|dc| &dc.clusters).flat_map(|c| &c.hosts);
        hosts.find(|host| host.name == name).map(|host| host.object.clone()).expect("a host of that name")
    }

    /// Whether `object` is somewhere below `container`, or directly below it.
    pub fn is_below(&self, object: &Object, container: &Ref, recursive: bool) -> bool {
        let mut parent = object.parent();
        while let Some(above) = parent {
            if above == container {
                return true;
            }
            if !recursive {
                return false;
            }
            parent = self.objects.get(above).and_then(|above| above.parent());
        }
        false
    }

    fn datacenter(&self, name: &str) -> usize {
        let named = |dc: &Datacenter| dc.name == name || (name.is_empty() && self.datacenters.len() == 1);
        self.datacenters.iter().position(named).unwrap_or_else(|| panic!("no datacenter {name:?}"))
    }

    fn datastore(&self, name: &str) -> (usize, usize) {
        let mut found = None;
        for (at, dc) in self.datacenters.iter().enumerate() {
            for (index, datastore) in dc.datastores.iter().enumerate() {
                let plain = &datastore.spec.name;
                if plain == name || format!("{}/{plain}", dc.name) == name {
                    assert!(found.is_none(), "several datastores {name}: say which datacenter");
                    found = Some((at, index));
                }
            }
        }
        found.unwrap_or_else(|| panic!("no datastore {name}"))
    }

    fn refresh_root(&mut self) {
        let children = self.datacenters.iter().map(|dc| dc.object.clone()).collect();
        self.put(folder(&root_folder(), "Datacenters", None, children));
    }

    /// Makes all objects of a datacenter anew; those that are as before stay the same.
    fn refresh(&mut self, at: usize) {
        let made = self.datacenters[at].objects();
        for object in made {
            self.put(object);
        }
    }
}

fn datastore_spec(json: &Map<String, Json>) -> DatastoreSpec {
    let spec: DatastoreSpec = serde_json::from_value(Json::Object(json.clone())).expect("a datastore");
    assert!(!spec.name.is_empty(), "a datastore has no name");
    spec
}

fn entity(
    object: &Ref,
    name: Value,
    parent: Option<&Ref>,
    properties: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Object {
    let mut all = BTreeMap::from([("name".to_owned(), name)]);
    all.extend(parent.map(|parent| ("parent".to_owned(), Value::Ref(parent.clone()))));
    all.extend(properties.into_iter().filter_map(|(path, value)| Some((path.to_owned(), value?))));
    Object { this: object.clone(), properties: all, withheld: BTreeSet::new() }
}

fn folder(object: &Ref, name: &str, parent: Option<&Ref>, children: Vec<Ref>) -> Object {
    entity(object, entity_name(name), parent, [("childEntity", Some(Value::Refs(children)))])
}

impl Datacenter {
    fn objects(&self) -> Vec<Object> {
        let mut made = vec![self.own_object()];
        for (name, object) in &self.other_folders {
            made.push(folder(object, name, Some(&self.object), Vec::new()));
        }
        let clusters = self.clusters.iter().map(|cluster| cluster.object.clone()).collect();
        made.push(folder(&self.host_folder, "host", Some(&self.object), clusters));
        let within = |parent: &Ref| -> Vec<Ref> {
            let datastores = self.datastores.iter().filter(|datastore| datastore.parent == *parent);
            datastores.map(|datastore| datastore.object.clone()).collect()
        };
        let mut children = within(&self.datastore_folder);
        children.extend(self.groups.values().cloned());
        made.push(folder(&self.datastore_folder, "datastore", Some(&self.object), children));
        for (name, object) in &self.groups {
            let mut group = folder(object, name, Some(&self.datastore_folder), within(object));
            if object.kind == "StoragePod" {
                let config = Value::Data("StorageDrsPodConfigInfo", vec![("enabled", Value::Bool(true))]);
                let config = Value::Data("StorageDrsConfigInfo", vec![("podConfig", config)]);
                let entry = Value::Data("PodStorageDrsEntry", vec![("storageDrsConfig", config)]);
                group.properties.insert("podStorageDrsEntry".to_owned(), entry);
            }
            made.push(group);
        }
        // The datastores of every host, by the host's name.
        let mut mounted: BTreeMap<&str, Vec<Ref>> = BTreeMap::new();
        for datastore in &self.datastores {
            for mount in &datastore.mounts {
                mounted.entry(&mount.host).or_default().push(datastore.object.clone());
            }
            made.push(self.datastore_object(datastore));
        }
        for cluster in &self.clusters {
            self.cluster_objects(cluster, &mounted, &mut made);
        }
        made
    }

    fn own_object(&self) -> Object {
        let [(_, vm_folder), (_, network_folder)] = &self.other_folders;
        let datastores = self.datastores.iter().map(|datastore| datastore.object.clone()).collect();
        entity(
            &self.object,
            entity_name(&self.name),
            Some(&root_folder()),
            [
                ("vmFolder", Some(Value::Ref(vm_folder.clone()))),
                ("hostFolder", Some(Value::Ref(self.host_folder.clone()))),
                ("datastoreFolder", Some(Value::Ref(self.datastore_folder.clone()))),
                ("networkFolder", Some(Value::Ref(network_folder.clone()))),
                ("datastore", Some(Value::Refs(datastores))),
            ],
        )
    }

    /// All hosts of the clusters named, or of all clusters.
    fn usual_mounts(&self, spec: &DatastoreSpec) -> Vec<MountSpec> {
        let names = spec.clusters.or(None);
        let cluster = |name: &String| {
            let found = self.clusters.iter().find(|cluster| cluster.name == *name && !cluster.standalone);
            found.unwrap_or_else(|| panic!("no cluster {name} in {}", self.name))
        };
        let clusters: Vec<_> = match &names {
            Some(names) => names.iter().map(cluster).collect(),
            None => self.clusters.iter().filter(|cluster| !cluster.standalone).collect(),
        };
        let hosts = clusters.into_iter().flat_map(|cluster| &cluster.hosts);
        hosts.map(|host| MountSpec { host: host.name.clone(), ..MountSpec::default() }).collect()
    }

    fn host(&self, name: &str) -> &Host {
        let mut hosts = self.clusters.iter().flat_map(|cluster| &cluster.hosts);
        hosts.find(|host| host.name == name).unwrap_or_else(|| panic!("no host {name} in {}", self.name))
    }

    fn cluster_objects(&self, cluster: &Cluster, mounted: &BTreeMap<&str, Vec<Ref>>, made: &mut Vec<Object>) {
        let mut all: BTreeSet<Ref> = BTreeSet::new();
        for host in &cluster.hosts {
            let datastores = mounted.get(host.name.as_str()).cloned().unwrap_or_default();
            all.extend(datastores.iter().cloned());
            let state = host.spec.connection_state.or("connected".to_owned());
            let power = Value::Enum("HostSystemPowerState", "poweredOn".to_owned());
            let runtime = [
                ("connectionState", state.map(|word| Value::Enum("HostSystemConnectionState", word))),
                ("powerState", Some(power)),
                ("inMaintenanceMode", host.spec.maintenance.or(false).map(Value::Bool)),
                ("inQuarantineMode", Some(Value::Bool(false))),
            ];
            let properties = [
                ("runtime", Some(data("HostRuntimeInfo", runtime))),
                ("datastore", Some(Value::Refs(datastores))),
            ];
            made.push(entity(&host.object, entity_name(&host.name), Some(&cluster.object), properties));
        }
        let hosts = cluster.hosts.iter().map(|host| host.object.clone()).collect();
        let properties =
            [("host", Some(Value::Refs(hosts))), ("datastore", Some(Value::Refs(all.into_iter().collect())))];
        let (name, parent) = (entity_name(&cluster.name), Some(&self.host_folder));
        made.push(entity(&cluster.object, name, parent, properties));
    }

    fn datastore_object(&self, datastore: &Datastore) -> Object {
        let Datastore { object, spec, mounts, parent, .. } = datastore;
        let kind = spec.kind.or("VMFS".to_owned());
        let word = kind.clone().unwrap_or_default();
        let url = spec.url.or(usual_url(&self.name, &spec.name, &word));
        let capacity = spec.capacity.or(1 << 40);
        let free = spec.free.or(capacity);
        let accessible = spec.accessible.or(true);
        // A mount of which nobody says whether it is mounted is.
        let several = mounts.iter().filter(|mount| mount.mounted.or(true) != Some(false)).count() > 1;
        let class = info_type(&word);
        let limit = (class != "LocalDatastoreInfo").then_some(LARGEST_DISK);
        let long = |value: Option<i64>| value.map(Value::Long);
        let summary = [
            ("datastore", Some(Value::Ref(object.clone()))),
            ("name", Some(text(&spec.name))),
            ("url", url.as_deref().map(text)),
            ("capacity", long(capacity)),
            ("freeSpace", long(free)),
            ("uncommitted", long(spec.uncommitted.or(None))),
            ("accessible", accessible.map(Value::Bool)),
            ("multipleHostAccess", spec.multiple_host_access.or(several).map(Value::Bool)),
            ("type", kind.as_deref().map(text)),
            ("maintenanceMode", spec.maintenance_mode.or("normal".to_owned()).as_deref().map(text)),
        ];
        let info = [
            ("name", Some(text(&spec.name))),
            ("url", url.as_deref().map(text)),
            ("freeSpace", long(free)),
            ("maxFileSize", long(capacity)),
            ("maxVirtualDiskCapacity", long(spec.max_virtual_disk_capacity.or(limit))),
            ("maxMemoryFileSize", long(capacity)),
            ("timestamp", spec.timestamp.or("1970-01-01T00:00:00Z".to_owned()).map(Value::Time)),
        ];
        let capability = [
            ("directoryHierarchySupported", Some(Value::Bool(true))),
            ("rawDiskMappingsSupported", Some(Value::Bool(true))),
            ("perFileThinProvisioningSupported", spec.thin_provisioning.or(true).map(Value::Bool)),
        ];
        let hosts = mounts.iter().map(|mount| self.mount_value(mount, url.as_deref(), accessible));
        let properties = [
            ("info", Some(data(class, info))),
            ("summary", Some(data("DatastoreSummary", summary))),
            ("host", Some(Value::Array("DatastoreHostMount", hosts.collect()))),
            ("capability", Some(data("DatastoreCapability", capability))),
        ];
        let mut made = entity(object, entity_name(&spec.name), Some(parent), properties);
        made.withheld = spec.withheld.or(None).unwrap_or_default().into_iter().collect();
        made
    }

    fn mount_value(&self, mount: &MountSpec, url: Option<&str>, accessible: Option<bool>) -> Value {
        let path = url.map(|url| text(url.trim_start_matches("ds://").trim_end_matches('/')));
        let info = [
            ("path", path),
            ("accessMode", mount.access_mode.or("readWrite".to_owned()).as_deref().map(text)),
            ("mounted", mount.mounted.or(true).map(Value::Bool)),
            ("accessible", mount.accessible.or(accessible).map(Value::Bool)),
            ("inaccessibleReason", mount.inaccessible_reason.or(None).as_deref().map(text)),
        ];
        let key = Value::Ref(self.host(&mount.host).object.clone());
        data("DatastoreHostMount", [("key", Some(key)), ("mountInfo", Some(data("HostMountInfo", info)))])
    }
}

fn data(kind: &'static str, fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    Value::Data(kind, fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

/// The class of `info` differs by kind of storage.
fn info_type(kind: &str) -> &'static str {
    match kind.to_lowercase().as_str() {
        "vmfs" => "VmfsDatastoreInfo",
        "nfs" | "nfs41" | "cifs" => "NasDatastoreInfo",
        "vsan" | "vsand" => "VsanDatastoreInfo",
        "vvol" => "VvolDatastoreInfo",
        "pmem" => "PMemDatastoreInfo",
        _ => "LocalDatastoreInfo",
    }
}
