//! Requests read strictly, answers and faults written as a vCenter does. No I/O.

use quick_xml::{
    NsReader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
    name::ResolveResult,
};

use super::value::{Ref, escape};

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const VIM: &str = "urn:vim25";

/// A SOAP fault: answered under HTTP 500.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The type, for example `NotAuthenticated`; empty for a fault without detail.
    pub kind: String,
    /// The fault's fields, XML.
    pub detail: String,
    /// `faultstring`.
    pub text: String,
}

impl Fault {
    /// A fault without fields.
    pub fn new(kind: &str, text: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), detail: String::new(), text: text.into() }
    }

    /// A request that cannot be understood; says why in words, as a fault without detail.
    pub(super) fn invalid_request(why: impl Into<String>) -> Self {
        Self::new("", why)
    }

    /// The named argument is wrong.
    pub(super) fn invalid_argument(argument: &str) -> Self {
        Self {
            detail: format!("<invalidProperty>{}</invalidProperty>", escape(argument)),
            ..Self::new("InvalidArgument", format!("A specified parameter was not correct: {argument}"))
        }
    }

    /// The object is not there, or no longer.
    pub(super) fn not_found(object: &Ref) -> Self {
        Self {
            detail: object.element("obj"),
            ..Self::new(
                "ManagedObjectNotFound",
                format!(
                    "The object 'vim.{}:{}' has already been deleted or has not been completely created",
                    object.kind, object.id
                ),
            )
        }
    }

    /// The type has no such property.
    pub(super) fn invalid_property(name: &str) -> Self {
        Self { detail: format!("<name>{}</name>", escape(name)), ..Self::new("InvalidProperty", "") }
    }

    /// The session is dead.
    pub(super) fn not_authenticated(object: &Ref) -> Self {
        Self {
            detail: object.element("object") + "<privilegeId>System.View</privilegeId>",
            ..Self::new("NotAuthenticated", "The session is not authenticated.")
        }
    }

    /// The user may not read it.
    pub(super) fn no_permission(object: &Ref) -> Self {
        Self {
            detail: object.element("object") + "<privilegeId>System.Read</privilegeId>",
            ..Self::new("NoPermission", "Permission to perform this operation was denied.")
        }
    }

    /// The whole answer.
    pub(super) fn document(&self) -> String {
        let Self { kind, detail, text } = self;
        let (code, detail) = if kind.is_empty() {
            ("ns1:InvalidRequest", String::new())
        } else {
            let child =
                format!("<{kind}Fault xmlns=\"urn:vim25\" xsi:type=\"{kind}\">{detail}</{kind}Fault>");
            ("ServerFaultCode", format!("<detail>{child}</detail>"))
        };
        envelope(&format!(
            "<soapenv:Fault><faultcode>{code}</faultcode><faultstring>{}</faultstring>{detail}</soapenv:Fault>",
            escape(text)
        ))
    }

    /// As a `LocalizedMethodFault` named `fault`.
    pub(super) fn localized(&self) -> String {
        format!(
            "<fault><fault xsi:type=\"{}\">{}</fault><localizedMessage>{}</localizedMessage></fault>",
            self.kind,
            self.detail,
            escape(&self.text)
        )
    }
}

/// An envelope around an answer, with a vCenter's prefixes and line breaks.
pub(super) fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope \
         xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\"\n \
         xmlns:soapenv=\"{ENVELOPE}\"\n xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"\n \
         xmlns:xsi=\"{XSI}\">\n<soapenv:Body>\n{body}\n</soapenv:Body>\n</soapenv:Envelope>"
    )
}

/// The answer of `method` with what it returns, XML.
pub(super) fn response(method: &str, returned: &str) -> String {
    envelope(&format!("<{method}Response xmlns=\"{VIM}\">{returned}</{method}Response>"))
}

/// An element of a request.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub name: String,
    namespace: String,
    /// The attribute `type` without a prefix: a managed object's type.
    object_type: Option<String>,
    /// The attribute `type` of the schema instance namespace, without its prefix.
    pub xsi_type: Option<String>,
    pub text: String,
    children: Vec<Element>,
}

/// The call inside an envelope.
pub(super) struct Call {
    pub method: String,
    /// The object it is called on.
    pub this: Ref,
    arguments: Element,
}

impl Call {
    /// The arguments after `_this`.
    pub fn arguments(&self) -> Arguments<'_> {
        let mut arguments = Arguments::of(&self.arguments);
        arguments.next += 1;
        arguments
    }
}

/// Reads a request.
pub(super) fn read(document: &str) -> Result<Call, Fault> {
    let root = parse(document).map_err(|why| Fault::invalid_request(format!("XML: {why}")))?;
    let refuse = |why: &str| Fault::invalid_request(why.to_owned());
    if (root.name.as_str(), root.namespace.as_str()) != ("Envelope", ENVELOPE) {
        return Err(refuse("not a SOAP envelope"));
    }
    let mut parts = root.children;
    if parts.first().is_some_and(|part| part.name == "Header") {
        parts.remove(0);
    }
    let body = parts.pop().filter(|part| part.name == "Body" && part.namespace == ENVELOPE);
    let Some(mut body) = body.filter(|_| parts.is_empty()) else {
        return Err(refuse("an envelope is Header? Body"));
    };
    let Some(method) = body.children.pop().filter(|_| body.children.is_empty()) else {
        return Err(refuse("a body has one call"));
    };
    if method.namespace != VIM {
        return Err(refuse(&format!("unknown namespace {:?}", method.namespace)));
    }
    let this = method.children.first().filter(|first| first.name == "_this");
    let this =
        this.ok_or_else(|| refuse(&format!("{}: the first argument is _this", method.name)))?.object()?;
    Ok(Call { method: method.name.clone(), this, arguments: method })
}

