//! HTTP to one vCenter: deadlines, limits, the cookie. Does I/O.
//!
//! No redirects, no proxy, no decompression, no cookie store. One [`Transport`] belongs to one session and
//! one task; a call that is dropped half-way leaves nothing behind on this side.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode, Url,
    header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, SET_COOKIE},
    redirect,
};
use tokio::time::{Instant, timeout};

use super::{
    Endpoint,
    error::{Error, clean},
    observe::{Method, Observer},
    soap::{
        self,
        envelope::Request,
        fault::Fault,
        reader::{Reader, XmlError},
    },
    tls,
};

/// A page of 500 datastores is 0.5 MB.
const BODY_LIMIT: usize = 64 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const SESSION_COOKIE: &str = "vmware_soap_session";
const COOKIE_BYTES: usize = 4096;

/// Tells the runs of one process apart in vCenter's log.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// A fault, or anything else that kept a call from its answer.
pub(crate) enum CallError {
    Fault(Fault),
    Other(Error),
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Fault(fault) => fault.into(),
            CallError::Other(error) => error,
        }
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl CallError {
    fn label(&self) -> &'static str {
        match self {
            Self::Other(error) => error.label(),
            Self::Fault(fault) => fault.label(),
        }
    }
}

/// The connection of one session.
pub(crate) struct Transport {
    client: Client,
    soap: Url,
    versions: Url,
    action: HeaderValue,
    cookie: Option<HeaderValue>,
    observer: Arc<dyn Observer>,
    run: u64,
    calls: u64,
}

impl Transport {
    /// Prepares the connection; nothing is sent.
    pub fn new(endpoint: &Endpoint) -> Result<Self, Error> {
        let server = &endpoint.server;
        let plain = server.scheme() == "https"
            && server.host_str().is_some()
            && server.username().is_empty()
            && server.password().is_none()
            && matches!(server.path(), "" | "/")
            && server.query().is_none()
            && server.fragment().is_none();
        let join = |path: &str| server.join(path).ok().filter(|_| plain);
        let (Some(soap), Some(versions)) = (join("/sdk"), join("/sdk/vimServiceVersions.xml")) else {
            return Err(Error::Endpoint("the server must be https://host[:port] and nothing else".into()));
        };
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client_config(&endpoint.trust)?)
            .https_only(true)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(2)
            .tcp_keepalive(Duration::from_secs(15))
            // A long poll is silent for its whole length: only pings tell a quiet server from a dead one.
            .http2_keep_alive_interval(Duration::from_secs(5))
            .http2_keep_alive_timeout(Duration::from_secs(8))
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| failure(&e))?;
        Ok(Self {
            client,
            soap,
            versions,
            action: HeaderValue::from_static("\"urn:vim25\""),
            cookie: None,
            observer: Arc::clone(&endpoint.observer),
            run: RUNS.fetch_add(1, Ordering::Relaxed),
            calls: 0,
        })
    }

    /// The API version of all later calls, `SOAPAction` on the wire.
    pub fn speak(&mut self, version: &str) {
        if let Ok(action) = HeaderValue::from_str(&format!("\"urn:vim25/{version}\"")) {
            self.action = action;
        }
    }

    /// Forgets the server's session cookie. A login that carries the cookie of a live session is refused.
    pub fn forget_cookie(&mut self) {
        self.cookie = None;
    }

    /// Whether the server gave a session cookie, and so keeps a session for it.
    pub fn has_cookie(&self) -> bool {
        self.cookie.is_some()
    }

    /// The list of API versions, which needs no session. `None` when the server has no such list.
    pub async fn versions(&mut self, deadline: Duration) -> Result<Option<String>, Error> {
        let started = Instant::now();
        let request = self.client.get(self.versions.clone());
        let outcome = match exchange(request, Method::Versions, deadline).await {
            Ok((StatusCode::OK, _, body)) => utf8(body).map(Some),
            Ok((StatusCode::NOT_FOUND, ..)) => Ok(None),
            Ok((status, ..)) => Err(refused(status)),
            Err(error) => Err(error),
        };
        let result = outcome.as_ref().map_or_else(Error::label, |_| "ok");
        self.observer.request(Method::Versions, result, started.elapsed());
        outcome
    }

    /// One call: sends `request`, reads the whole answer within `deadline`, and decodes it with `read`.
    /// Returns the answer with the time it was complete.
    pub async fn call<T>(
        &mut self,
        request: &Request<'_>,
        deadline: Duration,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, XmlError>,
    ) -> Result<(T, Instant), CallError> {
        let started = Instant::now();
        let outcome = self.exchange(request, deadline).await;
        let at = Instant::now();
        let outcome = outcome.map_err(CallError::Other).and_then(|(status, body)| {
            let answer = soap::answer(&body, request.method().label(), read);
            match answer {
                Ok(Ok(value)) if status == StatusCode::OK => Ok((value, at)),
                Ok(Err(fault)) => Err(CallError::Fault(fault)),
                // An error page, or an answer that should have been a fault.
                _ if status != StatusCode::OK => Err(Error::HttpStatus(status.as_u16()).into()),
                Err(why) => Err(Error::Malformed(why.0).into()),
                Ok(Ok(_)) => Err(Error::Malformed("an answer under an error status").into()),
            }
        });
        let result = outcome.as_ref().map_or_else(CallError::label, |_| "ok");
        self.observer.request(request.method(), result, started.elapsed());
        outcome
    }

    async fn exchange(
        &mut self,
        request: &Request<'_>,
        deadline: Duration,
    ) -> Result<(StatusCode, String), Error> {
        self.calls = self.calls.wrapping_add(1);
        let operation = format!("berth-{:x}-{:x}-{:x}", std::process::id(), self.run, self.calls);
        let mut http = self
            .client
            .post(self.soap.clone())
            .header(CONTENT_TYPE, "text/xml; charset=\"utf-8\"")
            .header("SOAPAction", self.action.clone())
            // Wiped when the last byte has left: a login carries the password.
            .body(Bytes::from_owner(Text(request.to_xml(&operation))));
        if let Some(cookie) = &self.cookie {
            http = http.header(COOKIE, cookie.clone());
        }
        let (status, headers, body) = exchange(http, request.method(), deadline).await?;
        self.cookie = session_cookie(&headers, self.cookie.take());
        match status {
            StatusCode::OK => Ok((status, utf8(body)?)),
            // A fault when there is one inside; any other content says no more than the status.
            StatusCode::INTERNAL_SERVER_ERROR => Ok((status, utf8(body).unwrap_or_default())),
            status => Err(refused(status)),
        }
    }
}

