//! HTTP/1.1 over TLS, byte by byte, so that any byte can go wrong. Does I/O on the loopback interface.

use std::{future::pending, io, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Request,
    faults::{Action, Answer, take},
    soap::{self, Fault},
    value::escape,
    world::Shared,
};

/// More than any request of a client.
const REQUEST_LIMIT: usize = 1 << 20;
const VERSIONS: &str = "/sdk/vimServiceVersions.xml";

/// Serves until dropped; its connections end with it.
pub(super) async fn serve(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else { return };
                connections.spawn(connection(tls.clone(), socket, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A request as it came.
struct Http {
    verb: String,
    path: String,
    head: String,
    body: String,
}

impl Http {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The session cookie's value with its quotes taken off: they belong to it on the way.
    fn cookie(&self) -> Option<&str> {
        let pairs = self.header("cookie")?.split(';');
        let value = pairs.filter_map(|pair| pair.trim().strip_prefix("vmware_soap_session=")).next_back()?;
        value.strip_prefix('"')?.strip_suffix('"')
    }
}

/// How a connection goes on after an answer.
enum Next {
    Request,
    Close,
}

struct Client {
    stream: TlsStream<TcpStream>,
    /// Read, but not yet used.
    buffer: Vec<u8>,
}

async fn connection(tls: TlsAcceptor, socket: TcpStream, shared: Arc<Shared>) {
    drop(socket.set_nodelay(true));
    let Ok(stream) = tls.accept(socket).await else {
        shared.lock().handshakes_failed += 1;
        return;
    };
    let mut client = Client { stream, buffer: Vec::new() };
    while let Some(http) = client.request().await {
        match exchange(&mut client, &http, &shared).await {
            Ok(Next::Request) => {}
            Ok(Next::Close) => {
                drop(client.stream.shutdown().await);
                return;
            }
            Err(_) => return,
        }
    }
}

async fn exchange(client: &mut Client, http: &Http, shared: &Shared) -> io::Result<Next> {
    let call = (http.verb == "POST").then(|| soap::read(&http.body));
    let method = match &call {
        Some(Ok(call)) => call.method.clone(),
        Some(Err(_)) => "?".to_owned(),
        None => http.path.clone(),
    };
    let (number, action) = {
        let mut world = shared.lock();
        let (at, body) = (Instant::now(), http.body.clone());
        world.requests.push(Request { method: method.clone(), at, body, answered: None });
        (world.requests.len() - 1, take(&mut world.rules, &method))
    };
    match &action {
        Some(Action::ResetBefore) => return client.reset(),
        Some(Action::Hang) => return client.hang().await,
        Some(Action::EndSessions) => shared.change(|world| world.end_sessions(false)),
        _ => {}
    }
    let answer = match action.as_ref().and_then(Action::instead) {
        Some(answer) => answer,
        None => {
            // A client that goes away takes its request with it.
            tokio::select! {
                answer = handle(http, call, shared) => answer,
                () = client.gone() => return Ok(Next::Close),
            }
        }
    };
    shared.lock().requests[number].answered = Some(answer.body.len());
    let Some(action) = action else { return client.answer(&answer).await };
    let answer = action.change(answer);
    match action {
        Action::ResetAfter => client.reset(),
        Action::HangAfter => client.hang().await,
        Action::Delay(time) => {
            sleep(time).await;
            client.answer(&answer).await
        }
        Action::Stall(bytes) => {
            client.part(&answer, bytes).await?;
            client.hang().await
        }
        Action::Cut(bytes) => {
            client.part(&answer, bytes).await?;
            Ok(Next::Close)
        }
        _ => client.answer(&answer).await,
    }
}

async fn handle(http: &Http, call: Option<Result<soap::Call, Fault>>, shared: &Shared) -> Answer {
    let plain =
        |status, text: &str| Answer { content_type: "text/plain".to_owned(), ..Answer::new(status, text) };
    match (http.verb.as_str(), http.path.as_str(), call) {
        ("GET", VERSIONS, _) => Answer::new(200, versions(&shared.lock().options.api_versions)),
        ("POST", "/sdk", Some(call)) => sdk(http, call, shared).await,
        (_, VERSIONS | "/sdk", _) => plain(405, "method not allowed"),
        _ => plain(404, "not found"),
    }
}

fn versions(versions: &[String]) -> String {
    let (first, prior) = versions.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let prior = prior
        .iter()
        .map(|version| format!("<version>{}</version>", escape(version)))
        .collect::<Vec<_>>()
        .concat();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<namespaces version=\"1.0\">\n<namespace>\n\
         <name>urn:vim25</name>\n<version>{}</version>\n<priorVersions>\n{prior}\n</priorVersions>\n\
         </namespace>\n</namespaces>\n",
        escape(first)
    )
}

async fn sdk(http: &Http, call: Result<soap::Call, Fault>, shared: &Shared) -> Answer {
    let (cookie, new) = shared.lock().session(http.cookie());
    let outcome = match call.and_then(|call| admissible(http, shared).map(|()| call)) {
        Ok(call) => shared.call(&cookie, &call).await,
        Err(fault) => Err(fault),
    };
    let mut answer = match outcome {
        Ok(document) => Answer::new(200, document),
        Err(fault) => Answer::new(500, fault.document()),
    };
    if new {
        answer.headers =
            format!("Set-Cookie: vmware_soap_session=\"{cookie}\"; Path=/; HttpOnly; Secure;\r\n");
    }
    answer
}

/// What a vCenter wants to see in the head of a call.
fn admissible(http: &Http, shared: &Shared) -> Result<(), Fault> {
    let refuse = |why: String| Err(Fault::invalid_request(why));
    let content_type = http.header("content-type").unwrap_or_default();
    if !content_type.starts_with("text/xml") {
        return refuse(format!("content type {content_type:?}"));
    }
    let action = http.header("soapaction").unwrap_or_default();
    let version = action.trim_matches('"').strip_prefix("urn:vim25").map(|rest| rest.trim_start_matches('/'));
    match version {
        // Without a version it is the oldest.
        Some("") => Ok(()),
        Some(version) if shared.lock().options.api_versions.iter().any(|known| known == version) => Ok(()),
        _ => refuse(format!("Unsupported version URI {action}")),
    }
}

impl Client {
    /// The next whole request; `None` when there is none.
    async fn request(&mut self) -> Option<Http> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                let mut first = head.lines().next().unwrap_or_default().split(' ').map(str::to_owned);
                let (verb, path) = (first.next()?, first.next()?);
                let mut http = Http { verb, path, head, body: String::new() };
                let length =
                    http.header("content-length").map_or(Some(0), |text| text.parse::<usize>().ok())?;
                let whole = (end + 4).checked_add(length).filter(|whole| *whole <= REQUEST_LIMIT)?;
                if self.buffer.len() >= whole {
                    http.body = String::from_utf8_lossy(&self.buffer[end + 4..whole]).into_owned();
                    self.buffer.drain(..whole);
                    return Some(http);
                }
            }
            if self.buffer.len() > REQUEST_LIMIT || !self.read().await {
                return None;
            }
        }
    }

    /// Reads more; `false` at the end.
    async fn read(&mut self) -> bool {
        let mut chunk = [0; 8192];
        match self.stream.read(&mut chunk).await {
            Ok(read) if read > 0 => {
                self.buffer.extend_from_slice(&chunk[..read]);
                true
            }
            _ => false,
        }
    }

    /// Until the client closes the connection.
    async fn gone(&mut self) {
        while self.buffer.len() <= REQUEST_LIMIT {
            if !self.read().await {
                return;
            }
        }
        pending::<()>().await;
    }

    async fn hang(&mut self) -> io::Result<Next> {
        self.gone().await;
        Ok(Next::Close)
    }

    fn reset(&mut self) -> io::Result<Next> {
        self.stream.get_ref().0.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }

    async fn answer(&mut self, answer: &Answer) -> io::Result<Next> {
        self.part(answer, answer.body.len()).await?;
        Ok(Next::Request)
    }

    /// The head of the whole answer and the first `bytes` of its body.
    async fn part(&mut self, answer: &Answer, bytes: usize) -> io::Result<()> {
        let Answer { status, content_type, headers, body } = answer;
        let head = format!(
            "HTTP/1.1 {status} \r\nDate: Fri, 2 Jan 2026 03:04:05 GMT\r\nCache-Control: no-cache\r\n\
             Content-Type: {content_type}\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(&body[..bytes.min(body.len())]).await?;
        self.stream.flush().await
    }
}
