//! What is to become of one placement now: it looks and says, and changes nothing. No I/O.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{PlacementReason, VCenterReference};
use crate::placement::{self, Ask, Backing, Decision, Inventory, Request, Selected, Selector};
use crate::resolve::{self, Resolved, Unresolved, World};
use crate::status::{self, Change, Context, NotReady, Shown, Stance};

use super::Scheduler;
use super::input::{Key, Now};
use super::rows::{Doing, Row};
use super::vcenter::{Availability, Confirmed, VCenter};

/// What is said of a reference that leads nowhere is not said before this long: `kubectl apply -f dir/`
/// brings objects in any order.
const REFERENCE_GRACE: Duration = Duration::from_secs(2);
/// A placement that nothing was said of for this long is told why.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

/// What is to become of a placement.
pub(super) enum Verdict {
    /// Its status shows what it should.
    Settled,
    /// Nothing yet: look again at this time, or when something changes.
    Later(Duration),
    /// Its status is to change, without a promise; with the decision behind it, if there was one.
    Say(Change, Option<Box<Decision>>),
    /// A datastore was found for it.
    Place(Box<Placement>),
}

/// A decision that selected a datastore.
pub(super) struct Placement {
    pub decision: Decision,
    pub selected: Selected,
    pub context: Context,
}

/// The state of a placement for metrics: a closed set of words.
pub(super) fn state_of(row: &Row) -> &'static str {
    let reason = row.shown.as_ref().map(Shown::reason);
    match reason {
        _ if row.is_placed() => "placed",
        _ if row.suspend => "suspended",
        _ if row.ask.is_err() => "stalled",
        Some(_) => "waiting",
        None => "pending",
    }
}

impl Scheduler {
    /// What is to become of this placement, and the name of the `VCenter` that its references lead to.
    pub(super) fn evaluate(&self, key: &Key, now: Now) -> (Option<String>, Verdict) {
        let Some(row) = self.rows.get(key) else { return (None, Verdict::Settled) };
        let settings = &self.settings.watch_namespaces;
        if !settings.is_empty() && !settings.contains(&key.namespace) {
            return (None, Verdict::Settled);
        }
        if let Some(revision) = row.expired_claim(now.wall) {
            return (None, Verdict::Say(Change::ClaimExpired { revision }, None));
        }
        if row.is_placed() {
            return (None, say(row, Change::Observed { generation: row.generation }, now));
        }
        if row.deleting {
            return (None, Verdict::Settled);
        }
        if row.suspend {
            let message = "spec.suspend is true: nothing is decided until it is false".to_owned();
            return (None, say_not_ready(row, PlacementReason::Suspended, message, Stance::Neither, now));
        }
        let ask = match &row.ask {
            Ok(ask) => ask,
            Err(invalid) => {
                let message = invalid.message.clone();
                return (None, say_not_ready(row, invalid.reason, message, Stance::Stalled, now));
            }
        };
        match resolve::resolve(ask, &key.namespace, &self.world()) {
            Err(unresolved) => (None, unresolved_verdict(row, unresolved, now)),
            Ok(resolved) => {
                (Some(resolved.vcenter.to_owned()), self.evaluate_on(key, row, ask, &resolved, now))
            }
        }
    }

