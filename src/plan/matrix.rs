//! Builds the matrix of a report. No I/O.

use std::collections::BTreeMap;

use crate::placement::{CodeSet, Finding};

use super::report::{Cell, Matrix, Row};

/// So many bytes of reasons are kept with a matrix; the cells after that name codes alone.
const MOST_WORDS: usize = 512 << 10;

pub(super) struct MatrixBuilder {
    matrix: Matrix,
    code_sets: BTreeMap<CodeSet, u32>,
    details: BTreeMap<String, u32>,
    words_left: usize,
}

impl MatrixBuilder {
    pub fn new() -> Self {
        Self {
            matrix: Matrix::default(),
            code_sets: BTreeMap::new(),
            details: BTreeMap::new(),
            words_left: MOST_WORDS,
        }
    }

    /// There is room for more reasons in words.
    pub fn wants_words(&self) -> bool {
        self.words_left > 0
    }

    /// A placement against `columns` datastores: the findings on those of its own `VCenter`, the first of their
    /// columns, and the column of the datastore that it has.
    pub fn push(&mut self, columns: usize, found: Option<(usize, Vec<Finding>)>, selected: Option<usize>) {
        let mut row = Row::default();
        if let Some((first, findings)) = found {
            row.cells.reserve_exact(columns);
            row.cells.resize(first, Cell::Elsewhere);
            let own = selected.and_then(|column| findings.get(column.checked_sub(first)?)?.rank);
            for finding in &findings {
                let cell = match finding.rank {
                    Some(rank) => Cell::Eligible { rank: beside(own, rank) },
                    None => self.refused(finding),
                };
                row.cells.push(cell);
            }
            row.cells.resize(columns, Cell::Elsewhere);
        }
        self.matrix.rows.push(row);
    }

    pub fn finish(self) -> Matrix {
        self.matrix
    }

    fn refused(&mut self, finding: &Finding) -> Cell {
        let next = number(self.matrix.code_sets.len());
        let codes = *self.code_sets.entry(finding.codes).or_insert(next);
        if codes == next {
            self.matrix.code_sets.push(finding.codes.iter().collect());
        }
        Cell::Refused { codes, detail: self.detail(finding) }
    }

    fn detail(&mut self, finding: &Finding) -> Option<u32> {
        if finding.reasons.is_empty() {
            return None;
        }
        let lines = finding.reasons.iter().map(|(_, message)| message.as_str());
        let text = lines.collect::<Vec<_>>().join("\n");
        if let Some(known) = self.details.get(&text) {
            return Some(*known);
        }
        let left = self.words_left.checked_sub(text.len());
        self.words_left = left.unwrap_or(0);
        left?;
        let next = number(self.matrix.details.len());
        self.matrix.details.push(text.clone());
        self.details.insert(text, next);
        Some(next)
    }
}

/// The rank of another datastore when the one that the placement has comes first, whatever it would be now.
fn beside(own: Option<u32>, rank: u32) -> u32 {
    match own {
        Some(own) if own == rank => 1,
        Some(own) if own < rank => rank,
        _ => rank.saturating_add(1),
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RejectionCode;

    #[test]
    fn words_are_kept_until_there_are_too_many() {
        let mut builder = MatrixBuilder::new();
        let refused = |words: String| {
            let reasons = vec![(RejectionCode::MaintenanceMode, words)];
            Some((0, vec![Finding { rank: None, codes: CodeSet::default(), reasons }]))
        };
        let half = |letter: &str| letter.repeat(MOST_WORDS / 2);
        for letter in ["a", "b"] {
            assert!(builder.wants_words());
            builder.push(1, refused(half(letter)), None);
        }
        assert!(!builder.wants_words(), "no cell is put into words any more");
        builder.push(1, refused(half("a")), None);
        builder.push(1, refused("more".into()), None);
        let matrix = builder.finish();
        let details: Vec<_> = matrix.rows.iter().map(|row| row.cells[0]).collect();
        let refused = |detail| Cell::Refused { codes: 0, detail };
        assert_eq!(details, [refused(Some(0)), refused(Some(1)), refused(Some(0)), refused(None)]);
    }
}
