//! A scripted vCenter: HTTP/1.1 over real TLS on the loopback interface. It answers the calls up to the
//! watch by itself and takes the answers to the waits from a list.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    certificates::{Authority, Identity},
    samples,
};
use crate::vsphere::{Credentials, Endpoint, Trust};

pub(super) const USER: &str = "berth-user@vsphere.local";
pub(super) const PASSWORD: &str = "s3cr3t-<&>-pass";
/// Given with every answer to a login, in the quotes of a real vCenter.
pub(super) const COOKIE: &str = "vmware_soap_session=\"live-cookie\"";

/// What the server does with one request.
#[derive(Clone)]
pub(super) enum Reply {
    Ok(String),
    Status(u16, &'static str, String),
    /// Headers and these bytes, then the connection closes early.
    Cut(String),
    /// A body without end.
    Endless,
    /// No answer, until the client goes away.
    Hang,
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The SOAP method, or the path of a GET.
    pub method: String,
    pub head: String,
    pub body: String,
}

#[derive(Default)]
pub(super) struct State {
    pub seen: Vec<Seen>,
    /// Answers to `WaitForUpdatesEx`, in order; then it hangs.
    pub waits: VecDeque<Reply>,
    /// Answers instead of the usual ones, by method, each used once.
    pub instead: Vec<(&'static str, Reply)>,
    /// Decrypted bytes from all clients.
    pub bytes: usize,
}

pub(super) struct Fake {
    pub endpoint: Endpoint,
    pub state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// A server with a certificate for 127.0.0.1 that the endpoint trusts.
    pub async fn start(waits: Vec<Reply>) -> Self {
        let authority = Authority::new("ours").unwrap();
        let identity = authority.issue("vcenter").unwrap();
        let fake = Self::serve(&identity, Trust::CaBundle(authority.pem().to_owned())).await;
        fake.state.lock().unwrap().waits = waits.into();
        fake
    }

    pub async fn serve(identity: &Identity, trust: Trust) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let (acceptor, shared) =
            (TlsAcceptor::from(Arc::new(identity.server_config(&[]).unwrap())), Arc::clone(&state));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(connection(acceptor.clone(), socket, Arc::clone(&shared)));
            }
        });
        let server = format!("https://{address}").parse().unwrap();
        Self { endpoint: Endpoint::new(server, trust, Duration::from_mins(1)), state, task }
    }

    pub fn instead(&self, method: &'static str, reply: Reply) {
        self.state.lock().unwrap().instead.push((method, reply));
    }

    pub fn methods(&self) -> Vec<String> {
        self.state.lock().unwrap().seen.iter().map(|seen| seen.method.clone()).collect()
    }

    pub fn seen(&self, method: &str) -> Vec<Seen> {
        let state = self.state.lock().unwrap();
        state.seen.iter().filter(|seen| seen.method == method).cloned().collect()
    }
}

pub(super) fn credentials() -> Credentials {
    Credentials::new(USER.to_owned().into(), PASSWORD.to_owned().into()).unwrap()
}

async fn connection(acceptor: TlsAcceptor, socket: TcpStream, state: Arc<Mutex<State>>) {
    let Ok(mut stream) = acceptor.accept(socket).await else { return };
    while let Some(seen) = read_request(&mut stream, &state).await {
        let reply = reply_to(&seen, &state);
        let login = seen.method == "Login";
        state.lock().unwrap().seen.push(seen);
        if !write_reply(&mut stream, reply, login).await {
            return;
        }
    }
}

async fn read_request(stream: &mut TlsStream<TcpStream>, state: &Mutex<State>) -> Option<Seen> {
    let mut data = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&data).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|l| {
                l.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|v| v.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                let get = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
                let soap = body.split_once("<Body><").and_then(|(_, rest)| rest.split(' ').next());
                let method = get.or(soap).unwrap_or("?").to_owned();
                return Some(Seen { method, head: head.to_owned(), body: body.to_owned() });
            }
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        state.lock().unwrap().bytes += read;
        data.extend_from_slice(&chunk[..read]);
    }
}

