//! Why a file is refused, in one line that says where and what to do. No I/O.

use thiserror::Error;

use super::API_VERSION;
use super::check::MAX_WORD;
use super::read::MAX_BYTES;
use crate::objects::{nearest, one_line};

/// Bytes of one part of a message.
const MAX_MESSAGE: usize = 512;

/// Why a file is refused. Reads after the name of the file; one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// It is longer than [`MAX_BYTES`].
    #[error("it is longer than {} MiB", MAX_BYTES >> 20)]
    TooLong,
    /// Nothing is in it, as when the recording failed.
    #[error("it is empty: record it again")]
    Empty,
    /// It ends early.
    #[error("it ends early, in line {0}: record it again")]
    Truncated(usize),
    /// It is not JSON, or has a field that is unknown, repeated or of another type.
    #[error("line {line}, column {column}: {why}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1; 0 when the line before ends with it.
        column: usize,
        /// What is wrong there.
        why: String,
    },
    /// It has no `apiVersion`, or one of something else.
    #[error("it is no recorded inventory, whose apiVersion is {API_VERSION}; 'berth inventory' records one")]
    NoRecording,
    /// It was written by another version of Berth.
    #[error(
        "its apiVersion is {0:?}, and this version of Berth reads {API_VERSION}: use a newer Berth, or record it \
         again with this one"
    )]
    OtherVersion(String),
    /// It says something that no vCenter shows.
    #[error("{object}: {why}")]
    Nonsense {
        /// Where, for example `datastore-42`.
        object: String,
        /// What is wrong there.
        why: String,
    },
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        if error.is_eof() {
            return Self::Truncated(line);
        }
        let words = error.to_string();
        let words = words.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&words);
        let why = unknown_field(words).unwrap_or_else(|| words.to_owned());
        Self::Syntax { line, column, why: one_line(&why, MAX_MESSAGE) }
    }
}

/// What to do about a field that is not known. serde lists all that are: ``unknown field `a`, expected one of
/// `b`, `c` ``.
fn unknown_field(words: &str) -> Option<String> {
    let mut names = words.strip_prefix("unknown field `")?.split('`').step_by(2);
    let unknown = one_line(names.next()?, MAX_WORD);
    Some(match nearest(&unknown, names) {
        Some(known) => format!("unknown field {unknown}; did you mean {known}?"),
        None => format!("unknown field {unknown}: if a newer Berth has recorded it, use that one"),
    })
}

pub(super) fn nonsense(object: &str, why: &str) -> ReadError {
    ReadError::Nonsense { object: one_line(object, MAX_WORD), why: one_line(why, MAX_MESSAGE) }
}
