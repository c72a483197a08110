//! Logging in to a vCenter: when to try, with what, and what became of it. No I/O.

use std::sync::Arc;
use std::time::Duration;

use crate::api::VCenterReason;
use crate::placement::Inventory;

use super::super::action::Action;
use super::super::backoff::doubled;
use super::super::input::{Attempt, ConnectionFailure, ConnectionNews, Now, SeenSecret};
use super::{Availability, Confirmed, Identity, Up, VCenter};

/// Five refused logins lock an SSO account for everyone who uses it, and the count is forgotten after
/// three minutes.
const REFUSED_LOGIN_WAIT: Duration = Duration::from_mins(3);
/// What an administrator has to change is not worth asking for more often.
const ADMIN_WAIT: Duration = Duration::from_mins(1);

impl VCenter {
    /// Forgets a connection that nobody wants any more.
    pub fn drop_connections(&mut self, name: &str, actions: &mut Vec<Action>) {
        let up = self.up.take().map(|up| up.attempt);
        for attempt in up.into_iter().chain(self.trying.take().map(|(attempt, _)| attempt)) {
            actions.push(Action::Disconnect { vcenter: name.to_owned(), attempt });
        }
    }

    /// Connects when there is a reason to, and it is time. `next_attempt` names the connection.
    pub fn tend(
        &mut self,
        name: &str,
        secret: Option<&SeenSecret>,
        now: Now,
        next_attempt: &mut u64,
        actions: &mut Vec<Action>,
    ) {
        let setup = match &self.setup {
            Ok(setup) => setup,
            Err(message) => {
                self.failure = Some((VCenterReason::InvalidSpec, message.clone()));
                self.confirmed = None;
                self.drop_connections(name, actions);
                return;
            }
        };
        let secret = match secret {
            Some(secret) if secret.missing_keys.is_empty() => secret,
            _ if self.up.is_some() => return,
            found => {
                let lack =
                    found.map_or_else(String::new, |s| format!(" with {}", s.missing_keys.join(" and ")));
                let message = format!("there is no Secret {}{lack} in Berth's namespace", setup.secret);
                self.failure = Some((VCenterReason::SecretNotFound, message));
                self.drop_connections(name, actions);
                return;
            }
        };
        let latest = match (&self.trying, &self.up) {
            (Some((_, identity)), _) => Some(identity),
            (None, up) => up.as_ref().map(|up| &up.identity),
        };
        if latest.is_some_and(|identity| identity.is(setup, &secret.resource_version)) {
            return;
        }
        let identity = Identity {
            endpoint: setup.endpoint.clone(),
            secret: setup.secret.clone(),
            secret_version: secret.resource_version.clone(),
        };
        let wanted = Some(&identity);
        if self.last_tried.as_ref() != wanted {
            if self.last_tried.is_none() {
                self.remember_refusal(&identity, now);
            } else {
                self.next_try = now.monotonic;
                self.failures = 0;
            }
        }
        if now.monotonic < self.next_try {
            return;
        }
        if let Some((attempt, _)) = self.trying.take() {
            actions.push(Action::Disconnect { vcenter: name.to_owned(), attempt });
        }
        // Another address or CA is another vCenter until proved otherwise; new credentials are not.
        if self.up.as_ref().is_some_and(|up| up.identity.endpoint != identity.endpoint) {
            self.drop_connections(name, actions);
            self.confirmed = None;
        }
        *next_attempt = next_attempt.saturating_add(1);
        let attempt = Attempt(*next_attempt);
        actions.push(Action::TryLogin {
            vcenter: name.to_owned(),
            attempt,
            endpoint: identity.endpoint.clone(),
            secret: identity.secret.clone(),
            secret_version: identity.secret_version.clone(),
        });
        self.last_tried = Some(identity.clone());
        self.trying = Some((attempt, identity));
    }

