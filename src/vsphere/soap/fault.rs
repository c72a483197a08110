//! SOAP faults: what vCenter says instead of an answer. No I/O.

use super::{
    Ref,
    reader::{Reader, XmlError},
};
use crate::vsphere::error::{Error, clean};

/// A fault, named by its type.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The type of the fault's detail, for example `InvalidLogin`; `Unknown` when there is none.
    pub name: String,
    /// `faultstring` in the language of the session, cleaned.
    pub text: String,
    /// The object that `ManagedObjectNotFound` names.
    pub object: Option<Ref>,
}

/// Faults that extend `InvalidLogin`.
const INVALID_LOGIN: [&str; 3] = ["InvalidLogin", "PasswordExpired", "InvalidClientCertificate"];

impl Fault {
    /// Reads the children of `Fault`.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut fault = Self { name: String::new(), text: String::new(), object: None };
        while let Some(tag) = reader.child()? {
            match tag.name() {
                "faultstring" => fault.text = clean(&reader.text()?),
                "detail" => fault.read_detail(reader)?,
                _ => reader.skip()?,
            }
        }
        if fault.name.is_empty() {
            "Unknown".clone_into(&mut fault.name);
        }
        Ok(fault)
    }

    /// The type is `xsi:type` of the only child, or else that child's name without `Fault`.
    fn read_detail(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        while let Some(tag) = reader.child()? {
            let by_element = || tag.name().strip_suffix("Fault").unwrap_or(tag.name()).into();
            let name = reader.xsi_type(&tag).unwrap_or_else(by_element);
            if !self.name.is_empty() {
                reader.skip()?;
                continue;
            }
            let word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            self.name = name.chars().filter(word).take(64).collect();
            while let Some(field) = reader.child()? {
                if field.name() == "obj" {
                    let kind = field.moref_type().unwrap_or_default().into_owned();
                    self.object = Some(Ref { kind, id: reader.text()?.into_owned() });
                } else {
                    reader.skip()?;
                }
            }
        }
        Ok(())
    }

    /// Whether it says that what this session built on the server is no longer there, so that building it
    /// anew may help.
    pub fn is_stale(&self, own: &[Ref]) -> bool {
        let missing = self.missing_object();
        self.name == "InvalidCollectorVersion" || missing.is_some_and(|id| own.iter().any(|own| own.id == id))
    }

    /// The id of the object of which it says that it is no longer there.
    pub fn missing_object(&self) -> Option<&str> {
        let object = self.object.as_ref().filter(|_| self.name == "ManagedObjectNotFound")?;
        Some(&object.id)
    }

    /// The label of the error that it becomes.
    pub fn label(&self) -> &'static str {
        Error::from(Self { name: self.name.clone(), text: String::new(), object: None }).label()
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault.name.as_str() {
            "NotAuthenticated" => Self::NotAuthenticated,
            "NoPermission" => Self::NoPermission(fault.text),
            name if INVALID_LOGIN.contains(&name) => Self::InvalidLogin,
            _ => Self::Fault { name: fault.name, text: fault.text },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vsphere::soap;

    fn fault(document: &str) -> Fault {
        soap::answer(document, "Login", Reader::skip).unwrap().unwrap_err()
    }

    /// The shape in which a real vCenter reports a wrong password, line breaks inside the envelope's tag included.
    const WRONG_PASSWORD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/"
 xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:xsd="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<soapenv:Body>
<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>Cannot complete login.</faultstring><detail><InvalidLoginFault xmlns="urn:vim25" xsi:type="InvalidLogin"></InvalidLoginFault></detail></soapenv:Fault>
</soapenv:Body>
</soapenv:Envelope>"#;

    #[test]
    fn a_fault_is_named_by_its_detail() {
        let seen = fault(WRONG_PASSWORD);
        assert_eq!((seen.name.as_str(), seen.text.as_str()), ("InvalidLogin", "Cannot complete login."));
        assert_eq!(Error::from(seen), Error::InvalidLogin);
        let by_element = WRONG_PASSWORD.replace(" xsi:type=\"InvalidLogin\"", "");
        assert_eq!(Error::from(fault(&by_element)), Error::InvalidLogin);
        let expired = WRONG_PASSWORD.replace("\"InvalidLogin\"", "\"vim25:PasswordExpired\"");
        assert_eq!(Error::from(fault(&expired)), Error::InvalidLogin);
    }

    #[test]
    fn the_simulators_fault_is_read_too() {
        let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><Fault xmlns="http://schemas.xmlsoap.org/soap/envelope/"><faultcode>ServerFaultCode</faultcode><faultstring>ManagedObjectNotFound</faultstring><detail><Fault xmlns:_XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" _XMLSchema-instance:type="ManagedObjectNotFound"><obj type="ContainerView">session[k]u</obj></Fault></detail></Fault></soapenv:Body></soapenv:Envelope>"#;
        let seen = fault(document);
        assert_eq!(seen.name, "ManagedObjectNotFound");
        let view = Ref { kind: "ContainerView".into(), id: "session[k]u".into() };
        assert!(seen.is_stale(std::slice::from_ref(&view)));
        assert!(!seen.is_stale(&[Ref { id: "group-d1".into(), ..view }]));
    }

    #[test]
    fn a_fault_without_detail_and_one_with_a_strange_name_stay_faults() {
        let bare = WRONG_PASSWORD.replace("<detail>", "<d>").replace("</detail>", "</d>");
        assert_eq!(
            Error::from(fault(&bare)),
            Error::Fault { name: "Unknown".into(), text: "Cannot complete login.".into() }
        );
        let strange = WRONG_PASSWORD.replace("\"InvalidLogin\"", "\"Evil&#10;{x}\"");
        assert_eq!(fault(&strange).name, "Evilx");
    }
}
