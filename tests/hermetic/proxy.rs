//! The fault proxy: what passes, what is held, and how it breaks.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::State, response::Response, routing::any};
use berth::vsphere::Trust;
use bytes::Bytes;
use http::{Request, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{Mutex, broadcast},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    adapter::start_with,
    fake_vcenter::{FakeVcenter, Options},
    fault_proxy::{Action, Door, FaultProxy, Match, RuleHandle},
    tls::Authority,
};

/// A server whose `/stream` sends what it is told, and whose other paths say what they got.
struct Upstream {
    url: String,
    stream: broadcast::Sender<&'static str>,
    bodies: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

type Shared = (broadcast::Sender<&'static str>, Arc<Mutex<Vec<String>>>);

async fn answer(State((stream, bodies)): State<Shared>, request: Request<Body>) -> Response {
    if request.uri().path() == "/stream" {
        let mut told = stream.subscribe();
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
        tokio::spawn(async move {
            while let Ok(text) = told.recv().await {
                if sender.send(Ok(Frame::data(text.into()))).await.is_err() {
                    return;
                }
            }
        });
        let frames =
            futures::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        return Response::new(Body::new(StreamBody::new(frames)));
    }
    let said = format!(
        "{} {} {:?} {:?}",
        request.method(),
        request.uri().path_and_query().unwrap(),
        request.version(),
        request.headers().get("x-test"),
    );
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    bodies.lock().await.push(body.clone());
    let mut answer = Response::new(Body::from(format!("{said} {body}")));
    *answer.status_mut() = http::StatusCode::CREATED;
    answer.headers_mut().insert("x-answer", "kept".parse().unwrap());
    answer
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upstream {
    async fn start(authority: &Authority, alpn: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let tls =
            TlsAcceptor::from(Arc::new(authority.issue("upstream").unwrap().server_config(alpn).unwrap()));
        let (stream, bodies) = (broadcast::Sender::new(8), Arc::<Mutex<_>>::default());
        let routes = Router::new().fallback(any(answer)).with_state((stream.clone(), Arc::clone(&bodies)));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (tls, service) = (tls.clone(), TowerToHyperService::new(routes.clone()));
                tokio::spawn(async move {
                    let stream = TokioIo::new(tls.accept(socket).await.unwrap());
                    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await);
                });
            }
        });
        Self { url, stream, bodies, task }
    }
}

/// A server, a proxy before it, and a client that knows only the proxy.
struct Path {
    authority: Authority,
    upstream: Upstream,
    proxy: FaultProxy,
    client: reqwest::Client,
}

impl Path {
    async fn new(version: Version) -> Self {
        let authority = Authority::new("proxy test").unwrap();
        let alpn: &[&str] = if version == Version::HTTP_2 { &["h2"] } else { &["http/1.1"] };
        let upstream = Upstream::start(&authority, alpn).await;
        let proxy =
            FaultProxy::start(&upstream.url, authority.pem(), &authority.issue("proxy").unwrap()).unwrap();
        let client = client(&authority, version);
        Self { authority, upstream, proxy, client }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), self.proxy.url() + path)
    }
}

fn client(authority: &Authority, version: Version) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let mut client =
        reqwest::Client::builder().timeout(Duration::from_mins(1)).no_proxy().tls_certs_only([root]);
    if version == Version::HTTP_11 {
        client = client.http1_only();
    }
    client.build().unwrap()
}

/// Until a rule was used, which takes no minute.
async fn hit(rule: &RuleHandle) {
    tokio::time::timeout(Duration::from_mins(1), rule.wait_hit()).await.unwrap();
}

const BOTH: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

#[tokio::test]
async fn requests_and_answers_pass_unchanged() {
    for version in BOTH {
        let path = Path::new(version).await;
        let sent =
            path.request("PUT", "/a/b?c=d%2f&e").header("x-test", "1").body("text").send().await.unwrap();
        assert_eq!((sent.version(), sent.status().as_u16()), (version, 201));
        assert_eq!(sent.headers()["x-answer"], "kept");
        let expected = format!("PUT /a/b?c=d%2f&e {version:?} Some(\"1\") text");
        assert_eq!(sent.text().await.unwrap(), expected);
        let [seen] = path.proxy.requests().try_into().unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str(), seen.status),
            ("PUT", "/a/b?c=d%2f&e", Some(201))
        );
    }
}

