//! The devices that make a promise safe, as switches for the model of `tests/model`. No I/O.
//!
//! The model has to show that each of them is needed: it explores the scheduler with one of them switched
//! off, and must then find a broken promise. In every other build [`Scheduler::has`] is the constant `true`
//! and nothing is left of the switches; the feature does not compile where debug assertions are off, as in
//! a release.

use crate::placement::Claim;

use super::Scheduler;
use super::rows::PlacedFact;
use super::term::OpenIntent;

#[cfg(all(feature = "model-mutants", not(debug_assertions)))]
compile_error!("the feature model-mutants is for the model alone: it must not be in a release");

/// What keeps promises from being broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// A promise is in the journal before its status is written.
    JournalWrite,
    /// The journal is written only where it is what this process last knew.
    JournalVersion,
    /// What is found in the journal is counted.
    FoundCount,
    /// A promise is written only onto the version of the object that it was decided on.
    StatusVersion,
    /// The room of a decision is kept before the next decision.
    Assume,
    /// The room of what statuses say is counted, whoever wrote them.
    ClaimRebuild,
    /// What is found in the journal and may still land is written to its end.
    Completion,
}

impl Scheduler {
    #[cfg(not(feature = "model-mutants"))]
    #[allow(clippy::unused_self, reason = "with the feature it looks")]
    pub(super) const fn has(&self, _: Device) -> bool {
        true
    }

    #[cfg(feature = "model-mutants")]
    pub(super) fn has(&self, device: Device) -> bool {
        self.without != Some(device)
    }

    /// The same without one device.
    #[cfg(feature = "model-mutants")]
    #[must_use]
    pub fn without(mut self, device: Option<Device>) -> Self {
        self.without = device;
        self
    }

    /// The version that a write of the journal names. An empty one is what Kubernetes calls unconditional.
    pub(super) fn journal_precondition(&self, version: Option<String>) -> Option<String> {
        if self.has(Device::JournalVersion) { version } else { Some(String::new()) }
    }

    /// A promise with its room, by grace of a device.
    pub(super) fn counted(&self, device: Device, mut open: OpenIntent) -> OpenIntent {
        if !self.has(device) {
            open.own.claim = Claim::default();
        }
        open
    }

    /// What a status that was read says.
    pub(super) fn rebuilt(&self, fact: Option<PlacedFact>) -> Option<PlacedFact> {
        let counts = self.has(Device::ClaimRebuild);
        fact.map(|fact| PlacedFact { claim: fact.claim.filter(|_| counts), ..fact })
    }
}
