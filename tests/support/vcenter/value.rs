//! Property values, and how a vCenter writes them. No I/O.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// A managed object: its type and its id, for example `Datastore` and `datastore-17`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref {
    /// The type, for example `HostSystem`.
    pub kind: String,
    /// The id, unique in one vCenter.
    pub id: String,
}

impl Ref {
    /// A reference.
    pub fn new(kind: &str, id: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), id: id.into() }
    }

    /// As the content of element `name`: `<name type="Folder">group-d1</name>`.
    pub(super) fn element(&self, name: &str) -> String {
        format!("<{name} type=\"{}\">{}</{name}>", escape(&self.kind), escape(&self.id))
    }
}

/// A property's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `xsd:boolean`.
    Bool(bool),
    /// `xsd:int`.
    Int(i32),
    /// `xsd:long`.
    Long(i64),
    /// `xsd:string`.
    Text(String),
    /// `xsd:dateTime`.
    Time(String),
    /// A word of an enumeration: its type and the word.
    Enum(&'static str, String),
    /// A managed object.
    Ref(Ref),
    /// `ArrayOfManagedObjectReference`.
    Refs(Vec<Ref>),
    /// A data object: its type, and its fields in the order of the WSDL.
    Data(&'static str, Vec<(&'static str, Value)>),
    /// `ArrayOf..` data objects or words of one type.
    Array(&'static str, Vec<Value>),
}

impl Value {
    /// The value at the end of a dotted path below this one.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        let Self::Data(_, fields) = self else { return None };
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let (_, value) = fields.iter().find(|(field, _)| *field == name)?;
        rest.map_or(Some(value), |rest| value.at(rest))
    }

    /// The objects that a traversal along this value leads to.
    pub(super) fn objects(&self) -> &[Ref] {
        match self {
            Self::Ref(one) => std::slice::from_ref(one),
            Self::Refs(all) => all,
            _ => &[],
        }
    }

    /// The attribute that says the type, and for a reference also the object's type.
    fn type_attribute(&self) -> String {
        match self {
            Self::Bool(_) => "xsi:type=\"xsd:boolean\"".to_owned(),
            Self::Int(_) => "xsi:type=\"xsd:int\"".to_owned(),
            Self::Long(_) => "xsi:type=\"xsd:long\"".to_owned(),
            Self::Text(_) => "xsi:type=\"xsd:string\"".to_owned(),
            Self::Time(_) => "xsi:type=\"xsd:dateTime\"".to_owned(),
            Self::Enum(kind, _) | Self::Data(kind, _) => format!("xsi:type=\"{kind}\""),
            Self::Ref(object) => {
                format!("type=\"{}\" xsi:type=\"ManagedObjectReference\"", escape(&object.kind))
            }
            Self::Refs(_) => "xsi:type=\"ArrayOfManagedObjectReference\"".to_owned(),
            Self::Array(kind, _) => format!("xsi:type=\"ArrayOf{kind}\""),
        }
    }

    /// Element `name` with the type said, as `val` needs it.
    pub(super) fn write_typed(&self, name: &str, out: &mut String) {
        _ = write!(out, "<{name} {}>", self.type_attribute());
        self.write_content(out);
        _ = write!(out, "</{name}>");
    }

    /// Element `name` whose type the schema says already.
    fn write_plain(&self, name: &str, out: &mut String) {
        match self {
            Self::Ref(object) => out.push_str(&object.element(name)),
            // A field that is a list is a repeated element.
            Self::Refs(all) => all.iter().for_each(|object| out.push_str(&object.element(name))),
            Self::Array(_, all) => all.iter().for_each(|value| value.write_plain(name, out)),
            _ => {
                _ = write!(out, "<{name}>");
                self.write_content(out);
                _ = write!(out, "</{name}>");
            }
        }
    }

    fn write_content(&self, out: &mut String) {
        match self {
            Self::Bool(value) => _ = write!(out, "{value}"),
            Self::Int(value) => _ = write!(out, "{value}"),
            Self::Long(value) => _ = write!(out, "{value}"),
            Self::Text(text) | Self::Time(text) | Self::Enum(_, text) => out.push_str(&escape(text)),
            Self::Ref(object) => out.push_str(&escape(&object.id)),
            Self::Refs(all) => {
                for object in all {
                    Self::Ref(object.clone()).write_typed("ManagedObjectReference", out);
                }
            }
            Self::Data(_, fields) => fields.iter().for_each(|(name, value)| value.write_plain(name, out)),
            Self::Array(kind, all) => all.iter().for_each(|value| value.write_typed(kind, out)),
        }
    }
}

/// Text inside an element or an attribute, with the character references that a vCenter uses.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
    out
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// Something that nobody can guess the meaning of and that is the same in every run: a UUID's shape made of
/// a name and a number.
pub(super) fn opaque(name: &str, number: u64) -> String {
    let digest = Sha256::digest(format!("{name}/{number}"));
    let hex = hex(&digest);
    format!("52{}-{}-{}-{}-{}", &hex[2..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}
