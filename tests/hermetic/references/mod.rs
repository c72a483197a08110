//! `docs/reference/`: what is written from the source of truth is up to date.

mod api;
mod reasons;
