//! One request: recorded, interfered with when a rule says so, and passed on. Does I/O.

use std::{
    future::pending,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, Request, Response, Uri, Version,
    header::{CONNECTION, CONTENT_TYPE, HOST, TE, TRANSFER_ENCODING, UPGRADE},
};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    State,
    body::{Body, BoxError, End, Limited, whole},
    rules::Action,
};

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Exchange {
    pub state: Arc<State>,
    /// Resets the connection.
    pub reset: CancellationToken,
}

impl<B> tower::Service<Request<B>> for Exchange
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    /// Ends the connection, or with HTTP/2 the stream, without an answer.
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let own = self.clone();
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        Box::pin(async move { own.answer(request).await })
    }
}

impl Exchange {
    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (number, rule) = self.state.begin(&request);
        let answer = match rule {
            None => self.state.forward(request).await?,
            Some((action, signals)) => {
                let held = matches!(action, Action::HoldBefore | Action::HoldAfter);
                if !held {
                    signals.hit();
                }
                match action {
                    Action::Count => self.state.forward(request).await?,
                    Action::HoldBefore => {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        signals.hit();
                        let state = Arc::clone(&self.state);
                        // On its own: its sender may be gone when it is let go.
                        let sent = tokio::spawn(async move {
                            tokio::select! {
                                () = signals.released() => {}
                                () = state.stopped.cancelled() => return Err("the proxy has stopped".into()),
                            }
                            let answer = state.forward(Request::from_parts(parts, whole(body))).await?;
                            state.answered(number, answer.status());
                            Ok::<_, BoxError>(answer)
                        });
                        sent.await??
                    }
                    Action::HoldAfter => {
                        let answer = self.state.forward(request).await?;
                        self.state.answered(number, answer.status());
                        signals.hit();
                        signals.released().await;
                        answer
                    }
                    Action::Answer(status, body) => made(status, None, body)?,
                    Action::AnswerWith(status, name, value, body) => made(status, Some((name, value)), body)?,
                    Action::ResetBefore => return self.break_off().await,
                    Action::ResetAfter => {
                        let answer = self.state.forward(request).await?;
                        self.state.answered(number, answer.status());
                        return self.break_off().await;
                    }
                    Action::BlackHole => pending().await,
                    Action::Delay(time) => {
                        sleep(time).await;
                        self.state.forward(request).await?
                    }
                    Action::Truncate(left) => limited(self.state.forward(request).await?, left, End::Break),
                    Action::Stall(left) => limited(self.state.forward(request).await?, left, End::Stall),
                }
            }
        };
        self.state.answered(number, answer.status());
        Ok(answer)
    }

    async fn break_off(&self) -> Result<Response<Body>, BoxError> {
        self.reset.cancel();
        // The connection goes away with this.
        pending().await
    }
}

fn made(status: u16, header: Option<(&str, String)>, body: String) -> Result<Response<Body>, BoxError> {
    let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
    let mut answer = Response::builder().status(status).header(CONTENT_TYPE, kind);
    if let Some((name, value)) = header {
        answer = answer.header(name, value);
    }
    Ok(answer.body(whole(body))?)
}

fn limited(answer: Response<Body>, left: usize, end: End) -> Response<Body> {
    answer.map(|inner| Limited { inner, left, end, patience: 3 }.boxed_unsync())
}

/// What belongs to one connection and not to the request.
fn strip(headers: &mut HeaderMap) {
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE, TE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

impl State {
    /// Sends a request to the server; its answer, or why there is none.
    async fn forward(&self, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        *request.uri_mut() = format!("{}{path}", self.upstream).parse::<Uri>()?;
        *request.version_mut() = Version::HTTP_11;
        strip(request.headers_mut());
        // The client writes the server's own.
        request.headers_mut().remove(HOST);
        let mut answer = self.client.request(request).await?;
        *answer.version_mut() = Version::HTTP_11;
        strip(answer.headers_mut());
        Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
    }
}
