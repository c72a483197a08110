//! The server: takes connections, understands requests, and lets go wrong what is to go wrong.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, WARNING};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::call::{Call, Verb};
use super::faults::{Action, Point};
use super::list::list;
use super::refusal::Refusal;
use super::shared::{Exchange, Shared};
use super::store::Preconditions;
use super::watch::watch;

/// Serves until it is dropped, with every connection.
pub async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // Closed without a word, also when something is under way.
        stream.set_zero_linger().unwrap();
        let cut = {
            let state = shared.lock();
            if state.down {
                continue;
            }
            state.cut.child_token()
        };
        connections.spawn(connection(Arc::clone(&shared), stream, cut));
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, cut: CancellationToken) {
    stream.set_nodelay(true).unwrap();
    let ended = cut.clone();
    let routes =
        Router::new().fallback(move |request: Request| answer(Arc::clone(&shared), cut.clone(), request));
    let server = auto::Builder::new(TokioExecutor::new());
    let service = TowerToHyperService::new(routes);
    tokio::select! {
        biased;
        () = ended.cancelled() => {}
        // A client that goes away is no failure of the test.
        _ = server.serve_connection(TokioIo::new(stream), service) => {}
    }
}

/// A success: status code, object, warnings.
type Success = (u16, Value, Vec<String>);

async fn answer(shared: Arc<Shared>, cut: CancellationToken, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let accept = head.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let uri = &head.uri;
    let call =
        match Call::parse(head.method.as_str(), uri.path(), uri.query().unwrap_or_default(), accept, &body) {
            Ok(call) => call,
            Err(refusal) => return refused(&refusal),
        };
    let number = {
        let mut state = shared.lock();
        let at = state.store.elapsed();
        state.exchanges.push(Exchange { at, call: call.clone(), code: None });
        state.exchanges.len() - 1
    };
    let answer = exchange(&shared, &cut, call).await;
    shared.lock().exchanges[number].code = Some(answer.status().as_u16());
    answer
}

async fn exchange(shared: &Arc<Shared>, cut: &CancellationToken, call: Call) -> Response {
    let take = |point| shared.lock().faults.take(&call, point);
    match take(Point::Before) {
        None => {}
        Some(Action::Refuse(refusal)) => return refused(&refusal),
        Some(other) => suffer(other, cut).await,
    }
    if shared.lock().missing.contains(&call.kind.plural) {
        let body = Body::from("404 page not found\n");
        return Response::builder().status(404).body(body).unwrap();
    }
    if call.verb == Verb::Watch {
        return match take(Point::AfterCommit) {
            Some(Action::Refuse(refusal)) => refused(&refusal),
            Some(other) => {
                suffer(other, cut).await;
                start_watch(shared, call)
            }
            None => start_watch(shared, call),
        };
    }
    let mut outcome = shared.change(|state| perform(state, &call));
    match take(Point::AfterCommit) {
        None => {}
        Some(Action::Refuse(refusal)) => outcome = Err(refusal),
        Some(Action::Warn(warning)) => {
            if let Ok((_, _, warnings)) = &mut outcome {
                warnings.push(warning.to_owned());
            }
        }
        Some(other) => suffer(other, cut).await,
    }
    let in_answer = take(Point::InAnswer);
    let (code, object, warnings) = match outcome {
        Ok(success) => success,
        Err(refusal) => return refused(&refusal),
    };
    let mut response = Response::builder().status(code).header(CONTENT_TYPE, "application/json");
    for warning in warnings {
        response = response.header(WARNING, warning);
    }
    response.body(body(Bytes::from(object.to_string()), in_answer, cut)).unwrap()
}

fn perform(state: &mut super::shared::State, call: &Call) -> Result<Success, Refusal> {
    let store = &mut state.store;
    let (namespace, name) = (call.namespace.as_str(), call.name.as_str());
    if matches!(call.verb, Verb::Create | Verb::Update) {
        call.allow(&["fieldManager", "fieldValidation"])?;
    }
    match call.verb {
        Verb::Get => store.get(call.kind, namespace, name).map(|object| (200, object, Vec::new())),
        Verb::List => list(store, call).map(|list| (200, list, Vec::new())),
        Verb::Create => store
            .create(call.kind, namespace, call.body.clone())
            .map(|(object, warnings)| (201, object, warnings)),
        Verb::Update => store
            .update(call.kind, namespace, name, call.status, call.body.clone())
            .map(|(object, warnings)| (200, object, warnings)),
        Verb::Delete => {
            let only = &call.body["preconditions"];
            let only = Preconditions {
                uid: only["uid"].as_str(),
                resource_version: only["resourceVersion"].as_str(),
            };
            store.delete(call.kind, namespace, name, &only).map(|object| (200, object, Vec::new()))
        }
        Verb::Watch => unreachable!("a watch is a stream"),
    }
}

fn start_watch(shared: &Arc<Shared>, call: Call) -> Response {
    let state = shared.lock();
    match watch(shared, &state, call) {
        Ok(lines) => {
            let response = Response::builder().header(CONTENT_TYPE, "application/json");
            response.body(Body::from_stream(lines)).unwrap()
        }
        Err(refusal) => refused(&refusal),
    }
}

/// Comes back when the request may go on.
async fn suffer(action: Action, cut: &CancellationToken) {
    match action {
        Action::Delay(time) => sleep(time).await,
        Action::Hang => pending().await,
        Action::Reset => {
            cut.cancel();
            pending::<()>().await;
        }
        Action::Refuse(_) | Action::Cut | Action::Warn(_) => panic!("{action:?} is not for this point"),
    }
}

/// An answer in two halves, between which something may happen.
fn body(bytes: Bytes, action: Option<Action>, cut: &CancellationToken) -> Body {
    let Some(action) = action else { return Body::from(bytes) };
    let (first, rest) = (bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..));
    let first = stream::iter([Ok::<_, Infallible>(first)]);
    if matches!(action, Action::Cut) {
        return Body::from_stream(first);
    }
    let cut = cut.clone();
    let rest = stream::once(async move {
        // The first half is to be on its way.
        sleep(std::time::Duration::from_millis(1)).await;
        suffer(action, &cut).await;
        Ok(rest)
    });
    Body::from_stream(first.chain(rest))
}

fn refused(refusal: &Refusal) -> Response {
    let mut response = Response::builder().status(refusal.code).header(CONTENT_TYPE, "application/json");
    if let Some(seconds) = refusal.retry_after {
        response = response.header(RETRY_AFTER, seconds);
    }
    response.body(Body::from(refusal.body().to_string())).unwrap()
}
