//! A comment on a pull request, in GitHub's Markdown. No I/O.
//!
//! Everything from outside stands in code spans: nothing in them is markup, a mention, an issue or a link.

use std::fmt;

use super::figures::{Fill, known_size, sentence, size};
use super::line;
use crate::columns::UNKNOWN;
use crate::plan::{PlannedDatastore, PlannedPlacement, Report};

/// Longest lists, in bytes each: three of them and the rest stay below the 65,536 characters that GitHub
/// takes.
const MAX_LIST: usize = 20_000;

/// Displays a report.
pub(super) struct Markdown<'a>(pub(super) &'a Report);

impl fmt::Display for Markdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(report) = self;
        writeln!(f, "### Berth plan: {}", sentence(&report.summary))?;
        let (placed, refused): (Vec<_>, Vec<_>) =
            report.placements.iter().partition(|placement| placement.ready);
        section(f, "Without a datastore", "", refused.into_iter().map(refusal))?;
        let header = "| Placement | Datastore |\n| --- | --- |\n";
        section(f, "Placed", header, placed.into_iter().map(landing))?;
        let (changed, unchanged): (Vec<_>, Vec<_>) =
            report.datastores.iter().partition(|datastore| datastore.changes());
        let header = "| Datastore | VCenter | Type | Capacity | Free | Claimed | Used and claimed |\n\
                      | --- | --- | --- | ---: | ---: | ---: | ---: |\n";
        section(f, "Datastores that change", header, changed.into_iter().map(change))?;
        if unchanged.is_empty() {
            Ok(())
        } else {
            writeln!(f, "\nUnchanged datastores: {}.", unchanged.len())
        }
    }
}

/// A heading and as many of the lines as there is room for; nothing when there are none.
fn section(
    f: &mut fmt::Formatter<'_>,
    heading: &str,
    header: &str,
    lines: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    let mut left = lines.len();
    if left == 0 {
        return Ok(());
    }
    write!(f, "\n#### {heading} ({left})\n\n{header}")?;
    let mut room = MAX_LIST;
    for line in lines {
        let Some(rest) = room.checked_sub(line.len()) else { break };
        room = rest;
        left = left.saturating_sub(1);
        f.write_str(&line)?;
    }
    if left > 0 { writeln!(f, "\n{left} more.") } else { Ok(()) }
}

fn refusal(placement: &PlannedPlacement) -> String {
    format!("- {} {}: {}\n", name(placement), code(&placement.reason), code(&placement.message))
}

fn landing(placement: &PlannedPlacement) -> String {
    format!("| {} | {} |\n", cell(&name(placement)), cell(&code(placement.datastore().unwrap_or_default())))
}

fn change(datastore: &PlannedDatastore) -> String {
    let PlannedDatastore { claimed_before_bytes: before, claimed_after_bytes: after, .. } = *datastore;
    let filled = Fill::of(datastore).map_or_else(
        || UNKNOWN.to_owned(),
        |fill| format!("{} → {}", fill.percent(fill.before), fill.percent(fill.after)),
    );
    format!(
        "| {} | {} | {} | {} | {} | {} → {} | {filled} |\n",
        cell(&code(&datastore.name)),
        cell(&code(&datastore.vcenter)),
        cell(&code(&datastore.kind)),
        known_size(datastore.capacity_bytes),
        known_size(datastore.free_bytes),
        size(before),
        size(after),
    )
}

fn name(placement: &PlannedPlacement) -> String {
    code(&format!("{}/{}", placement.namespace, placement.name))
}

/// Text as a code span that nothing in it can end, in one line of bounded length.
fn code(text: &str) -> String {
    let text = line(text);
    if text.trim().is_empty() {
        return "–".to_owned();
    }
    let runs = text.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or_default() + 1);
    // A blank at each end is taken off again, and parts the text's own backticks from the fence.
    let blank = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// The same within a table, whose cells a `|` ends even in a code span.
fn cell(markdown: &str) -> String {
    markdown.replace('|', r"\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_holds_anything() {
        for (text, expected) in [
            ("@team <b> *x* #12", "`@team <b> *x* #12`"),
            ("a`b", "``a`b``"),
            ("```", "```` ``` ````"),
            (" x ", "`  x  `"),
            ("two\nlines", "`two\u{fffd}lines`"),
            ("  ", "–"),
            ("`a", "`` `a ``"),
            ("a`", "`` a` ``"),
        ] {
            assert_eq!(code(text), expected);
        }
        assert_eq!(cell(&code("a|b")), r"`a\|b`");
    }
}
