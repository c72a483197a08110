//! `WaitForUpdatesEx`: what changed, as rows. No I/O.

use std::borrow::Cow;

use super::{
    frame_text,
    value::{Field, Reason, Summary, name, reference},
};
use crate::vsphere::soap::{
    Ref,
    reader::{Reader, Tag, XmlError},
};

/// One answer that brings something.
#[derive(Debug, Default)]
pub(crate) struct UpdateSet {
    /// To be sent with the next call. Opaque.
    pub version: String,
    /// More of the same answer is waiting: the rows so far are half of the truth.
    pub truncated: bool,
    pub objects: Vec<ObjectUpdate>,
    /// A `missingSet` says that the session is dead. vCenter answers so with HTTP 200, and then "no
    /// properties" does not mean that there are none.
    pub unauthenticated: bool,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is selected, with all its properties; also for an object already known.
    Enter,
    /// Some properties changed.
    Modify,
    /// It is gone or no longer selected.
    Leave,
    /// Not a kind that the API has.
    Unknown,
}

/// One object's row.
#[derive(Clone, Debug)]
pub(crate) struct ObjectUpdate {
    pub kind: Kind,
    pub object: Field<Ref>,
    pub patches: Vec<Patch>,
}

/// One property's new value.
#[derive(Clone, Debug)]
pub(crate) enum Patch {
    Name(Field<String>),
    Parent(Field<Ref>),
    Summary(Box<Summary>),
    /// A part of the summary, named as on the wire: some servers report a nested change by its own path.
    SummaryPart(String, Field<String>),
    /// One of [`PARTS`].
    Part(&'static str, Field<String>),
    /// The change cannot be understood, so nothing about the object can be believed until it enters anew.
    Spoiled(Reason),
}

impl UpdateSet {
    /// Reads the children of `WaitForUpdatesExResponse`; `None` when nothing happened in time.
    pub fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, XmlError> {
        let mut set = None;
        while let Some(tag) = reader.child()? {
            if tag.name() != "returnval" || set.is_some() {
                reader.skip()?;
                continue;
            }
            set = Some(Self::read_one(reader)?);
        }
        Ok(set)
    }

    fn read_one(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut set = Self::default();
        while let Some(tag) = reader.child()? {
            match tag.name() {
                "version" => set.version = frame_text(reader)?,
                "truncated" => {
                    set.truncated = match reader.text()?.trim() {
                        "true" | "1" => true,
                        "false" | "0" => false,
                        _ => return Err(XmlError("unclear whether the answer is complete")),
                    }
                }
                "filterSet" => set.read_filter(reader)?,
                _ => reader.skip()?,
            }
        }
        if set.version.is_empty() { Err(XmlError("no version")) } else { Ok(set) }
    }

    fn read_filter(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        while let Some(tag) = reader.child()? {
            match tag.name() {
                "objectSet" => {
                    let object = self.read_object(reader)?;
                    self.objects.push(object);
                }
                "missingSet" => self.read_missing(reader).map(drop)?,
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    fn read_object(&mut self, reader: &mut Reader<'_>) -> Result<ObjectUpdate, XmlError> {
        let (kind, object) = (Kind::Unknown, Field::Malformed(Reason::Reference));
        let mut update = ObjectUpdate { kind, object, patches: Vec::new() };
        while let Some(tag) = reader.child()? {
            match tag.name() {
                "kind" => {
                    update.kind = match reader.text()?.trim() {
                        "enter" => Kind::Enter,
                        "modify" => Kind::Modify,
                        "leave" => Kind::Leave,
                        _ => Kind::Unknown,
                    }
                }
                "obj" => update.object = reference(tag.moref_type().as_deref(), &reader.text()?),
                "changeSet" => update.patches.extend(read_change(reader)?),
                "missingSet" => {
                    let path = self.read_missing(reader)?;
                    update.patches.extend(unreadable(&path));
                }
                _ => reader.skip()?,
            }
        }
        Ok(update)
    }

    /// Reads a `missingSet` of a property or of an object and returns the property's path.
    fn read_missing<'x>(&mut self, reader: &mut Reader<'x>) -> Result<Cow<'x, str>, XmlError> {
        let mut path = Cow::Borrowed("");
        while let Some(tag) = reader.child()? {
            if tag.name() == "path" {
                path = reader.text()?;
                continue;
            }
            // Anywhere inside: a fault can be wrapped in others.
            let mut dead = is_not_authenticated(reader, &tag);
            reader.skip_looking_at(|reader, inner| dead |= is_not_authenticated(reader, inner))?;
            self.unauthenticated |= dead;
        }
        Ok(path)
    }
}

pub(super) fn is_not_authenticated<'x>(reader: &Reader<'x>, tag: &Tag<'x>) -> bool {
    reader.xsi_type(tag).is_some_and(|name| name == "NotAuthenticated")
        || tag.name() == "NotAuthenticatedFault"
}

/// Properties that are watched by their own path, and their text.
pub(crate) const PARTS: [&str; 4] = [INFO_TIMESTAMP, MAX_VIRTUAL_DISK, THIN_PROVISIONING, IN_MAINTENANCE];
pub(crate) const INFO_TIMESTAMP: &str = "info.timestamp";
pub(crate) const MAX_VIRTUAL_DISK: &str = "info.maxVirtualDiskCapacity";
pub(crate) const THIN_PROVISIONING: &str = "capability.perFileThinProvisioningSupported";
pub(crate) const IN_MAINTENANCE: &str = "runtime.inMaintenanceMode";

fn part(path: &str) -> Option<&'static str> {
    PARTS.into_iter().find(|part| *part == path)
}

