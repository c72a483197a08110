//! A proxy between a subject and a real server that can go wrong: TLS on both sides, HTTP/1.1 and HTTP/2,
//! every byte passed on as it comes, watches included, except where a [`FaultProxy::rule`] says otherwise.
//!
//! ```text
//! let proxy = FaultProxy::start_blocking(&api_url, &ca_pem, &authority.issue("proxy"));
//! let held = proxy.rule(Match::any().method("PUT").path("/status$"), Action::HoldAfter);
//! held.wait_hit_blocking(); // the server has it, the subject does not know yet
//! held.release();
//! ```
//!
//! It runs in the runtime that starts it ([`FaultProxy::start`]), or on a thread of its own for tests
//! without a runtime ([`FaultProxy::start_blocking`]). Upgrades (`kubectl exec`) do not pass.
//!
//! - [`rules`]: what goes wrong and when; [`exchange`]: one request;
//! - [`connection`]: the side of the clients; [`body`]: bodies that stop early.

mod body;
mod connection;
mod exchange;
mod rules;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use http::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use self::rules::{Action, Match, RuleHandle};
use self::{
    body::Body,
    rules::{Rules, Signals},
};
use crate::tls::Identity;

/// What becomes of new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// They are served.
    #[default]
    Open,
    /// They are accepted, and not a byte comes back: a half-open path.
    Silent,
    /// They are reset.
    Reset,
}

/// A request that came by.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The verb.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// When its head had arrived.
    pub at: Instant,
    /// Status of its answer, the proxy's own included; `None` while, or when, there is none.
    pub status: Option<u16>,
}

/// What connections share.
struct State {
    upstream: String,
    client: Client<HttpsConnector<HttpConnector>, Body>,
    rules: Mutex<Rules>,
    seen: Mutex<Vec<Seen>>,
    door: watch::Sender<Door>,
    /// Cancelled and replaced to reset all present connections.
    cut: watch::Sender<CancellationToken>,
    stopped: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn new(upstream: &str, ca_pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_all_versions().build();
        Self {
            upstream: upstream.trim_end_matches('/').to_owned(),
            client: Client::builder(TokioExecutor::new()).build(connector),
            rules: Mutex::default(),
            seen: Mutex::default(),
            door: watch::Sender::new(Door::Open),
            cut: watch::Sender::new(CancellationToken::new()),
            stopped: CancellationToken::new(),
        }
    }

    fn door(&self) -> Door {
        *self.door.borrow()
    }

    /// Records a request; its number, and what is to happen to it.
    fn begin<B>(&self, request: &Request<B>) -> (usize, Option<(Action, Arc<Signals>)>) {
        let method = request.method().as_str().to_owned();
        let path = request.uri().path_and_query().map_or("", http::uri::PathAndQuery::as_str).to_owned();
        let rule = lock(&self.rules).take(&method, &path);
        let mut seen = lock(&self.seen);
        seen.push(Seen { method, path, at: Instant::now(), status: None });
        (seen.len() - 1, rule)
    }

    fn answered(&self, number: usize, status: StatusCode) {
        if let Some(seen) = lock(&self.seen).get_mut(number) {
            seen.status = Some(status.as_u16());
        }
    }
}

/// A running proxy; dropping it stops it and what it holds.
pub struct FaultProxy {
    address: SocketAddr,
    state: Arc<State>,
    /// Where it runs when it has a thread of its own.
    thread: Option<std::thread::JoinHandle<()>>,
    task: Option<JoinHandle<()>>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.state.stopped.cancel();
        if let Some(task) = self.task.take() {
            task.abort();
        }
        if let Some(thread) = self.thread.take() {
            // It has nothing left to do.
            drop(thread.join());
        }
    }
}

impl FaultProxy {
    /// Starts one in the present runtime, in front of `upstream` (`https://host:port`), which is trusted
    /// through `ca_pem`, and shows `identity` to its clients.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub fn start(upstream: &str, ca_pem: &str, identity: &Identity) -> io::Result<Self> {
        let (mut proxy, serve) = Self::prepare(upstream, ca_pem, identity)?;
        proxy.task = Some(tokio::spawn(serve));
        Ok(proxy)
    }

    /// Starts one on a thread of its own.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub fn start_blocking(upstream: &str, ca_pem: &str, identity: &Identity) -> io::Result<Self> {
        let (mut proxy, serve) = Self::prepare(upstream, ca_pem, identity)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stopped = proxy.state.stopped.clone();
        proxy.thread = Some(std::thread::spawn(move || {
            _ = runtime.block_on(stopped.run_until_cancelled_owned(serve));
        }));
        Ok(proxy)
    }

    fn prepare(
        upstream: &str,
        ca_pem: &str,
        identity: &Identity,
    ) -> io::Result<(Self, impl Future<Output = ()> + Send + use<>)> {
        let listener = connection::listen()?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(upstream, ca_pem));
        let tls = TlsAcceptor::from(Arc::new(identity.server_config(&["h2", "http/1.1"]).unwrap()));
        let serve = connection::serve(listener, tls, Arc::clone(&state));
        Ok((Self { address, state, thread: None, task: None }, serve))
    }

    /// Where it listens: `https://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Puts a rule into force. Of several that fit a request the oldest one is used.
    pub fn rule(&self, which: Match, action: Action) -> RuleHandle {
        lock(&self.state.rules).add(which, action)
    }

    /// All requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.state.seen).clone()
    }

    /// How many requests of this verb there were whose path with query contains `part`.
    pub fn count(&self, method: &str, part: &str) -> usize {
        lock(&self.state.seen).iter().filter(|seen| seen.method == method && seen.path.contains(part)).count()
    }

    /// What becomes of new connections from now on.
    pub fn set_door(&self, door: Door) {
        self.state.door.send_replace(door);
    }

    /// Resets all present connections.
    pub fn cut(&self) {
        self.state.cut.send_replace(CancellationToken::new()).cancel();
    }
}
