//! Requests as typed values, written in the order of the WSDL, which vCenter insists on. No I/O.

use secrecy::zeroize::Zeroizing;

use super::Ref;
use crate::vsphere::{credentials::Credentials, observe::Method};

/// The types the inventory watch selects, and the properties it reads of each.
///
/// `summary` holds most figures of a datastore. A cluster is a compute resource, but not every server's view
/// takes it for one.
pub(crate) const WATCHED: [(&str, &[&str]); 7] = [
    (
        "Datastore",
        &[
            "name",
            "parent",
            "summary",
            "info.timestamp",
            "info.maxVirtualDiskCapacity",
            "capability.perFileThinProvisioningSupported",
        ],
    ),
    ("StoragePod", &["name", "parent"]),
    ("Folder", &["name", "parent"]),
    ("Datacenter", &["name", "parent"]),
    ("ComputeResource", &["name", "parent"]),
    ("ClusterComputeResource", &["name", "parent"]),
    ("HostSystem", &["name", "parent", "runtime.inMaintenanceMode"]),
];

/// One call.
pub(crate) enum Request<'a> {
    RetrieveServiceContent,
    Login {
        session_manager: &'a Ref,
        credentials: &'a Credentials,
    },
    Logout {
        session_manager: &'a Ref,
    },
    /// A view of all [`WATCHED`] objects below `container`.
    CreateContainerView {
        view_manager: &'a Ref,
        container: &'a Ref,
    },
    DestroyView {
        view: &'a Ref,
    },
    /// A collector of our own: cancelling and destroying it disturbs nobody else.
    CreatePropertyCollector {
        collector: &'a Ref,
    },
    DestroyPropertyCollector {
        collector: &'a Ref,
    },
    /// Selects [`WATCHED`] through `view`.
    CreateFilter {
        collector: &'a Ref,
        view: &'a Ref,
    },
    WaitForUpdatesEx {
        collector: &'a Ref,
        version: &'a str,
        max_wait_seconds: u32,
        max_objects: u32,
    },
    CancelWaitForUpdates {
        collector: &'a Ref,
    },
    /// Who mounts these datastores.
    RetrieveMounts {
        collector: &'a Ref,
        datastores: &'a [Ref],
    },
    /// The rest of an answer.
    ContinueRetrieve {
        collector: &'a Ref,
        token: &'a str,
    },
}

