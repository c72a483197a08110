//! Values of properties: bounded, checked, each with its own way to be wrong. No I/O.

use crate::vsphere::{
    error::is_invisible,
    soap::{
        Ref,
        reader::{Reader, XmlError},
    },
};

/// Why an object is skipped. One reason is reported per object, the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A managed object reference that is empty, overlong, or has other characters than references have.
    Reference,
    /// A name or another text that is overlong or has control characters.
    Text,
    /// A size that is not a number of bytes from 0 to 2^63-1.
    Size,
    /// A flag that is neither true nor false.
    Flag,
    /// A kind of update or a change operation that the API does not have.
    Operation,
    /// A mount without host or access mode, or more mounts than a datastore has.
    Mount,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::Reference, Self::Text, Self::Size, Self::Flag, Self::Operation, Self::Mount];

    /// A fixed word, for metrics and logs: a closed set.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Text => "text",
            Self::Size => "size",
            Self::Flag => "flag",
            Self::Operation => "operation",
            Self::Mount => "mount",
        }
    }
}

/// What is known of one property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Field<T> {
    /// Not on the wire: vCenter has no value for it.
    #[default]
    Absent,
    /// vCenter has it but does not show it, usually for want of a privilege.
    Withheld,
    Known(T),
    Malformed(Reason),
}

impl<T> Field<T> {
    /// What is made of a known value; everything else stays what it is.
    pub fn and_then<U>(self, make: impl FnOnce(T) -> Field<U>) -> Field<U> {
        match self {
            Self::Known(value) => make(value),
            Self::Absent => Field::Absent,
            Self::Withheld => Field::Withheld,
            Self::Malformed(reason) => Field::Malformed(reason),
        }
    }

    /// The same, borrowed.
    pub fn as_deref(&self) -> Field<&T::Target>
    where
        T: std::ops::Deref,
    {
        match self {
            Self::Absent => Field::Absent,
            Self::Withheld => Field::Withheld,
            Self::Known(value) => Field::Known(value),
            Self::Malformed(reason) => Field::Malformed(*reason),
        }
    }

    pub fn known(&self) -> Option<&T> {
        if let Self::Known(value) = self { Some(value) } else { None }
    }

    pub fn malformed(&self) -> Option<Reason> {
        if let Self::Malformed(reason) = self { Some(*reason) } else { None }
    }

    pub fn is_withheld(&self) -> bool {
        matches!(self, Self::Withheld)
    }
}

fn checked<T>(value: Option<T>, reason: Reason) -> Field<T> {
    value.map_or(Field::Malformed(reason), Field::Known)
}

/// Bytes of a name after unescaping. vCenter's own limit is 80 characters.
const NAME_BYTES: usize = 256;
/// Bytes of a url.
const URL_BYTES: usize = 1024;
/// Bytes of an enumeration's word.
const WORD_BYTES: usize = 64;
/// Bytes of a managed object reference's id.
const ID_BYTES: usize = 128;

fn text(value: &str, limit: usize) -> Field<String> {
    let fits = value.len() <= limit && !value.chars().any(|c| c.is_control() || is_invisible(c));
    checked(fits.then(|| value.to_owned()), Reason::Text)
}

/// An inventory name: `%2f`, `%5c` and `%25` stand for `/`, `\` and `%`; any other `%` for itself.
pub(crate) fn name(value: &str) -> Field<String> {
    if !value.contains('%') {
        return text(value, NAME_BYTES);
    }
    let mut plain = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let (c, skipped) = match after.get(..2) {
            Some(code) if code.eq_ignore_ascii_case("2f") => ('/', 2),
            Some(code) if code.eq_ignore_ascii_case("5c") => ('\\', 2),
            Some("25") => ('%', 2),
            _ => ('%', 0),
        };
        plain.push(c);
        rest = after.get(skipped..).unwrap_or_default();
    }
    plain.push_str(rest);
    text(&plain, NAME_BYTES)
}

/// A size in bytes; on the wire a signed long.
pub(crate) fn size(value: &str) -> Field<u64> {
    let number = value.trim().parse::<i64>().ok().and_then(|n| u64::try_from(n).ok());
    checked(number, Reason::Size)
}

pub(crate) fn flag(value: &str) -> Field<bool> {
    let flag = match value.trim() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    };
    checked(flag, Reason::Flag)
}

/// A reference as vCenter makes them (`datastore-42`, `group-d1`, or with a `_` and letters on the
/// simulator). The characters are those that cannot break a key, a log line or a label.
pub(crate) fn reference(kind: Option<&str>, id: &str) -> Field<Ref> {
    let id = id.trim();
    let word =
        |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
    let fits = (1..=ID_BYTES).contains(&id.len()) && word(id);
    let kind = kind.filter(|k| (1..=WORD_BYTES).contains(&k.len()) && word(k));
    let value = kind.filter(|_| fits).map(|kind| Ref { kind: kind.to_owned(), id: id.to_owned() });
    checked(value, Reason::Reference)
}

