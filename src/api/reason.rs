//! Every reason that Berth gives, with its description and advice: the one place from which references are made.

/// Declares an enum of words for programs, each with its description and with what to do about it.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $word:ident => $advice:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $doc])+ $word,)+ }

        impl $name {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$word,)+];

            /// The word in the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => stringify!($word),)+ }
            }

            /// What it means, in users' words.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$word => concat!($($doc, "\n",)+).trim_ascii(),)+ }
            }

            /// What the reader should do, in Markdown.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$word => $advice,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Why the Ready condition of an `InstancePlacement` is what it is.
    PlacementReason {
        /// A datastore was selected.
        Placed =>
            "Nothing. Create the VM on `status.datastore`, with `status.instanceUUID` as its instanceUuid.",
        /// No datastore is eligible now; Berth tries again whenever something changes.
        NoEligibleDatastore =>
            "Read the counts in the message and each code below. Ask for less or for other datastores, or \
             make room; it is placed without an edit as soon as one datastore fits. `berth explain` shows \
             every datastore.",
        /// There is no answer of the vCenter that is young enough to decide on.
        VCenterUnavailable =>
            "Look at `kubectl get vcenters`: the reason of the VCenter says what to repair. It is placed \
             without an edit afterwards.",
        /// The placement class does not exist, or none is named and none is the default.
        ClassNotFound =>
            "Correct `spec.placementClassName`, or ask the administrator for the class, for access to it from \
             this namespace, or for a default class. It heals without an edit when the class appears.",
        /// The placement class has a field that cannot be used.
        ClassInvalid => "The administrator corrects the field of the class that the message names.",
        /// The VCenter does not exist, or this namespace may not use it.
        VCenterNotAllowed =>
            "Correct `spec.vCenterName`, or ask the administrator to let the namespace in by \
             `allowedNamespaces` of the VCenter. The answer is the same for one that does not exist.",
        /// No VCenter is named and this namespace may use more than one.
        AmbiguousVCenter => "Name one of them in `spec.vCenterName`, or use a class that names one.",
        /// A datacenter, cluster, host or datastore cluster that is asked for is not in the vCenter.
        ScopeNotFound =>
            "Correct the name in `spec.compute`, or in the class if it stands there. An inventory path, such as \
             `/DC0/host/C0`, names one object only.",
        /// The storage policy that is asked for is not in the vCenter.
        PolicyNotFound => "Correct the name of the storage policy, or create the policy in the vCenter.",
        /// A decision is due and not made yet.
        Pending =>
            "Wait. If it stays, look at Berth's log and `/readyz`: its journal cannot be written or its \
             lists are not complete.",
        /// The placement has a field that cannot be used.
        InvalidSpec => "Correct the field that the message names.",
        /// The root disk is smaller than the image that it is made from.
        RootDiskSmallerThanImage =>
            "Make `spec.rootDisk.size` at least as large as the image, or leave it out.",
        /// The placement is not placed for as long as its progressDeadlineSeconds; Berth keeps trying.
        DeadlineExceeded =>
            "The message ends with the reason why it is not placed: do what that one asks. Nothing needs \
             to be reset.",
        /// The placement is suspended and not decided for this revision.
        Suspended => "Set `spec.suspend` to false when it is to be decided.",
    }
}

words! {
    /// Why the `RoomKept` condition of an `InstancePlacement` is what it is.
    RoomReason {
        /// All of the room is kept until the instance appears.
        Open => "Nothing.",
        /// The instance did not appear in time, so no room is kept for it any more.
        Expired =>
            "If the VM exists, nothing: its disks count by the space that they use. If it is still to be \
             created, raise `spec.revision` for a new decision first. Classes set the time by \
             `claims.ttlSeconds`.",
    }
}

words! {
    /// Why the `Drifted` condition of an `InstancePlacement` is True, the gravest first.
    DriftReason {
        /// The connected vCenter is not the one that was decided on.
        OtherVCenter =>
            "Point the VCenter object at the vCenter that was decided on, or raise `spec.revision`.",
        /// The VM was there and is deleted; no room is kept for it any more.
        InstanceGone => "Delete the placement, or raise `spec.revision` before the VM is created again.",
        /// The VM is on another datastore, and not within the same datastore cluster.
        InstanceMoved => "Move the VM back, or raise `spec.revision`.",
        /// The datastore is not in the vCenter any more.
        DatastoreGone =>
            "Find out in the vCenter what became of the datastore; raise `spec.revision` if the VM is to \
             be created again.",
        /// No host can reach the datastore.
        NotAccessible => "Repair the storage path in the vCenter.",
        /// The datastore is in maintenance or entering it.
        MaintenanceMode => "Wait for the end of the maintenance, or move the VM.",
        /// The datastore no longer meets the storage policy.
        PolicyIncompatible => "Repair the policy in the vCenter, or raise `spec.revision`.",
        /// The datastore has another name than when it was decided.
        DatastoreRenamed => "Nothing, if whoever uses the name knows the new one: Berth follows the moRef.",
        /// The datastore was adopted with its VM and breaks a rule of class or placement.
        RulesBroken => "Change the class, or raise `spec.revision` and move the VM.",
    }
}

