//! An API server for unit tests: a function from request to answer.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tokio::sync::mpsc;

use crate::scheduler::Input;
use crate::telemetry::{Metrics, Readiness};

use super::environment::Clock;
use super::secrets::Secrets;
use super::shell::Shell;
use super::tasks::Tasks;

/// Status code, body and `Warning` header.
pub(super) type Answer = (u16, String, Option<&'static str>);

/// In place of a status code: 200, and more may come after the body, as in a watch.
pub(super) const STAYS_OPEN: u16 = 0;

/// A client whose requests (`PUT /path?query`, with their bodies) are answered by `answer`.
pub(super) fn answering(answer: impl Fn(&str, &str) -> Answer + Clone + Send + 'static) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let line = format!("{} {}", request.method(), request.uri());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let (code, text, warning) = answer(&line, std::str::from_utf8(&body).unwrap());
            let mut response = Response::builder().status(if code == STAYS_OPEN { 200 } else { code });
            if let Some(warning) = warning {
                response = response.header("Warning", warning);
            }
            let first = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from(text)))]);
            let body = if code == STAYS_OPEN {
                StreamBody::new(first.chain(stream::pending())).boxed_unsync()
            } else {
                StreamBody::new(first).boxed_unsync()
            };
            Ok::<_, Infallible>(response.body(body).unwrap())
        }
    });
    Client::new(service, "default")
}

/// The API server's way of saying no.
pub(super) fn status(code: u16, message: &str) -> Answer {
    let body =
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message});
    (code, body.to_string(), None)
}

/// A shell around such a client, and what it tells the scheduler.
pub(super) fn shell(
    answer: impl Fn(&str, &str) -> Answer + Clone + Send + 'static,
) -> (Arc<Shell>, mpsc::Receiver<Input>) {
    let (inputs, told) = mpsc::channel(64);
    let shell = Shell {
        client: answering(answer),
        namespace: "berth-system".into(),
        inputs,
        readiness: Arc::new(Readiness::default()),
        metrics: Arc::new(Metrics::new()),
        secrets: Secrets::default(),
        clock: Clock::system(),
        tasks: Tasks::default(),
    };
    (Arc::new(shell), told)
}