#[tokio::test]
async fn a_stream_passes_piece_by_piece_and_ends_with_its_reader() {
    for version in BOTH {
        let path = Path::new(version).await;
        let mut answer = path.request("GET", "/stream").send().await.unwrap();
        for text in ["one", "two"] {
            path.upstream.stream.send(text).unwrap();
            // Would wait for ever if anything on the way waited for more.
            assert_eq!(answer.chunk().await.unwrap().unwrap(), text);
        }
        drop(answer);
        while path.upstream.stream.receiver_count() > 0 {
            drop(path.upstream.stream.send("into the void"));
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_held_request_reaches_the_server_only_when_released_even_without_its_sender() {
    for version in BOTH {
        let path = Path::new(version).await;
        let held = path.proxy.rule(Match::any().method("PUT").path("/status$").nth(2), Action::HoldBefore);
        for _ in 0..2 {
            // Neither another verb nor another path counts.
            path.request("GET", "/a/status").send().await.unwrap();
            path.request("PUT", "/a").send().await.unwrap();
        }
        path.request("PUT", "/a/status").body("first").send().await.unwrap();
        assert_eq!(held.hits(), 0);
        let sender = tokio::spawn(path.request("PUT", "/a/status").body("second").send());
        hit(&held).await;
        sender.abort();
        assert!(sender.await.unwrap_err().is_cancelled());
        assert_eq!(path.upstream.bodies.lock().await.len(), 5);
        held.release();
        while path.upstream.bodies.lock().await.len() < 6 {
            tokio::task::yield_now().await;
        }
        assert_eq!(path.upstream.bodies.lock().await[5], "second");
        path.request("PUT", "/a/status").body("third").send().await.unwrap();
        assert_eq!(held.hits(), 1);
    }
}

#[tokio::test]
async fn a_held_answer_is_known_to_the_server_and_not_to_the_sender() {
    for version in BOTH {
        let path = Path::new(version).await;
        let held = path.proxy.rule(Match::any().method("POST"), Action::HoldAfter);
        let mut sender = tokio::spawn(path.request("POST", "/x").body("done").send());
        hit(&held).await;
        assert_eq!(path.upstream.bodies.lock().await.as_slice(), ["done"]);
        assert_eq!(path.proxy.requests()[0].status, Some(201));
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut sender).await.is_err());
        held.release();
        assert_eq!(sender.await.unwrap().unwrap().status(), 201);
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_and_before_or_after_the_server_has_it() {
    for version in BOTH {
        for (action, reached) in [(Action::ResetBefore, 0), (Action::ResetAfter, 1)] {
            let path = Path::new(version).await;
            path.proxy.rule(Match::any(), action);
            let error = path.request("POST", "/x").body("b").send().await.unwrap_err();
            let mut cause: &dyn std::error::Error = &error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            assert_eq!(kind, Some(std::io::ErrorKind::ConnectionReset), "{version:?} {cause:?}");
            assert_eq!(path.upstream.bodies.lock().await.len(), reached);
            assert_eq!(path.request("POST", "/x").send().await.unwrap().status(), 201);
        }
    }
}

#[tokio::test]
async fn an_answer_of_its_own_is_not_the_servers() {
    let path = Path::new(Version::HTTP_2).await;
    let busy = Action::AnswerWith(429, "retry-after", "1".to_owned(), "{}".to_owned());
    let rule = path.proxy.rule(Match::any().every(), busy);
    for _ in 0..3 {
        let answer = path.request("GET", "/x").send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (429, &"1".parse().unwrap())
        );
    }
    rule.end();
    let counted = path.proxy.rule(Match::any().path("^/y").every(), Action::Count);
    for name in ["/x", "/y1", "/y2"] {
        assert_eq!(path.request("GET", name).send().await.unwrap().status(), 201);
    }
    assert_eq!((rule.hits(), counted.hits(), path.proxy.count("GET", "/y")), (3, 2, 2));
    assert_eq!(path.upstream.bodies.lock().await.len(), 3);
}

#[tokio::test]
async fn an_answer_can_break_or_stall_in_the_middle() {
    for version in BOTH {
        let path = Path::new(version).await;
        path.proxy.rule(Match::any(), Action::Truncate(5));
        let mut answer = path.request("GET", "/abcdef").send().await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "GET /");
        assert!(answer.chunk().await.is_err());
        path.proxy.rule(Match::any(), Action::Stall(5));
        let mut answer = path.request("GET", "/abcdef").send().await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "GET /");
        assert!(tokio::time::timeout(Duration::from_millis(50), answer.chunk()).await.is_err());
    }
}

