//! Bodies that stop early. No I/O.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of every request and answer here.
pub(super) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body that is there already.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// How a body ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Break,
    Stall,
}

/// The first bytes of a body.
pub(super) struct Limited {
    pub inner: Body,
    pub left: usize,
    pub end: End,
    /// Turns that are left to others, so that what was sent so far is on its way when the body breaks.
    pub patience: u8,
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            if self.end == End::Break && self.patience == 0 {
                return Poll::Ready(Some(Err("cut off by the proxy".into())));
            }
            if self.end == End::Break {
                self.patience -= 1;
                context.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let Poll::Ready(next) = Pin::new(&mut self.inner).poll_frame(context) else { return Poll::Pending };
        let Some(Ok(frame)) = next else { return Poll::Ready(next) };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(mut data) => {
                data.truncate(self.left);
                self.left -= data.len();
                Frame::data(data)
            }
            Err(trailers) => trailers,
        })))
    }
}