fn reply_to(seen: &Seen, state: &Mutex<State>) -> Reply {
    let mut state = state.lock().unwrap();
    if let Some(at) = state.instead.iter().position(|(method, _)| *method == seen.method) {
        return state.instead.remove(at).1;
    }
    let returned = |value: &str| {
        let method = &seen.method;
        let body = format!("<{method}Response xmlns=\"urn:vim25\">{value}</{method}Response>");
        Reply::Ok(samples::envelope(&body))
    };
    let counted = state.seen.iter().filter(|s| s.method == seen.method).count();
    match seen.method.as_str() {
        "/sdk/vimServiceVersions.xml" => Reply::Ok(
            "<namespaces version=\"1.0\"><namespace><name>urn:vim25</name><version>uA046D008</version>\
             <priorVersions><version>8.0.2.0</version><version>8.0.0.1</version></priorVersions></namespace>\
             </namespaces>"
                .into(),
        ),
        "RetrieveServiceContent" => returned(
            "<returnval><rootFolder type=\"Folder\">group-d1</rootFolder>\
             <propertyCollector type=\"PropertyCollector\">propertyCollector</propertyCollector>\
             <viewManager type=\"ViewManager\">ViewManager</viewManager><about><version>8.0.3</version>\
             <apiType>VirtualCenter</apiType><instanceUuid>uuid-1</instanceUuid></about>\
             <sessionManager type=\"SessionManager\">SessionManager</sessionManager></returnval>",
        ),
        "Login" => returned("<returnval><key>52aa</key><userName>VSPHERE.LOCAL\\x</userName></returnval>"),
        "CreateContainerView" => {
            returned(&format!("<returnval type=\"ContainerView\">session[52aa]view-{counted}</returnval>"))
        }
        "CreatePropertyCollector" => returned(&format!(
            "<returnval type=\"PropertyCollector\">session[52aa]collector-{counted}</returnval>"
        )),
        "CreateFilter" => {
            returned(&format!("<returnval type=\"PropertyFilter\">session[52aa]filter-{counted}</returnval>"))
        }
        // Every datastore is mounted by one host, unless a test says otherwise.
        "RetrievePropertiesEx" => {
            let asked = seen.body.split("<obj type=\"Datastore\">").skip(1);
            let ids: Vec<_> = asked.filter_map(|rest| Some(rest.split_once('<')?.0)).collect();
            let datastores: Vec<_> = ids.iter().map(|id| (*id, ["host-1"].as_slice())).collect();
            Reply::Ok(samples::mounts(&datastores))
        }
        "WaitForUpdatesEx" => state.waits.pop_front().unwrap_or(Reply::Hang),
        _ => returned(""),
    }
}

async fn write_reply(stream: &mut TlsStream<TcpStream>, reply: Reply, login: bool) -> bool {
    let cookie =
        if login { format!("Set-Cookie: {COOKIE}; Path=/; HttpOnly; Secure;\r\n") } else { String::new() };
    let head = |status: u16, more: &str, length: usize| {
        format!(
            "HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\n{cookie}{more}Content-Length: {length}\r\n\r\n"
        )
    };
    let text = match reply {
        Reply::Ok(body) => head(200, "", body.len()) + &body,
        Reply::Status(status, more, body) => head(status, more, body.len()) + &body,
        Reply::Cut(body) => {
            let text = head(200, "", body.len() + 1000) + &body;
            drop(stream.write_all(text.as_bytes()).await);
            drop(stream.shutdown().await);
            return false;
        }
        Reply::Endless => {
            let _sent = stream.write_all(b"HTTP/1.1 200 X\r\n\r\n<a>").await;
            let blanks = vec![b' '; 1 << 16];
            while stream.write_all(&blanks).await.is_ok() {}
            return false;
        }
        Reply::Hang => {
            let mut end = [0; 1];
            drop(stream.read(&mut end).await);
            return false;
        }
    };
    stream.write_all(text.as_bytes()).await.is_ok()
}