struct Text(secrecy::zeroize::Zeroizing<String>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Sends and reads everything, or fails at the deadline. The body of a status that is neither a result nor
/// a fault is not read.
async fn exchange(
    request: RequestBuilder,
    method: Method,
    deadline: Duration,
) -> Result<(StatusCode, HeaderMap, Vec<u8>), Error> {
    let all = async {
        let mut response = request.send().await.map_err(|e| failure(&e))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = match status {
            StatusCode::OK | StatusCode::INTERNAL_SERVER_ERROR => limited(response, BODY_LIMIT).await?,
            _ => Vec::new(),
        };
        Ok((status, headers, body))
    };
    timeout(deadline, all).await.unwrap_or(Err(Error::Timeout { method: method.label(), after: deadline }))
}

async fn limited(mut response: Response, limit: usize) -> Result<Vec<u8>, Error> {
    let too_large = Error::TooLarge("more than 64 MiB in one answer");
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(too_large);
    }
    let mut body = Vec::with_capacity(announced.min(1 << 20));
    while let Some(chunk) = response.chunk().await.map_err(|e| failure(&e))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn utf8(body: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(body).map_err(|_| Error::Malformed("not UTF-8"))
}

fn refused(status: StatusCode) -> Error {
    if status.is_redirection() {
        Error::Redirect(status.as_u16())
    } else {
        Error::HttpStatus(status.as_u16())
    }
}

/// What the HTTP client's error means. Its own text repeats the address; the innermost cause says more.
fn failure(error: &reqwest::Error) -> Error {
    if let Some(problem) = tls::certificate_problem(error) {
        return Error::Certificate(problem);
    }
    if error.is_timeout() {
        return Error::Unreachable(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()));
    }
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let broken = cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::UnexpectedEof);
    Error::Unreachable(if broken { "the connection broke".to_owned() } else { clean(&cause.to_string()) })
}

/// The session cookie after an answer: the last one among its headers, else the `current` one.
///
/// The value is echoed as it is: vCenter puts it in double quotes and wants them back. An empty value
/// deletes the cookie.
fn session_cookie(headers: &HeaderMap, current: Option<HeaderValue>) -> Option<HeaderValue> {
    let mut cookie = current;
    for header in headers.get_all(SET_COOKIE) {
        let Ok(text) = header.to_str() else { continue };
        let pair = text.split(';').next().unwrap_or_default().trim();
        let Some((name, value)) = pair.split_once('=') else { continue };
        if name.trim() != SESSION_COOKIE || pair.len() > COOKIE_BYTES {
            continue;
        }
        let value = value.trim();
        let echo = HeaderValue::from_str(&format!("{SESSION_COOKIE}={value}")).ok();
        cookie = echo.filter(|_| !matches!(value, "" | "\"\""));
        if let Some(cookie) = &mut cookie {
            cookie.set_sensitive(true);
        }
    }
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_session_cookie_is_echoed_with_its_quotes() {
        let cookie_of = |headers: &[&'static str]| {
            let mut map = HeaderMap::new();
            for header in headers {
                map.append(SET_COOKIE, HeaderValue::from_static(header));
            }
            let cookie = session_cookie(&map, Some(HeaderValue::from_static("old")));
            cookie.map(|c| c.to_str().unwrap().to_owned())
        };
        let real = "vmware_soap_session=\"bb15\"; Path=/; HttpOnly; Secure;";
        assert_eq!(cookie_of(&[real]).as_deref(), Some("vmware_soap_session=\"bb15\""));
        let simulated = ["vmware_soap_session=a; HttpOnly", "other=x", "vmware_soap_session=b"];
        assert_eq!(cookie_of(&simulated).as_deref(), Some("vmware_soap_session=b"));
        assert_eq!(cookie_of(&["vmware_soap_session=; Max-Age=0"]), None);
        assert_eq!(cookie_of(&["other=x", "nonsense"]).as_deref(), Some("old"));
        let cookie =
            session_cookie(&HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_static(real))]), None);
        assert!(!format!("{cookie:?}").contains("bb15"));
    }

    #[test]
    fn only_a_plain_https_address_is_used() {
        let endpoint = |url: &str| {
            Endpoint::new(
                url.parse().unwrap(),
                super::super::Trust::Thumbprint([0; 32]),
                Duration::from_mins(1),
            )
        };
        for url in
            ["http://vc.example", "https://u@vc.example", "https://vc.example/sdk", "https://vc.example/?x=1"]
        {
            assert!(matches!(Transport::new(&endpoint(url)), Err(Error::Endpoint(_))), "{url}");
        }
        let transport = Transport::new(&endpoint("https://vc.example:8443")).unwrap();
        assert_eq!(transport.soap.as_str(), "https://vc.example:8443/sdk");
    }
}
