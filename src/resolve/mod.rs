//! Which class, which `VCenter`, may this namespace: the references of a placement, followed. Pure.

mod allowed;
mod references;

pub use allowed::{Allowed, Labels};
pub use references::{ClassView, Resolved, Unresolved, VCenterView, World, default_class, resolve};
