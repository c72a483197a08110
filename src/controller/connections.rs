//! Keeps the connections to vCenters that the scheduler wants, and passes on what they say. Does I/O.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::scheduler::{Attempt, ConnectionFailure, ConnectionNews, Endpoint, Input};
use crate::telemetry::Metrics;
use crate::vsphere::{self, CertificateProblem, Credentials, Method, Observer, Report, Trust};

use super::shell::Shell;

/// For logging out of all vCenters at the end.
const GOODBYE: Duration = Duration::from_secs(3);

/// Why a connection has ended, with words for people.
type End = (ConnectionFailure, String);

/// All connections that are wanted.
pub(super) struct Connections {
    shell: Arc<Shell>,
    running: BTreeMap<(String, Attempt), Running>,
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Connections {
    pub(super) const fn new(shell: Arc<Shell>) -> Self {
        Self { shell, running: BTreeMap::new() }
    }

    /// Connects with what the Secret has now: a newer version than the one that is meant is better than
    /// one that is known to be replaced.
    pub(super) fn open(
        &mut self,
        vcenter: String,
        attempt: Attempt,
        endpoint: Endpoint,
        secret: &str,
        secret_version: &str,
    ) {
        self.running.retain(|_, connection| !connection.task.is_finished());
        let prepared = self.prepare(&vcenter, endpoint, secret, secret_version);
        let stop = CancellationToken::new();
        let connection = Connection { shell: Arc::clone(&self.shell), vcenter: vcenter.clone(), attempt };
        let task = self.shell.tasks.spawn(connection.run(prepared, stop.clone()));
        self.running.insert((vcenter, attempt), Running { stop, task });
    }

    /// Asks a connection to log out and end.
    pub(super) fn close(&mut self, vcenter: &str, attempt: Attempt) {
        if let Some(connection) = self.running.remove(&(vcenter.to_owned(), attempt)) {
            connection.stop.cancel();
        }
        if !self.running.keys().any(|(name, _)| name == vcenter) {
            self.shell.metrics.inventory_gone(vcenter);
        }
    }

    /// Logs out everywhere, in bounded time.
    pub(super) async fn finish(self) {
        for connection in self.running.values() {
            connection.stop.cancel();
        }
        let tasks = self.running.into_values().map(|connection| connection.task);
        if tokio::time::timeout(GOODBYE, join_all(tasks)).await.is_err() {
            warn!("a vCenter did not answer the logout in time; its session is left to time out");
        }
    }

    fn prepare(
        &self,
        vcenter: &str,
        endpoint: Endpoint,
        secret: &str,
        secret_version: &str,
    ) -> Result<(vsphere::Endpoint, Credentials), End> {
        let Some(stored) = self.shell.secrets.get(secret) else {
            let message = format!("Secret {secret} has no user name and password");
            return Err((ConnectionFailure::Unavailable, message));
        };
        if stored.resource_version != secret_version {
            debug!(secret, wanted = secret_version, used = stored.resource_version, "the Secret has changed");
        }
        let invalid = |why: String| (ConnectionFailure::InvalidSpec, why);
        let Endpoint { server, ca_bundle, thumbprint, max_age } = endpoint;
        let server = server.parse().map_err(|error| invalid(format!("server: {error}")))?;
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let trust = match (given(thumbprint), given(ca_bundle)) {
            (Some(thumbprint), _) => Trust::thumbprint(&thumbprint),
            (None, Some(pem)) => Trust::ca_bundle(pem),
            (None, None) => Ok(Trust::System),
        };
        let trust = trust.map_err(|error| invalid(error.to_string()))?;
        let metrics = Arc::clone(&self.shell.metrics);
        let observer = Arc::new(Counted { metrics, vcenter: vcenter.to_owned() });
        let credentials = Credentials::new(stored.username, stored.password)
            .map_err(|error| (ConnectionFailure::InvalidCredentials, error.to_string()))?;
        Ok((vsphere::Endpoint { server, trust, max_age, observer }, credentials))
    }
}

/// One connection, from the first attempt to its end.
struct Connection {
    shell: Arc<Shell>,
    vcenter: String,
    attempt: Attempt,
}

impl Connection {
    async fn run(self, prepared: Result<(vsphere::Endpoint, Credentials), End>, stop: CancellationToken) {
        let (failure, message) = match prepared {
            Ok((endpoint, credentials)) => {
                let work = AssertUnwindSafe(self.connect(endpoint, credentials, stop)).catch_unwind();
                work.await.unwrap_or_else(|_| {
                    error!(vcenter = self.vcenter, "a connection broke off; this is a defect of Berth");
                    (ConnectionFailure::Unavailable, "the connection broke off".to_owned())
                })
            }
            Err(end) => end,
        };
        debug!(vcenter = self.vcenter, attempt = self.attempt.0, ?failure, message, "a connection has ended");
        self.tell(ConnectionNews::Ended { failure, message }).await;
    }

