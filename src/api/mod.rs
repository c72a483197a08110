//! THE CONTRACT: the three kinds of `berth.dev/v1alpha1`, their conditions and reasons. No I/O, no logic.

mod condition;
mod instance_placement;
mod placement_class;
mod quantity;
mod reason;
mod rules;
mod schema;
mod selector;
mod vcenter;

pub use condition::{Condition, ConditionStatus, ConditionType};
pub use instance_placement::{
    Candidate, CandidateReason, Claim, ClaimState, ClassReference, Decision, DecisionSource, ImageSource,
    ImageSpec, ImageStatus, InstancePlacement, InstancePlacementSpec, InstancePlacementStatus,
    InventoryReference, Rejection, RootDiskSpec, SelectedDatastore, VCenterReference,
};
pub use placement_class::{CapacitySpec, PlacementClass, PlacementClassSpec, VvolSpec};
pub use quantity::Quantity;
pub use reason::{PlacementReason, RejectionCode, VCenterReason};
pub use schema::{CrdFile, crd_files, crds, crds_yaml};
pub use selector::DatastoreSelector;
pub use vcenter::{
    AllowedNamespaces, DatastoreTypeCount, NamespacesFrom, VCenter, VCenterSpec, VCenterStatus,
};

/// API group of all three kinds.
pub const GROUP: &str = "berth.dev";
/// API version of all three kinds.
pub const VERSION: &str = "v1alpha1";
/// The annotation that makes a [`PlacementClass`] the one for placements that name none.
pub const DEFAULT_CLASS_ANNOTATION: &str = "berth.dev/is-default-class";
