//! What is known of one `VCenter`, and when to log in to it. No I/O.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{VCenterReason, VCenterSpec, VCenterStatus};
use crate::placement::{Inventory, Patterns, Selector};
use crate::resolve::{Allowed, VCenterView};

use super::action::{Action, Endpoint};
use super::input::{Attempt, ConnectionFailure, ConnectionNews, Meta, Now, SeenSecret, SeenVCenter};

/// Five refused logins lock an SSO account for everyone who uses it, and the count is forgotten after
/// three minutes.
const REFUSED_LOGIN_WAIT: Duration = Duration::from_mins(3);
/// What an administrator has to change is not worth asking for more often.
const ADMIN_WAIT: Duration = Duration::from_mins(1);

/// The spec, parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Setup {
    pub endpoint: Endpoint,
    pub secret: String,
    pub limits: Selector,
    pub allowed: Allowed,
}

impl Setup {
    fn parse(spec: &VCenterSpec, patterns: &mut Patterns) -> Result<Self, String> {
        let limits = match &spec.datastores {
            Some(selector) => Selector::parse(selector, patterns)
                .map_err(|error| format!("{}: {}", error.field, error.message))?,
            None => Selector::default(),
        };
        Ok(Self {
            endpoint: Endpoint {
                server: spec.server.clone(),
                ca_bundle: spec.ca_bundle.clone(),
                thumbprint: spec.thumbprint_sha256.clone(),
                max_age: Duration::from_secs(u64::try_from(spec.inventory_max_age_seconds).unwrap_or(60)),
            },
            secret: spec.credentials_secret_name.clone(),
            limits,
            allowed: Allowed::parse(spec.allowed_namespaces.as_ref())?,
        })
    }
}

/// What a login is made of: while it stays the same, a refusal stays one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    endpoint: Endpoint,
    secret: String,
    secret_version: String,
}

impl Identity {
    fn is(&self, setup: &Setup, secret_version: &str) -> bool {
        self.endpoint == setup.endpoint
            && self.secret == setup.secret
            && self.secret_version == secret_version
    }
}

/// A connection that is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Up {
    attempt: Attempt,
    identity: Identity,
    /// It has given a complete answer: if it ends now, that is worth an immediate new try.
    proved: bool,
}

/// An inventory with the time at which the vCenter last confirmed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Confirmed {
    pub inventory: Arc<Inventory>,
    pub at: Now,
}

/// Whether there is an inventory to decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Availability<'a> {
    /// Yes.
    Fresh(&'a Confirmed),
    /// No, and for this long: the age counts from the last answer, else from when the `VCenter` was seen.
    Unavailable { known_since: Duration },
    /// Not yet: the first answer is still to come. It would be missing at this monotonic time.
    Awaited { until: Duration },
}

/// Everything known of one `VCenter`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct VCenter {
    pub meta: Meta,
    pub created: Timestamp,
    pub setup: Result<Setup, String>,
    /// The status as it was last seen or written.
    pub status: VCenterStatus,
    pub instance_uuid: Option<String>,
    pub version: Option<String>,
    pub confirmed: Option<Confirmed>,
    /// Outcome of the last login that failed, until one succeeds.
    pub failure: Option<(VCenterReason, String)>,
    up: Option<Up>,
    trying: Option<(Attempt, Identity)>,
    last_tried: Option<Identity>,
    failures: u32,
    next_try: Duration,
    first_seen: Duration,
    /// At the last look there was an inventory to decide on.
    was_fresh: bool,
    write: Write,
}

/// How far the write of a status has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Write {
    #[default]
    Idle,
    /// It waits for its turn or is under way.
    Busy { saying: Option<Box<VCenterStatus>> },
    /// It failed so many times in a row, and is tried again at this time.
    Failed { times: u32, until: Duration },
}

impl VCenterView for VCenter {
    fn allowed(&self) -> &Allowed {
        match &self.setup {
            Ok(setup) => &setup.allowed,
            Err(_) => &Allowed::None,
        }
    }
}

impl VCenter {
    pub fn new(seen: SeenVCenter, patterns: &mut Patterns, now: Now) -> Self {
        let SeenVCenter { name: _, meta, created, spec, status } = seen;
        Self {
            meta,
            created,
            setup: spec.and_then(|spec| Setup::parse(&spec, patterns)),
            status,
            instance_uuid: None,
            version: None,
            confirmed: None,
            failure: None,
            up: None,
            trying: None,
            last_tried: None,
            failures: 0,
            next_try: now.monotonic,
            first_seen: now.monotonic,
            was_fresh: false,
            write: Write::Idle,
        }
    }

    /// Takes over a newer version of the object. The connection is looked after by [`Self::tend`].
    pub fn update(&mut self, seen: SeenVCenter, patterns: &mut Patterns) {
        let SeenVCenter { name: _, meta, created, spec, status } = seen;
        let setup = spec.and_then(|spec| Setup::parse(&spec, patterns));
        let server = |setup: &Result<Setup, String>| setup.as_ref().ok().map(|s| s.endpoint.server.clone());
        if server(&setup) != server(&self.setup) {
            self.instance_uuid = None;
            self.version = None;
        }
        self.setup = setup;
        self.meta = meta;
        self.created = created;
        self.status = status;
    }

    pub fn is_connected(&self) -> bool {
        self.up.is_some()
    }

    /// The version of the Secret that was last tried.
    pub fn tried_version(&self) -> Option<&str> {
        self.last_tried.as_ref().map(|identity| identity.secret_version.as_str())
    }

