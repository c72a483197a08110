//! What is to become of one placement now: it looks and says, and changes nothing. No I/O.

use std::time::Duration;

use crate::api::{PlacementReason, VCenterReference};
use crate::placement::{self, Ask, Decision, Request, Selected};
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
        if row.is_placed() {
            return (None, say(row, Change::Observed { generation: row.generation }));
        }
        if row.suspend {
            let message = "spec.suspend is true: nothing is decided until it is false".to_owned();
            return (None, say_not_ready(row, PlacementReason::Suspended, message, Stance::Neither));
        }
        let ask = match &row.ask {
            Ok(ask) => ask,
            Err(invalid) => {
                let message = invalid.message.clone();
                return (None, say_not_ready(row, invalid.reason, message, Stance::Stalled));
            }
        };
        let world = World { classes: &self.classes, vcenters: &self.vcenters, namespaces: &self.namespaces };
        match resolve::resolve(ask, &key.namespace, &world) {
            Err(unresolved) => (None, unresolved_verdict(row, unresolved, now)),
            Ok(resolved) => (Some(resolved.vcenter.to_owned()), self.evaluate_on(row, ask, &resolved, now)),
        }
    }

    fn evaluate_on(&self, row: &Row, ask: &Ask, resolved: &Resolved<'_>, now: Now) -> Verdict {
        let Some(vcenter) = self.vcenters.get(resolved.vcenter) else { return Verdict::Settled };
        if let Some(other) = self.older_twin(resolved.vcenter) {
            let message = format!("VCenter {} is the same vCenter as {other}", resolved.vcenter);
            return say_not_ready(row, PlacementReason::VCenterUnavailable, message, Stance::Reconciling);
        }
        match (vcenter.availability(now), &vcenter.setup) {
            (Availability::Fresh(confirmed), Ok(setup)) => {
                let own = row.placed.as_ref().and_then(|placed| placed.own.clone());
                let request = Request::compile(ask, resolved.rules, &setup.limits, own);
                self.decide(row, ask, resolved, &request, confirmed)
            }
            (Availability::Awaited { until }, _) => {
                let told_at = match &row.shown {
                    Some(_) => until,
                    None => row.due_since.saturating_add(SILENCE).min(until),
                };
                say_unavailable(row, resolved.vcenter, vcenter, told_at, now)
            }
            (Availability::Unavailable { known_since }, setup) => {
                let max_age = setup.as_ref().map_or(Duration::ZERO, |setup| setup.endpoint.max_age);
                // Another reason stays until the inventory that it was found on is too old.
                let told_at = match &row.shown {
                    Some(_) => known_since.saturating_add(max_age),
                    None => row.due_since.saturating_add(REFERENCE_GRACE),
                };
                say_unavailable(row, resolved.vcenter, vcenter, told_at, now)
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
    ) -> Verdict {
        let inventory = &confirmed.inventory;
        let decision = placement::decide(request, inventory, &self.ledger);
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
        };
        match decision.selected.clone() {
            Some(selected) => Verdict::Place(Box::new(Placement { decision, selected, context })),
            None => match say(row, status::not_eligible(&decision, &context)) {
                Verdict::Say(change, _) => Verdict::Say(change, Some(Box::new(decision))),
                settled => settled,
            },
        }
    }

    /// Tells a placement that waits for the journal why nothing happens.
    pub(super) fn say_pending(&mut self, key: &Key, now: Now) {
        let Some(row) = self.rows.get(key) else { return };
        let told_at = row.due_since.saturating_add(SILENCE);
        if row.shown.is_some() || row.doing == Doing::Busy {
            return;
        }
        if told_at > now.monotonic {
            self.rows.set_timer(key, told_at);
            return;
        }
        let message = "a decision is due, but the journal does not answer yet".to_owned();
        if let Verdict::Say(change, _) =
            say_not_ready(row, PlacementReason::Pending, message, Stance::Reconciling)
        {
            self.rows.take_turn(key);
            self.say(key, change);
        }
    }
}

/// The change, if the status would show something else after it.
fn say(row: &Row, change: Change) -> Verdict {
    if row.shown.as_ref() == Some(&Shown::after(&change)) {
        Verdict::Settled
    } else {
        Verdict::Say(change, None)
    }
}

fn say_not_ready(row: &Row, reason: PlacementReason, message: String, stance: Stance) -> Verdict {
    say(
        row,
        Change::NotReady(Box::new(NotReady {
            generation: row.generation,
            reason,
            message,
            stance,
            decision: None,
        })),
    )
}

fn say_unavailable(row: &Row, name: &str, vcenter: &VCenter, told_at: Duration, now: Now) -> Verdict {
    if told_at > now.monotonic {
        return Verdict::Later(told_at);
    }
    let message = format!("VCenter {name}: {}", vcenter.unavailable_message());
    say_not_ready(row, PlacementReason::VCenterUnavailable, message, Stance::Reconciling)
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
    say_not_ready(row, reason, message, stance)
}