    /// An earlier process was refused with this version of the Secret: the wait goes on.
    fn remember_refusal(&mut self, identity: &Identity, now: Now) {
        let ready = self.status.conditions.iter().find(|c| c.type_ == "Ready");
        let refused = ready.filter(|c| c.reason == VCenterReason::InvalidCredentials.as_str());
        let Some(condition) = refused else { return };
        if self.status.credentials_version.as_ref() != Some(&identity.secret_version) {
            return;
        }
        let since = now.wall.duration_since(condition.last_transition_time).unsigned_abs();
        if let Some(rest) = REFUSED_LOGIN_WAIT.checked_sub(since) {
            self.next_try = now.monotonic.saturating_add(rest);
            self.failure = Some((VCenterReason::InvalidCredentials, condition.message.clone()));
            self.last_tried = Some(identity.clone());
        }
    }

    /// Takes what a connection says. Returns whether placements should look again.
    pub fn news(
        &mut self,
        name: &str,
        attempt: Attempt,
        news: ConnectionNews,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> bool {
        match news {
            ConnectionNews::Connected { version, instance_uuid } => {
                let Some((_, identity)) = self.trying.take_if(|(trying, _)| *trying == attempt) else {
                    return false;
                };
                if let Some(old) = self.up.take() {
                    actions.push(Action::Disconnect { vcenter: name.to_owned(), attempt: old.attempt });
                }
                self.up = Some(Up { attempt, identity, proved: false });
                if self.instance_uuid.as_ref().is_some_and(|known| *known != instance_uuid) {
                    self.confirmed = None;
                }
                self.instance_uuid = Some(instance_uuid);
                self.version = Some(version);
                false
            }
            ConnectionNews::Inventory { inventory, age } => {
                let known = self.confirmed.as_ref().is_some_and(|c| c.inventory == inventory);
                self.answered(attempt, now, age, Some(inventory)) || !known
            }
            ConnectionNews::Confirmed { age } => self.answered(attempt, now, age, None),
            ConnectionNews::Ended { failure, message } => self.ended(attempt, failure, message, now),
        }
    }

    /// A complete answer came. Returns whether there was none to decide on just before.
    fn answered(
        &mut self,
        attempt: Attempt,
        now: Now,
        age: Duration,
        inventory: Option<Arc<Inventory>>,
    ) -> bool {
        let Some(up) = self.up.as_mut().filter(|up| up.attempt == attempt) else { return false };
        up.proved = true;
        // Newer credentials that were refused stay refused, whatever the older session still gives.
        if self.last_tried.as_ref() == Some(&up.identity) {
            self.failures = 0;
            self.failure = None;
        }
        let was_fresh = matches!(self.availability(now), Availability::Fresh(_));
        let at = now.before(age);
        match (inventory, &mut self.confirmed) {
            (Some(inventory), confirmed) => *confirmed = Some(Confirmed { inventory, at }),
            (None, Some(confirmed)) => confirmed.at = at,
            (None, None) => {}
        }
        !was_fresh
    }

    fn ended(&mut self, attempt: Attempt, failure: ConnectionFailure, message: String, now: Now) -> bool {
        if let Some(up) = self.up.take_if(|up| up.attempt == attempt) {
            if up.proved {
                // What was fine a moment ago is tried again before anybody is told.
                self.next_try = now.monotonic;
                return false;
            }
        } else if self.trying.take_if(|(trying, _)| *trying == attempt).is_none() {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        let (reason, wait) = match failure {
            ConnectionFailure::Unavailable | ConnectionFailure::SessionLost => {
                (VCenterReason::ConnectionFailed, doubled(Duration::from_secs(1), self.failures, ADMIN_WAIT))
            }
            ConnectionFailure::InvalidCredentials => (
                VCenterReason::InvalidCredentials,
                doubled(REFUSED_LOGIN_WAIT, self.failures, REFUSED_LOGIN_WAIT.saturating_mul(10)),
            ),
            ConnectionFailure::CertificateInvalid => (VCenterReason::CertificateInvalid, ADMIN_WAIT),
            ConnectionFailure::Forbidden => (VCenterReason::Forbidden, ADMIN_WAIT),
            ConnectionFailure::InvalidSpec => (VCenterReason::InvalidSpec, Duration::MAX),
            ConnectionFailure::Stopped => return false,
        };
        self.next_try = now.monotonic.saturating_add(wait);
        self.failure = Some((reason, message));
        true
    }
}
