//! `RetrievePropertiesEx` of `Datastore.host`: which hosts mount which datastores. No I/O.

use super::{
    frame_text,
    missing::{Missing, Why},
    value::{Field, Reason, flag, reference},
};
use crate::vsphere::soap::{
    Ref,
    reader::{Reader, XmlError},
};

/// More hosts than this mount no datastore.
const MOST_HOSTS: usize = 4096;

/// One page of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MountsPage {
    /// More of the same answer is waiting under this token.
    pub token: Option<String>,
    /// Id of each datastore, and its mounts. vCenter has none to show when no host knows the datastore, so that
    /// absent means mounted by none.
    pub datastores: Vec<(String, Field<Vec<RawMount>>)>,
    /// A `missingSet` says that the session is dead.
    pub unauthenticated: bool,
}

/// One `DatastoreHostMount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawMount {
    /// Id of the host.
    pub host: String,
    /// Absent: it is mounted.
    pub mounted: Option<bool>,
    /// Absent: as the datastore.
    pub accessible: Option<bool>,
    /// `accessMode` is `readWrite`.
    pub writable: bool,
}

impl MountsPage {
    /// Reads the children of the response; an answer without any is an empty page.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut page = Self::default();
        while let Some(tag) = reader.child()? {
            if tag.name() == "returnval" {
                page.read_result(reader)?;
            } else {
                reader.skip()?;
            }
        }
        Ok(page)
    }

    fn read_result(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        while let Some(tag) = reader.child()? {
            match tag.name() {
                "token" => self.token = Some(frame_text(reader)?).filter(|token| !token.is_empty()),
                "objects" => self.read_object(reader)?,
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    fn read_object(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        let (mut id, mut mounts) = (None, Field::Absent);
        while let Some(tag) = reader.child()? {
            match tag.name() {
                "obj" => {
                    let object = reference(tag.moref_type().as_deref(), &reader.text()?);
                    id = object.known().map(|object| object.id.clone());
                }
                "propSet" => mounts = read_property(reader)?.unwrap_or(mounts),
                "missingSet" => {
                    mounts = Field::Withheld;
                    self.unauthenticated |= Missing::read(reader)?.why == Why::Unauthenticated;
                }
                _ => reader.skip()?,
            }
        }
        self.datastores.extend(id.map(|id| (id, mounts)));
        Ok(())
    }
}

/// None: it is another property.
fn read_property(reader: &mut Reader<'_>) -> Result<Option<Field<Vec<RawMount>>>, XmlError> {
    let (mut is_host, mut mounts) = (false, None);
    while let Some(tag) = reader.child()? {
        match tag.name() {
            "name" => is_host = reader.text()? == "host",
            "val" if is_host => mounts = Some(read_mounts(reader)?),
            _ => reader.skip()?,
        }
    }
    Ok(mounts)
}

/// One entry that makes no sense spoils all of them: what is left of them would say too little.
fn read_mounts(reader: &mut Reader<'_>) -> Result<Field<Vec<RawMount>>, XmlError> {
    let mut mounts = Some(Vec::new());
    while let Some(tag) = reader.child()? {
        if tag.name() != "DatastoreHostMount" {
            reader.skip()?;
            continue;
        }
        let mount = read_mount(reader)?;
        mounts = match (mounts, mount) {
            (Some(mut mounts), Some(mount)) if mounts.len() < MOST_HOSTS => {
                mounts.push(mount);
                Some(mounts)
            }
            _ => None,
        };
    }
    Ok(mounts.map_or(Field::Malformed(Reason::Mount), Field::Known))
}

fn read_mount(reader: &mut Reader<'_>) -> Result<Option<RawMount>, XmlError> {
    let mut host = Field::<Ref>::Absent;
    let (mut mounted, mut accessible, mut writable) = (Field::Absent, Field::Absent, None);
    while let Some(tag) = reader.child()? {
        match tag.name() {
            "key" => host = reference(tag.moref_type().as_deref(), &reader.text()?),
            "mountInfo" => {
                while let Some(tag) = reader.child()? {
                    match tag.name() {
                        "accessMode" => writable = Some(reader.text()?.trim() == "readWrite"),
                        "mounted" => mounted = flag(&reader.text()?),
                        "accessible" => accessible = flag(&reader.text()?),
                        _ => reader.skip()?,
                    }
                }
            }
            _ => reader.skip()?,
        }
    }
    let odd = mounted.malformed().or(accessible.malformed()).is_some();
    let (Some(host), Some(writable), false) = (host.known(), writable, odd) else { return Ok(None) };
    let (mounted, accessible) = (mounted.known().copied(), accessible.known().copied());
    Ok(Some(RawMount { host: host.id.clone(), mounted, accessible, writable }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vsphere::{soap, tests::samples};

    fn read(document: &str) -> Result<MountsPage, XmlError> {
        soap::answer(document, "RetrievePropertiesEx", MountsPage::read).map(Result::unwrap)
    }

    fn mount(host: &str, mounted: Option<bool>, accessible: Option<bool>, writable: bool) -> RawMount {
        RawMount { host: host.into(), mounted, accessible, writable }
    }

    #[test]
    fn mounts_are_read_as_a_vcenter_writes_them() {
        let page = read(samples::MOUNTS_PAGE).unwrap();
        assert_eq!((page.token.as_deref(), page.unauthenticated), (Some("7"), false));
        let [(first, Field::Known(mounts)), (second, Field::Withheld)] = page.datastores.as_slice() else {
            panic!("{page:?}")
        };
        assert_eq!((first.as_str(), second.as_str()), ("datastore-17", "datastore-18"));
        assert_eq!(
            mounts.as_slice(),
            [mount("host-1", Some(true), Some(true), true), mount("host-2", None, None, false)]
        );
    }

    #[test]
    fn what_makes_no_sense_is_no_mount_and_a_dead_session_is_seen() {
        for (from, to) in [
            ("<accessMode>readWrite</accessMode>", ""),
            ("<mounted>true", "<mounted>perhaps"),
            ("type=\"HostSystem\">host-1", "type=\"HostSystem\">host 1"),
        ] {
            let document = samples::MOUNTS_PAGE.replacen(from, to, 1);
            assert_ne!(document, samples::MOUNTS_PAGE, "{from}");
            assert_eq!(read(&document).unwrap().datastores[0].1, Field::Malformed(Reason::Mount), "{to}");
        }
        let dead = samples::MOUNTS_PAGE.replace("NoPermission", "NotAuthenticated");
        assert!(read(&dead).unwrap().unauthenticated);
        assert_eq!(
            read(&samples::envelope("<RetrievePropertiesExResponse xmlns=\"urn:vim25\"/>")).unwrap(),
            MountsPage::default()
        );
    }

    #[test]
    fn an_answer_cut_anywhere_is_an_error() {
        let document = samples::MOUNTS_PAGE.trim_end();
        for (cut, _) in document.char_indices() {
            assert!(read(&document[..cut]).is_err(), "{}", &document[..cut]);
        }
    }
}
