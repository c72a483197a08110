//! Answers as servers write them, and small builders for more.

/// As a vCenter writes it: `xsi`, prefixed envelope, line breaks, an opaque version, optional fields missing.
pub(crate) const VCENTER_PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/"
 xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:xsd="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<soapenv:Body>
<WaitForUpdatesExResponse xmlns="urn:vim25"><returnval><version>52c0-7:1</version><filterSet><filter type="PropertyFilter">session[52aa]52bb</filter><objectSet><kind>enter</kind><obj type="Datastore">datastore-17</obj><changeSet><name>name</name><op>assign</op><val xsi:type="xsd:string">san%2f01 &amp; co</val></changeSet><changeSet><name>parent</name><op>assign</op><val type="Folder" xsi:type="ManagedObjectReference">group-s5</val></changeSet><changeSet><name>summary</name><op>assign</op><val xsi:type="DatastoreSummary"><datastore type="Datastore">datastore-17</datastore><name>san/01 &#38; co</name><url>ds:///vmfs/volumes/5f1e-a/</url><capacity>4397778075648</capacity><freeSpace>1099511627776</freeSpace><accessible>true</accessible><multipleHostAccess>true</multipleHostAccess><type>VMFS</type><maintenanceMode>normal</maintenanceMode><newIn9><a type="X">1</a></newIn9></val></changeSet></objectSet><objectSet><kind>enter</kind><obj type="Datacenter">datacenter-3</obj><changeSet><name>name</name><op>assign</op><val xsi:type="xsd:string">DC0</val></changeSet></objectSet></filterSet><truncated>true</truncated></returnval></WaitForUpdatesExResponse>
</soapenv:Body>
</soapenv:Envelope>"#;

/// As the simulator writes it: its own prefix, declared on `val` and used inside, no `truncated` element.
pub(crate) const SIMULATOR_PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><WaitForUpdatesExResponse xmlns="urn:vim25"><returnval><version>-</version><filterSet><filter type="PropertyFilter">session[1-2]3-4</filter><objectSet><kind>enter</kind><obj type="Datastore">datastore-60</obj><changeSet><name>name</name><op>assign</op><val xmlns:_XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" _XMLSchema-instance:type="xsd:string">LocalDS_0</val></changeSet><changeSet><name>parent</name><op>assign</op><val xmlns:_XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" _XMLSchema-instance:type="ManagedObjectReference" type="Folder">group-5</val></changeSet><changeSet><name>summary</name><op>assign</op><val xmlns:_XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" _XMLSchema-instance:type="DatastoreSummary"><datastore type="Datastore">datastore-60</datastore><name>LocalDS_0</name><url>/tmp/govcsim-DC0-LocalDS_0-1/</url><capacity>1099511627776</capacity><freeSpace>1099511627776</freeSpace><accessible>true</accessible><type>OTHER</type><maintenanceMode>normal</maintenanceMode></val></changeSet></objectSet><objectSet><kind>modify</kind><obj type="Datastore">datastore-61</obj><changeSet><name>summary.freeSpace</name><op>assign</op><val xmlns:_XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" _XMLSchema-instance:type="xsd:long">12345</val></changeSet></objectSet><objectSet><kind>leave</kind><obj type="Datastore">datastore-62</obj></objectSet></filterSet></returnval></WaitForUpdatesExResponse></soapenv:Body></soapenv:Envelope>"#;

/// The wait ran out.
pub(crate) const NOTHING_NEW: &str = r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><WaitForUpdatesExResponse xmlns="urn:vim25"></WaitForUpdatesExResponse></soapenv:Body></soapenv:Envelope>"#;

/// HTTP 200, the object is there, but every property is missing for want of a session.
pub(crate) const DEAD_SESSION: &str = r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><WaitForUpdatesExResponse xmlns="urn:vim25"><returnval><version>2</version><filterSet><filter type="PropertyFilter">f</filter><objectSet><kind>enter</kind><obj type="Datastore">datastore-17</obj><missingSet><path>name</path><fault><fault xsi:type="NotAuthenticated"><object type="Datastore">datastore-17</object><privilegeId>System.Read</privilegeId></fault><localizedMessage>The session is not authenticated.</localizedMessage></fault></missingSet><missingSet><path>summary</path><fault><fault xsi:type="NotAuthenticated"><object type="Datastore">datastore-17</object><privilegeId>System.Read</privilegeId></fault><localizedMessage/></fault></missingSet></objectSet></filterSet></returnval></WaitForUpdatesExResponse></soapenv:Body></soapenv:Envelope>"#;

