//! Room on one datastore, in bytes: what there is, what is promised, what is asked. No I/O.
//!
//! Sums and products are of 128 bits and saturate; every figure that enters has 64.

use std::cmp::Ordering;

use super::bytes::{Bytes, Unit};
use super::inventory::Datastore;
use super::ledger::{Claim, Kept, Usage};
use super::request::Request;
use super::selector::lists;

/// vSAN reports raw space, and its default policy keeps two copies of every byte.
const VSAN_SPACE_PERCENT: u32 = 200;
/// What a byte costs everywhere else.
const PLAIN_SPACE_PERCENT: u32 = 100;
const PERCENT: u64 = 100;

/// Everything that the space rules and the rank need to know of one datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// At most `i64::MAX`, as in vCenter's own type.
    capacity: u64,
    /// At most the capacity: vCenter does report more.
    free: u64,
    headroom: u128,
    /// What may be promised, in percent of the capacity; none: no limit.
    limit: Option<u32>,
    /// None when vCenter did not return it; it then counts as 0.
    uncommitted: Option<u64>,
    kept: Kept,
    need: Need,
}

/// What a placement needs on one datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// What a byte costs on its type, in percent.
    factor: u32,
    requested: Bytes,
    needed_now: Bytes,
    /// What of it the instance has there already.
    usage: Usage,
}

/// Why there is no [`Room`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// vCenter does not guarantee the figures of a datastore that it cannot reach.
    Meaningless,
    /// vCenter did not return a figure, or the type that says what a byte costs.
    Unknown,
}

impl Room {
    /// `kept` is what others were promised on the same backing.
    pub(super) fn of(
        request: &Request,
        datastore: &Datastore,
        kept: Kept,
        need: Need,
    ) -> Result<Self, NoRoom> {
        if datastore.accessible != Some(true) {
            return Err(NoRoom::Meaningless);
        }
        let (Some(_), Some(capacity), Some(free)) = (&datastore.kind, datastore.capacity, datastore.free)
        else {
            return Err(NoRoom::Unknown);
        };
        let capacity = capacity.min(Bytes::MAX.get());
        Ok(Self {
            capacity,
            free: free.min(capacity),
            headroom: percent_of(capacity, request.headroom_percent).max(u128::from(request.headroom)),
            limit: request.oversubscription,
            uncommitted: datastore.uncommitted,
            kept,
            need,
        })
    }

    /// `InsufficientFreeSpace`: as in Cinder, which knows no claims.
    pub(super) fn is_insufficient(&self) -> bool {
        self.usable().is_none_or(|usable| usable < self.need.growth_now())
    }

    /// `OversubscriptionLimit`: what is used, promised and asked is more than the limit, as in SAP's forks of
    /// Nova and Cinder.
    pub(super) fn is_oversubscribed(&self) -> bool {
        self.promisable().is_some_and(|most| self.promised() > most)
    }

    /// What may be promised in all, rounded down.
    fn promisable(&self) -> Option<u128> {
        let limit = self.limit?;
        let (whole, rest) = (self.capacity / PERCENT, self.capacity % PERCENT);
        let rest = rest.saturating_mul(u64::from(limit)) / PERCENT;
        Some(u128::from(whole).saturating_mul(u128::from(limit)).saturating_add(u128::from(rest)))
    }

    /// What is used and claimed, of how much: `LeastUtilized` ranks by it.
    pub(super) fn utilization(&self) -> Fraction {
        Fraction { part: self.used().saturating_add(self.kept.immediate), whole: self.capacity }
    }

    /// How many bytes of disks can still be written here, rounded down: `MostFree` ranks by it.
    pub(super) fn writable(&self) -> u128 {
        let usable = self.usable().unwrap_or(0);
        if self.need.factor == PLAIN_SPACE_PERCENT {
            return usable;
        }
        usable.saturating_mul(u128::from(PERCENT)).checked_div(u128::from(self.need.factor)).unwrap_or(0)
    }

    /// Free bytes without headroom and claims. None when these are more than is free.
    fn usable(&self) -> Option<u128> {
        u128::from(self.free).checked_sub(self.headroom.saturating_add(self.kept.immediate))
    }

    fn used(&self) -> u128 {
        u128::from(self.capacity.saturating_sub(self.free))
    }

    fn promised(&self) -> u128 {
        self.used()
            .saturating_add(u128::from(self.uncommitted.unwrap_or(0)))
            .saturating_add(self.kept.bytes)
            .saturating_add(self.need.growth())
    }

    /// `needs 100.0 GiB, has 73.2 GiB: 120.0 free - 12.0 headroom - 34.8 claimed`.
    pub(super) fn say_insufficient(&self) -> String {
        let (need, has) = (self.need.growth_now(), self.usable().unwrap_or(0));
        let unit = telling_unit(need, has);
        let figure = |bytes| unit.figure(bytes);
        format!(
            "needs {} {unit}{}, has {} {unit}: {} free - {} headroom - {} claimed",
            figure(need),
            self.need.say_growth_now(unit),
            figure(has),
            figure(u128::from(self.free)),
            figure(self.headroom),
            figure(self.kept.immediate),
        )
    }

