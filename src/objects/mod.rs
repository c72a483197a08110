//! Kubernetes objects as JSON, and what the scheduler is told of them. No I/O.

mod decode;
mod raw;
mod text;

pub(crate) use decode::{Incomplete, class, key, name, placement, uid, vcenter};
pub(crate) use raw::RawObject;
pub(crate) use text::{nearest, one_line};
