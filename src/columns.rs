//! Columns for a terminal, without borders, as kubectl writes them. They do not depend on its width. No I/O.

use comfy_table::{Table, presets};

/// Between two columns.
const GAP: u16 = 3;

/// What has no value.
pub(crate) const UNKNOWN: &str = "?";

/// An empty table.
pub(crate) fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table
}

/// Its lines, the header first. A row is one line when no cell has a line break.
pub(crate) fn lines(table: &Table) -> impl Iterator<Item = String> {
    table.lines().map(|line| line.trim_end().to_owned())
}
