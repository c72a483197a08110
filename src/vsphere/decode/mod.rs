//! From answers to plain rows. No I/O.
//!
//! A document that cannot be read is an error of the whole answer. A value that makes no sense spoils only
//! its own property ([`value::Field::Malformed`]): one odd datastore must not hide the others.

pub(crate) mod content;
pub(crate) mod missing;
pub(crate) mod mounts;
pub(crate) mod updates;
pub(crate) mod value;

use super::{
    error::clean,
    soap::{
        Ref,
        reader::{Reader, Tag, XmlError},
    },
};

/// A short text of the answer's frame, for example a version: bounded, and an error when it is not.
fn frame_text(reader: &mut Reader<'_>) -> Result<String, XmlError> {
    let text = reader.text()?;
    if text.len() > 1024 { Err(XmlError("overlong text")) } else { Ok(text.into_owned()) }
}

/// A managed object of the answer's frame.
fn frame_ref(reader: &mut Reader<'_>, tag: &Tag<'_>) -> Result<Ref, XmlError> {
    let kind = tag.moref_type().unwrap_or_default().into_owned();
    let id = frame_text(reader)?;
    if id.is_empty() { Err(XmlError("empty object reference")) } else { Ok(Ref { kind, id }) }
}

/// A text that is only shown, bounded and cleaned.
fn shown(reader: &mut Reader<'_>) -> Result<String, XmlError> {
    reader.text().map(|text| clean(&text))
}
