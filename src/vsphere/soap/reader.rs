//! A reader of foreign XML: bounded, without recursion, linear in the input. No I/O.
//!
//! Elements are compared by local name: vCenter's and the simulator's prefixes differ, and the names are
//! unambiguous. Of the attributes only two matter, and they share a local name: `type` without a prefix is
//! a managed object's type, `type` in the schema-instance namespace is the value's type; which prefix that
//! namespace has differs between servers, so it is resolved.
//!
//! quick-xml does not report a document that ends early, nor a second root: both are checked here.

use std::borrow::Cow;

use quick_xml::{
    Reader as Events, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event, attributes::Attribute},
    name::{PrefixDeclaration, QName},
};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// vCenter nests about fifteen deep.
const MAX_DEPTH: usize = 128;
/// Bytes of all attributes of one element. vCenter's envelope has 250.
const MAX_ATTRIBUTE_BYTES: usize = 8 * 1024;
/// Prefixes in scope. vCenter declares four, and looking one up is a walk through all of them.
const MAX_PREFIXES: usize = 32;

/// Why a document was refused; a fixed text, nothing of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct XmlError(pub &'static str);

/// An element that was just entered.
pub(crate) struct Tag<'x>(BytesStart<'x>);

impl Tag<'_> {
    /// The local name.
    pub fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// The unprefixed `type` attribute.
    pub fn moref_type(&self) -> Option<Cow<'_, str>> {
        self.attribute(|name| name.as_ref() == "type")
    }

    fn attribute(&self, wanted: impl Fn(QName<'_>) -> bool) -> Option<Cow<'_, str>> {
        if self.0.attributes_raw().is_empty() {
            return None;
        }
        let mut attributes = self.0.attributes();
        let found = attributes.with_checks(false).map_while(Result::ok).find(|found| wanted(found.key))?;
        found.normalized_value(XmlVersion::Implicit1_0).ok()
    }
}

/// A declared prefix: valid inside the element at `depth`.
struct Prefix {
    depth: usize,
    name: String,
    is_xsi: bool,
}

enum Step<'x> {
    Open(Tag<'x>),
    Close,
    Text(Cow<'x, str>),
    End,
}

/// Walks through one document. Every element that [`Reader::child`] returns must be consumed before the
/// next call: by [`Reader::text`], by [`Reader::skip`], or by `child` until it returns `None`.
pub(crate) struct Reader<'x> {
    inner: Events<&'x [u8]>,
    depth: usize,
    root_seen: bool,
    prefixes: Vec<Prefix>,
}

impl<'x> Reader<'x> {
    pub fn new(document: &'x str) -> Self {
        let document = document.strip_prefix('\u{feff}').unwrap_or(document);
        let mut inner = Events::from_str(document);
        inner.config_mut().expand_empty_elements = true;
        Self { inner, depth: 0, root_seen: false, prefixes: Vec::new() }
    }

    /// Enters the root element.
    pub fn root(&mut self) -> Result<Tag<'x>, XmlError> {
        loop {
            match self.step()? {
                Step::Open(tag) => return Ok(tag),
                Step::Text(_) => {}
                Step::Close | Step::End => return Err(XmlError("empty document")),
            }
        }
    }

    /// Enters the next child of the open element; `None` when the open element ended.
    pub fn child(&mut self) -> Result<Option<Tag<'x>>, XmlError> {
        loop {
            match self.step()? {
                Step::Open(tag) => return Ok(Some(tag)),
                Step::Close => return Ok(None),
                Step::Text(_) => {}
                Step::End => return Err(XmlError("truncated")),
            }
        }
    }

    /// The text of the open element up to its end, exactly as it is; elements inside are skipped.
    pub fn text(&mut self) -> Result<Cow<'x, str>, XmlError> {
        let outside = self.depth.saturating_sub(1);
        let mut text: Cow<'x, str> = Cow::Borrowed("");
        while self.depth > outside {
            match self.step()? {
                // Only the element's own text: what is inside other elements is another value.
                Step::Text(more) if self.depth == outside.saturating_add(1) => {
                    if text.is_empty() {
                        text = more;
                    } else {
                        text.to_mut().push_str(&more);
                    }
                }
                Step::Text(_) | Step::Open(_) | Step::Close => {}
                Step::End => return Err(XmlError("truncated")),
            }
        }
        Ok(text)
    }

    /// Leaves the open element.
    pub fn skip(&mut self) -> Result<(), XmlError> {
        self.skip_looking_at(|_, _| {})
    }

    /// Leaves the open element and shows every element inside it, at any depth.
    pub fn skip_looking_at(&mut self, mut look: impl FnMut(&Self, &Tag<'x>)) -> Result<(), XmlError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            match self.step()? {
                Step::Open(tag) => look(self, &tag),
                Step::Text(_) | Step::Close => {}
                Step::End => return Err(XmlError("truncated")),
            }
        }
        Ok(())
    }

    /// Reads to the end of the document and tells whether it is complete.
    pub fn finish(&mut self) -> Result<(), XmlError> {
        while !matches!(self.step()?, Step::End) {}
        Ok(())
    }

    fn step(&mut self) -> Result<Step<'x>, XmlError> {
        loop {
            let event = self.inner.read_event().map_err(|_| XmlError("syntax"))?;
            return Ok(match event {
                Event::Start(start) => Step::Open(self.open(start)?),
                Event::End(_) => {
                    self.depth = self.depth.checked_sub(1).ok_or(XmlError("syntax"))?;
                    while self.prefixes.last().is_some_and(|prefix| prefix.depth > self.depth) {
                        self.prefixes.pop();
                    }
                    Step::Close
                }
                Event::Text(text) => self.inside(text.xml10_content())?,
                Event::CData(text) => self.inside(text.xml10_content())?,
                Event::GeneralRef(name) => {
                    let text: Cow<'x, str> = match name.resolve_char_ref() {
                        Ok(Some(c)) => Cow::Owned(c.to_string()),
                        Ok(None) => {
                            Cow::Borrowed(resolve_predefined_entity(&name).ok_or(XmlError("unknown entity"))?)
                        }
                        Err(_) => return Err(XmlError("bad character reference")),
                    };
                    if self.depth == 0 {
                        return Err(XmlError("text outside the root"));
                    }
                    Step::Text(text)
                }
                Event::DocType(_) => return Err(XmlError("document type declaration")),
                Event::Eof if self.depth == 0 && self.root_seen => Step::End,
                Event::Eof => return Err(XmlError("truncated")),
                // Empty elements are expanded into a start and an end.
                Event::Empty(_) => return Err(XmlError("syntax")),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
            });
        }
    }

    fn inside(&self, text: Cow<'x, str>) -> Result<Step<'x>, XmlError> {
        if self.depth == 0 && !text.trim().is_empty() {
            return Err(XmlError("text outside the root"));
        }
        Ok(Step::Text(text))
    }

    fn open(&mut self, start: BytesStart<'x>) -> Result<Tag<'x>, XmlError> {
        if self.depth == 0 && std::mem::replace(&mut self.root_seen, true) {
            return Err(XmlError("second root"));
        }
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            return Err(XmlError("nested too deeply"));
        }
        let attributes = start.attributes_raw();
        if attributes.len() > MAX_ATTRIBUTE_BYTES {
            return Err(XmlError("too many attributes"));
        }
        if attributes.contains("xmlns") {
            self.declare(&start)?;
        }
        Ok(Tag(start))
    }

    fn declare(&mut self, start: &BytesStart<'x>) -> Result<(), XmlError> {
        for attribute in start.attributes() {
            let Attribute { key, value } = attribute.map_err(|_| XmlError("bad attribute"))?;
            if let Some(PrefixDeclaration::Named(name)) = key.as_namespace_binding() {
                if self.prefixes.len() >= MAX_PREFIXES {
                    return Err(XmlError("too many prefixes"));
                }
                self.prefixes.push(Prefix { depth: self.depth, name: name.to_owned(), is_xsi: value == XSI });
            }
        }
        Ok(())
    }

    /// `xsi:type` of an element that was just entered, without the prefix that its value may have.
    pub fn xsi_type<'t>(&self, tag: &'t Tag<'x>) -> Option<Cow<'t, str>> {
        let is_xsi = |prefix: &str| {
            let innermost = self.prefixes.iter().rev().find(|known| known.name == prefix);
            innermost.is_some_and(|known| known.is_xsi)
        };
        let value = tag.attribute(|name| {
            let (local, prefix) = name.decompose();
            local.as_ref() == "type" && prefix.is_some_and(|prefix| is_xsi(prefix.as_ref()))
        })?;
        Some(match value.rsplit_once(':') {
            Some((_, local)) => Cow::Owned(local.to_owned()),
            None => value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(document: &str) -> Result<(), XmlError> {
        let mut reader = Reader::new(document);
        reader.root()?;
        reader.finish()
    }

    fn text_of(document: &str) -> Result<String, XmlError> {
        let mut reader = Reader::new(document);
        reader.root()?;
        let text = reader.text()?;
        reader.finish()?;
        Ok(text.into_owned())
    }

    fn attributes(count: usize, prefix: &str) -> String {
        (0..count)
            .flat_map(|n| [" ".to_owned(), prefix.to_owned(), n.to_string(), "='1'".to_owned()])
            .collect()
    }

    #[test]
    fn text_is_joined_from_all_its_parts() {
        assert_eq!(text_of("<a>A &amp; B<![CDATA[ <c>]]>&#65;&#x42;</a>").unwrap(), "A & B <c>AB");
        assert_eq!(text_of("<a>\n  x\r\n y<b>no</b>z <!-- c --></a>").unwrap(), "\n  x\n yz ");
        assert_eq!(text_of("\u{feff}<?xml version='1.0'?><a/>").unwrap(), "");
    }

    #[test]
    fn the_two_kinds_of_type_are_told_apart_by_namespace() {
        for document in [
            r#"<v xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" type="Folder" xsi:type="vim25:Man"/>"#,
            r#"<v xmlns:_q="http://www.w3.org/2001/XMLSchema-instance" _q:type="Man" type="Folder"/>"#,
            r#"<v xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="urn:x" xsi:type="Man" x:type="no" type="Folder"/>"#,
        ] {
            let mut reader = Reader::new(document);
            let tag = reader.root().unwrap();
            let types = (tag.moref_type(), reader.xsi_type(&tag));
            assert_eq!(types, (Some("Folder".into()), Some("Man".into())), "{document}");
        }
        let mut reader =
            Reader::new(r#"<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><b i:type="T"/></a>"#);
        reader.root().unwrap();
        let tag = reader.child().unwrap().unwrap();
        assert_eq!(reader.xsi_type(&tag), Some("T".into()));
        let mut reader = Reader::new(r#"<a xmlns:xsi="urn:other" xsi:type="T"/>"#);
        let tag = reader.root().unwrap();
        assert_eq!(reader.xsi_type(&tag), None);
        // A declaration ends with its element, and an inner one hides an outer one.
        let mut reader = Reader::new(
            r#"<a><b xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><c xmlns:i="u" i:type="T"/></b><d i:type="T"/></a>"#,
        );
        let mut found = Vec::new();
        reader.root().unwrap();
        reader.skip_looking_at(|reader, tag| found.push(reader.xsi_type(tag).is_some())).unwrap();
        assert_eq!(found, [false, false, false]);
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        assert_eq!(whole(&deep(128)), Ok(()));
        assert_eq!(whole(&deep(1000)), Err(XmlError("nested too deeply")));
        assert_eq!(whole(&deep(100_000)), Err(XmlError("nested too deeply")));
        assert_eq!(whole("<!DOCTYPE a><a/>"), Err(XmlError("document type declaration")));
        let bomb = r#"<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><l>&b;</l>"#;
        assert_eq!(whole(bomb), Err(XmlError("document type declaration")));
        assert_eq!(whole("<l>&b;</l>"), Err(XmlError("unknown entity")));
        assert_eq!(whole("<l>&#0;</l>"), Err(XmlError("bad character reference")));
        assert_eq!(whole("<a/><b/>"), Err(XmlError("second root")));
        assert_eq!(whole("<a/>x"), Err(XmlError("text outside the root")));
        assert_eq!(whole("x<a/>"), Err(XmlError("text outside the root")));
        assert_eq!(whole(""), Err(XmlError("truncated")));
        assert_eq!(whole("<a></b>"), Err(XmlError("syntax")));
        let many = attributes(100_000, "a");
        assert_eq!(whole(&format!("<a{many}/>")), Err(XmlError("too many attributes")));
        let many = attributes(33, "xmlns:a");
        assert_eq!(whole(&format!("<a{many}/>")), Err(XmlError("too many prefixes")));
        let spaces = attributes(100_000, "xmlns:a");
        assert!(whole(&format!("<a{spaces}/>")).is_err());
    }

    #[test]
    fn a_document_cut_anywhere_is_an_error() {
        let document = "<a x='1'><b>t&amp;<![CDATA[c]]></b><c/></a>";
        for (cut, _) in document.char_indices() {
            assert!(whole(&document[..cut]).is_err(), "{}", &document[..cut]);
        }
        assert_eq!(whole(document), Ok(()));
    }

    #[test]
    fn skipping_leaves_exactly_one_element() {
        let mut reader = Reader::new("<r><a><b><c/></b>t</a><d>x</d></r>");
        reader.root().unwrap();
        reader.child().unwrap().unwrap();
        let mut seen = Vec::new();
        reader.skip_looking_at(|_, tag| seen.push(tag.name().to_owned())).unwrap();
        assert_eq!(seen, ["b", "c"]);
        assert_eq!(reader.child().unwrap().unwrap().name(), "d");
        assert_eq!(reader.text().unwrap(), "x");
        assert!(reader.child().unwrap().is_none());
        reader.finish().unwrap();
    }
}
