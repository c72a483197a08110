//! A strict fake vCenter: SOAP over TLS on the loopback interface, written as a real one writes it.
//!
//! It runs in the runtime that starts it, also under paused time when that runtime has one thread: subject
//! and fake then share one clock, which moves on only when both have nothing left to do. It takes nothing
//! that a vCenter refuses: element order, namespaces, versions, sessions and object references are checked,
//! and the fault says what was wrong.
//!
//! - [`spec`]: the inventory's keys, [`inventory`]: the objects made of them, [`schema`]: their types;
//! - [`value`], [`soap`]: the wire; [`world`]: the methods, [`selection`], [`collector`]: the largest of them;
//! - [`faults`]: what can go wrong, [`server`]: HTTP.

mod collector;
mod faults;
mod inventory;
mod schema;
mod selection;
mod server;
mod soap;
mod spec;
mod value;
mod world;

use std::{net::SocketAddr, sync::Arc};

use serde_json::{Value as Json, json};
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};
use tokio_rustls::TlsAcceptor;

pub use self::{
    faults::Action,
    inventory::Object,
    soap::Fault,
    value::{Ref, Value},
};
use self::{faults::Rule, world::Shared};
use crate::tls::{Authority, Identity};

/// What a fake vCenter is like.
#[derive(Clone, Debug)]
pub struct Options {
    /// The inventory, with the keys of the simulator's inventory file; see [`spec`].
    pub inventory: Json,
    /// The only user.
    pub username: String,
    /// Their password.
    pub password: String,
    /// `about.instanceUuid`: two with the same are the same vCenter.
    pub instance_uuid: String,
    /// `about.version`.
    pub version: String,
    /// What `vimServiceVersions.xml` lists. The first may be an opaque word.
    pub api_versions: Vec<String>,
    /// Objects in one answer, at most; a client may ask for fewer.
    pub page: usize,
    /// The certificate is right, but the server holds another key.
    pub other_key: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            inventory: json!({}),
            username: "berth@vsphere.local".to_owned(),
            password: "p<a&s\"s'w>ord".to_owned(),
            instance_uuid: "4d1a6d5e-8a7c-4c0b-9f0e-2b6f5c1d3e4f".to_owned(),
            version: "8.0.3".to_owned(),
            api_versions: ["uA046D008", "8.0.2.0", "8.0.1.0", "8.0.0.1", "7.0.3.2"]
                .map(str::to_owned)
                .to_vec(),
            page: 100,
            other_key: false,
        }
    }
}

impl Options {
    /// One datacenter with these datastores, and what else is usual.
    pub fn with_datastores(datastores: &Json) -> Self {
        Self { inventory: json!({"datacenters": [{"datastores": datastores}]}), ..Self::default() }
    }
}

/// A request that the server received.
#[derive(Clone, Debug)]
pub struct Request {
    /// The SOAP method; the path of a request that is no call; `?` for one that is not understood.
    pub method: String,
    /// When it was complete.
    pub at: Instant,
    /// Its body, as it came.
    pub body: String,
    /// Bytes of the body of its answer, before anything went wrong with it; `None` while there is none.
    pub answered: Option<usize>,
}

/// A call of `Login`.
#[derive(Clone, Debug)]
pub struct Login {
    /// When.
    pub at: Instant,
    /// Whether there is a session now.
    pub succeeded: bool,
    /// Who.
    pub user: String,
    /// With what.
    pub password: String,
}

/// A running vCenter; dropping it stops it.
pub struct FakeVcenter {
    /// For `VCenter.spec.server`: `https://127.0.0.1:port`.
    pub url: String,
    /// The authority of its certificate, PEM.
    pub ca_pem: String,
    /// SHA-256 of its certificate, `AB:CD:..`.
    pub thumbprint: String,
    address: SocketAddr,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

impl Drop for FakeVcenter {
    fn drop(&mut self) {
        self.stop();
    }
}

impl FakeVcenter {
    /// Starts one in the present runtime, with a certificate of an authority of its own.
    pub async fn start(options: Options) -> Self {
        Self::start_under(&Authority::new("Berth test CA").unwrap(), options).await
    }

    /// Starts one with a certificate of `authority`.
    pub async fn start_under(authority: &Authority, options: Options) -> Self {
        Self::start_as(&authority.issue("vcenter").unwrap(), authority.pem(), options).await
    }

    /// Starts one with this certificate, which need not be trustworthy, expired ones included.
    pub async fn start_as(identity: &Identity, ca_pem: &str, options: Options) -> Self {
        let alpn = ["http/1.1"];
        let thief = options.other_key.then(|| identity.with_other_key().unwrap());
        let tls = thief.as_ref().unwrap_or(identity).server_config(&alpn).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut fake = Self {
            url: format!("https://{address}"),
            ca_pem: ca_pem.to_owned(),
            thumbprint: identity.thumbprint.clone(),
            address,
            tls: TlsAcceptor::from(Arc::new(tls)),
            shared: Arc::new(Shared::new(options)),
            task: None,
        };
        fake.serve(listener);
        fake
    }

    fn serve(&mut self, listener: TcpListener) {
        let serve = server::serve(listener, self.tls.clone(), Arc::clone(&self.shared));
        self.task = Some(tokio::spawn(serve));
    }

