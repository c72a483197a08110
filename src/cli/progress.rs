//! How far something is, on standard error, once it has taken longer than a second.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// What is quicker needs no progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells how far something is: on a terminal in one line that changes, else in a line now and then.
#[derive(Debug)]
pub struct Progress {
    quiet: bool,
    terminal: bool,
    next: Instant,
    told: bool,
}

impl Progress {
    /// Begins now.
    pub fn new(quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        Self { quiet, terminal, next: Instant::now() + PATIENCE, told: false }
    }

    /// This is how far it is.
    pub fn tell(&mut self, stage: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.quiet || now < self.next {
            return;
        }
        self.told = true;
        if self.terminal {
            self.next = now + Duration::from_millis(200);
            eprint!("\r\x1b[K{}", stage());
            // Whether it is seen changes nothing.
            drop(io::stderr().flush());
        } else {
            self.next = now + Duration::from_secs(10);
            eprintln!("{}", stage());
        }
    }

    /// Makes room for other lines.
    pub fn end(self) {
        if self.told && self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