fn parse(document: &str) -> Result<Element, String> {
    let mut reader = NsReader::from_str(document);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|error| error.to_string())?;
        let namespace = match namespace {
            ResolveResult::Bound(bound) => bound.into_inner().to_owned(),
            _ => String::new(),
        };
        let text = match event {
            Event::Start(start) => {
                if root.is_some() {
                    return Err("a second root".to_owned());
                }
                open.push(element(&reader, &start, namespace)?);
                continue;
            }
            Event::End(_) => {
                let done = open.pop().ok_or("an end without a start")?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => root = Some(done),
                }
                continue;
            }
            Event::Text(text) => text.xml10_content().into_owned(),
            Event::CData(text) => text.xml10_content().into_owned(),
            Event::GeneralRef(name) => match name.resolve_char_ref().map_err(|error| error.to_string())? {
                Some(c) => c.to_string(),
                None => resolve_predefined_entity(&name).ok_or("an unknown entity")?.to_owned(),
            },
            Event::DocType(_) => return Err("a document type".to_owned()),
            Event::Eof => return root.filter(|_| open.is_empty()).ok_or_else(|| "cut short".to_owned()),
            Event::Empty(_) | Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.text.push_str(&text),
            None if text.trim().is_empty() => {}
            None => return Err("text outside the root".to_owned()),
        }
    }
}

fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>, namespace: String) -> Result<Element, String> {
    let name = start.local_name().into_inner().to_owned();
    let mut element = Element { name, namespace, ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        let (bound, local) = reader.resolver().resolve_attribute(attribute.key);
        match (bound, local.into_inner()) {
            (ResolveResult::Unbound, "type") => element.object_type = Some(value.into_owned()),
            (ResolveResult::Bound(bound), "type") if bound.into_inner() == XSI => {
                let local = value.rsplit(':').next().unwrap_or_default();
                element.xsi_type = Some(local.to_owned());
            }
            _ => {}
        }
    }
    Ok(element)
}

impl Element {
    /// The managed object that this element names.
    pub fn object(&self) -> Result<Ref, Fault> {
        let kind = self.object_type.as_deref().filter(|kind| !kind.is_empty());
        match kind {
            Some(kind) if self.children.is_empty() && !self.text.is_empty() => Ok(Ref::new(kind, &self.text)),
            _ => Err(Fault::invalid_request(format!("{} is not a managed object reference", self.name))),
        }
    }

    /// The plain text of a leaf.
    pub fn leaf(&self) -> Result<&str, Fault> {
        if self.children.is_empty() {
            Ok(&self.text)
        } else {
            Err(Fault::invalid_request(format!("{} has elements inside", self.name)))
        }
    }

    /// A boolean.
    pub fn flag(&self) -> Result<bool, Fault> {
        match self.leaf()?.trim() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(Fault::invalid_request(format!("{} is not a boolean", self.name))),
        }
    }

    /// A number from 0 on.
    pub fn number(&self) -> Result<u64, Fault> {
        let parsed = self.leaf()?.trim().parse();
        parsed.map_err(|_| Fault::invalid_request(format!("{} is not a number", self.name)))
    }
}

/// Walks through an element's children in the order of the WSDL.
pub(super) struct Arguments<'a> {
    of: &'a Element,
    next: usize,
}

impl<'a> Arguments<'a> {
    pub fn of(of: &'a Element) -> Self {
        Self { of, next: 0 }
    }

    /// The next child when it has this name.
    pub fn optional(&mut self, name: &str) -> Option<&'a Element> {
        let child = self.of.children.get(self.next).filter(|child| child.name == name)?;
        self.next += 1;
        Some(child)
    }

    /// The next child, which has this name.
    pub fn required(&mut self, name: &str) -> Result<&'a Element, Fault> {
        let found = self.of.children.get(self.next).map_or("nothing", |child| child.name.as_str()).to_owned();
        self.optional(name).ok_or_else(|| {
            Fault::invalid_request(format!("{}: expected {name}, found {found}", self.of.name))
        })
    }

    /// All children from here on that have this name.
    pub fn many(&mut self, name: &str) -> Vec<&'a Element> {
        std::iter::from_fn(|| self.optional(name)).collect()
    }

    /// Nothing more may follow.
    pub fn end(self) -> Result<(), Fault> {
        match self.of.children.get(self.next) {
            None => Ok(()),
            Some(child) => Err(Fault::invalid_request(format!(
                "{}: {} is unknown or in the wrong place",
                self.of.name, child.name
            ))),
        }
    }
}
