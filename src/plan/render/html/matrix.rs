//! The matrix as a page carries it: numbers and words, packed. No I/O.
//!
//! One number stands for one cell, row by row, as an unsigned LEB128:
//!
//! | number | cell |
//! |---|---|
//! | 0 | another vCenter's |
//! | 1 | not evaluated |
//! | 2 | eligible, without a rank |
//! | 3 .. 3 + s | refused; the set of codes |
//! | 3 + s .. | eligible, ranks from 1 |
//!
//! where s is how many sets there are. Then, when there are details, one number for each refused cell: 0, or
//! the detail's place from 1. `page.js` reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use miniz_oxide::deflate::compress_to_vec;
use serde_json::json;

use crate::api::RejectionCode;
use crate::plan::render::line;
use crate::plan::{Cell, Matrix, Report};

/// Up to so many cells, every rank is told.
const MAX_RANKED_CELLS: usize = 50_000;
/// Beyond, only those of so many candidates: the ranks of a row are a permutation, which does not pack.
const MAX_RANK: u32 = 10;

/// The most that DEFLATE tries.
const LEVEL: u8 = 9;

const ELSEWHERE: u32 = 0;
const NOT_EVALUATED: u32 = 1;
const ELIGIBLE: u32 = 2;
const SETS: u32 = 3;

/// What a page carries, each deflated and in base64.
pub(super) struct Packed {
    /// The codes that occur, in the order of their declaration.
    pub(super) codes: Vec<RejectionCode>,
    /// JSON: `sets`, each of places in `codes`, and `details`.
    pub(super) words: String,
    /// The numbers.
    pub(super) cells: String,
}

impl Packed {
    pub(super) fn new(matrix: &Matrix, report: &Report) -> Self {
        let occurs = |code: &RejectionCode| matrix.code_sets.iter().any(|set| set.contains(code));
        let codes: Vec<_> = RejectionCode::ALL.iter().copied().filter(occurs).collect();
        let place = |code| codes.iter().position(|other| other == code);
        let sets: Vec<Vec<_>> =
            matrix.code_sets.iter().map(|set| set.iter().filter_map(place).collect()).collect();
        let details: Vec<_> = matrix.details.iter().map(|detail| lines(detail)).collect();
        let words = json!({"sets": sets, "details": details}).to_string();
        Self { codes, words: pack(words.as_bytes()), cells: pack(&numbers(matrix, report)) }
    }
}

fn numbers(matrix: &Matrix, report: &Report) -> Vec<u8> {
    let width = report.datastores.len();
    let ranked =
        if width.saturating_mul(report.placements.len()) <= MAX_RANKED_CELLS { u32::MAX } else { MAX_RANK };
    let sets = u32::try_from(matrix.code_sets.len()).unwrap_or(u32::MAX);
    let (mut cells, mut details) = (Vec::new(), Vec::new());
    for row in 0..report.placements.len() {
        for column in 0..width {
            let cell = matrix.rows.get(row).and_then(|row| row.cells.get(column));
            let number = match cell {
                None => NOT_EVALUATED,
                Some(Cell::Elsewhere) => ELSEWHERE,
                Some(Cell::Eligible { rank }) if (1..=ranked).contains(rank) => {
                    SETS.saturating_add(sets).saturating_add(rank.saturating_sub(1))
                }
                Some(Cell::Eligible { .. }) => ELIGIBLE,
                Some(Cell::Refused { codes, detail }) => {
                    put(&mut details, detail.map_or(0, |detail| detail.saturating_add(1)));
                    SETS.saturating_add(*codes)
                }
            };
            put(&mut cells, number);
        }
    }
    if !matrix.details.is_empty() {
        cells.extend(details);
    }
    cells
}

