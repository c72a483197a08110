//! SIGTERM and SIGINT: the first asks to stop, the second aborts. Does I/O.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::error;

/// Begins to listen; the first signal cancels what is returned.
pub(super) fn stop_on_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if asked.is_cancelled() {
                error!("stopped by a second signal");
                std::process::exit(130);
            }
            asked.cancel();
        }
    });
    Ok(stop)
}
