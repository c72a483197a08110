//! Conditions on a datastore's type and name, parsed. No I/O.

use super::field::FieldError;
use super::inventory::Datastore;
use super::pattern::{Pattern, Patterns};
use super::text;
use crate::api;

/// Longest name of a datastore type, in bytes. vSphere's own are much shorter.
const MAX_TYPE_LENGTH: usize = 64;

/// What must hold of a datastore. Empty and absent parts are no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    /// Allowed types in lower case, sorted, each once.
    pub types: Vec<String>,
    /// The whole name must match it.
    pub name: Option<Pattern>,
    /// The whole name must not match it.
    pub exclude: Option<Pattern>,
}

impl Selector {
    /// # Errors
    /// When a type is empty or far too long, or a pattern is not usable.
    pub fn parse(spec: &api::DatastoreSelector, patterns: &mut Patterns) -> Result<Self, FieldError> {
        let mut types =
            spec.types.iter().map(|t| parse_type("datastores.types", t)).collect::<Result<Vec<_>, _>>()?;
        types.sort();
        types.dedup();
        let mut pattern = |field, text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => patterns.intern(text).map(Some).map_err(|why| FieldError::about(field, text, why)),
        };
        Ok(Self {
            types,
            name: pattern("datastores.namePattern", &spec.name_pattern)?,
            exclude: pattern("datastores.excludePattern", &spec.exclude_pattern)?,
        })
    }

    /// An absent selector is one without conditions.
    pub(super) fn parse_optional(
        spec: Option<&api::DatastoreSelector>,
        patterns: &mut Patterns,
    ) -> Result<Self, FieldError> {
        spec.map_or_else(|| Ok(Self::default()), |spec| Self::parse(spec, patterns))
    }

    /// Whether every condition holds. A type that vCenter did not return is not among any given ones.
    #[must_use]
    pub fn admits(&self, datastore: &Datastore) -> bool {
        (self.types.is_empty() || datastore.kind.as_deref().is_some_and(|kind| lists(&self.types, kind)))
            && self.name.as_ref().is_none_or(|pattern| pattern.matches(&datastore.name))
            && !self.exclude.as_ref().is_some_and(|pattern| pattern.matches(&datastore.name))
    }
}

/// A type in lower case.
pub(super) fn parse_type(field: &'static str, text: &str) -> Result<String, FieldError> {
    if text.is_empty() || text.len() > MAX_TYPE_LENGTH {
        let message =
            format!("{} is not the name of a datastore type, such as VMFS or VVOL", text::quoted(text));
        return Err(FieldError { field, message });
    }
    Ok(text.to_ascii_lowercase())
}

/// Whether a list of types in lower case has this one, however it is spelled.
pub(super) fn lists(types: &[String], kind: &str) -> bool {
    types.iter().any(|t| t.eq_ignore_ascii_case(kind))
}

/// The types that vSphere knows, in its own spelling.
const SPELLED: [&str; 7] = ["VMFS", "NFS", "NFS41", "vsan", "vsanD", "VVOL", "PMEM"];

/// A list of types in lower case, as it is shown to people.
pub(super) fn shown(types: &[String]) -> String {
    let spelled =
        |kind: &String| SPELLED.into_iter().find(|s| s.eq_ignore_ascii_case(kind)).map(str::to_owned);
    types.iter().map(|kind| spelled(kind).unwrap_or_else(|| kind.clone())).collect::<Vec<_>>().join(", ")
}