impl Request<'_> {
    pub fn method(&self) -> Method {
        match self {
            Self::RetrieveServiceContent => Method::RetrieveServiceContent,
            Self::Login { .. } => Method::Login,
            Self::Logout { .. } => Method::Logout,
            Self::CreateContainerView { .. } => Method::CreateContainerView,
            Self::DestroyView { .. } => Method::DestroyView,
            Self::CreatePropertyCollector { .. } => Method::CreatePropertyCollector,
            Self::DestroyPropertyCollector { .. } => Method::DestroyPropertyCollector,
            Self::CreateFilter { .. } => Method::CreateFilter,
            Self::WaitForUpdatesEx { .. } => Method::WaitForUpdatesEx,
            Self::CancelWaitForUpdates { .. } => Method::CancelWaitForUpdates,
            Self::RetrieveMounts { .. } => Method::RetrievePropertiesEx,
            Self::ContinueRetrieve { .. } => Method::ContinueRetrievePropertiesEx,
        }
    }

    /// The whole envelope. Wiped when dropped, since a login carries the password; `operation_id` appears
    /// in vCenter's log lines.
    pub fn to_xml(&self, operation_id: &str) -> Zeroizing<String> {
        let mut xml = Writer(Zeroizing::new(String::with_capacity(self.capacity())));
        xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        xml.raw("<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"");
        xml.raw(" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><Header>");
        xml.leaf("operationID", operation_id);
        xml.raw("</Header><Body>");
        let method = self.method().label();
        xml.raw("<").raw(method).raw(" xmlns=\"urn:vim25\">");
        self.arguments(&mut xml);
        xml.raw("</").raw(method).raw("></Body></Envelope>");
        xml.0
    }

    /// Enough for the whole text: a string that grows leaves copies of a password behind.
    fn capacity(&self) -> usize {
        let secret = match self {
            Self::Login { credentials, .. } => {
                credentials.username().len().saturating_add(credentials.password().len())
            }
            _ => 0,
        };
        secret.saturating_mul(LONGEST_ESCAPE).saturating_add(2048)
    }

    fn arguments(&self, xml: &mut Writer) {
        match self {
            Self::RetrieveServiceContent => {
                let instance = Ref { kind: "ServiceInstance".into(), id: "ServiceInstance".into() };
                xml.object("_this", &instance);
            }
            Self::Login { session_manager, credentials } => {
                xml.object("_this", session_manager);
                xml.leaf("userName", credentials.username());
                xml.leaf("password", credentials.password());
                // Fault texts come in the session's language.
                xml.leaf("locale", "en");
            }
            Self::Logout { session_manager: this }
            | Self::DestroyView { view: this }
            | Self::CreatePropertyCollector { collector: this }
            | Self::DestroyPropertyCollector { collector: this }
            | Self::CancelWaitForUpdates { collector: this } => xml.object("_this", this),
            Self::CreateContainerView { view_manager, container } => {
                xml.object("_this", view_manager);
                xml.object("container", container);
                for (kind, _) in WATCHED {
                    xml.leaf("type", kind);
                }
                xml.leaf("recursive", "true");
            }
            Self::CreateFilter { collector, view } => {
                xml.object("_this", collector);
                xml.raw("<spec>");
                for (kind, properties) in WATCHED {
                    xml.raw("<propSet>");
                    xml.leaf("type", kind);
                    for property in properties {
                        xml.leaf("pathSet", property);
                    }
                    xml.raw("</propSet>");
                }
                xml.raw("<objectSet>");
                xml.object("obj", view);
                xml.leaf("skip", "true");
                xml.raw("<selectSet xsi:type=\"TraversalSpec\">");
                xml.leaf("name", "view");
                xml.leaf("type", "ContainerView");
                xml.leaf("path", "view");
                xml.leaf("skip", "false");
                xml.raw("</selectSet></objectSet></spec>");
                xml.leaf("partialUpdates", "false");
            }
            Self::WaitForUpdatesEx { collector, version, max_wait_seconds, max_objects } => {
                xml.object("_this", collector);
                xml.leaf("version", version);
                xml.raw("<options>");
                xml.leaf("maxWaitSeconds", &max_wait_seconds.to_string());
                xml.leaf("maxObjectUpdates", &max_objects.to_string());
                xml.raw("</options>");
            }
            Self::RetrieveMounts { collector, datastores } => {
                xml.object("_this", collector);
                xml.raw("<specSet><propSet>");
                xml.leaf("type", "Datastore");
                xml.leaf("pathSet", "host");
                xml.raw("</propSet>");
                for datastore in *datastores {
                    xml.raw("<objectSet>");
                    xml.object("obj", datastore);
                    xml.raw("</objectSet>");
                }
                xml.raw("</specSet><options></options>");
            }
            Self::ContinueRetrieve { collector, token } => {
                xml.object("_this", collector);
                xml.leaf("token", token);
            }
        }
    }
}

/// Bytes of the longest replacement in [`Writer::escaped`].
const LONGEST_ESCAPE: usize = 6;

struct Writer(Zeroizing<String>);

