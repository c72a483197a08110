//! From a decision to a status: what it says, what stays, and what counts as a change. Pure.
//!
//! [`change`](Change) says what is to become of a status, [`apply`] makes it so on whatever is there, and
//! [`Shown`] is what a status tells its readers: a waiting placement is written again only when that
//! would be different.

mod apply;
mod body;
mod build;
mod change;
mod condition;
mod identity;
mod shown;
#[cfg(test)]
mod tests;
mod vcenter;

pub use apply::apply;
pub use body::{Target, body};
pub(crate) use build::candidate;
pub use build::{Context, not_eligible, past_deadline, placed};
pub use change::{Change, NotReady, Placed, Stance};
pub use condition::condition;
pub use identity::instance_uuid;
pub use shown::Shown;
pub use vcenter::apply_vcenter;