    /// `would promise 1100.0 GiB of 1024.0 GiB: 500.0 used + 300.0 uncommitted + ...`.
    pub(super) fn say_oversubscribed(&self) -> String {
        let most = self.promisable().unwrap_or(u128::MAX);
        let unit = telling_unit(most, self.promised());
        let figure = |bytes| unit.figure(bytes);
        let uncommitted = self.uncommitted.map_or_else(
            || "0 uncommitted (not reported)".to_owned(),
            |bytes| format!("{} uncommitted", figure(u128::from(bytes))),
        );
        format!(
            "would promise {} {unit} of {} {unit}{}: {} used + {uncommitted} + {} claimed + {} requested{}",
            figure(self.promised()),
            figure(most),
            self.say_limit(unit),
            figure(self.used()),
            figure(self.kept.bytes),
            figure(self.need.growth()),
            self.need.say_growth(unit),
        )
    }

    fn say_limit(&self, unit: Unit) -> String {
        match self.limit {
            Some(limit) if u64::from(limit) != PERCENT => {
                format!(" ({} x {limit} %)", unit.figure(u128::from(self.capacity)))
            }
            _ => String::new(),
        }
    }
}

impl Need {
    pub(super) fn of(request: &Request, kind: &str, usage: Usage) -> Self {
        Self {
            factor: space_percent(request, kind),
            requested: request.requested,
            needed_now: request.needed_now,
            usage,
        }
    }

    /// What the placement is promised: what its instance will still use.
    pub(super) fn claim(&self) -> Claim {
        Claim { bytes: Bytes::saturating(self.growth()), immediate: Bytes::saturating(self.growth_now()) }
    }

    /// What is requested, less what the instance has already.
    fn growth(&self) -> u128 {
        self.cost(self.requested).saturating_sub(self.usage.total())
    }

    /// What is written at creation, less what the instance has written.
    fn growth_now(&self) -> u128 {
        self.cost(self.needed_now).saturating_sub(u128::from(self.usage.committed))
    }

    fn cost(&self, size: Bytes) -> u128 {
        percent_of(size.get(), self.factor)
    }

    fn say_growth(&self, unit: Unit) -> String {
        self.say(unit, self.requested, self.usage.total())
    }

    fn say_growth_now(&self, unit: Unit) -> String {
        self.say(unit, self.needed_now, u128::from(self.usage.committed))
    }

    /// ` (50.0 x 200 % - 12.0 in use)`, as far as there is something to say.
    fn say(&self, unit: Unit, size: Bytes, in_use: u128) -> String {
        let size = unit.figure(u128::from(size.get()));
        match (self.factor, in_use) {
            (PLAIN_SPACE_PERCENT, 0) => String::new(),
            (factor, 0) => format!(" ({size} x {factor} %)"),
            (PLAIN_SPACE_PERCENT, in_use) => format!(" ({size} - {} in use)", unit.figure(in_use)),
            (factor, in_use) => format!(" ({size} x {factor} % - {} in use)", unit.figure(in_use)),
        }
    }
}

/// What a byte costs on a type, in percent.
fn space_percent(request: &Request, kind: &str) -> u32 {
    let said = request.space_factors.iter().find(|(types, _)| lists(types, kind));
    match said {
        Some((_, percent)) => *percent,
        None if kind.eq_ignore_ascii_case("vsan") => VSAN_SPACE_PERCENT,
        None => PLAIN_SPACE_PERCENT,
    }
}

/// A part of a whole, ordered by its value without rounding. A part of nothing comes after every other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fraction {
    part: u128,
    whole: u64,
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        let split = |fraction: &Self| {
            let whole = u128::from(fraction.whole);
            Some((fraction.part.checked_div(whole)?, fraction.part.checked_rem(whole)?))
        };
        match (split(self), split(other)) {
            // Each rest is below its whole, so that the products are below 2^128.
            (Some((a, rest_a)), Some((b, rest_b))) => a.cmp(&b).then_with(|| {
                let crossed = |rest: u128, whole: u64| rest.saturating_mul(u128::from(whole));
                crossed(rest_a, other.whole).cmp(&crossed(rest_b, self.whole))
            }),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}

/// The unit of the first figure, or bytes when the two would look the same in it.
fn telling_unit(a: u128, b: u128) -> Unit {
    let unit = Unit::of(a);
    if unit.figure(a) == unit.figure(b) { Unit::B } else { unit }
}

/// `bytes` x `percent` / 100, rounded up. Hundreds and the rest apart, so that it takes divisions of 64 bits
/// only: those of 128 bits were most of the time of a decision.
fn percent_of(bytes: u64, percent: u32) -> u128 {
    if percent == PLAIN_SPACE_PERCENT {
        return u128::from(bytes);
    }
    let rest = u128::from((bytes % PERCENT).saturating_mul(u64::from(percent)).div_ceil(PERCENT));
    u128::from(bytes / PERCENT).saturating_mul(u128::from(percent)).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_its_value() {
        let of = |part, whole| Fraction { part, whole };
        assert_eq!(of(1, 2), of(2, 4));
        assert_ne!(of(1, 2), of(2, 3));
        assert_eq!(of(1, 0), of(2, 0), "parts of nothing");
    }
}
