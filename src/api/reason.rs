//! Every reason that Berth gives, with its description: the one place from which references are made.

/// Declares an enum of words for programs, each with its description.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $word:ident,)+ }) => {
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
        Placed,
        /// No datastore is eligible now; Berth tries again whenever something changes.
        NoEligibleDatastore,
        /// There is no answer of the vCenter that is young enough to decide on.
        VCenterUnavailable,
        /// The placement class does not exist, or none is named and none is the default.
        ClassNotFound,
        /// The placement class has a field that cannot be used.
        ClassInvalid,
        /// The VCenter does not exist, or this namespace may not use it.
        VCenterNotAllowed,
        /// No VCenter is named and this namespace may use more than one.
        AmbiguousVCenter,
        /// A datacenter, cluster, host or datastore cluster that is asked for is not in the vCenter.
        ScopeNotFound,
        /// The storage policy that is asked for is not in the vCenter.
        PolicyNotFound,
        /// A decision is due and not made yet.
        Pending,
        /// The placement has a field that cannot be used.
        InvalidSpec,
        /// The root disk is smaller than the image that it is made from.
        RootDiskSmallerThanImage,
        /// The placement is not placed for as long as its progressDeadlineSeconds; Berth keeps trying.
        DeadlineExceeded,
        /// The placement is suspended and not decided for this revision.
        Suspended,
    }
}

words! {
    /// Why the `RoomKept` condition of an `InstancePlacement` is what it is.
    RoomReason {
        /// All of the room is kept until the instance appears.
        Open,
        /// The instance did not appear in time, so no room is kept for it any more.
        Expired,
    }
}

words! {
    /// Why the `Drifted` condition of an `InstancePlacement` is True, the gravest first.
    DriftReason {
        /// The connected vCenter is not the one that was decided on.
        OtherVCenter,
        /// The VM was there and is deleted; no room is kept for it any more.
        InstanceGone,
        /// The VM is on another datastore, and not within the same datastore cluster.
        InstanceMoved,
        /// The datastore is not in the vCenter any more.
        DatastoreGone,
        /// No host can reach the datastore.
        NotAccessible,
        /// The datastore is in maintenance or entering it.
        MaintenanceMode,
        /// The datastore no longer meets the storage policy.
        PolicyIncompatible,
        /// The datastore has another name than when it was decided.
        DatastoreRenamed,
        /// The datastore was adopted with its VM and breaks a rule of class or placement.
        RulesBroken,
    }
}

words! {
    /// Why the Ready condition of a `VCenter` is what it is.
    VCenterReason {
        /// Berth is logged in and its picture of the inventory is young enough.
        Connected,
        /// The vCenter cannot be reached or does not answer as a vCenter does.
        ConnectionFailed,
        /// The connection stands, but the last complete answer is too old to decide on.
        InventoryStale,
        /// The account may not read what Berth needs.
        Forbidden,
        /// The Secret, or its key username or password, is missing.
        SecretNotFound,
        /// The vCenter refused user name and password; Berth waits before it tries again.
        InvalidCredentials,
        /// The vCenter's certificate is not signed by the CA, has another name, or another thumbprint.
        CertificateInvalid,
        /// The VCenter has a field that cannot be used.
        InvalidSpec,
        /// An older VCenter object is the same vCenter.
        DuplicateVCenter,
    }
}

words! {
    /// Why a datastore is not eligible.
    RejectionCode {
        /// Its type is not among the allowed ones.
        TypeNotAllowed,
        /// No host can reach it.
        NotAccessible,
        /// It is in maintenance or entering it.
        MaintenanceMode,
        /// Its name does not match the pattern.
        NameNotMatched,
        /// Its name matches the pattern for exclusion.
        NameExcluded,
        /// It is in another datacenter, or mounted by no host that was asked for.
        NotInScope,
        /// It is a local disk: not mounted by at least two hosts.
        NotShared,
        /// The hosts that must be able to use it are not: not mounted, read-only, or no path leads there.
        NotMountedOnHosts,
        /// It does not meet the storage policy.
        PolicyIncompatible,
        /// A tag that was asked for is not attached to it.
        TagMissing,
        /// It is not in the datastore cluster that was asked for.
        NotInDatastoreCluster,
        /// The account that creates the VMs lacks a privilege on it.
        MissingPrivilege,
        /// It carries a mark that keeps new instances away.
        DatastoreSuspended,
        /// It has an alarm of the colour that keeps new instances away.
        AlarmTriggered,
        /// Its free space, less headroom and kept room, is less than what is written at creation.
        InsufficientFreeSpace,
        /// Everything promised on it would exceed its capacity.
        OversubscriptionLimit,
        /// A disk is larger than the largest that it takes.
        DiskTooLarge,
        /// A thin disk was asked for, which it does not support.
        ProvisioningUnsupported,
        /// The image cannot be transferred to it in its format.
        DiskTypeUnsupported,
        /// It is a VVOL datastore and a disk is not a whole number of MiB.
        SizeNotMiBAligned,
        /// It is a VVOL datastore and a disk is smaller than the minimum.
        BelowMinimumSize,
        /// It is a VVOL datastore and the size of the image is not known.
        SizeUnknown,
        /// It is a VVOL datastore without an active storage array, or no host has a protocol endpoint to it.
        VvolUnavailable,
        /// Another member of the spread group is on it.
        SpreadConflict,
        /// The vCenter did not return a property that a rule needs.
        IncompleteData,
    }
}
