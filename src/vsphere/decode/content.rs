//! `RetrieveServiceContent`: who the server is, and where its managers are. No I/O.

use super::{frame_ref, shown};
use crate::placement::Overview;
use crate::vsphere::soap::{
    Ref,
    reader::{Reader, XmlError},
};

/// What Berth needs of the service content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceContent {
    pub root_folder: Ref,
    pub property_collector: Ref,
    pub view_manager: Ref,
    pub session_manager: Ref,
    /// `about.apiType`: `VirtualCenter`, or `HostAgent` on a single host.
    pub api_type: String,
    /// `about.version`, for example `8.0.3`.
    pub version: String,
    /// `about.instanceUuid`, the vCenter's own identity; absent on a single host.
    pub instance_uuid: String,
}

impl ServiceContent {
    /// What it says of the vCenter as a whole.
    pub fn overview(&self) -> Overview {
        Overview { version: self.version.clone(), ..self.instance_uuid.clone().into() }
    }

    /// Reads the children of `RetrieveServiceContentResponse`.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let (mut root, mut collector, mut views, mut sessions) = (None, None, None, None);
        let mut about = [const { String::new() }; 3];
        while let Some(tag) = reader.child()? {
            if tag.name() != "returnval" {
                reader.skip()?;
                continue;
            }
            while let Some(field) = reader.child()? {
                match field.name() {
                    "rootFolder" => root = Some(frame_ref(reader, &field)?),
                    "propertyCollector" => collector = Some(frame_ref(reader, &field)?),
                    "viewManager" => views = Some(frame_ref(reader, &field)?),
                    "sessionManager" => sessions = Some(frame_ref(reader, &field)?),
                    "about" => about = read_about(reader)?,
                    _ => reader.skip()?,
                }
            }
        }
        let [api_type, version, instance_uuid] = about;
        match (root, collector, views, sessions) {
            (Some(root_folder), Some(property_collector), Some(view_manager), Some(session_manager)) => {
                Ok(Self {
                    root_folder,
                    property_collector,
                    view_manager,
                    session_manager,
                    api_type,
                    version,
                    instance_uuid,
                })
            }
            _ => Err(XmlError("incomplete service content")),
        }
    }
}

fn read_about(reader: &mut Reader<'_>) -> Result<[String; 3], XmlError> {
    let [mut api_type, mut version, mut instance_uuid] = [const { String::new() }; 3];
    while let Some(field) = reader.child()? {
        match field.name() {
            "apiType" => api_type = shown(reader)?,
            "version" => version = shown(reader)?,
            "instanceUuid" => instance_uuid = shown(reader)?,
            _ => reader.skip()?,
        }
    }
    Ok([api_type, version, instance_uuid])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vsphere::soap;

    #[test]
    fn the_managers_and_the_identity_are_found_among_the_rest() {
        let document = "<soapenv:Envelope xmlns:soapenv='http://schemas.xmlsoap.org/soap/envelope/'><soapenv:Body>\n\
            <RetrieveServiceContentResponse xmlns='urn:vim25'><returnval>\
            <rootFolder type='Folder'>group-d1</rootFolder><propertyCollector type='PropertyCollector'>propertyCollector\
            </propertyCollector><viewManager type='ViewManager'>ViewManager</viewManager>\
            <about><name>VMware vCenter Server</name><version>8.0.3</version><build>24022515</build>\
            <apiType>VirtualCenter</apiType><apiVersion>8.0.3.0</apiVersion>\
            <instanceUuid>4b5f-1</instanceUuid></about>\
            <sessionManager type='SessionManager'>SessionManager</sessionManager><newIn9 type='X'><a/></newIn9>\
            </returnval></RetrieveServiceContentResponse></soapenv:Body></soapenv:Envelope>";
        let read = |document: &str| soap::answer(document, "RetrieveServiceContent", ServiceContent::read);
        let content = read(document).unwrap().unwrap();
        assert_eq!(content.root_folder, Ref { kind: "Folder".into(), id: "group-d1".into() });
        assert_eq!(content.version, "8.0.3");
        assert_eq!(content.instance_uuid, "4b5f-1");
        assert_eq!(content.api_type, "VirtualCenter");
        let without = document.replace("viewManager", "otherManager");
        assert!(read(&without).is_err());
    }
}
