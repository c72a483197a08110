//! What a placement asks for, parsed without its class. No I/O.

use std::time::Duration;

use super::bytes::Bytes;
use super::demands::StorageAsk;
use super::field::{self, FieldError};
use super::pattern::Patterns;
use super::quantity::binary_spelling;
use super::scope::ScopeAsk;
use super::selector::Selector;
use super::text;
use crate::api::{self, DiskType, Provisioning, WhenUnsatisfiable};

/// The size of one virtual disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiskSize {
    /// The size, never 0.
    pub bytes: Bytes,
    /// The user's own text when it has a decimal suffix such as `10G`, for the hint that `10Gi` is more.
    pub decimal: Option<String>,
}

impl DiskSize {
    fn parse(field: &'static str, quantity: &api::Quantity) -> Result<Self, FieldError> {
        let text = &quantity.0;
        let decimal = binary_spelling(text).map(|_| text.clone());
        Ok(Self { bytes: field::size(field, quantity)?, decimal })
    }
}

/// A disk besides the root disk; it is created blank.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AdditionalDisk {
    /// Its name within the placement.
    pub name: String,
    /// Its size.
    pub size: DiskSize,
    /// How its room is taken.
    pub provisioning: Provisioning,
}

/// Membership in a group whose members are to be on different datastores.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spread {
    /// Name of the group within its namespace.
    pub group: String,
    /// What becomes of it when every eligible datastore has a member.
    pub when_unsatisfiable: WhenUnsatisfiable,
}

/// The spec of a placement, parsed. At least one of `image` and `root` is given, the root disk is not
/// smaller than the image, and all disks with the swap file together are within [`Bytes::MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The class asked for; the default one when absent.
    pub class: Option<String>,
    /// The `VCenter` asked for.
    pub vcenter: Option<String>,
    /// The image's native size.
    pub image: Option<DiskSize>,
    /// The image's format, when it was said.
    pub disk_type: Option<DiskType>,
    /// The root disk's size after growing.
    pub root: Option<DiskSize>,
    /// How the root disk's room is taken.
    pub root_provisioning: Provisioning,
    /// The other disks.
    pub additional: Vec<AdditionalDisk>,
    /// Size of the VM's swap file in bytes: its memory less what is reserved of it.
    pub swap: u64,
    /// Where the VM will run.
    pub compute: ScopeAsk,
    /// The team's conditions, to be added to those of the class.
    pub datastores: Selector,
    /// The team's further conditions, which no field of the API says yet.
    pub storage: StorageAsk,
    /// What the team would like best: name, `datacenter/name` or moRef each.
    pub preferred: Vec<String>,
    /// The group that it belongs to.
    pub spread: Option<Spread>,
    /// Which decision is asked for.
    pub revision: i64,
    /// Nothing is to be decided.
    pub suspend: bool,
    /// Unplaced for so long, it is stalled.
    pub progress_deadline: Option<Duration>,
}

/// Why a spec cannot be used until somebody edits it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Invalid {
    /// `InvalidSpec` or `RootDiskSmallerThanImage`.
    pub reason: api::PlacementReason,
    /// The field, the user's own words and what to do, in one bounded line.
    pub message: String,
}

impl Invalid {
    fn spec(message: String) -> Self {
        Self { reason: api::PlacementReason::InvalidSpec, message }
    }
}

impl From<FieldError> for Invalid {
    fn from(error: FieldError) -> Self {
        Self::spec(format!("spec.{}: {}", error.field, error.message))
    }
}

