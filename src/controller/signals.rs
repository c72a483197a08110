//! SIGTERM and SIGINT: the first asks to stop, the second aborts. Does I/O.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::error;

/// Tells when the process is asked to stop.
pub(super) struct Signals(watch::Receiver<bool>);

impl Signals {
    /// Begins to listen.
    pub(super) fn new() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if sender.send_replace(true) {
                    error!("stopped by a second signal");
                    std::process::exit(130);
                }
            }
        });
        Ok(Self(receiver))
    }

    /// Returns once the first signal has come.
    pub(super) async fn first(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            // Nobody listens any more: no signal will ever come.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
impl From<watch::Receiver<bool>> for Signals {
    fn from(asked: watch::Receiver<bool>) -> Self {
        Self(asked)
    }
}
