//! THE MAP. Berth gives every VM instance its vSphere datastore: it watches `InstancePlacement` objects,
//! keeps a fresh inventory of every vCenter, decides, keeps the room, and writes datastore and reasons into
//! the placement's status.
//!
//! | module | owns | I/O |
//! |---|---|---|
//! | [`api`] | the contract: three kinds, their conditions, reasons and CRDs | no |
//! | [`resolve`] | which class, which `VCenter`, may this namespace | no |
//! | [`placement`] | the decision: rules, rank, explanation, claims | no |
//! | [`status`] | from a decision to a status, and what counts as a change | no |
//! | [`scheduler`] | the state: `step(now, input, actions)`; rows, ledger, journal, term, connections | no |
//! | `objects` | from an object's JSON to what the scheduler is told | no |
//! | [`recording`] | a vCenter's inventory as a file | no |
//! | [`manifests`] | from YAML to objects, and where each stands | no |
//! | [`plan`] | decisions without a cluster, and the report of them | no |
//! | [`vsphere`] | the vCenter adapter: SOAP, session, inventory watch | yes |
//! | [`controller`] | the Kubernetes shell: watches, writes, journal, events, debug endpoints | yes |
//! | [`telemetry`] | logs, metrics, health | yes |
//!
//! `api` uses nothing of ours; `placement` uses `api`; `resolve` and `status` use those two; `scheduler` uses
//! those four; `objects` uses those five, `manifests` and `recording` read what is written for them, and `plan`
//! plays all of them. None of these does I/O, logs, or reads a clock: a test checks it. `vsphere` and
//! `controller` translate and do I/O, and decide nothing. The binary's `cli` puts them together.
//!
//! # The life of one placement
//!
//! 1. [`controller`]'s watch shows it; its metadata, spec and status are decoded apart.
//! 2. [`Scheduler::step`](scheduler::Scheduler::step) takes it as an input. Its spec becomes an
//!    [`Ask`](placement::Ask), and its row gets a turn.
//! 3. At its turn, [`resolve`](resolve::resolve) follows its references to a class and a `VCenter`.
//! 4. [`Request::compile`](placement::Request::compile) joins what the three say, and
//!    [`decide`](placement::decide) asks every rule of every datastore of the newest inventory.
//! 5. The room of the selected datastore is kept in the [`Ledger`](placement::Ledger) at once, so that the
//!    next decision, in the same microsecond, counts it.
//! 6. The promise goes into the journal with its whole batch: one write, which only the newest leader can do.
//! 7. Then its status is written with the version that was decided on: once, or not at all.
//! 8. Whatever becomes of that write, the object's next version tells; until then the room stays kept.
//! 9. A placement that nothing fits is told why, and gets another turn whenever something changes.

pub mod api;
mod columns;
pub mod controller;
pub mod manifests;
mod objects;
pub mod placement;
pub mod plan;
#[cfg(test)]
mod purity;
pub mod recording;
pub mod resolve;
pub mod scheduler;
pub mod status;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod vsphere;