words! {
    /// Why the Ready condition of a `VCenter` is what it is.
    VCenterReason {
        /// Berth is logged in and its picture of the inventory is young enough.
        Connected => "Nothing.",
        /// The vCenter cannot be reached or does not answer as a vCenter does.
        ConnectionFailed =>
            "Check `spec.server`, name resolution, firewalls and the NetworkPolicy; the message has the \
             error. Berth tries again by itself.",
        /// The connection stands, but the last complete answer is too old to decide on.
        InventoryStale =>
            "See whether the vCenter is slow or overloaded. If it is healthy but far away, raise \
             `spec.inventoryMaxAgeSeconds`.",
        /// The account may not read what Berth needs.
        Forbidden =>
            "Give the account the role Read-only at the root of the inventory, with propagation to its \
             children.",
        /// The Secret, or its key username or password, is missing.
        SecretNotFound =>
            "Create the Secret in Berth's own namespace with the keys `username` and `password`, or \
             correct `spec.credentialsSecretName`. It heals without an edit.",
        /// The vCenter refused user name and password; Berth waits before it tries again.
        InvalidCredentials =>
            "Correct the Secret: the new one is tried at once. A refused one is not repeated for some \
             minutes, so that the account is not locked.",
        /// The vCenter's certificate is not signed by the CA, has another name, or another thumbprint.
        CertificateInvalid =>
            "Put the CA of the vCenter's certificate into `spec.caBundle`, or the new thumbprint into \
             `spec.thumbprintSHA256`, after you have made sure that the certificate is the right one.",
        /// The VCenter has a field that cannot be used.
        InvalidSpec => "Correct the field that the message names.",
        /// An older VCenter object is the same vCenter.
        DuplicateVCenter =>
            "Delete one of the two VCenter objects. Until then placements that name this one wait.",
    }
}

words! {
    /// Why a datastore is not eligible.
    RejectionCode {
        /// Its type is not among the allowed ones.
        TypeNotAllowed =>
            "Add the type to `datastores.types` of the placement, and of class and VCenter if they list \
             types. Where none lists any, VMFS, NFS, NFS41, vsan and VVOL are allowed.",
        /// No host can reach it.
        NotAccessible => "Repair its storage path in the vCenter.",
        /// It is in maintenance or entering it.
        MaintenanceMode => "Wait for the end of the maintenance.",
        /// Its name does not match the pattern.
        NameNotMatched =>
            "Check `datastores.namePattern` of placement and class: it must match the whole name.",
        /// Its name matches the pattern for exclusion.
        NameExcluded => "Check `datastores.excludePattern` of placement and class.",
        /// It is in another datacenter, or mounted by no host that was asked for.
        NotInScope => "Widen `spec.compute`, or mount the datastore on a host that is asked for.",
        /// It is a local disk: not mounted by at least two hosts.
        NotShared => "Mount it on a second host. For local disks, set `sharing: Any` in the class.",
        /// The hosts that must be able to use it are not: not mounted, read-only, or no path leads there.
        NotMountedOnHosts =>
            "Mount it, for reading and writing, on the hosts that the message counts, or ask less by \
             `compute.hostAccess`.",
        /// It does not meet the storage policy.
        PolicyIncompatible => "Choose another storage policy, or repair the datastore.",
        /// A tag that was asked for is not attached to it.
        TagMissing => "Attach the tag in the vCenter, or do not ask for it.",
        /// It is not in the datastore cluster that was asked for.
        NotInDatastoreCluster => "Move the datastore into the datastore cluster, or do not ask for it.",
        /// The account that creates the VMs lacks a privilege on it.
        MissingPrivilege => "Give the account the privilege on the datastore.",
        /// It carries a mark that keeps new instances away.
        DatastoreSuspended => "Take the mark away in the vCenter when new instances may go there again.",
        /// It has an alarm of the colour that keeps new instances away.
        AlarmTriggered => "See what the alarm is about in the vCenter.",
        /// Its free space, less headroom and kept room, is less than what is written at creation.
        InsufficientFreeSpace =>
            "Ask for smaller or thin disks, free some space, or delete placements that are not needed: \
             their room is kept. The class sets the headroom.",
        /// Everything promised on it would exceed its capacity.
        OversubscriptionLimit =>
            "Ask for less, enlarge the datastore, or delete placements that are not needed. The class sets \
             the limit by `capacity.maxOversubscriptionPercent`.",
        /// A disk is larger than the largest that it takes.
        DiskTooLarge => "Make the disk smaller, or ask for another type of datastore.",
        /// A thin disk was asked for, which it does not support.
        ProvisioningUnsupported => "Ask for `provisioning: Thick`.",
        /// The image cannot be transferred to it in its format.
        DiskTypeUnsupported =>
            "Convert the image to StreamOptimized and say so in `image.diskType`, or use a class with \
             `imageTransfer: Import`.",
        /// It is a VVOL datastore and a disk is not a whole number of MiB.
        SizeNotMiBAligned =>
            "Enlarge the disk or image to the next whole MiB, which the message names. `10Gi` is whole \
             MiB, `10G` is not.",
        /// It is a VVOL datastore and a disk is smaller than the minimum.
        BelowMinimumSize =>
            "Enlarge the disk or image to the size that the message names. The class sets the minimum by \
             `vvol.minimumDiskSize`.",
        /// It is a VVOL datastore and the size of the image is not known.
        SizeUnknown =>
            "State the image's own size in `image.virtualSize`: the size of the root disk does not tell \
             it.",
        /// It is a VVOL datastore without an active storage array, or no host has a protocol endpoint to it.
        VvolUnavailable => "Bring its storage array or protocol endpoint back.",
        /// Another member of the spread group is on it.
        SpreadConflict => "Add a datastore, or set `spread.whenUnsatisfiable: PlaceAnyway`.",
        /// The vCenter did not return a property that a rule needs.
        IncompleteData =>
            "The message names the property. Let the account read it; if it may, see in the vCenter why \
             the datastore does not report it.",
    }
}
