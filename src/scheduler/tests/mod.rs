//! The scheduler in a small world of its own.

mod herd;
mod life;
mod trouble;
mod vcenters;
mod world;