impl Ask {
    /// # Errors
    /// When a size or pattern is not usable, no size is given at all, the root disk is smaller than the
    /// image, more memory is reserved than there is, or everything together is more than any datastore.
    pub fn parse(spec: &api::InstancePlacementSpec, patterns: &mut Patterns) -> Result<Self, Invalid> {
        let image = spec.image.as_ref().map(|image| &image.virtual_size);
        let root = spec.root_disk.as_ref().and_then(|root| root.size.as_ref());
        let datastores = spec.datastores.as_ref();
        let ask = Self {
            class: spec.placement_class_name.clone(),
            vcenter: spec.vcenter_name.clone(),
            image: image.map(|size| DiskSize::parse("image.virtualSize", size)).transpose()?,
            disk_type: spec.image.as_ref().and_then(|image| image.disk_type),
            root: root.map(|size| DiskSize::parse("rootDisk.size", size)).transpose()?,
            root_provisioning: spec.root_disk.as_ref().and_then(|root| root.provisioning).unwrap_or_default(),
            additional: spec.additional_disks.iter().map(additional).collect::<Result<_, _>>()?,
            swap: spec.memory.as_ref().map_or(Ok(0), swap)?,
            compute: ScopeAsk::parse(spec.compute.as_ref()),
            datastores: Selector::parse_optional(datastores.map(|d| &d.selector), patterns)?,
            storage: StorageAsk::default(),
            preferred: datastores.map(|d| d.preferred.clone()).unwrap_or_default(),
            spread: spec.spread.as_ref().map(|spread| Spread {
                group: spread.group_name.clone(),
                when_unsatisfiable: spread.when_unsatisfiable.unwrap_or_default(),
            }),
            revision: spec.revision,
            suspend: spec.suspend,
            progress_deadline: spec
                .progress_deadline_seconds
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Duration::from_secs),
        };
        match (&ask.image, &ask.root) {
            (None, None) => Err(Invalid::spec(
                "spec: no size is given; set image.virtualSize, rootDisk.size or both".to_owned(),
            )),
            (Some(image_size), Some(root_size)) if root_size.bytes < image_size.bytes => {
                Err(root_smaller(image, image_size.bytes, root, root_size.bytes))
            }
            _ if ask.total() > u128::from(Bytes::MAX.get()) => Err(Invalid::spec(format!(
                "spec: all disks and the swap file together are {} B, more than any datastore holds",
                ask.total()
            ))),
            _ => Ok(ask),
        }
    }

    /// The root disk's size after growing. At least one of the two sizes is there.
    pub(super) fn final_root(&self) -> Bytes {
        self.root.as_ref().or(self.image.as_ref()).map_or(Bytes::MAX, |size| size.bytes)
    }

    /// Final sizes of all disks, and the swap file.
    pub(super) fn total(&self) -> u128 {
        let additional = self.additional.iter().map(|disk| u128::from(disk.size.bytes.get()));
        additional
            .fold(u128::from(self.final_root().get()), u128::saturating_add)
            .saturating_add(u128::from(self.swap))
    }
}

fn additional(spec: &api::AdditionalDiskSpec) -> Result<AdditionalDisk, FieldError> {
    let size = DiskSize::parse("additionalDisks", &spec.size).map_err(|error| FieldError {
        message: format!("size of {}: {}", text::quoted(&spec.name), error.message),
        ..error
    })?;
    let provisioning = spec.provisioning.unwrap_or_default();
    Ok(AdditionalDisk { name: spec.name.clone(), size, provisioning })
}

/// As large as the memory that is not reserved.
fn swap(memory: &api::MemorySpec) -> Result<u64, FieldError> {
    let size = field::amount("memory.size", &memory.size)?;
    let reservation = memory.reservation.as_ref();
    let reservation = reservation.map_or(Ok(0), |quantity| field::amount("memory.reservation", quantity))?;
    size.checked_sub(reservation).ok_or_else(|| FieldError {
        field: "memory.reservation",
        message: format!("{reservation} B are more than the memory of {size} B"),
    })
}

fn root_smaller(
    image: Option<&api::Quantity>,
    image_bytes: Bytes,
    root: Option<&api::Quantity>,
    root_bytes: Bytes,
) -> Invalid {
    let said = |quantity: Option<&api::Quantity>| text::quoted(quantity.map_or("", |q| &q.0));
    let (root, root_bytes) = (said(root), root_bytes.get());
    let (image, image_bytes) = (said(image), image_bytes.get());
    Invalid {
        reason: api::PlacementReason::RootDiskSmallerThanImage,
        message: format!(
            "spec.rootDisk.size {root} ({root_bytes} B) is smaller than spec.image.virtualSize {image} \
             ({image_bytes} B); a disk only grows: set rootDisk.size to {image_bytes} or more, or leave it out"
        ),
    }
}
