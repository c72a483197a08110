//! What is known of one `VCenter`. No I/O.

mod login;
mod status;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{VCenterReason, VCenterSpec, VCenterStatus};
use crate::placement::{Inventory, Patterns, Selector};
use crate::resolve::{Allowed, VCenterView};

use super::action::Endpoint;
use super::backoff::doubled;
use super::input::{Attempt, Meta, Now, SeenVCenter};

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
            allowed: Allowed::parse(spec.allowed_namespaces.as_ref(), Allowed::None)?,
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
    /// Not yet: the mounts of its datastores are still being read.
    Unread,
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
    /// Failed writes in a row.
    failed_writes: u32,
}

/// How far the write of a status has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Write {
    #[default]
    Idle,
    /// It waits for its turn or is under way.
    Busy { saying: Option<Box<VCenterStatus>> },
    /// It failed, and is tried again at this time.
    Failed { until: Duration },
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
    /// Why no login can be tried, or none is worth it: the spec or the Secret must be changed first.
    pub fn misconfigured(&self) -> Option<&str> {
        let (reason, message) = self.failure.as_ref()?;
        matches!(reason, VCenterReason::InvalidSpec | VCenterReason::SecretNotFound).then_some(message)
    }

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
            failed_writes: 0,
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

    /// Server, Secret and its version, when they are being tried, or were refused and may not be tried again yet.
    pub fn spent_login(&self, now: Now) -> Option<(&str, &str, &str)> {
        let refused = matches!(self.failure, Some((VCenterReason::InvalidCredentials, _)));
        let waits = refused && now.monotonic < self.next_try;
        let identity = self.last_tried.as_ref().filter(|_| waits || self.trying.is_some())?;
        Some((&identity.endpoint.server, &identity.secret, &identity.secret_version))
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
            Some(confirmed) if now.monotonic <= until => {
                let unread = confirmed.inventory.lacks_mounts(&setup.limits);
                return if unread { Availability::Unread } else { Availability::Fresh(confirmed) };
            }
            None if self.failure.is_none() && now.monotonic <= until => {
                return Availability::Awaited { until };
            }
            _ => {}
        }
        Availability::Unavailable { known_since: since }
    }

    /// Whether an inventory that there was to decide on has become too old since the last look.
    pub fn has_become_stale(&mut self, now: Now) -> bool {
        let fresh = matches!(self.availability(now), Availability::Fresh(_) | Availability::Unread);
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
            Write::Failed { until } => *until <= now.monotonic,
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
            self.failed_writes = 0;
        }
    }

    /// The status was not written, or it is not known whether it was.
    pub fn write_failed(&mut self, now: Now) {
        self.failed_writes = self.failed_writes.saturating_add(1);
        let wait = doubled(Duration::from_secs(2), self.failed_writes, Duration::from_secs(64));
        self.write = Write::Failed { until: now.monotonic.saturating_add(wait) };
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
            Write::Failed { until } => Some(until),
            Write::Idle | Write::Busy { .. } => None,
        };
        [retry, stale, write]
            .into_iter()
            .flatten()
            .filter(|time| *time > now.monotonic && *time < Duration::MAX)
            .min()
    }
}
