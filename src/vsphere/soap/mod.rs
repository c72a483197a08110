//! SOAP as vCenter speaks it: requests as typed values, answers through one event reader. No I/O.

pub(crate) mod envelope;
pub(crate) mod fault;
pub(crate) mod reader;

use fault::Fault;
use reader::{Reader, XmlError};

/// A managed object: its type and its id, for example `Datastore` and `datastore-42`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ref {
    /// The managed object's type.
    pub kind: String,
    /// The id, unique within its vCenter; a session's own objects carry the session's key in it.
    pub id: String,
}

/// No `id`: it can hold the session's key.
impl std::fmt::Debug for Ref {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&super::error::clean(&format!("{}:{}", self.kind, self.id)))
    }
}

/// Reads one whole answer: `Envelope`, `Body`, then either a fault or `<method>Response`, whose children
/// `read` consumes.
///
/// Nothing is returned unless the document is complete: a half-read answer must not pass for a short one.
pub(crate) fn answer<'x, T>(
    document: &'x str,
    method: &str,
    read: impl FnOnce(&mut Reader<'x>) -> Result<T, XmlError>,
) -> Result<Result<T, Fault>, XmlError> {
    let mut reader = Reader::new(document);
    if reader.root()?.name() != "Envelope" {
        return Err(XmlError("not a SOAP envelope"));
    }
    let answer = loop {
        let Some(part) = reader.child()? else { return Err(XmlError("no SOAP body")) };
        if part.name() != "Body" {
            reader.skip()?;
            continue;
        }
        let Some(content) = reader.child()? else { return Err(XmlError("empty SOAP body")) };
        break match content.name() {
            "Fault" => Err(Fault::read(&mut reader)?),
            name if name.strip_suffix("Response") == Some(method) => Ok(read(&mut reader)?),
            _ => return Err(XmlError("not the answer to this method")),
        };
    };
    reader.finish()?;
    Ok(answer)
}

/// The `returnval` of a method that returns one managed object.
pub(crate) fn returned_ref(reader: &mut Reader<'_>) -> Result<Ref, XmlError> {
    let mut found = None;
    while let Some(tag) = reader.child()? {
        if tag.name() == "returnval" && found.is_none() {
            let kind = tag.moref_type().unwrap_or_default().into_owned();
            found = Some(Ref { kind, id: reader.text()?.into_owned() });
        } else {
            reader.skip()?;
        }
    }
    found.filter(|r| !r.id.is_empty()).ok_or(XmlError("no managed object returned"))
}

/// The answer of a method that returns nothing.
pub(crate) fn returned_nothing(reader: &mut Reader<'_>) -> Result<(), XmlError> {
    reader.skip()
}