/// Unsigned LEB128.
fn put(bytes: &mut Vec<u8>, mut number: u32) {
    loop {
        let low = (number & 0x7f).to_le_bytes()[0];
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

/// Raw DEFLATE, then base64.
fn pack(bytes: &[u8]) -> String {
    BASE64.encode(compress_to_vec(bytes, LEVEL))
}

/// The capitals of a code, three at most: `NMO` for `NotMountedOnHosts`.
pub(super) fn short(code: RejectionCode) -> String {
    code.as_str().chars().filter(char::is_ascii_uppercase).take(3).collect()
}

fn lines(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use miniz_oxide::inflate::decompress_to_vec;
    use serde_json::Value;

    use super::*;
    use crate::plan::{PlannedDatastore, PlannedPlacement, Row, Summary};

    /// A report without a matrix of its own.
    fn report(placements: usize, datastores: usize) -> Report {
        let placement = PlannedPlacement {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            ready: true,
            reason: "Placed".to_owned(),
            message: String::new(),
            status: Value::Null,
        };
        let datastore = PlannedDatastore {
            vcenter: "vc".to_owned(),
            name: "ds".to_owned(),
            mo_ref: "datastore-1".to_owned(),
            kind: "VMFS".to_owned(),
            capacity_bytes: None,
            free_bytes: None,
            claimed_before_bytes: 0,
            claimed_after_bytes: 0,
        };
        Report {
            api_version: crate::plan::API_VERSION,
            placements: vec![placement; placements],
            datastores: vec![datastore; datastores],
            summary: Summary::default(),
            matrix: None,
        }
    }

    fn unpack(packed: &str) -> Vec<u8> {
        decompress_to_vec(&BASE64.decode(packed).unwrap()).unwrap()
    }

    #[test]
    fn a_page_carries_every_cell_and_each_word_once() {
        use RejectionCode::{MaintenanceMode, NotShared, TypeNotAllowed};
        let refused = |codes, detail| Cell::Refused { codes, detail };
        let cells = vec![
            Cell::Elsewhere,
            Cell::Eligible { rank: 2 },
            Cell::Eligible { rank: 0 },
            refused(1, Some(1)),
        ];
        let mut matrix = Matrix {
            rows: vec![Row { cells }, Row { cells: vec![refused(0, None)] }],
            code_sets: vec![vec![NotShared], vec![TypeNotAllowed, NotShared]],
            details: vec!["a\u{1b}".to_owned(), "b\nc\td".to_owned()],
        };
        let packed = Packed::new(&matrix, &report(2, 4));
        assert_eq!(packed.codes, [TypeNotAllowed, NotShared]);
        assert!(!packed.codes.contains(&MaintenanceMode));
        let words: Value = serde_json::from_slice(&unpack(&packed.words)).unwrap();
        assert_eq!(words, json!({"sets": [[1], [0, 1]], "details": ["a\u{fffd}", "b\nc\u{fffd}d"]}));
        let numbers = [0, 6, 2, 4, 3, 1, 1, 1];
        assert_eq!(unpack(&packed.cells), [&numbers[..], &[2, 0]].concat());
        matrix.details.clear();
        assert_eq!(unpack(&Packed::new(&matrix, &report(2, 4)).cells), numbers, "no details at all");
    }

    #[test]
    fn a_large_page_names_the_first_ten_ranks_only() {
        let ranks = [1, 10, 11].map(|rank| Cell::Eligible { rank });
        let matrix = Matrix { rows: vec![Row { cells: ranks.to_vec() }], ..Matrix::default() };
        for (rows, third) in [(MAX_RANKED_CELLS / 4, 13), (MAX_RANKED_CELLS / 4 + 1, 2)] {
            let cells = unpack(&Packed::new(&matrix, &report(rows, 4)).cells);
            assert_eq!(cells[..5], [3, 12, third, 1, 1], "{rows} rows");
            assert_eq!(cells.len(), 4 * rows);
        }
    }

    #[test]
    fn no_two_codes_are_short_for_the_same() {
        let shorts: BTreeSet<_> = RejectionCode::ALL.iter().map(|code| short(*code)).collect();
        assert_eq!(shorts.len(), RejectionCode::ALL.len(), "{shorts:?}");
    }

    #[test]
    fn numbers_are_leb128() {
        for (number, expected) in [
            (0, vec![0]),
            (127, vec![0x7f]),
            (128, vec![0x80, 1]),
            (300, vec![0xac, 2]),
            (u32::MAX, vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            assert_eq!(bytes, expected, "{number}");
        }
    }
}
