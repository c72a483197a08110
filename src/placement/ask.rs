//! What a placement asks for, parsed without its class. No I/O.

use super::bytes::Bytes;
use super::pattern::Patterns;
use super::quantity::binary_spelling;
use super::selector::{FieldError, Selector};
use super::text;
use crate::api;

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
        let bytes = Bytes::parse(text)
            .map_err(|error| FieldError { field, message: format!("{} {error}", text::quoted(text)) })?;
        Ok(Self { bytes, decimal: binary_spelling(text).map(|_| text.clone()) })
    }
}

/// The spec of a placement, parsed. At least one of `image` and `root` is given, and the root disk is not
/// smaller than the image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The class asked for; the default one when absent.
    pub class: Option<String>,
    /// The `VCenter` asked for.
    pub vcenter: Option<String>,
    /// The image's native size.
    pub image: Option<DiskSize>,
    /// The root disk's size after growing.
    pub root: Option<DiskSize>,
    /// The team's conditions, to be added to those of the class.
    pub datastores: Selector,
    /// Which decision is asked for.
    pub revision: i64,
    /// Nothing is to be decided.
    pub suspend: bool,
}

/// Why a spec cannot be used until somebody edits it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Invalid {
    /// `InvalidSpec` or `RootDiskSmallerThanImage`.
    pub reason: api::PlacementReason,
    /// The field, the user's own words and what to do, in one bounded line.
    pub message: String,
}

impl From<FieldError> for Invalid {
    fn from(error: FieldError) -> Self {
        let message = format!("spec.{}: {}", error.field, error.message);
        Self { reason: api::PlacementReason::InvalidSpec, message }
    }
}

impl Ask {
    /// # Errors
    /// When a size or pattern is not usable, no size is given at all, or the root disk is smaller than the
    /// image.
    pub fn parse(spec: &api::InstancePlacementSpec, patterns: &mut Patterns) -> Result<Self, Invalid> {
        let image = spec.image.as_ref().map(|image| &image.virtual_size);
        let root = spec.root_disk.as_ref().map(|root| &root.size);
        let ask = Self {
            class: spec.placement_class_name.clone(),
            vcenter: spec.vcenter_name.clone(),
            image: image.map(|size| DiskSize::parse("image.virtualSize", size)).transpose()?,
            root: root.map(|size| DiskSize::parse("rootDisk.size", size)).transpose()?,
            datastores: Selector::parse_optional(spec.datastores.as_ref(), patterns)?,
            revision: spec.revision,
            suspend: spec.suspend,
        };
        match (&ask.image, &ask.root) {
            (None, None) => Err(Invalid {
                reason: api::PlacementReason::InvalidSpec,
                message: "spec: no size is given; set image.virtualSize, rootDisk.size or both".to_owned(),
            }),
            (Some(image_size), Some(root_size)) if root_size.bytes < image_size.bytes => {
                Err(root_smaller(image, image_size.bytes, root, root_size.bytes))
            }
            _ => Ok(ask),
        }
    }
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