/// A property that vCenter has but does not show.
fn unreadable(path: &str) -> Option<Patch> {
    match path {
        "name" => Some(Patch::Name(Field::Withheld)),
        "parent" => Some(Patch::Parent(Field::Withheld)),
        "summary" => Some(Patch::Summary(Box::new(Summary::withheld()))),
        _ => part(path).map(|part| Patch::Part(part, Field::Withheld)).or_else(|| {
            path.strip_prefix("summary.").map(|part| Patch::SummaryPart(part.to_owned(), Field::Withheld))
        }),
    }
}

/// The value of a change while its name may still be unknown.
enum Raw<'x> {
    Nothing,
    Text(Option<String>, Cow<'x, str>),
    Summary(Box<Summary>),
}

/// Reads one `changeSet`. The name comes before the value in every known answer; the other order is not an
/// error of the document, it only spoils the object.
fn read_change(reader: &mut Reader<'_>) -> Result<Option<Patch>, XmlError> {
    let (mut path, mut op, mut value) = (Cow::Borrowed(""), Cow::Borrowed(""), Raw::Nothing);
    while let Some(tag) = reader.child()? {
        match tag.name() {
            "name" => path = reader.text()?,
            "op" => op = reader.text()?,
            "val" if path == "summary" => value = Raw::Summary(Box::new(Summary::read(reader)?)),
            "val" => value = Raw::Text(tag.moref_type().map(Cow::into_owned), reader.text()?),
            _ => reader.skip()?,
        }
    }
    let known = matches!(path.as_ref(), "name" | "parent" | "summary" | "")
        || path.starts_with("summary.")
        || part(&path).is_some();
    if !known {
        return Ok(None);
    }
    let value = match op.trim() {
        "assign" | "add" => value,
        "remove" | "indirectRemove" => return Ok(Some(removed(&path))),
        _ => return Ok(Some(Patch::Spoiled(Reason::Operation))),
    };
    Ok(Some(match (path.as_ref(), value) {
        ("name", Raw::Text(_, text)) => Patch::Name(name(&text)),
        ("parent", Raw::Text(kind, id)) => Patch::Parent(reference(kind.as_deref(), &id)),
        ("summary", Raw::Summary(summary)) => Patch::Summary(summary),
        (path, Raw::Text(_, text)) if part(path).is_some() => {
            Patch::Part(part(path).unwrap_or_default(), Field::Known(text.into_owned()))
        }
        (path, Raw::Text(_, text)) if path.starts_with("summary.") => Patch::SummaryPart(
            path.trim_start_matches("summary.").to_owned(),
            Field::Known(text.into_owned()),
        ),
        _ => Patch::Spoiled(Reason::Operation),
    }))
}

fn removed(path: &str) -> Patch {
    match path {
        "name" => Patch::Name(Field::Absent),
        "parent" => Patch::Parent(Field::Absent),
        "summary" => Patch::Summary(Box::default()),
        _ => match path.strip_prefix("summary.") {
            Some(part) => Patch::SummaryPart(part.to_owned(), Field::Absent),
            None => match self::part(path) {
                Some(part) => Patch::Part(part, Field::Absent),
                None => Patch::Spoiled(Reason::Operation),
            },
        },
    }
}

