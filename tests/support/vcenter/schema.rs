//! The types that the fake knows, with their properties: what is not here is an `InvalidProperty`. No I/O.

/// A type, the type it extends, and its fields with the data object inside, `""` for a plain value or list.
type Type = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const TYPES: &[Type] = &[
    (
        "ManagedEntity",
        "",
        &[
            ("name", ""),
            ("parent", ""),
            ("overallStatus", ""),
            ("configStatus", ""),
            ("configIssue", ""),
            ("customValue", ""),
            ("tag", ""),
            ("permission", ""),
            ("effectiveRole", ""),
            ("disabledMethod", ""),
            ("recentTask", ""),
            ("declaredAlarmState", ""),
            ("triggeredAlarmState", ""),
            ("alarmActionsEnabled", ""),
        ],
    ),
    ("Folder", "ManagedEntity", &[("childType", ""), ("childEntity", "")]),
    (
        "StoragePod",
        "Folder",
        &[("summary", "StoragePodSummary"), ("podStorageDrsEntry", "PodStorageDrsEntry")],
    ),
    ("StoragePodSummary", "", &[("name", ""), ("capacity", ""), ("freeSpace", "")]),
    ("PodStorageDrsEntry", "", &[("storageDrsConfig", "StorageDrsConfigInfo"), ("recommendation", "")]),
    ("StorageDrsConfigInfo", "", &[("podConfig", "StorageDrsPodConfigInfo"), ("vmConfig", "")]),
    (
        "StorageDrsPodConfigInfo",
        "",
        &[("enabled", ""), ("ioLoadBalanceEnabled", ""), ("defaultVmBehavior", "")],
    ),
    (
        "Datacenter",
        "ManagedEntity",
        &[
            ("vmFolder", ""),
            ("hostFolder", ""),
            ("datastoreFolder", ""),
            ("networkFolder", ""),
            ("datastore", ""),
            ("network", ""),
        ],
    ),
    (
        "ComputeResource",
        "ManagedEntity",
        &[
            ("resourcePool", ""),
            ("host", ""),
            ("datastore", ""),
            ("network", ""),
            ("summary", "ComputeResourceSummary"),
            ("environmentBrowser", ""),
            ("configurationEx", ""),
        ],
    ),
    ("ComputeResourceSummary", "", &[("numHosts", ""), ("numEffectiveHosts", ""), ("overallStatus", "")]),
    ("ClusterComputeResource", "ComputeResource", &[("configuration", ""), ("recommendation", "")]),
    (
        "HostSystem",
        "ManagedEntity",
        &[
            ("runtime", "HostRuntimeInfo"),
            ("summary", ""),
            ("hardware", ""),
            ("capability", ""),
            ("config", ""),
            ("datastore", ""),
            ("network", ""),
            ("vm", ""),
        ],
    ),
    (
        "HostRuntimeInfo",
        "",
        &[
            ("connectionState", ""),
            ("powerState", ""),
            ("standbyMode", ""),
            ("inMaintenanceMode", ""),
            ("inQuarantineMode", ""),
            ("bootTime", ""),
        ],
    ),
    (
        "Datastore",
        "ManagedEntity",
        &[
            ("info", "DatastoreInfo"),
            ("summary", "DatastoreSummary"),
            ("host", ""),
            ("vm", ""),
            ("browser", ""),
            ("capability", "DatastoreCapability"),
            ("iormConfiguration", ""),
        ],
    ),
    (
        "DatastoreSummary",
        "",
        &[
            ("datastore", ""),
            ("name", ""),
            ("url", ""),
            ("capacity", ""),
            ("freeSpace", ""),
            ("uncommitted", ""),
            ("accessible", ""),
            ("multipleHostAccess", ""),
            ("type", ""),
            ("maintenanceMode", ""),
        ],
    ),
    (
        "DatastoreInfo",
        "",
        &[
            ("name", ""),
            ("url", ""),
            ("freeSpace", ""),
            ("maxFileSize", ""),
            ("maxVirtualDiskCapacity", ""),
            ("maxMemoryFileSize", ""),
            ("timestamp", ""),
            ("containerId", ""),
            ("aliasOf", ""),
        ],
    ),
    (
        "DatastoreCapability",
        "",
        &[
            ("directoryHierarchySupported", ""),
            ("rawDiskMappingsSupported", ""),
            ("perFileThinProvisioningSupported", ""),
            ("storageIORMSupported", ""),
            ("nativeSnapshotSupported", ""),
        ],
    ),
    (
        "VirtualMachine",
        "ManagedEntity",
        &[
            ("config", "VirtualMachineConfigInfo"),
            ("storage", "VirtualMachineStorageInfo"),
            ("datastore", ""),
            ("summary", ""),
            ("runtime", ""),
        ],
    ),
    (
        "VirtualMachineConfigInfo",
        "",
        &[
            ("name", ""),
            ("uuid", ""),
            ("instanceUuid", ""),
            ("template", ""),
            ("hardware", "VirtualHardware"),
        ],
    ),
    ("VirtualHardware", "", &[("numCPU", ""), ("memoryMB", ""), ("device", "")]),
    ("VirtualMachineStorageInfo", "", &[("perDatastoreUsage", ""), ("timestamp", "")]),
    ("ContainerView", "", &[("view", ""), ("container", ""), ("type", ""), ("recursive", "")]),
    ("SessionManager", "", &[("currentSession", "UserSession"), ("defaultLocale", "")]),
    ("UserSession", "", &[("key", ""), ("userName", ""), ("loginTime", "")]),
    ("PropertyCollector", "", &[("filter", "")]),
    ("PropertyFilter", "", &[("spec", ""), ("partialUpdates", "")]),
];

fn find(kind: &str) -> Option<&'static Type> {
    TYPES.iter().find(|(name, ..)| *name == kind)
}

/// Whether there is such a type.
pub(super) fn is_known(kind: &str) -> bool {
    find(kind).is_some()
}

/// How many steps `kind` is below `base`: 0 for itself, `None` when it does not extend it.
pub(super) fn distance(kind: &str, base: &str) -> Option<usize> {
    let mut current = kind;
    let mut steps = 0;
    while let Some((name, extends, _)) = find(current) {
        if *name == base {
            return Some(steps);
        }
        (current, steps) = (extends, steps + 1);
    }
    None
}

/// Whether objects of `kind` can have a property at `path`.
pub(super) fn has_path(kind: &str, path: &str) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let mut current = kind;
    while let Some((_, extends, fields)) = find(current) {
        if let Some((_, inside)) = fields.iter().find(|(field, _)| *field == name) {
            return rest.is_none_or(|rest| has_path(inside, rest));
        }
        current = extends;
    }
    false
}
