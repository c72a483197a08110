//! A placement class, parsed. No I/O.

use std::time::Duration;

use super::bytes::{Bytes, MIB, next_whole_mib};
use super::demands::StorageAsk;
use super::field::{self, FieldError};
use super::pattern::{Pattern, Patterns};
use super::scope::ScopeAsk;
use super::selector::{Selector, parse_type};
use crate::api::{self, ImageTransfer, Oversubscription, Sharing, Strategy};

/// What may be promised of a datastore's capacity unless the class says otherwise, in percent.
const DEFAULT_OVERSUBSCRIPTION: u32 = 100;
/// For how long room is kept for an instance that does not appear, unless the class says otherwise.
const DEFAULT_CLAIM_TTL: Duration = Duration::from_hours(24);

/// The policy of a class, parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClassRules {
    /// The `VCenter` of the class.
    pub vcenter: Option<String>,
    /// Where VMs run.
    pub compute: ScopeAsk,
    /// Conditions that every placement of the class is held to.
    pub datastores: Selector,
    /// Further conditions, which no field of the API says yet.
    pub storage: StorageAsk,
    /// Whether local disks are left out.
    pub sharing: Sharing,
    /// Which of several eligible datastores is best.
    pub strategy: Strategy,
    /// The weight of the first pattern that matches counts; else 0.
    pub weights: Vec<(Pattern, i32)>,
    /// Percentage of a datastore's capacity that stays free, 0 to 100.
    pub headroom_percent: u32,
    /// Bytes that stay free; the larger of the two counts.
    pub headroom: u64,
    /// Percentage of a datastore's capacity that may be promised; none: no limit.
    pub oversubscription: Option<u32>,
    /// Types in lower case, and what a byte costs on them in percent. The first entry with the type counts.
    pub space_factors: Vec<(Vec<String>, u32)>,
    /// Bytes for every instance besides its disks and swap.
    pub per_instance: u64,
    /// The smallest disk that VVOL datastores take, whole MiB.
    pub minimum_vvol_disk: Bytes,
    /// How images come to a datastore.
    pub image_transfer: ImageTransfer,
    /// For how long room is kept for an instance that does not appear.
    pub claim_ttl: Duration,
}

impl Default for ClassRules {
    /// The class without any field.
    fn default() -> Self {
        Self {
            vcenter: None,
            compute: ScopeAsk::default(),
            datastores: Selector::default(),
            storage: StorageAsk::default(),
            sharing: Sharing::default(),
            strategy: Strategy::default(),
            weights: Vec::new(),
            headroom_percent: 0,
            headroom: 0,
            oversubscription: Some(DEFAULT_OVERSUBSCRIPTION),
            space_factors: Vec::new(),
            per_instance: 0,
            minimum_vvol_disk: Bytes::ONE_MIB,
            image_transfer: ImageTransfer::default(),
            claim_ttl: DEFAULT_CLAIM_TTL,
        }
    }
}

impl ClassRules {
    /// # Errors
    /// When a pattern, type or amount is not usable, a percentage or time is out of bounds, or the smallest
    /// VVOL disk is not whole MiB. The API server refuses most of it already, but an object can be older.
    pub fn parse(spec: &api::PlacementClassSpec, patterns: &mut Patterns) -> Result<Self, FieldError> {
        let capacity = spec.capacity.clone().unwrap_or_default();
        let vvol = spec.vvol.clone().unwrap_or_default();
        let weights = spec.weights.iter().map(|weight| {
            let pattern = patterns.intern(&weight.name_pattern);
            let pattern = pattern.map_err(|why| FieldError::about("weights", &weight.name_pattern, why))?;
            Ok((pattern, weight.weight))
        });
        Ok(Self {
            vcenter: spec.vcenter_name.clone(),
            compute: ScopeAsk::parse(spec.compute.as_ref()),
            weights: weights.collect::<Result<_, _>>()?,
            datastores: Selector::parse_optional(spec.datastores.as_ref(), patterns)?,
            storage: StorageAsk::default(),
            sharing: spec.sharing.unwrap_or_default(),
            strategy: spec.strategy.unwrap_or_default(),
            headroom_percent: capacity
                .headroom_percent
                .map_or(Ok(0), |percent| between("capacity.headroomPercent", percent, 0, 100))?,
            headroom: amount("capacity.headroom", capacity.headroom.as_ref())?,
            oversubscription: oversubscription(&capacity)?,
            space_factors: capacity.space_factors.iter().map(space_factor).collect::<Result<_, _>>()?,
            per_instance: amount("capacity.perInstance", capacity.per_instance.as_ref())?,
            minimum_vvol_disk: vvol.minimum_disk_size.as_ref().map_or(Ok(Bytes::ONE_MIB), minimum)?,
            image_transfer: spec.image_transfer.unwrap_or_default(),
            claim_ttl: claim_ttl(spec.claims.as_ref())?,
        })
    }
}

fn between(field: &'static str, number: i32, least: u32, most: u32) -> Result<u32, FieldError> {
    u32::try_from(number)
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| FieldError { field, message: format!("{number} is not between {least} and {most}") })
}

fn amount(field: &'static str, quantity: Option<&api::Quantity>) -> Result<u64, FieldError> {
    quantity.map_or(Ok(0), |quantity| field::amount(field, quantity))
}

fn oversubscription(capacity: &api::CapacitySpec) -> Result<Option<u32>, FieldError> {
    let percent = capacity.max_oversubscription_percent.map_or(Ok(DEFAULT_OVERSUBSCRIPTION), |percent| {
        between("capacity.maxOversubscriptionPercent", percent, 1, 10_000)
    })?;
    Ok(match capacity.oversubscription.unwrap_or_default() {
        Oversubscription::Limited => Some(percent),
        Oversubscription::Unlimited => None,
    })
}

fn space_factor(factor: &api::SpaceFactor) -> Result<(Vec<String>, u32), FieldError> {
    let field = "capacity.spaceFactors";
    let types = factor.types.iter().map(|kind| parse_type(field, kind)).collect::<Result<_, _>>()?;
    Ok((types, between(field, factor.percent, 1, 1000)?))
}

fn claim_ttl(claims: Option<&api::ClaimsSpec>) -> Result<Duration, FieldError> {
    let Some(seconds) = claims.and_then(|claims| claims.ttl_seconds) else { return Ok(DEFAULT_CLAIM_TTL) };
    between("claims.ttlSeconds", seconds, 1, 31_536_000).map(|seconds| Duration::from_secs(seconds.into()))
}

fn minimum(quantity: &api::Quantity) -> Result<Bytes, FieldError> {
    let field = "vvol.minimumDiskSize";
    let bytes = field::size(field, quantity)?;
    if bytes.get().is_multiple_of(MIB) {
        return Ok(bytes);
    }
    let advice = next_whole_mib(bytes, Bytes::ONE_MIB)
        .map_or_else(String::new, |next| format!("; the next one is {}", next.get()));
    Err(FieldError::about(field, &quantity.0, format!("is not a whole number of MiB{advice}")))
}