#[tokio::test]
async fn silence_lasts_until_the_sender_gives_up() {
    let mut path = Path::new(Version::HTTP_11).await;
    let short = |request: reqwest::RequestBuilder| request.timeout(Duration::from_millis(50)).send();
    path.proxy.rule(Match::any(), Action::BlackHole);
    assert!(short(path.request("GET", "/x")).await.unwrap_err().is_timeout());
    assert!(path.upstream.bodies.lock().await.is_empty());
    assert_eq!(path.request("GET", "/x").send().await.unwrap().status(), 201);
    // What is there is reset, what is new is as the door is.
    let hole = path.proxy.rule(Match::any(), Action::BlackHole);
    let sender = tokio::spawn(path.request("GET", "/x").send());
    hit(&hole).await;
    path.proxy.set_door(Door::Silent);
    path.proxy.cut();
    assert!(!sender.await.unwrap().unwrap_err().is_timeout());
    path.client = client(&path.authority, Version::HTTP_11);
    assert!(short(path.request("GET", "/x")).await.unwrap_err().is_timeout());
    path.proxy.set_door(Door::Reset);
    assert!(!short(path.request("GET", "/x")).await.unwrap_err().is_timeout());
    path.proxy.set_door(Door::Open);
    assert_eq!(path.request("GET", "/x").send().await.unwrap().status(), 201);
    assert_eq!(path.upstream.bodies.lock().await.len(), 2);
}

#[test]
fn it_runs_without_a_runtime_of_the_tests_own() {
    let authority = Authority::new("proxy test").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let upstream = runtime.block_on(Upstream::start(&authority, &["h2", "http/1.1"]));
    let proxy =
        FaultProxy::start_blocking(&upstream.url, authority.pem(), &authority.issue("proxy").unwrap())
            .unwrap();
    let held = proxy.rule(Match::any(), Action::HoldBefore);
    let request = client(&authority, Version::HTTP_2).put(proxy.url());
    let sender = runtime.spawn(async move { request.send().await });
    held.wait_hit_blocking();
    held.release();
    assert_eq!(runtime.block_on(sender).unwrap().unwrap().status(), 201);
    drop(proxy);
}

#[tokio::test(start_paused = true)]
async fn a_whole_conversation_passes_under_paused_time() {
    let authority = Authority::new("proxy test").unwrap();
    let fake = FakeVcenter::start_under(&authority, Options::with_datastores(&json!([{"name": "a"}]))).await;
    let proxy = FaultProxy::start(&fake.url, &fake.ca_pem, &authority.issue("proxy").unwrap()).unwrap();
    let lost = proxy.rule(Match::any().method("POST").nth(5), Action::ResetAfter);
    let through =
        || start_with(&proxy.url(), Trust::CaBundle(fake.ca_pem.clone()), &Options::default().password);
    assert_eq!(through().end().await.0.label(), "unreachable");
    assert_eq!((lost.hits(), fake.count("CreateFilter"), fake.sessions()), (1, 1, 0));
    let mut running = through();
    assert_eq!(running.inventory().await.datastores().len(), 1);
    running.stop().await.unwrap();
}
