//! The scheduler in a small world of its own.

mod figures;
mod herd;
mod life;
mod promises;
mod trouble;
mod vcenters;
mod world;
