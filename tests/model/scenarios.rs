//! What goes wrong in which model. Everything at once is too much to explore; each kind of trouble is combined
//! with those that it can make worse.

use super::judge::RULES;
use super::protocol::{Config, Fact, HELD, RESOLVED};
use super::report::{Outcome, explore};
use super::state::Budget;

/// Two processes that both believe they lead, two terms, and room to wait once.
const CALM: Budget = Budget {
    crashes: 0,
    lost: 0,
    duplicates: 0,
    revisions: 0,
    edits: 0,
    deletions: 0,
    creations: 0,
    shrinks: 0,
    lease_losses: 0,
    waits: 1,
    terms: 2,
};
pub const CRASHES: Budget = Budget { crashes: 1, lost: 1, duplicates: 1, terms: 3, ..CALM };
pub const CRASH: Budget = Budget { crashes: 1, ..CALM };
pub const REVISION: Budget = Budget { revisions: 1, ..CALM };
pub const RECREATION: Budget = Budget { deletions: 1, creations: 1, ..CALM };
pub const SHRINKING: Budget = Budget { shrinks: 1, lease_losses: 1, ..CALM };
pub const SHRINKING_AND_EDIT: Budget = Budget { shrinks: 1, edits: 1, ..CALM };
pub const LEASE: Budget = Budget { lease_losses: 1, lost: 1, ..CALM };

/// Those of a long run: name, placements, budget.
pub const LONG: &[(&str, usize, Budget)] = &[
    ("edit", 2, Budget { edits: 1, ..CALM }),
    ("two crashes, four terms", 2, Budget { crashes: 2, terms: 4, ..CALM }),
    ("crash and revision", 2, Budget { crashes: 1, revisions: 1, ..CALM }),
    ("crash and recreation", 2, Budget { crashes: 1, ..RECREATION }),
    ("crash, lease and shrinking", 2, Budget { crashes: 1, ..SHRINKING }),
    ("three placements, crash", 3, Budget { crashes: 1, duplicates: 1, terms: 3, ..CALM }),
    ("three placements, lost answer", 3, Budget { lost: 1, ..CALM }),
    ("three placements, lease", 3, Budget { lease_losses: 1, ..CALM }),
];

/// Explores all of one model: nothing is violated, and what was to be shown did happen.
pub fn holds(name: &str, placements: usize, budget: Budget) -> Outcome {
    let config = Config { placements, budget, without: None, rules: RULES };
    let outcome = explore(name, config, &[HELD, RESOLVED]);
    if let Some((property, path)) = &outcome.violation {
        panic!("{name}: not so: {property}\n{}", path.join("\n"));
    }
    assert_eq!(outcome.missing, [""; 0], "{name}: this never was so");
    let may_be_late = budget.crashes + budget.lost > 0;
    let late = [Fact::LandedLate, Fact::JournalLandedLate];
    for (fact, count) in outcome.facts {
        assert!(count > 0 || (late.contains(&fact) && !may_be_late), "{name}: no {fact:?} ever happened");
    }
    outcome
}
