//! THE DECISION: which datastore a placement gets, and why not the others. Pure: no I/O, no clock.

pub mod inventory;

pub use inventory::{Backing, Datastore, Inventory, MoRef};