    async fn connect(
        &self,
        endpoint: vsphere::Endpoint,
        credentials: Credentials,
        stop: CancellationToken,
    ) -> End {
        let (reports, mut received) = mpsc::channel(4);
        let pass_on = async {
            let mut skipped_before = 0;
            while let Some(report) = received.recv().await {
                if let Report::Inventory { skipped, .. } = &report
                    && *skipped != skipped_before
                {
                    warn!(vcenter = self.vcenter, skipped, "vCenter shows datastores that make no sense");
                    skipped_before = *skipped;
                }
                self.tell(self.news(report)).await;
            }
        };
        let connection = Box::pin(vsphere::run(endpoint, credentials, reports, stop));
        let (outcome, ()) = tokio::join!(connection, pass_on);
        end(outcome)
    }

    fn news(&self, report: Report) -> ConnectionNews {
        let metrics = &self.shell.metrics;
        match report {
            Report::Connected { version, instance_uuid, at: _ } => {
                ConnectionNews::Connected { version, instance_uuid }
            }
            Report::Inventory { inventory, skipped: _, at } => {
                metrics.inventory_answered(&self.vcenter, at.into_std());
                debug!(vcenter = self.vcenter, version = inventory.version(), "the inventory is new");
                let types = inventory.datastores().iter().map(|d| d.kind.as_deref().unwrap_or("other"));
                metrics.inventory_datastores(&self.vcenter, types);
                ConnectionNews::Inventory { inventory, age: at.elapsed() }
            }
            Report::Confirmed { at } => {
                metrics.inventory_answered(&self.vcenter, at.into_std());
                ConnectionNews::Confirmed { age: at.elapsed() }
            }
        }
    }

    async fn tell(&self, news: ConnectionNews) {
        let input = Input::Connection { vcenter: self.vcenter.clone(), attempt: self.attempt, news };
        // Without a scheduler the process is ending, and the connection is being stopped.
        self.shell.tell(input).await;
    }
}

/// What the end of a connection means.
fn end(outcome: Result<(), vsphere::Error>) -> End {
    let Err(error) = outcome else {
        return (ConnectionFailure::Stopped, "stopped".to_owned());
    };
    let failure = match &error {
        vsphere::Error::NotAuthenticated => ConnectionFailure::SessionLost,
        vsphere::Error::InvalidLogin => ConnectionFailure::InvalidCredentials,
        vsphere::Error::Certificate(CertificateProblem::Trust(_)) | vsphere::Error::Endpoint(_) => {
            ConnectionFailure::InvalidSpec
        }
        vsphere::Error::Certificate(_) => ConnectionFailure::CertificateInvalid,
        vsphere::Error::NoPermission(_) => ConnectionFailure::Forbidden,
        _ => ConnectionFailure::Unavailable,
    };
    (failure, error.to_string())
}

/// Counts what a connection sees.
#[derive(Debug)]
struct Counted {
    metrics: Arc<Metrics>,
    vcenter: String,
}

impl Observer for Counted {
    fn request(&self, method: Method, result: &'static str, took: Duration) {
        self.metrics.vcenter_request(method.label(), result, took);
    }

    fn login(&self, result: &'static str) {
        self.metrics.vcenter_login(result);
    }

