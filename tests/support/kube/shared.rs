//! What the handle and the connections share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use berth::controller::Clock;
use tokio::sync::watch::{Receiver, Sender};
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::faults::Faults;
use super::store::Store;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Virtual time since the start.
    pub at: Duration,
    pub call: Call,
    /// The status code that was sent; none when there was no answer.
    pub code: Option<u16>,
}

/// Everything that changes.
pub struct State {
    pub store: Store,
    pub faults: Faults,
    pub exchanges: Vec<Exchange>,
    /// Watches of an earlier round end.
    pub watches: u64,
    /// Plurals of kinds whose CRD is not installed.
    pub missing: Vec<&'static str>,
    /// Connections are refused.
    pub down: bool,
    /// Cuts the connections that there are.
    pub cut: CancellationToken,
}

/// The state, and who waits for its changes.
pub struct Shared {
    state: Mutex<State>,
    changed: Sender<u64>,
}

impl Shared {
    pub fn new(clock: Clock) -> Self {
        let state = State {
            store: Store::new(clock),
            faults: Faults::default(),
            exchanges: Vec::new(),
            watches: 0,
            missing: Vec::new(),
            down: false,
            cut: CancellationToken::new(),
        };
        Self { state: Mutex::new(state), changed: Sender::new(0) }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        // A test that has failed while it held the lock has failed already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the watches.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let outcome = change(&mut self.lock());
        self.changed.send_modify(|count| *count += 1);
        outcome
    }

    pub fn changes(&self) -> Receiver<u64> {
        self.changed.subscribe()
    }
}
