//! `missingSet`: a property that an answer does not bring, and why. No I/O.

use std::borrow::Cow;

use crate::vsphere::soap::reader::{Reader, Tag, XmlError};

/// One `missingSet`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing<'x> {
    /// The property, or one that it is a part of.
    pub path: Cow<'x, str>,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The session is dead. vCenter says so with HTTP 200, and then "no properties" does not mean that there
    /// are none.
    Unauthenticated,
    /// The object has no such property.
    Unknown,
    /// The object has it, but it is not shown: usually for want of a privilege.
    Withheld,
}

impl<'x> Missing<'x> {
    /// Reads the children of a `missingSet`. A fault can be wrapped in others, so that its type is looked for
    /// at any depth.
    pub fn read(reader: &mut Reader<'x>) -> Result<Self, XmlError> {
        let mut missing = Self { path: Cow::Borrowed(""), why: Why::Withheld };
        while let Some(tag) = reader.child()? {
            if tag.name() == "path" {
                missing.path = reader.text()?;
                continue;
            }
            missing.look_at(reader, &tag);
            reader.skip_looking_at(|reader, inner| missing.look_at(reader, inner))?;
        }
        Ok(missing)
    }

    fn look_at(&mut self, reader: &Reader<'x>, tag: &Tag<'x>) {
        let is = |name: &str| reader.xsi_type(tag).is_some_and(|found| found == name);
        if is("NotAuthenticated") || tag.name() == "NotAuthenticatedFault" {
            self.why = Why::Unauthenticated;
        } else if is("InvalidProperty") && self.why == Why::Withheld {
            self.why = Why::Unknown;
        }
    }
}
