//! An API server for unit tests: a function from request to answer.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tokio::sync::mpsc;

use crate::scheduler::Input;
use crate::telemetry::{Metrics, Readiness};

use super::secrets::Secrets;
use super::shell::Shell;

/// Status code, body and `Warning` header.
pub(super) type Answer = (u16, String, Option<&'static str>);

/// A client whose requests (`PUT /path?query`, with their bodies) are answered by `answer`.
pub(super) fn answering(answer: impl Fn(&str, &str) -> Answer + Clone + Send + 'static) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let line = format!("{} {}", request.method(), request.uri());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let (code, text, warning) = answer(&line, std::str::from_utf8(&body).unwrap());
            let mut response = Response::builder().status(code);
            if let Some(warning) = warning {
                response = response.header("Warning", warning);
            }
            Ok::<_, Infallible>(response.body(Body::from(text.into_bytes())).unwrap())
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
    };
    (Arc::new(shell), told)
}
