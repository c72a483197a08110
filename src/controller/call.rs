//! One request to the API server and its answer, with the warnings that came along. Does I/O.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, WARNING};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;

use crate::scheduler::WriteFailure;

use super::text::{chain, kube_error};
use crate::objects::one_line;

/// No single request may take longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// An object is at most 1.5 MiB in etcd.
const LARGEST_ANSWER: usize = 4 << 20;

/// What the API server did.
pub(super) struct Reply {
    /// `Warning` headers.
    pub(super) warnings: Vec<String>,
    /// The object.
    pub(super) body: Bytes,
}

/// Why there is no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The API server answered with this status code and message.
    Refused(u16, String),
    /// There was no complete answer: whether anything was done is not known.
    Lost(String),
}

impl Failure {
    /// One line for logs.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Refused(_, message) | Self::Lost(message) => message,
        }
    }

    /// What it means for a write.
    pub(super) const fn of_write(&self) -> WriteFailure {
        match self {
            Self::Refused(409, _) => WriteFailure::Conflict,
            Self::Refused(404, _) => WriteFailure::Gone,
            Self::Refused(401 | 403, _) => WriteFailure::Forbidden,
            Self::Refused(400 | 422, _) => WriteFailure::Rejected,
            Self::Refused(429, _) => WriteFailure::Throttled,
            Self::Refused(..) | Self::Lost(_) => WriteFailure::Ambiguous,
        }
    }
}

impl Reply {
    /// The object's version now.
    pub(super) fn resource_version(&self) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            resource_version: String,
        }
        self.decode::<Object>().map(|object| object.metadata.resource_version)
    }

    /// The object as a value.
    pub(super) fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::Lost(format!("the answer cannot be decoded: {error}")))
    }
}

/// Reads an object.
pub(super) async fn get(client: &Client, path: &str) -> Result<Reply, Failure> {
    call(client, Method::GET, path, String::new()).await
}

/// Creates an object.
pub(super) async fn post(client: &Client, path: &str, body: String) -> Result<Reply, Failure> {
    call(client, Method::POST, path, body).await
}

/// Replaces an object.
pub(super) async fn put(client: &Client, path: &str, body: String) -> Result<Reply, Failure> {
    call(client, Method::PUT, path, body).await
}

async fn call(client: &Client, method: Method, path: &str, body: String) -> Result<Reply, Failure> {
    tokio::time::timeout(TIMEOUT, exchange(client, method, path, body))
        .await
        .unwrap_or_else(|_| Err(Failure::Lost(format!("no answer within {} s", TIMEOUT.as_secs()))))
}

async fn exchange(client: &Client, method: Method, path: &str, body: String) -> Result<Reply, Failure> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.into_bytes()))
        .map_err(|error| Failure::Refused(400, chain(&error)))?;
    let answer = client.send(request).await.map_err(|error| Failure::Lost(kube_error(&error)))?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, LARGEST_ANSWER)
        .collect()
        .await
        .map_err(|error| Failure::Lost(chain(error.as_ref())))?
        .to_bytes();
    if !head.status.is_success() {
        return Err(Failure::Refused(head.status.as_u16(), words(&body, head.status)));
    }
    let warnings = head.headers.get_all(WARNING).iter();
    let warnings = warnings.filter_map(|text| text.to_str().ok()).map(|text| one_line(text, 256)).collect();
    Ok(Reply { warnings, body })
}

/// The API server's own words in an answer that is not a success.
fn words(body: &[u8], status: http::StatusCode) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    let text = match serde_json::from_slice::<Status>(body) {
        Ok(Status { message }) if !message.is_empty() => message,
        _ => String::from_utf8_lossy(body.get(..256).unwrap_or(body)).into_owned(),
    };
    one_line(&format!("{}: {text}", status.as_u16()), 512)
}

#[cfg(test)]
mod tests {
    use super::super::mock::{answering, status};
    use super::*;

    #[tokio::test]
    async fn every_answer_has_its_meaning_for_a_write() {
        for (code, expected) in [
            (409, WriteFailure::Conflict),
            (404, WriteFailure::Gone),
            (401, WriteFailure::Forbidden),
            (403, WriteFailure::Forbidden),
            (400, WriteFailure::Rejected),
            (422, WriteFailure::Rejected),
            (429, WriteFailure::Throttled),
            (500, WriteFailure::Ambiguous),
            (503, WriteFailure::Ambiguous),
            (504, WriteFailure::Ambiguous),
        ] {
            let client = answering(move |_, _| status(code, "the object\nhas been modified"));
            let failure = put(&client, "/x", "{}".into()).await.err().unwrap();
            assert_eq!(failure.of_write(), expected, "{code}");
            assert_eq!(failure.message(), format!("{code}: the object has been modified"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_ambiguous() {
        let silent = tower::service_fn(|_: Request<Body>| {
            std::future::pending::<Result<http::Response<Body>, std::convert::Infallible>>()
        });
        let failure = put(&Client::new(silent, "x"), "/x", "{}".into()).await.err().unwrap();
        assert_eq!(failure, Failure::Lost("no answer within 10 s".into()));
        assert_eq!(failure.of_write(), WriteFailure::Ambiguous);
    }

    #[tokio::test]
    async fn an_answer_that_is_not_json_is_ambiguous_and_bounded() {
        let client = answering(|_, _| (200, "<html>".repeat(1000), None));
        let failure = get(&client, "/x").await.unwrap().resource_version().unwrap_err();
        assert_eq!(failure.of_write(), WriteFailure::Ambiguous);
        let client = answering(|_, _| (502, "<html>".repeat(1000), None));
        assert!(get(&client, "/x").await.err().unwrap().message().len() <= 512);
    }
}
