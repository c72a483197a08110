//! Asking until something is so. Sleeps.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How long a condition may take before a test gives up; generous, because machines are busy.
const LIMIT: Duration = Duration::from_mins(1);

/// Asks until `ask` answers with a value, for up to 60 seconds.
///
/// # Errors
/// When the time is over: names `what`, and the last error of `ask` if it had one.
pub fn wait_for<T>(what: &str, ask: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    wait_within(LIMIT, what, ask)
}

/// [`wait_for`] with another limit.
pub(super) fn wait_within<T>(
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let answer = ask();
        if let Ok(Some(value)) = answer {
            return Ok(value);
        }
        if begin.elapsed() >= limit {
            let what = format!("waited {} s in vain for {what}", limit.as_secs());
            match answer {
                Err(error) => return Err(error).context(what),
                Ok(_) => bail!(what),
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}