    fn skipped(&self, reason: &'static str, objects: usize) {
        self.metrics.inventory_skipped(&self.vcenter, reason, objects);
    }

    fn withheld(&self, datastores: usize) {
        self.metrics.inventory_withheld(&self.vcenter, datastores);
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;

    use super::super::mock::{shell, status};
    use super::*;

    fn endpoint(server: &str) -> Endpoint {
        Endpoint { server: server.into(), ca_bundle: None, thumbprint: None, max_age: Duration::from_mins(1) }
    }

    fn secret() -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = Some("vc".into());
        secret.metadata.resource_version = Some("5".into());
        let text = |text: &str| ByteString(text.as_bytes().to_vec());
        secret.data = Some([("username".into(), text("user")), ("password".into(), text("hunter2"))].into());
        secret
    }

    async fn ended(endpoint: Endpoint, with_secret: bool) -> (ConnectionFailure, String) {
        let (shell, mut told) = shell(|_, _| status(500, "no"));
        if with_secret {
            shell.secrets.keep(secret()).unwrap();
        }
        let mut connections = Connections::new(shell);
        connections.open("vc-east".into(), Attempt(1), endpoint, "vc", "4");
        let Some(Input::Connection { vcenter, attempt: Attempt(1), news }) = told.recv().await else {
            panic!("nothing told")
        };
        assert_eq!(vcenter, "vc-east");
        let ConnectionNews::Ended { failure, message } = news else { panic!("{news:?}") };
        assert!(!message.contains("hunter2"));
        (failure, message)
    }

    #[tokio::test]
    async fn what_cannot_be_tried_ends_at_once_with_its_reason() {
        let (failure, message) = ended(endpoint("https://127.0.0.1:1"), false).await;
        assert_eq!(failure, ConnectionFailure::Unavailable);
        assert_eq!(message, "Secret vc has no user name and password");

        assert_eq!(ended(endpoint("not a url"), true).await.0, ConnectionFailure::InvalidSpec);
        let pinned = Endpoint { thumbprint: Some("AB:CD".into()), ..endpoint("https://127.0.0.1:1") };
        assert_eq!(ended(pinned, true).await.0, ConnectionFailure::InvalidSpec);
        let bundle = Endpoint { ca_bundle: Some("no PEM".into()), ..endpoint("https://127.0.0.1:1") };
        assert_eq!(ended(bundle, true).await.0, ConnectionFailure::InvalidSpec);
    }

    #[tokio::test]
    async fn a_vcenter_that_is_not_there_is_unavailable() {
        // An older version of the Secret is meant than there is: the one that is there is used.
        assert_eq!(ended(endpoint("https://127.0.0.1:1"), true).await.0, ConnectionFailure::Unavailable);
    }

    #[test]
    fn each_end_has_its_meaning() {
        use vsphere::Error;
        for (error, expected) in [
            (Error::NotAuthenticated, ConnectionFailure::SessionLost),
            (Error::InvalidLogin, ConnectionFailure::InvalidCredentials),
            (Error::Certificate(CertificateProblem::Name), ConnectionFailure::CertificateInvalid),
            (Error::Certificate(CertificateProblem::Trust("x".into())), ConnectionFailure::InvalidSpec),
            (Error::Endpoint("x".into()), ConnectionFailure::InvalidSpec),
            (Error::NoPermission("x".into()), ConnectionFailure::Forbidden),
            (Error::HttpStatus(503), ConnectionFailure::Unavailable),
        ] {
            assert_eq!(end(Err(error)).0, expected);
        }
        assert_eq!(end(Ok(())).0, ConnectionFailure::Stopped);
    }

    #[tokio::test]
    async fn the_end_waits_for_every_logout() {
        let (shell, _told) = shell(|_, _| status(500, "no"));
        shell.secrets.keep(secret()).unwrap();
        let mut connections = Connections::new(shell);
        connections.open("vc-east".into(), Attempt(1), endpoint("https://127.0.0.1:1"), "vc", "5");
        connections.finish().await;
    }
}
