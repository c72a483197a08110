//! A field of a user's spec that cannot be used, and the sizes that fields hold. No I/O.

use std::fmt;

use super::bytes::Bytes;
use super::text;
use crate::api::Quantity;

/// A field that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldError {
    /// Its path below `spec`, for example `datastores.namePattern`.
    pub field: &'static str,
    /// What is wrong, with the user's own words, in one bounded line.
    pub message: String,
}

impl FieldError {
    /// The user's own words, and what is wrong with them.
    pub(super) fn about(field: &'static str, words: &str, why: impl fmt::Display) -> Self {
        Self { field, message: format!("{} {why}", text::quoted(words)) }
    }
}

/// A size, never 0.
pub(super) fn size(field: &'static str, quantity: &Quantity) -> Result<Bytes, FieldError> {
    Bytes::parse(&quantity.0).map_err(|why| FieldError::about(field, &quantity.0, why))
}

/// An amount that may be nothing, in bytes.
pub(super) fn amount(field: &'static str, quantity: &Quantity) -> Result<u64, FieldError> {
    let amount =
        Bytes::parse_amount(&quantity.0).map_err(|why| FieldError::about(field, &quantity.0, why))?;
    Ok(amount.get())
}
