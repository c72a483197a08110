//! From a decision to a status: what changes, what stays, and what counts as a change. Pure.

mod change;

pub use change::{Change, NotReady, Placed, Stance, apply};
