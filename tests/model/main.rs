//! A model of how promises are journalled and written, explored with the shipped scheduler in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod api;
mod judge;
mod process;
mod protocol;
mod shared;

use protocol::{Budget, Config, FACTS, Protocol, told};
use stateright::{Checker, HasDiscoveries, Model};
use std::collections::BTreeSet;

fn run(name: &str, config: Config) {
    let began = std::time::Instant::now();
    let failing: BTreeSet<&'static str> = ["no promise is broken", "every promise is kept or void in the end"].into();
    let checker = Protocol::new(config)
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyOf(failing.clone()))
        .spawn_bfs()
        .join();
    println!(
        "{name}: {} states, {} steps, depth {}, {} process states, {:.1?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        checker.model().processes(),
        began.elapsed()
    );
    println!("   {:?}", FACTS.map(|fact| (fact, checker.model().count(fact))));
    for (name, path) in checker.discoveries() {
        println!("   {name}: found");
        if failing.contains(name) {
            for (state, step) in path.into_vec() {
                match step {
                    Some(step) => println!("      {}", told(&state, &step)),
                    None => println!("      {:?}", state.broken),
                }
            }
        }
    }
}

#[test]
fn try_it() {
    let n = |name: &str, default: u8| std::env::var(name).ok().map_or(default, |v| v.parse().unwrap());
    let budget = Budget {
        crashes: n("CRASHES", 0),
        lost: n("LOST", 0),
        duplicates: n("DUP", 0),
        revisions: n("REV", 0),
        edits: n("EDITS", 0),
        deletions: n("DEL", 0),
        creations: n("CREATE", 0),
        shrinks: n("SHRINK", 0),
        lease_losses: n("LEASE", 0),
        waits: n("WAITS", 1),
        terms: n("TERMS", 2),
    };
    use berth::scheduler::Device;
    let without = std::env::var("WITHOUT").ok().map(|w| match w.as_str() {
        "journal" => Device::JournalWrite,
        "version" => Device::JournalVersion,
        "found" => Device::FoundCount,
        "status" => Device::StatusVersion,
        "assume" => Device::Assume,
        "rebuild" => Device::ClaimRebuild,
        "completion" => Device::Completion,
        _ => panic!(),
    });
    run("try", Config { placements: n("PLACEMENTS", 2).into(), budget, without });
}