impl Patch {
    /// Applies a patch of the summary; the others belong to the row.
    pub fn apply_to(self, summary: &mut Summary) {
        match self {
            Self::Summary(new) => *summary = *new,
            Self::SummaryPart(part, value) => {
                summary.set(&part, value.as_deref());
            }
            Self::Name(_) | Self::Parent(_) | Self::Part(..) | Self::Spoiled(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vsphere::{decode::value::Field::Known, soap, tests::samples};

    fn read(document: &str) -> Result<Option<UpdateSet>, XmlError> {
        soap::answer(document, "WaitForUpdatesEx", UpdateSet::read).map(Result::unwrap)
    }

    fn summary_of(update: &ObjectUpdate) -> Summary {
        let mut summary = Summary::default();
        update.patches.iter().cloned().for_each(|patch| patch.apply_to(&mut summary));
        summary
    }

    #[test]
    fn an_answer_of_a_vcenter_is_read() {
        let set = read(samples::VCENTER_PAGE).unwrap().unwrap();
        assert_eq!((set.version.as_str(), set.truncated, set.unauthenticated), ("52c0-7:1", true, false));
        let [datastore, datacenter] = set.objects.as_slice() else { panic!() };
        assert_eq!(datastore.kind, Kind::Enter);
        assert_eq!(datastore.object.known().unwrap().id, "datastore-17");
        let Some(Patch::Name(Known(name))) = datastore.patches.first() else { panic!() };
        assert_eq!(name, "san/01 & co");
        let Some(Patch::Parent(Known(parent))) = datastore.patches.get(1) else { panic!() };
        assert_eq!((parent.kind.as_str(), parent.id.as_str()), ("Folder", "group-s5"));
        let summary = summary_of(datastore);
        assert_eq!(summary.url, Known("ds:///vmfs/volumes/5f1e-a/".into()));
        assert_eq!((summary.capacity, summary.free), (Known(4_397_778_075_648), Known(1_099_511_627_776)));
        assert_eq!((summary.uncommitted, summary.maintenance_mode), (Field::Absent, Known("normal".into())));
        assert_eq!((summary.accessible, summary.kind), (Known(true), Known("VMFS".into())));
        assert_eq!(datacenter.object.known().unwrap().kind, "Datacenter");
    }

    #[test]
    fn an_answer_of_the_simulator_is_read() {
        let set = read(samples::SIMULATOR_PAGE).unwrap().unwrap();
        assert_eq!((set.version.as_str(), set.truncated), ("-", false));
        let [datastore, changed, gone] = set.objects.as_slice() else { panic!() };
        let Some(Patch::Parent(Known(parent))) = datastore.patches.get(1) else { panic!() };
        assert_eq!((parent.kind.as_str(), parent.id.as_str()), ("Folder", "group-5"));
        assert_eq!(summary_of(datastore).capacity, Known(1_099_511_627_776));
        assert_eq!(changed.kind, Kind::Modify);
        assert_eq!(summary_of(changed).free, Known(12345));
        assert_eq!((gone.kind, gone.patches.len()), (Kind::Leave, 0));
    }

    #[test]
    fn nothing_new_is_not_an_empty_answer() {
        assert!(read(samples::NOTHING_NEW).unwrap().is_none());
    }

    #[test]
    fn a_dead_session_is_noticed_inside_an_answer_that_looks_fine() {
        let set = read(samples::DEAD_SESSION).unwrap().unwrap();
        assert!(set.unauthenticated);
        let refused = samples::DEAD_SESSION.replace("NotAuthenticated", "NoPermission");
        let set = read(&refused).unwrap().unwrap();
        assert!(!set.unauthenticated);
        assert!(summary_of(&set.objects[0]).is_withheld());
        let wrapped = samples::DEAD_SESSION
            .replace("<fault xsi:type=\"NotAuthenticated\">", "<fault xsi:type=\"SystemError\"><faultCause><fault xsi:type=\"vim25:NotAuthenticated\"/></faultCause>");
        assert!(read(&wrapped).unwrap().unwrap().unauthenticated);
    }

    #[test]
    fn an_answer_cut_anywhere_is_an_error() {
        for document in
            [samples::VCENTER_PAGE, samples::SIMULATOR_PAGE, samples::NOTHING_NEW, samples::DEAD_SESSION]
        {
            let document = document.trim_end();
            for (cut, _) in document.char_indices() {
                assert!(read(&document[..cut]).is_err(), "{}", &document[..cut]);
            }
        }
    }

    #[test]
    fn what_a_change_does_not_say_clearly_spoils_its_object_only() {
        for (from, to) in [
            ("<op>assign</op>", "<op>invent</op>"),
            ("<op>assign</op>", ""),
            ("<name>summary</name>", "<name></name>"),
            ("<kind>enter</kind>", "<kind>enters</kind>"),
            ("type=\"Datastore\">datastore-17<", "type=\"Datastore\">data\nstore<"),
        ] {
            let document = samples::VCENTER_PAGE.replacen(from, to, 1);
            assert_ne!(document, samples::VCENTER_PAGE, "{from}");
            let set = read(&document).unwrap().unwrap();
            assert_eq!(set.objects.len(), 2);
            let first = &set.objects[0];
            let spoiled = first.patches.iter().any(|p| matches!(p, Patch::Spoiled(_)));
            assert!(spoiled || first.kind == Kind::Unknown || first.object.malformed().is_some(), "{to}");
        }
        let unclear = samples::VCENTER_PAGE.replace("<truncated>true<", "<truncated>perhaps<");
        assert!(read(&unclear).is_err());
        let nameless = samples::VCENTER_PAGE.replace("<version>52c0-7:1</version>", "");
        assert!(read(&nameless).is_err());
    }

    #[test]
    fn decoding_is_linear() {
        let one = samples::datastore_enter("datastore-1", "name", 1 << 40, 1 << 39);
        let page = |n: usize| samples::updates("1", false, &one.repeat(n));
        let time = |document: &str| {
            let started = std::time::Instant::now();
            assert!(read(document).unwrap().unwrap().objects.len() > 1);
            started.elapsed()
        };
        let (small, large) = (page(2_000), page(20_000));
        let (quick, slow) = (time(&small).min(time(&small)), time(&large));
        assert!(slow < quick * 100 + std::time::Duration::from_millis(200), "{quick:?} {slow:?}");
    }
}