    /// What a placement can refer to.
    pub(super) fn world(&self) -> World<'_, VCenter> {
        World { classes: &self.classes, vcenters: &self.vcenters, namespaces: &self.namespaces }
    }

    /// Everything that is asked for, in one value.
    pub(super) fn request(
        &self,
        key: &Key,
        row: &Row,
        ask: &Ask,
        resolved: &Resolved<'_>,
        limits: &Selector,
        inventory: &Inventory,
    ) -> Request {
        let own = match &row.placed {
            Some(placed) => placed.own(),
            // One of the same name was for the same instance.
            None => self.departed.of(key).cloned(),
        };
        let members = self.spread_members(key, ask, &inventory.instance_uuid);
        Request::compile(ask, resolved.rules, limits, own).spread_from(members)
    }

    fn evaluate_on(&self, key: &Key, row: &Row, ask: &Ask, resolved: &Resolved<'_>, now: Now) -> Verdict {
        let Some(vcenter) = self.vcenters.get(resolved.vcenter) else { return Verdict::Settled };
        if let Some(other) = self.older_twin(resolved.vcenter) {
            let message = format!("VCenter {} is the same vCenter as {other}", resolved.vcenter);
            return say_not_ready(
                row,
                PlacementReason::VCenterUnavailable,
                message,
                Stance::Reconciling,
                now,
            );
        }
        match (vcenter.availability(now), &vcenter.setup) {
            (Availability::Fresh(confirmed), Ok(setup)) => {
                let request = self.request(key, row, ask, resolved, &setup.limits, &confirmed.inventory);
                self.decide(row, ask, resolved, &request, confirmed, now)
            }
            (Availability::Unread, _) => {
                // Whatever was said before is truer than that.
                let told_at = match &row.shown {
                    Some(_) => now.monotonic.saturating_add(SILENCE),
                    None => row.due_since.saturating_add(SILENCE),
                };
                let message = "which hosts mount its datastores is not read yet";
                say_unavailable(row, resolved.vcenter, message, told_at, now)
            }
            (Availability::Awaited { until }, _) => {
                let told_at = match &row.shown {
                    Some(_) => until,
                    None => row.due_since.saturating_add(SILENCE).min(until),
                };
                say_unavailable(row, resolved.vcenter, &vcenter.unavailable_message(), told_at, now)
            }
            (Availability::Unavailable { known_since }, setup) => {
                let max_age = setup.as_ref().map_or(Duration::ZERO, |setup| setup.endpoint.max_age);
                // Another reason stays until the inventory that it was found on is too old.
                let told_at = match &row.shown {
                    Some(_) => known_since.saturating_add(max_age),
                    None => row.due_since.saturating_add(REFERENCE_GRACE),
                };
                say_unavailable(row, resolved.vcenter, &vcenter.unavailable_message(), told_at, now)
            }
            (Availability::Fresh(_), Err(_)) => Verdict::Settled,
        }
    }

    fn decide(
        &self,
        row: &Row,
        ask: &Ask,
        resolved: &Resolved<'_>,
        request: &Request,
        confirmed: &Confirmed,
        now: Now,
    ) -> Verdict {
        let inventory = &confirmed.inventory;
        let decision = match placement::decide(request, inventory, &self.ledger) {
            Ok(decision) => decision,
            Err(not_found) => {
                let (reason, message) = (not_found.reason(), not_found.to_string());
                return unresolved_verdict(row, Unresolved { reason, message }, now);
            }
        };
        let context = Context {
            generation: row.generation,
            revision: row.revision,
            image: ask.image.as_ref().map(|image| image.bytes),
            class: crate::api::ClassReference {
                name: resolved.class_name.to_owned(),
                uid: resolved.class.uid.clone(),
                generation: resolved.class.generation,
            },
            vcenter: VCenterReference {
                name: resolved.vcenter.to_owned(),
                instance_uuid: inventory.instance_uuid.clone(),
            },
            inventory_version: inventory.version().to_owned(),
            inventory_time: confirmed.at.wall,
            claim_expiration: now.wall.saturating_add(resolved.rules.claim_ttl).unwrap_or(Timestamp::MAX),
        };
        match decision.selected.clone() {
            Some(selected) => Verdict::Place(Box::new(Placement { decision, selected, context })),
            None => match say(row, status::not_eligible(&decision, &context), now) {
                Verdict::Say(change, _) => Verdict::Say(change, Some(Box::new(decision))),
                settled => settled,
            },
        }
    }

    /// The volumes that other members of the placement's spread group were given: a group is one within a
    /// namespace and a vCenter.
    fn spread_members(&self, key: &Key, ask: &Ask, vcenter: &str) -> BTreeSet<Backing> {
        let Some(spread) = &ask.spread else { return BTreeSet::new() };
        let is_member = |row: &Row| {
            row.ask.as_ref().is_ok_and(|ask| ask.spread.as_ref().is_some_and(|s| s.group == spread.group))
        };
        self.rows
            .of_namespace(&key.namespace)
            .filter(|(other, row)| *other != key && is_member(row))
            .flat_map(|(other, row)| {
                [row.placed.as_ref(), self.term.get(other).and_then(|o| o.fact.as_ref())]
            })
            .flatten()
            .filter(|fact| fact.vcenter == vcenter)
            .map(|fact| fact.backing.clone())
            .collect()
    }

    /// Tells a placement that waits for the journal why nothing happens.
    pub(super) fn say_pending(&mut self, key: &Key, now: Now) {
        let Some(row) = self.rows.get(key) else { return };
        // What waited for a leader did not wait for the journal.
        let told_at = row.due_since.max(self.term.leads_since).saturating_add(SILENCE);
        if row.shown.is_some() || row.doing == Doing::Busy {
            return;
        }
        if told_at > now.monotonic {
            self.rows.set_timer(key, told_at);
            return;
        }
        let message = "a decision is due, but the journal does not answer yet".to_owned();
        if let Verdict::Say(change, _) =
            say_not_ready(row, PlacementReason::Pending, message, Stance::Reconciling, now)
        {
            self.rows.take_turn(key);
            self.say(key, change);
            // It is due as before: once this is said, it waits in the queue again.
            if let Some(row) = self.rows.get_mut(key) {
                row.dirty = true;
            }
        }
    }
}

/// The change, if the status would show something else after it.
fn say(row: &Row, change: Change, now: Now) -> Verdict {
    let change = with_deadline(row, change, now);
    if row.shown.is_some() && row.shown == Shown::after(&change) {
        Verdict::Settled
    } else {
        Verdict::Say(change, None)
    }
}

/// What has waited for longer than its spec allows is stalled, whatever it waits for.
fn with_deadline(row: &Row, change: Change, now: Now) -> Change {
    let over = row.deadline().is_some_and(|deadline| deadline <= now.wall);
    match (change, &row.ask) {
        (Change::NotReady(not_ready), Ok(ask)) if over && not_ready.stance == Stance::Reconciling => {
            let seconds = ask.progress_deadline.unwrap_or_default().as_secs();
            Change::NotReady(Box::new(status::past_deadline(*not_ready, seconds)))
        }
        (change, _) => change,
    }
}

fn say_not_ready(row: &Row, reason: PlacementReason, message: String, stance: Stance, now: Now) -> Verdict {
    say(
        row,
        Change::NotReady(Box::new(NotReady {
            generation: row.generation,
            reason,
            message,
            stance,
            decision: None,
        })),
        now,
    )
}

fn say_unavailable(row: &Row, name: &str, why: &str, told_at: Duration, now: Now) -> Verdict {
    if told_at > now.monotonic {
        return Verdict::Later(told_at);
    }
    let message = format!("VCenter {name}: {why}");
    say_not_ready(row, PlacementReason::VCenterUnavailable, message, Stance::Reconciling, now)
}

fn unresolved_verdict(row: &Row, unresolved: Unresolved, now: Now) -> Verdict {
    let Unresolved { reason, message } = unresolved;
    let told_at = row.due_since.saturating_add(REFERENCE_GRACE);
    if told_at > now.monotonic {
        return Verdict::Later(told_at);
    }
    let stance = match reason {
        PlacementReason::InvalidSpec => Stance::Stalled,
        _ => Stance::Reconciling,
    };
    say_not_ready(row, reason, message, stance, now)
}