/// `Datastore.summary`, as far as it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub url: Field<String>,
    pub capacity: Field<u64>,
    pub free: Field<u64>,
    pub uncommitted: Field<u64>,
    pub accessible: Field<bool>,
    pub kind: Field<String>,
    pub maintenance_mode: Field<String>,
    pub multiple_host_access: Field<bool>,
}

impl Summary {
    /// All properties are withheld.
    pub fn withheld() -> Self {
        Self {
            url: Field::Withheld,
            capacity: Field::Withheld,
            free: Field::Withheld,
            uncommitted: Field::Withheld,
            accessible: Field::Withheld,
            kind: Field::Withheld,
            maintenance_mode: Field::Withheld,
            multiple_host_access: Field::Withheld,
        }
    }

    /// Reads the children of a `summary` value.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut summary = Self::default();
        while let Some(tag) = reader.child()? {
            if Self::has(tag.name()) {
                let value = reader.text()?;
                summary.set(tag.name(), Field::Known(&value));
            } else {
                reader.skip()?;
            }
        }
        Ok(summary)
    }

    fn has(property: &str) -> bool {
        matches!(
            property,
            "url"
                | "capacity"
                | "freeSpace"
                | "uncommitted"
                | "accessible"
                | "type"
                | "maintenanceMode"
                | "multipleHostAccess"
        )
    }

    /// Sets one property, named as on the wire, from its text; unknown ones are ignored.
    pub fn set(&mut self, property: &str, value: Field<&str>) {
        match property {
            "url" => self.url = value.and_then(|v| text(v, URL_BYTES)),
            "capacity" => self.capacity = value.and_then(size),
            "freeSpace" => self.free = value.and_then(size),
            "uncommitted" => self.uncommitted = value.and_then(size),
            "accessible" => self.accessible = value.and_then(flag),
            "type" => self.kind = value.and_then(|v| text(v, WORD_BYTES)),
            "multipleHostAccess" => self.multiple_host_access = value.and_then(flag),
            "maintenanceMode" => self.maintenance_mode = value.and_then(|v| text(v, WORD_BYTES)),
            _ => {}
        }
    }

    pub fn malformed(&self) -> Option<Reason> {
        let sizes = [&self.capacity, &self.free, &self.uncommitted];
        let texts = [&self.url, &self.kind, &self.maintenance_mode];
        let of_texts = texts.into_iter().find_map(Field::malformed);
        let of_sizes = sizes.into_iter().find_map(Field::malformed);
        of_texts.or(of_sizes).or(self.accessible.malformed()).or(self.multiple_host_access.malformed())
    }

    pub fn is_withheld(&self) -> bool {
        let sizes = [&self.capacity, &self.free, &self.uncommitted];
        let texts = [&self.url, &self.kind, &self.maintenance_mode];
        texts.into_iter().any(Field::is_withheld)
            || sizes.into_iter().any(Field::is_withheld)
            || self.accessible.is_withheld()
            || self.multiple_host_access.is_withheld()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unescaped_once() {
        for (escaped, plain) in [
            ("a%2fb%5cc%25d", "a/b\\c%d"),
            ("%2F%5C", "/\\"),
            ("%252f", "%2f"),
            ("100%", "100%"),
            ("%zz%2", "%zz%2"),
            ("%é", "%é"),
            (" blank ", " blank "),
        ] {
            assert_eq!(name(escaped), Field::Known(plain.into()), "{escaped}");
        }
    }

    #[test]
    fn values_out_of_bounds_are_malformed() {
        assert_eq!(name(&"n".repeat(256)), Field::Known("n".repeat(256)));
        assert_eq!(name(&"%25".repeat(256)), Field::Known("%".repeat(256)));
        assert_eq!(name(&"n".repeat(257)), Field::Malformed(Reason::Text));
        assert_eq!(name("a\u{1b}[0m"), Field::Malformed(Reason::Text));
        assert_eq!(name("a\u{202e}b"), Field::Malformed(Reason::Text));
        assert_eq!(size(" 9223372036854775807\n"), Field::Known(u64::MAX >> 1));
        for text in ["", "-1", "9223372036854775808", "1e9", "0x10", "1.5", "1 2"] {
            assert_eq!(size(text), Field::Malformed(Reason::Size), "{text}");
        }
        assert_eq!(flag("TRUE"), Field::Malformed(Reason::Flag));
        for id in ["", "a b", "a\nb", "a<b", &"a".repeat(129)] {
            assert_eq!(reference(Some("Datastore"), id), Field::Malformed(Reason::Reference), "{id}");
        }
        assert_eq!(reference(None, "datastore-1"), Field::Malformed(Reason::Reference));
    }
}