/// The mounts of two datastores, of which those of the second are withheld.
pub(crate) const MOUNTS_PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><RetrievePropertiesExResponse xmlns="urn:vim25"><returnval><token>7</token><objects><obj type="Datastore">datastore-17</obj><propSet><name>host</name><val xsi:type="ArrayOfDatastoreHostMount"><DatastoreHostMount xsi:type="DatastoreHostMount"><key type="HostSystem">host-1</key><mountInfo><path>/vmfs/volumes/a</path><accessMode>readWrite</accessMode><mounted>true</mounted><accessible>true</accessible></mountInfo></DatastoreHostMount><DatastoreHostMount xsi:type="DatastoreHostMount"><key type="HostSystem">host-2</key><mountInfo><accessMode>readOnly</accessMode></mountInfo></DatastoreHostMount></val></propSet></objects><objects><obj type="Datastore">datastore-18</obj><missingSet><path>host</path><fault><fault xsi:type="NoPermission"><object type="Datastore">datastore-18</object><privilegeId>System.Read</privilegeId></fault><localizedMessage/></fault></missingSet></objects></returnval></RetrievePropertiesExResponse></soapenv:Body></soapenv:Envelope>"#;

/// The answer with the mounts of datastores: id of each, and the hosts that can use it.
pub(crate) fn mounts(datastores: &[(&str, &[&str])]) -> String {
    let objects = datastores.iter().map(|(id, hosts)| {
        let mounts = hosts.iter().map(|host| {
            format!(
                "<DatastoreHostMount><key type=\"HostSystem\">{host}</key><mountInfo>\
                 <accessMode>readWrite</accessMode><mounted>true</mounted><accessible>true</accessible>\
                 </mountInfo></DatastoreHostMount>"
            )
        });
        format!(
            "<objects><obj type=\"Datastore\">{id}</obj><propSet><name>host</name>\
             <val xsi:type=\"ArrayOfDatastoreHostMount\">{}</val></propSet></objects>",
            mounts.collect::<String>()
        )
    });
    envelope(&format!(
        "<RetrievePropertiesExResponse xmlns=\"urn:vim25\"><returnval>{}</returnval></RetrievePropertiesExResponse>",
        objects.collect::<String>()
    ))
}

/// An envelope around an answer's body.
pub(crate) fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope\n \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"\n \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"\n \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n<soapenv:Body>\n{body}\n</soapenv:Body>\n\
         </soapenv:Envelope>"
    )
}

/// An update set around object sets.
pub(crate) fn updates(version: &str, truncated: bool, objects: &str) -> String {
    let more = if truncated { "<truncated>true</truncated>" } else { "" };
    envelope(&format!(
        "<WaitForUpdatesExResponse xmlns=\"urn:vim25\"><returnval><version>{version}</version><filterSet>\
         <filter type=\"PropertyFilter\">f</filter>{objects}</filterSet>{more}</returnval>\
         </WaitForUpdatesExResponse>"
    ))
}

/// A datastore in folder `group-s5`.
pub(crate) fn datastore_enter(id: &str, name: &str, capacity: u64, free: u64) -> String {
    format!(
        "<objectSet><kind>enter</kind><obj type=\"Datastore\">{id}</obj>\
         <changeSet><name>name</name><op>assign</op><val xsi:type=\"xsd:string\">{name}</val></changeSet>\
         <changeSet><name>parent</name><op>assign</op>\
         <val type=\"Folder\" xsi:type=\"ManagedObjectReference\">group-s5</val></changeSet>\
         <changeSet><name>summary</name><op>assign</op><val xsi:type=\"DatastoreSummary\">\
         <datastore type=\"Datastore\">{id}</datastore><name>{name}</name><url>ds:///vmfs/volumes/{id}/</url>\
         <capacity>{capacity}</capacity><freeSpace>{free}</freeSpace><accessible>true</accessible>\
         <multipleHostAccess>true</multipleHostAccess><type>VMFS</type><maintenanceMode>normal</maintenanceMode>\
         </val></changeSet></objectSet>"
    )
}

/// A folder, datastore cluster or datacenter.
pub(crate) fn container_enter(kind: &str, id: &str, name: &str, parent: Option<&str>) -> String {
    let parent = parent.map_or(String::new(), |parent| {
        let kind = match parent.split('-').next() {
            Some("datacenter") => "Datacenter",
            Some("domain") => "ClusterComputeResource",
            _ => "Folder",
        };
        format!(
            "<changeSet><name>parent</name><op>assign</op>\
             <val type=\"{kind}\" xsi:type=\"ManagedObjectReference\">{parent}</val></changeSet>"
        )
    });
    format!(
        "<objectSet><kind>enter</kind><obj type=\"{kind}\">{id}</obj><changeSet><name>name</name>\
         <op>assign</op><val xsi:type=\"xsd:string\">{name}</val></changeSet>{parent}</objectSet>"
    )
}

/// A fault as vCenter reports it under HTTP 500.
pub(crate) fn fault(name: &str, detail: &str) -> String {
    envelope(&format!(
        "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>about {name}</faultstring><detail>\
         <{name}Fault xmlns=\"urn:vim25\" xsi:type=\"{name}\">{detail}</{name}Fault></detail></soapenv:Fault>"
    ))
}
