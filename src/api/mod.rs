//! THE CONTRACT: the three kinds of `berth.dev/v1alpha1`, their conditions and reasons. No I/O, no logic.

mod compute;
mod condition;
mod instance_placement;
mod namespaces;
mod placement_class;
mod placement_status;
mod quantity;
mod reason;
mod rules;
mod schema;
mod selector;
mod vcenter;

pub use compute::{ComputeSpec, HostAccess};
pub use condition::{Condition, ConditionStatus, ConditionType};
pub use instance_placement::{
    AdditionalDiskSpec, DiskType, ImageSpec, InstancePlacement, InstancePlacementSpec, MemorySpec,
    PlacementDatastores, Provisioning, RootDiskSpec, SpreadSpec, WhenUnsatisfiable,
};
pub use namespaces::{AllowedNamespaces, NamespacesFrom};
pub use placement_class::{
    CapacitySpec, ClaimsSpec, ImageTransfer, Oversubscription, PlacementClass, PlacementClassSpec, Sharing,
    SpaceFactor, Strategy, VvolSpec, Weight,
};
pub use placement_status::{
    Candidate, CandidateReason, Claim, ClaimState, ClassReference, ComputeStatus, Decision, DecisionSource,
    ImageSource, ImageStatus, InstancePlacementStatus, InventoryReference, Rejection, SelectedDatastore,
    VCenterReference,
};
pub use quantity::Quantity;
pub use reason::{DriftReason, PlacementReason, RejectionCode, RoomReason, VCenterReason};
pub use schema::{CrdFile, crd_files, crds, crds_yaml, is_object_name};
pub use selector::DatastoreSelector;
pub use vcenter::{DatastoreTypeCount, VCenter, VCenterSpec, VCenterStatus};

/// API group of all three kinds.
pub const GROUP: &str = "berth.dev";
/// API version of all three kinds.
pub const VERSION: &str = "v1alpha1";
/// The annotation that makes a [`PlacementClass`] the one for placements that name none.
pub const DEFAULT_CLASS_ANNOTATION: &str = "berth.dev/is-default-class";