    /// Server and Secret version, when they were refused and may not be tried again yet.
    pub fn refused(&self, now: Now) -> Option<(&str, &str, &str)> {
        let refused = matches!(self.failure, Some((VCenterReason::InvalidCredentials, _)));
        let identity = self.last_tried.as_ref().filter(|_| refused && now.monotonic < self.next_try)?;
        Some((&identity.endpoint.server, &identity.secret, &identity.secret_version))
    }

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
            ConnectionNews::Inventory(inventory) => {
                let known = self.confirmed.as_ref().is_some_and(|c| c.inventory == inventory);
                self.answered(attempt, now, Some(inventory)) || !known
            }
            ConnectionNews::Confirmed => self.answered(attempt, now, None),
            ConnectionNews::Ended { failure, message } => self.ended(attempt, failure, message, now),
        }
    }

    /// A complete answer came. Returns whether there was none to decide on just before.
    fn answered(&mut self, attempt: Attempt, now: Now, inventory: Option<Arc<Inventory>>) -> bool {
        let Some(up) = self.up.as_mut().filter(|up| up.attempt == attempt) else { return false };
        up.proved = true;
        // Newer credentials that were refused stay refused, whatever the older session still gives.
        if self.last_tried.as_ref() == Some(&up.identity) {
            self.failures = 0;
            self.failure = None;
        }
        let was_fresh = matches!(self.availability(now), Availability::Fresh(_));
        match (inventory, &mut self.confirmed) {
            (Some(inventory), confirmed) => *confirmed = Some(Confirmed { inventory, at: now }),
            (None, Some(confirmed)) => confirmed.at = now,
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
        let doubled = |base: Duration, most: Duration| {
            base.saturating_mul(2_u32.saturating_pow(self.failures.saturating_sub(1).min(10))).min(most)
        };
        let (reason, wait) = match failure {
            ConnectionFailure::Unavailable | ConnectionFailure::SessionLost => {
                (VCenterReason::ConnectionFailed, doubled(Duration::from_secs(1), ADMIN_WAIT))
            }
            ConnectionFailure::InvalidCredentials => (
                VCenterReason::InvalidCredentials,
                doubled(REFUSED_LOGIN_WAIT, REFUSED_LOGIN_WAIT.saturating_mul(10)),
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

    /// Whether there is an inventory to decide on.
    pub fn availability(&self, now: Now) -> Availability<'_> {
        let Ok(setup) = &self.setup else {
            return Availability::Unavailable { known_since: self.first_seen };
        };
        let answered = self.confirmed.as_ref().map(|confirmed| confirmed.at.monotonic);
        let since = answered.unwrap_or(self.first_seen);
        let until = since.saturating_add(setup.endpoint.max_age);
        match &self.confirmed {
            Some(confirmed) if now.monotonic <= until => return Availability::Fresh(confirmed),
            None if self.failure.is_none() && now.monotonic <= until => {
                return Availability::Awaited { until };
            }
            _ => {}
        }
        Availability::Unavailable { known_since: since }
    }

    /// Whether an inventory that there was to decide on has become too old since the last look.
    pub fn has_become_stale(&mut self, now: Now) -> bool {
        let fresh = matches!(self.availability(now), Availability::Fresh(_));
        std::mem::replace(&mut self.was_fresh, fresh) && !fresh
    }

    /// What is said of it while there is no inventory to decide on: the same for as long as that lasts.
    pub fn unavailable_message(&self) -> String {
        match &self.setup {
            Ok(setup) => format!(
                "the vCenter has given no complete answer in the last {} s; its status tells administrators why",
                setup.endpoint.max_age.as_secs()
            ),
            Err(_) => "it has a field that cannot be used; its status tells administrators which".to_owned(),
        }
    }

    /// Whether its status can be written now.
    pub fn may_write(&self, now: Now) -> bool {
        match &self.write {
            Write::Idle => true,
            Write::Busy { .. } => false,
            Write::Failed { until, .. } => *until <= now.monotonic,
        }
    }

    /// The write of its status waits for its turn, or begins with this content.
    pub fn start_writing(&mut self, saying: Option<VCenterStatus>) {
        self.write = Write::Busy { saying: saying.map(Box::new) };
    }

    /// The status is what it should be, or the write was given up before it began.
    pub fn written(&mut self) {
        if let Write::Busy { saying: Some(status) } = std::mem::take(&mut self.write) {
            self.status = *status;
        }
    }

    /// The status was not written, or it is not known whether it was.
    pub fn write_failed(&mut self, now: Now) {
        let times = match self.write {
            Write::Failed { times, .. } => times.saturating_add(1),
            Write::Idle | Write::Busy { .. } => 1,
        };
        let wait = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(times.min(6)));
        self.write = Write::Failed { times, until: now.monotonic.saturating_add(wait) };
    }

    /// The next time at which something is to be done without an input.
    pub fn next_time(&self, now: Now) -> Option<Duration> {
        let retry = (self.up.is_none() && self.trying.is_none()).then_some(self.next_try);
        let stale = match (&self.confirmed, &self.setup) {
            (Some(confirmed), Ok(setup)) => Some(
                confirmed
                    .at
                    .monotonic
                    .saturating_add(setup.endpoint.max_age)
                    .saturating_add(Duration::from_millis(1)),
            ),
            _ => None,
        };
        let write = match self.write {
            Write::Failed { until, .. } => Some(until),
            Write::Idle | Write::Busy { .. } => None,
        };
        [retry, stale, write]
            .into_iter()
            .flatten()
            .filter(|time| *time > now.monotonic && *time < Duration::MAX)
            .min()
    }
}
