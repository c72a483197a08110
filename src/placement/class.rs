//! A placement class, parsed. No I/O.

use super::bytes::{Bytes, MIB, next_whole_mib};
use super::pattern::Patterns;
use super::selector::{FieldError, Selector};
use super::text;
use crate::api;

/// The policy of a class, parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClassRules {
    /// The `VCenter` of the class.
    pub vcenter: Option<String>,
    /// Conditions that every placement of the class is held to.
    pub datastores: Selector,
    /// Percentage of a datastore's capacity that stays free, 0 to 100.
    pub headroom_percent: u32,
    /// Bytes that stay free; the larger of the two counts.
    pub headroom: u64,
    /// The smallest disk that VVOL datastores take, whole MiB.
    pub minimum_vvol_disk: Bytes,
}

impl Default for ClassRules {
    /// The class without any field: no conditions, no headroom, disks of 1 MiB and more.
    fn default() -> Self {
        Self {
            vcenter: None,
            datastores: Selector::default(),
            headroom_percent: 0,
            headroom: 0,
            minimum_vvol_disk: Bytes::ONE_MIB,
        }
    }
}

impl ClassRules {
    /// # Errors
    /// When a pattern or amount is not usable, the percentage is outside 0 to 100, or the smallest VVOL
    /// disk is not whole MiB.
    pub fn parse(spec: &api::PlacementClassSpec, patterns: &mut Patterns) -> Result<Self, FieldError> {
        let capacity = spec.capacity.clone().unwrap_or_default();
        let vvol = spec.vvol.clone().unwrap_or_default();
        Ok(Self {
            vcenter: spec.vcenter_name.clone(),
            datastores: Selector::parse_optional(spec.datastores.as_ref(), patterns)?,
            headroom_percent: capacity.headroom_percent.map_or(Ok(0), percentage)?,
            headroom: capacity.headroom.as_ref().map_or(Ok(0), headroom)?,
            minimum_vvol_disk: vvol.minimum_disk_size.as_ref().map_or(Ok(Bytes::ONE_MIB), minimum)?,
        })
    }
}

fn percentage(percent: i32) -> Result<u32, FieldError> {
    u32::try_from(percent).ok().filter(|percent| *percent <= 100).ok_or_else(|| FieldError {
        field: "capacity.headroomPercent",
        message: format!("{percent} is not between 0 and 100"),
    })
}

fn headroom(quantity: &api::Quantity) -> Result<u64, FieldError> {
    Bytes::parse_amount(&quantity.0).map(Bytes::get).map_err(|error| FieldError {
        field: "capacity.headroom",
        message: format!("{} {error}", text::quoted(&quantity.0)),
    })
}

fn minimum(quantity: &api::Quantity) -> Result<Bytes, FieldError> {
    let field = "vvol.minimumDiskSize";
    let said = text::quoted(&quantity.0);
    let bytes = Bytes::parse(&quantity.0)
        .map_err(|error| FieldError { field, message: format!("{said} {error}") })?;
    if bytes.get().is_multiple_of(MIB) {
        return Ok(bytes);
    }
    let advice = next_whole_mib(bytes, Bytes::ONE_MIB)
        .map_or_else(String::new, |next| format!("; the next one is {}", next.get()));
    Err(FieldError { field, message: format!("{said} is not a whole number of MiB{advice}") })
}
