//! Columns for a terminal. They do not depend on its width. No I/O.

use std::fmt;

use anstyle::{AnsiColor, Style};
use comfy_table::Table;

use super::figures::{known_size, sentence, size};
use super::line;
use crate::columns::{lines, table};
use crate::plan::Report;

const HEADER: Style = Style::new().bold();
const REFUSED: Style = AnsiColor::Red.on_default();

/// Displays a report.
pub(super) struct Columns<'a> {
    pub(super) report: &'a Report,
    pub(super) colours: bool,
}

impl fmt::Display for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.report.placements.iter().map(|placement| !placement.ready);
        let styles = refused.map(|refused| if refused { REFUSED } else { Style::new() });
        self.lines(f, &placements(self.report), styles)?;
        writeln!(f)?;
        self.lines(f, &datastores(self.report), std::iter::empty())?;
        writeln!(f, "\n{}", sentence(&self.report.summary))
    }
}

impl Columns<'_> {
    /// The table's lines. A row is one line, because no cell has a line break; so a style is a whole line's.
    fn lines(
        &self,
        f: &mut fmt::Formatter<'_>,
        table: &Table,
        rows: impl Iterator<Item = Style>,
    ) -> fmt::Result {
        let styles = std::iter::once(HEADER).chain(rows).chain(std::iter::repeat(Style::new()));
        for (row, style) in lines(table).zip(styles) {
            let style = if self.colours { style } else { Style::new() };
            writeln!(f, "{style}{row}{style:#}")?;
        }
        Ok(())
    }
}

fn placements(report: &Report) -> Table {
    let mut placements = table(["NAMESPACE", "NAME", "READY", "REASON", "DATASTORE", "MESSAGE"]);
    for placement in &report.placements {
        placements.add_row([
            line(&placement.namespace),
            line(&placement.name),
            if placement.ready { "True" } else { "False" }.to_owned(),
            line(&placement.reason),
            placement.datastore().map(line).unwrap_or_default(),
            line(&placement.message),
        ]);
    }
    placements
}

fn datastores(report: &Report) -> Table {
    let mut datastores =
        table(["VCENTER", "NAME", "TYPE", "CAPACITY", "FREE", "CLAIMED BEFORE", "CLAIMED AFTER"]);
    for datastore in &report.datastores {
        datastores.add_row([
            line(&datastore.vcenter),
            line(&datastore.name),
            line(&datastore.kind),
            known_size(datastore.capacity_bytes),
            known_size(datastore.free_bytes),
            size(datastore.claimed_before_bytes),
            size(datastore.claimed_after_bytes),
        ]);
    }
    datastores
}
