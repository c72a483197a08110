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

    /// A placement against `columns` datastores, of which those of its own `VCenter` begin at some column.
    pub fn push(&mut self, columns: usize, found: Option<(usize, Vec<Finding>)>) {
        let mut row = Row::default();
        if let Some((first, findings)) = found {
            row.cells.reserve_exact(columns);
            row.cells.resize(first, Cell::Elsewhere);
            for finding in &findings {
                let cell = self.cell(finding);
                row.cells.push(cell);
            }
            row.cells.resize(columns, Cell::Elsewhere);
        }
        self.matrix.rows.push(row);
    }

    pub fn finish(self) -> Matrix {
        self.matrix
    }

    fn cell(&mut self, finding: &Finding) -> Cell {
        if let Some(rank) = finding.rank {
            return Cell::Eligible { rank };
        }
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
        let lines = finding.reasons.iter().map(|(code, message)| format!("{code}: {message}"));
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

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