impl Writer {
    fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.raw("<").raw(name).raw(">").escaped(text).raw("</").raw(name).raw(">");
    }

    fn object(&mut self, name: &str, object: &Ref) {
        self.raw("<").raw(name).raw(" type=\"").escaped(&object.kind).raw("\">");
        self.escaped(&object.id).raw("</").raw(name).raw(">");
    }

    /// Line ends and tabs too: a parser would turn them into something else.
    fn escaped(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&apos;"),
                '\t' => self.0.push_str("&#9;"),
                '\n' => self.0.push_str("&#10;"),
                '\r' => self.0.push_str("&#13;"),
                c => self.0.push(c),
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, id: &str) -> Ref {
        Ref { kind: kind.into(), id: id.into() }
    }

    fn body(request: &Request<'_>) -> String {
        let xml = request.to_xml("berth-1");
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\" \
            xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
            <Header><operationID>berth-1</operationID></Header><Body>";
        xml.strip_prefix(head).unwrap().strip_suffix("</Body></Envelope>").unwrap().to_owned()
    }

    #[test]
    fn requests_are_written_in_the_order_of_the_wsdl() {
        let (collector, view) =
            (object("PropertyCollector", "session[k]c"), object("ContainerView", "session[k]v"));
        assert_eq!(
            body(&Request::RetrieveServiceContent),
            "<RetrieveServiceContent xmlns=\"urn:vim25\">\
             <_this type=\"ServiceInstance\">ServiceInstance</_this></RetrieveServiceContent>"
        );
        assert_eq!(
            body(&Request::CreateContainerView {
                view_manager: &object("ViewManager", "ViewManager"),
                container: &object("Folder", "group-d1"),
            }),
            "<CreateContainerView xmlns=\"urn:vim25\"><_this type=\"ViewManager\">ViewManager</_this>\
             <container type=\"Folder\">group-d1</container><type>Datastore</type><type>StoragePod</type>\
             <type>Folder</type><type>Datacenter</type><type>ComputeResource</type>\
             <type>ClusterComputeResource</type><type>HostSystem</type><recursive>true</recursive></CreateContainerView>"
        );
        assert_eq!(
            body(&Request::CreateFilter { collector: &collector, view: &view }),
            "<CreateFilter xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">session[k]c</_this><spec>\
             <propSet><type>Datastore</type><pathSet>name</pathSet><pathSet>parent</pathSet>\
             <pathSet>summary</pathSet><pathSet>info.timestamp</pathSet>\
             <pathSet>info.maxVirtualDiskCapacity</pathSet>\
             <pathSet>capability.perFileThinProvisioningSupported</pathSet></propSet>\
             <propSet><type>StoragePod</type><pathSet>name</pathSet><pathSet>parent</pathSet></propSet>\
             <propSet><type>Folder</type><pathSet>name</pathSet><pathSet>parent</pathSet></propSet>\
             <propSet><type>Datacenter</type><pathSet>name</pathSet><pathSet>parent</pathSet></propSet>\
             <propSet><type>ComputeResource</type><pathSet>name</pathSet><pathSet>parent</pathSet></propSet>\
             <propSet><type>ClusterComputeResource</type><pathSet>name</pathSet><pathSet>parent</pathSet>\
             </propSet><propSet><type>HostSystem</type><pathSet>name</pathSet><pathSet>parent</pathSet>\
             <pathSet>runtime.inMaintenanceMode</pathSet></propSet>\
             <objectSet><obj type=\"ContainerView\">session[k]v</obj><skip>true</skip>\
             <selectSet xsi:type=\"TraversalSpec\"><name>view</name><type>ContainerView</type>\
             <path>view</path><skip>false</skip></selectSet></objectSet></spec>\
             <partialUpdates>false</partialUpdates></CreateFilter>"
        );
        assert_eq!(
            body(&Request::WaitForUpdatesEx {
                collector: &collector,
                version: "",
                max_wait_seconds: 25,
                max_objects: 500
            }),
            "<WaitForUpdatesEx xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">session[k]c</_this>\
             <version></version><options><maxWaitSeconds>25</maxWaitSeconds>\
             <maxObjectUpdates>500</maxObjectUpdates></options></WaitForUpdatesEx>"
        );
        let datastores = [object("Datastore", "datastore-1"), object("Datastore", "datastore-2")];
        assert_eq!(
            body(&Request::RetrieveMounts { collector: &collector, datastores: &datastores }),
            "<RetrievePropertiesEx xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">session[k]c</_this>\
             <specSet><propSet><type>Datastore</type><pathSet>host</pathSet></propSet>\
             <objectSet><obj type=\"Datastore\">datastore-1</obj></objectSet>\
             <objectSet><obj type=\"Datastore\">datastore-2</obj></objectSet></specSet>\
             <options></options></RetrievePropertiesEx>"
        );
        assert_eq!(
            body(&Request::ContinueRetrieve { collector: &collector, token: "1<2" }),
            "<ContinueRetrievePropertiesEx xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">session[k]c\
             </_this><token>1&lt;2</token></ContinueRetrievePropertiesEx>"
        );
        assert_eq!(
            body(&Request::Logout { session_manager: &object("SessionManager", "SessionManager") }),
            "<Logout xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager</_this></Logout>"
        );
    }

    #[test]
    fn credentials_arrive_as_they_are() {
        let password = "]]>&<a>\"'\r\n\t é\u{1f511}&amp;";
        let credentials =
            Credentials::new("DOM\\us<er".to_owned().into(), password.to_owned().into()).unwrap();
        let manager = object("SessionManager", "SessionManager");
        let request = Request::Login { session_manager: &manager, credentials: &credentials };
        assert!(body(&request).contains(
            "<userName>DOM\\us&lt;er</userName><password>]]&gt;&amp;&lt;a&gt;&quot;&apos;&#13;&#10;&#9; \
             é\u{1f511}&amp;amp;</password><locale>en</locale></Login>"
        ));
        let xml = request.to_xml("x");
        let mut reader = crate::vsphere::soap::reader::Reader::new(&xml);
        let mut seen = None;
        reader.root().unwrap();
        reader.child().unwrap().unwrap();
        reader.skip().unwrap();
        reader.child().unwrap().unwrap();
        reader.child().unwrap().unwrap();
        while let Some(tag) = reader.child().unwrap() {
            let text = reader.text().unwrap();
            if tag.name() == "password" {
                seen = Some(text);
            }
        }
        assert_eq!(seen.as_deref(), Some(password));
    }

    #[test]
    fn the_text_of_a_login_never_moves_in_memory() {
        let long = "'".repeat(1024);
        let credentials = Credentials::new(long.clone().into(), long.into()).unwrap();
        let manager = object("SessionManager", "SessionManager");
        let request = Request::Login { session_manager: &manager, credentials: &credentials };
        assert!(request.to_xml("berth-1-2-3").len() <= request.capacity());
    }
}