    /// Nobody listens any more, and every connection and session is gone; the inventory stays.
    pub fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            self.shared.change(|world| world.end_sessions(false));
        }
    }

    /// After [`FakeVcenter::stop`]: listens on the same port again.
    pub async fn restart(&mut self) {
        self.stop();
        let mut listener = TcpListener::bind(self.address).await;
        while listener.is_err() {
            // The old listener's task has yet to notice that it was stopped.
            tokio::task::yield_now().await;
            listener = TcpListener::bind(self.address).await;
        }
        self.serve(listener.unwrap());
    }

    /// Merges keys of the specification, for example `{"free": 5, "maintenanceMode": null}`, into a
    /// datastore, named by its name or by `datacenter/name`.
    pub fn set_datastore(&self, name: &str, set: &Json) -> Ref {
        self.shared.change(|world| world.inventory.set_datastore(name, set))
    }

    /// Creates a datastore from its specification; `datacenter` may be empty when there is one only.
    pub fn create_datastore(&self, datacenter: &str, spec: &Json) -> Ref {
        self.shared.change(|world| world.inventory.create_datastore(datacenter, spec))
    }

    /// Removes a datastore.
    pub fn delete_datastore(&self, name: &str) {
        self.shared.change(|world| world.inventory.delete_datastore(name));
    }

    /// Merges `maintenance` and `connectionState` into a host.
    pub fn set_host(&self, name: &str, set: &Json) {
        self.shared.change(|world| world.inventory.set_host(name, set));
    }

    /// Adds a host, which mounts nothing yet, to a cluster.
    pub fn create_host(&self, cluster: &str, name: &str) -> Ref {
        self.shared.change(|world| world.inventory.create_host(cluster, name))
    }

    /// Removes a host with its mounts.
    pub fn delete_host(&self, name: &str) {
        self.shared.change(|world| world.inventory.delete_host(name));
    }

    /// The reference of a datastore.
    pub fn datastore(&self, name: &str) -> Ref {
        self.shared.lock().inventory.datastore_ref(name)
    }

    /// The reference of a host.
    pub fn host(&self, name: &str) -> Ref {
        self.shared.lock().inventory.host_ref(name)
    }

    /// The user may not read this property of the object, or may again.
    pub fn withhold(&self, object: &Ref, path: &str, withheld: bool) {
        self.shared.change(|world| world.inventory.withhold(object, path, withheld));
    }

    /// Puts or replaces an object of a known type, for what the specification cannot say.
    pub fn put(&self, object: Object) {
        self.shared.change(|world| world.inventory.put(object));
    }

    /// Removes an object.
    pub fn remove(&self, object: &Ref) {
        self.shared.change(|world| world.inventory.remove(object));
    }

    /// An object as it is now.
    pub fn object(&self, object: &Ref) -> Option<Object> {
        self.shared.lock().inventory.objects.get(object).map(|object| Object::clone(object))
    }

    /// Ends all sessions, as when they expire: the next call of each is `NotAuthenticated`.
    pub fn end_sessions(&self) {
        self.shared.change(|world| world.end_sessions(false));
    }

    /// Ends all sessions, but so that answers keep coming with every property missing.
    pub fn end_sessions_quietly(&self) {
        self.shared.change(|world| world.end_sessions(true));
    }

    /// From now on only this password is right; sessions stay.
    pub fn set_password(&self, password: &str) {
        password.clone_into(&mut self.shared.lock().options.password);
    }

    /// Users who are logged in.
    pub fn sessions(&self) -> usize {
        self.shared.lock().logged_in()
    }

    /// Views, collectors and filters of all sessions.
    pub fn session_objects(&self) -> usize {
        self.shared.lock().session_objects()
    }

    /// Whether a client has yet to fetch the rest of a truncated answer.
    pub fn is_truncated(&self) -> bool {
        self.shared.lock().is_truncated()
    }

    /// All calls of `Login`.
    pub fn logins(&self) -> Vec<Login> {
        self.shared.lock().logins.clone()
    }

    /// All requests.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// How many requests of this method there were.
    pub fn count(&self, method: &str) -> usize {
        self.shared.lock().requests.iter().filter(|request| request.method == method).count()
    }

    /// Connections that ended in the TLS handshake.
    pub fn failed_handshakes(&self) -> usize {
        self.shared.lock().handshakes_failed
    }

    /// The next request of `method` (`*`: of any) gets `action`.
    pub fn next(&self, method: &str, action: Action) {
        self.nth(method, 1, action);
    }

    /// The `nth` request of `method` from now on, counted from 1, gets `action`.
    pub fn nth(&self, method: &str, nth: usize, action: Action) {
        self.rule(method, nth - 1, Some(1), action);
    }

    /// Every request of `method` from now on gets `action`, until [`FakeVcenter::heal`].
    pub fn always(&self, method: &str, action: Action) {
        self.rule(method, 0, None, action);
    }

    fn rule(&self, method: &str, pass: usize, left: Option<usize>, action: Action) {
        self.shared.lock().rules.push(Rule { method: method.to_owned(), pass, left, action });
    }

    /// Forgets all actions.
    pub fn heal(&self) {
        self.shared.lock().rules.clear();
    }
}
