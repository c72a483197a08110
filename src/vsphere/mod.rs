//! The vCenter adapter: one connection that turns a vCenter into [`Inventory`] snapshots. Does I/O.
//!
//! [`run`] is the whole door: it connects, logs in once, watches, and reports until something fails or it
//! is stopped. It holds no policy. It never tries a login twice and never waits before trying again: it
//! returns an [`Error`] whose [`Error::class`] says what kind of trouble it is, and the owner decides.
//!
//! Map, outside in:
//! - [`trust`], [`tls`]: whom to believe; [`credentials`]: what must never be printed.
//! - [`transport`]: HTTP with deadlines, limits and the session's cookie.
//! - [`soap`]: requests as typed values, the reader of foreign XML, faults.
//! - [`decode`]: answers as plain rows; [`version`]: which API version to speak.
//! - [`session`]: discover, log in, log out; [`watch`]: the long poll.
//! - [`cache`]: rows into an inventory; pure. [`mounts`]: which hosts mount which datastores.
//!
//! Three rules hold everywhere: nothing is made of half of an answer; a dead session is not an empty
//! vCenter; one odd object does not hide the others.

mod cache;
mod credentials;
mod decode;
mod error;
mod mounts;
mod observe;
mod session;
mod soap;
mod tls;
mod transport;
mod trust;
mod version;
mod watch;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::{
    credentials::{Credentials, CredentialsError},
    decode::value::Reason,
    error::{Class, Error},
    observe::{Method, Observer, Unobserved},
    tls::CertificateProblem,
    trust::{Trust, TrustError, check_ca_bundle},
};
use self::{session::Session, watch::Watch};
use crate::placement::inventory::Inventory;

/// Where a vCenter is and how to talk to it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `https://host[:port]`, nothing else.
    pub server: url::Url,
    /// How its certificate is checked.
    pub trust: Trust,
    /// The age at which an inventory is too old to decide with (`inventoryMaxAgeSeconds`). A complete
    /// answer comes at least every 25/60 of it.
    pub max_age: Duration,
    /// Told about every request.
    pub observer: Arc<dyn Observer>,
}

impl Endpoint {
    /// An endpoint that nobody observes.
    #[must_use]
    pub fn new(server: url::Url, trust: Trust, max_age: Duration) -> Self {
        Self { server, trust, max_age, observer: Arc::new(Unobserved) }
    }
}

/// What a running connection tells its owner. Every one carries the time of the complete answer it stands
/// for, which is what freshness is counted from.
#[derive(Clone, Debug)]
pub enum Report {
    /// Logged in; the watch is being built.
    Connected {
        /// `about.version`, for example `8.0.3`.
        version: String,
        /// `about.instanceUuid`: which vCenter this is, whatever its address.
        instance_uuid: String,
        /// Time of the answer to the login.
        at: Instant,
    },
    /// A complete snapshot that differs from the one before, in its content or in what it leaves out.
    Inventory {
        /// Everything that vCenter shows and that makes sense.
        inventory: Arc<Inventory>,
        /// Objects left out because they make no sense.
        skipped: usize,
        /// Time of the last page.
        at: Instant,
    },
    /// A complete answer that changes nothing.
    Confirmed {
        /// Time of the answer.
        at: Instant,
    },
}

/// Connects, logs in once, and watches until something fails, `stop` fires, or `reports` has no receiver.
/// Logs out before it returns whenever it was logged in, which takes 2 s at most.
///
/// To drop the future instead of firing `stop` leaves a session on the server until that times out.
///
/// # Errors
/// Whatever ended the connection, see [`Error`]. An end by `stop` or by a dropped receiver is `Ok`.
pub async fn run(
    endpoint: Endpoint,
    credentials: Credentials,
    reports: mpsc::Sender<Report>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let Some(discovered) = stop.run_until_cancelled(Session::discover(&endpoint)).await else {
        return Ok(());
    };
    let (mut session, _) = discovered?;
    if stop.is_cancelled() {
        return Ok(());
    }
    let login = log_in(&mut session, &credentials, &stop).await;
    endpoint.observer.login(login.as_ref().map_or_else(Error::label, |_| "ok"));
    drop(credentials);
    let outcome = match login {
        Ok(at) => watch(&mut session, &endpoint, &reports, &stop, at).await,
        Err(error) => Err(error),
    };
    session.logout().await;
    outcome
}

/// A login that has been sent is waited for even after `stop`, though not for long: without its answer the
/// session that it makes could not be ended.
async fn log_in(
    session: &mut Session,
    credentials: &Credentials,
    stop: &CancellationToken,
) -> Result<Instant, Error> {
    let mut login = std::pin::pin!(session.login(credentials));
    tokio::select! {
        outcome = &mut login => return outcome,
        () = stop.cancelled() => {}
    }
    let after = session::GOODBYE_DEADLINE;
    timeout(after, login).await.unwrap_or(Err(Error::Timeout { method: Method::Login.label(), after }))
}

async fn watch(
    session: &mut Session,
    endpoint: &Endpoint,
    reports: &mpsc::Sender<Report>,
    stop: &CancellationToken,
    at: Instant,
) -> Result<(), Error> {
    let content = &session.content;
    let (version, instance_uuid) = (content.version.clone(), content.instance_uuid.clone());
    let connected = reports.send(Report::Connected { version, instance_uuid, at });
    if !matches!(stop.run_until_cancelled(connected).await, Some(Ok(()))) {
        return Ok(());
    }
    let mut watch = Watch::new(session, endpoint, reports);
    if let Some(outcome) = stop.run_until_cancelled(watch.run()).await {
        return outcome;
    }
    watch.cancel().await;
    Ok(())
}
