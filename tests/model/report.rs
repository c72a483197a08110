//! Explores one model and tells what was found.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value, json};
use stateright::{Checker, HasDiscoveries, Model};

use super::protocol::{Config, FACTS, Fact, Protocol};
use super::words;

/// What the exploration of one model came to.
pub struct Outcome {
    pub states: usize,
    /// The broken property, and the way there.
    pub violation: Option<(&'static str, Vec<String>)>,
    /// Properties that hold somewhere, and did not.
    pub missing: Vec<&'static str>,
    pub facts: [(Fact, u64); FACTS.len()],
    /// For the record of a long run.
    pub numbers: Value,
}

/// Explores all of it, or as far as the first violation of one of these properties. On one thread, breadth
/// first: the same numbers and the same shortest path in every run.
pub fn explore(name: &str, config: Config, violations: &[&'static str]) -> Outcome {
    let began = Instant::now();
    let violations: BTreeSet<_> = violations.iter().copied().collect();
    let checker = Protocol::new(config)
        .checker()
        .threads(1)
        .finish_when(HasDiscoveries::AnyOf(violations.clone()))
        .spawn_bfs()
        .join();
    let model = checker.model();
    let discoveries = checker.discoveries();
    let missing = model.properties().into_iter().map(|property| property.name);
    let missing =
        missing.filter(|name| !violations.contains(name) && !discoveries.contains_key(name)).collect();
    let violation = discoveries.into_iter().find(|(name, _)| violations.contains(name));
    let violation = violation.map(|(name, path)| (name, words::path(path.into_vec())));
    let (states, facts) = (checker.unique_state_count(), FACTS.map(|fact| (fact, model.count(fact))));
    let numbers = json!({
        "name": name,
        "states": states,
        "steps": checker.state_count(),
        "depth": checker.max_depth(),
        "processStates": model.processes(),
        "seconds": began.elapsed().as_secs(),
        "violation": violation,
    });
    println!("{numbers}");
    println!("  happened: {facts:?}");
    Outcome { states, violation, missing, facts, numbers }
}
