//! The connection to the Kubernetes API server: one HTTP/2 connection that is known to be alive. Does I/O.
//!
//! kube's own client speaks HTTP/1.1 with one connection for each watch, repeats failed requests up to 15
//! times by itself and waits as long as the server tells it to. Here every request is sent once and answered
//! or given up in bounded time; who tries again, and when, is decided elsewhere.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{HeaderValue, USER_AGENT};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt as _};
use kube::{Client, Config};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower::{BoxError, Service, ServiceBuilder};

use crate::telemetry::{Metrics, Readiness};

use super::text::chain;

/// A peer that is gone is noticed after at most the sum of these two, also while nothing is asked.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Every answer must begin within this time, a watch too.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// Every answer but a watch must be complete within this time after it began.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// A watch lasts at least so long: the watcher opens one that ended anew without waiting.
const WATCH_AT_LEAST: Duration = Duration::from_secs(1);

/// What is pending while the API server does not answer.
const API_SERVER: &str = "Kubernetes API server";

/// The client cannot be set up from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither a kubeconfig nor a service account can be used.
    #[error("no access to a Kubernetes cluster is configured")]
    Config(#[from] kube::config::InferConfigError),
    /// The configuration asks for a proxy.
    #[error("a proxy to the Kubernetes API server is not supported")]
    Proxy,
    /// Certificates or credentials cannot be used.
    #[error("the configured access to the Kubernetes cluster cannot be used")]
    Credentials(#[from] kube::Error),
    /// `tls-server-name` is not a host name.
    #[error("the configured TLS server name cannot be used")]
    ServerName(#[from] rustls::pki_types::InvalidDnsNameError),
}

/// Connects as the configuration says.
///
/// # Errors
/// When the configuration cannot be used; the server itself is not asked anything yet.
pub fn client(
    config: Config,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
) -> Result<Client, ClientError> {
    if config.proxy_url.is_some() {
        return Err(ClientError::Proxy);
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let mut tls =
        HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config()?).https_or_http();
    if let Some(name) = config.tls_server_name.clone() {
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name.try_into()?));
    }
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_keep_alive_interval(PING_EVERY)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_keep_alive_while_idle(true)
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .build(tls.enable_http2().wrap_connector(tcp));
    let stack = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(Bounded { inner: stack, metrics, readiness }, config.default_namespace))
}

/// Limits the wait for an answer and its body, and keeps count.
struct Bounded<S> {
    inner: S,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
}

impl<S, B> Service<Request<Body>> for Bounded<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<BoundedBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let agent = HeaderValue::from_static(concat!("berth/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        let method = request.method().clone();
        let is_watch = request.uri().query().is_some_and(|query| query.split('&').any(|q| q == "watch=true"));
        let asked = Instant::now();
        let answer = self.inner.call(request);
        let (metrics, readiness) = (Arc::clone(&self.metrics), Arc::clone(&self.readiness));
        Box::pin(async move {
            let answer = match timeout(HEADERS_TIMEOUT, answer).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(format!("no answer within {} s", HEADERS_TIMEOUT.as_secs()).into()),
            };
            let code = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            metrics.kubernetes_request(code, method.as_str(), asked.elapsed());
            match answer {
                Ok(answer) => {
                    readiness.done(API_SERVER);
                    Ok(answer.map(|body| BoundedBody::new(body, is_watch)))
                }
                Err(error) => {
                    readiness.pending(API_SERVER, format!("does not answer: {}", chain(error.as_ref())));
                    Err(error)
                }
            }
        })
    }
}

/// A body that must be complete in time; that of a watch may be late, but does not end early.
struct BoundedBody {
    inner: UnsyncBoxBody<Bytes, BoxError>,
    limit: Pin<Box<Sleep>>,
    is_watch: bool,
    ended: bool,
}

impl BoundedBody {
    fn new<B>(body: B, is_watch: bool) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let limit = Box::pin(sleep(if is_watch { WATCH_AT_LEAST } else { BODY_TIMEOUT }));
        Self { inner: body.map_err(Into::into).boxed_unsync(), limit, is_watch, ended: false }
    }
}

impl http_body::Body for BoundedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.ended {
            match Pin::new(&mut self.inner).poll_frame(context) {
                Poll::Ready(None) if self.is_watch => self.ended = true,
                Poll::Pending if self.is_watch => return Poll::Pending,
                Poll::Pending => {}
                frame @ Poll::Ready(_) => return frame,
            }
        }
        ready!(self.limit.as_mut().poll(context));
        if self.is_watch {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Err(format!("answer not complete within {} s", BODY_TIMEOUT.as_secs()).into())))
    }

    fn is_end_stream(&self) -> bool {
        !self.is_watch && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use http_body_util::{Full, StreamBody};

    use super::*;

    fn bounded<S>(inner: S) -> (Bounded<S>, Arc<Metrics>, Arc<Readiness>) {
        let (metrics, readiness) = (Arc::new(Metrics::new()), Arc::new(Readiness::default()));
        (
            Bounded { inner, metrics: Arc::clone(&metrics), readiness: Arc::clone(&readiness) },
            metrics,
            readiness,
        )
    }

    fn get(path: &str) -> Request<Body> {
        Request::get(path).body(Body::empty()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_begin_is_given_up_and_reported() {
        let mute =
            tower::service_fn(|_: Request<Body>| pending::<Result<Response<Full<Bytes>>, Infallible>>());
        let (mut service, metrics, readiness) = bounded(mute);
        let error = service.call(get("/api?watch=true")).await.err().unwrap();
        assert_eq!(error.to_string(), "no answer within 10 s");
        assert_eq!(
            readiness.report().unwrap(),
            "Kubernetes API server: does not answer: no answer within 10 s\n"
        );
        assert!(metrics.text().unwrap().contains("code=\"error\",method=\"GET\""));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_watch_may_take_its_time() {
        let slow = tower::service_fn(|request: Request<Body>| async move {
            assert!(request.headers()[USER_AGENT].to_str().unwrap().starts_with("berth/"));
            let frames = futures::stream::pending::<Result<Frame<Bytes>, Infallible>>();
            Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
        });
        let (mut service, _, readiness) = bounded(slow);
        let list = service.call(get("/api?limit=100")).await.unwrap();
        assert_eq!(readiness.report(), None);
        let error = list.into_body().collect().await.unwrap_err();
        assert_eq!(error.to_string(), "answer not complete within 30 s");
        let watch = service.call(get("/api?allow=1&watch=true&timeoutSeconds=85")).await.unwrap();
        assert!(timeout(Duration::from_hours(1), watch.into_body().collect()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_ends_at_once_is_held_for_a_second() {
        let short = tower::service_fn(|_: Request<Body>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"event"))))
        });
        let (mut service, _, _) = bounded(short);
        let began = tokio::time::Instant::now();
        let list = service.call(get("/api?limit=100")).await.unwrap();
        assert_eq!(list.into_body().collect().await.unwrap().to_bytes(), "event");
        assert!(began.elapsed() < WATCH_AT_LEAST);
        let watch = service.call(get("/api?watch=true")).await.unwrap();
        assert_eq!(watch.into_body().collect().await.unwrap().to_bytes(), "event");
        assert!(began.elapsed() >= WATCH_AT_LEAST);
    }
}
