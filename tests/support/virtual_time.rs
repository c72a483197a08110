//! Paused time that does not run ahead of the sockets.
//!
//! A paused tokio clock jumps to the next timer whenever no task can run, even when bytes lie ready in a
//! socket: an exchange of two messages on 127.0.0.1 could take any time. Here the clock jumps only after the
//! sockets were found silent several times in a row, so that an exchange takes none.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Builder;
use tokio::sync::Notify;

/// So many looks at the sockets must find nothing before the clock may jump.
const SILENT_LOOKS: u32 = 12;

thread_local! {
    static LOOKS: Cell<u32> = const { Cell::new(0) };
}

/// Something was sent or received: the clock waits anew. For servers in tests.
pub fn busy() {
    LOOKS.set(0);
}

/// Runs a test in a runtime of one thread under such a clock.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let look_again = Arc::new(Notify::new());
    let waker = Arc::clone(&look_again);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(move || {
            let looks = LOOKS.get();
            LOOKS.set((looks + 1) % (SILENT_LOOKS + 1));
            if looks < SILENT_LOOKS {
                // With a task to run, the runtime only looks at its sockets and leaves the clock alone.
                waker.notify_one();
            }
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::spawn(async move {
            loop {
                look_again.notified().await;
            }
        });
        test.await
    })
}

/// A server's end of a connection, whose traffic keeps the clock still.
pub struct Heard<S>(pub S);

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        if read.is_ready() {
            busy();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write(context, bytes);
        if written.is_ready() {
            busy();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
