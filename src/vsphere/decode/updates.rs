//! `WaitForUpdatesEx`: what changed, as rows. No I/O.

use std::borrow::Cow;

use super::{
    frame_text,
    missing::{Missing, Why},
    value::{Field, Reason, Summary, name, reference},
};
use crate::vsphere::soap::{
    Ref,
    reader::{Reader, XmlError},
};

/// One answer that brings something.
#[derive(Debug, Default)]
pub(crate) struct UpdateSet {
    /// To be sent with the next call. Opaque.
    pub version: String,
    /// More of the same answer is waiting: the rows so far are half of the truth.
    pub truncated: bool,
    pub objects: Vec<ObjectUpdate>,
    /// A `missingSet` says that the session is dead.
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
                "missingSet" => self.unauthenticated |= Missing::read(reader)?.why == Why::Unauthenticated,
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
                "changeSet" => read_change(reader, &mut update.patches)?,
                "missingSet" => {
                    let missing = Missing::read(reader)?;
                    match missing.why {
                        Why::Unauthenticated => self.unauthenticated = true,
                        Why::Unknown => no_value(&missing.path, Nothing::Absent, &mut update.patches),
                        Why::Withheld => no_value(&missing.path, Nothing::Withheld, &mut update.patches),
                    }
                }
                _ => reader.skip()?,
            }
        }
        Ok(update)
    }
}

/// Properties that are watched by their own path, and their text.
pub(crate) const PARTS: [&str; 4] = [INFO_TIMESTAMP, MAX_VIRTUAL_DISK, THIN_PROVISIONING, IN_MAINTENANCE];
pub(crate) const INFO_TIMESTAMP: &str = "info.timestamp";
pub(crate) const MAX_VIRTUAL_DISK: &str = "info.maxVirtualDiskCapacity";
pub(crate) const THIN_PROVISIONING: &str = "capability.perFileThinProvisioningSupported";
pub(crate) const IN_MAINTENANCE: &str = "runtime.inMaintenanceMode";

/// Why a property has no value.
#[derive(Clone, Copy)]
enum Nothing {
    Absent,
    Withheld,
}

impl<T> From<Nothing> for Field<T> {
    fn from(nothing: Nothing) -> Self {
        match nothing {
            Nothing::Absent => Self::Absent,
            Nothing::Withheld => Self::Withheld,
        }
    }
}

/// The [`PARTS`] that a path is or encloses: without `info` there is no `info.timestamp`.
fn parts_of(path: &str) -> impl Iterator<Item = &'static str> {
    let encloses = move |part: &str| {
        part.strip_prefix(path).is_some_and(|below| below.is_empty() || below.starts_with('.'))
    };
    PARTS.into_iter().filter(move |part| encloses(part))
}

fn is_watched(path: &str) -> bool {
    matches!(path, "" | "name" | "parent" | "summary")
        || path.starts_with("summary.")
        || parts_of(path).next().is_some()
}

/// What it means that the property of this path, with everything that it encloses, has no value.
fn no_value(path: &str, nothing: Nothing, patches: &mut Vec<Patch>) {
    match path {
        "" => patches.push(Patch::Spoiled(Reason::Operation)),
        "name" => patches.push(Patch::Name(nothing.into())),
        "parent" => patches.push(Patch::Parent(nothing.into())),
        "summary" => {
            let summary = match nothing {
                Nothing::Absent => Summary::default(),
                Nothing::Withheld => Summary::withheld(),
            };
            patches.push(Patch::Summary(Box::new(summary)));
        }
        _ => match path.strip_prefix("summary.") {
            Some(part) => patches.push(Patch::SummaryPart(part.to_owned(), nothing.into())),
            None => patches.extend(parts_of(path).map(|part| Patch::Part(part, nothing.into()))),
        },
    }
}

/// The value of a change while its name may still be unknown.
enum Raw<'x> {
    Text(Option<String>, Cow<'x, str>),
    Summary(Box<Summary>),
}

/// Reads one `changeSet`. The name comes before the value in every known answer; the other order is not an
/// error of the document, it only spoils the object. An assignment without a value takes the value away.
fn read_change(reader: &mut Reader<'_>, patches: &mut Vec<Patch>) -> Result<(), XmlError> {
    let (mut path, mut op, mut value) = (Cow::Borrowed(""), Cow::Borrowed(""), None);
    while let Some(tag) = reader.child()? {
        match tag.name() {
            "name" => path = reader.text()?,
            "op" => op = reader.text()?,
            "val" if path == "summary" => value = Some(Raw::Summary(Box::new(Summary::read(reader)?))),
            "val" => value = Some(Raw::Text(tag.moref_type().map(Cow::into_owned), reader.text()?)),
            _ => reader.skip()?,
        }
    }
    if !is_watched(&path) {
        return Ok(());
    }
    match (op.trim(), value) {
        ("assign" | "add", Some(value)) => patches.push(assigned(&path, value)),
        ("assign", None) | ("remove" | "indirectRemove", _) => no_value(&path, Nothing::Absent, patches),
        _ => patches.push(Patch::Spoiled(Reason::Operation)),
    }
    Ok(())
}

fn assigned(path: &str, value: Raw<'_>) -> Patch {
    match (path, value) {
        ("name", Raw::Text(_, text)) => Patch::Name(name(&text)),
        ("parent", Raw::Text(kind, id)) => Patch::Parent(reference(kind.as_deref(), &id)),
        ("summary", Raw::Summary(summary)) => Patch::Summary(summary),
        (path, Raw::Text(_, text)) => {
            if let Some(part) = PARTS.into_iter().find(|part| *part == path) {
                Patch::Part(part, Field::Known(text.into_owned()))
            } else if let Some(part) = path.strip_prefix("summary.") {
                Patch::SummaryPart(part.to_owned(), Field::Known(text.into_owned()))
            } else {
                Patch::Spoiled(Reason::Operation)
            }
        }
        (_, Raw::Summary(_)) => Patch::Spoiled(Reason::Operation),
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

    /// The patches of the first object, after a replacement in the page of a vCenter.
    fn patches(from: &str, to: &str) -> String {
        let document = samples::VCENTER_PAGE.replacen(from, to, 1);
        assert_ne!(document, samples::VCENTER_PAGE, "{from}");
        let set = read(&document).unwrap().unwrap();
        assert!(!set.unauthenticated);
        format!("{:?}", set.objects[0].patches)
    }

    #[test]
    fn an_assignment_without_a_value_takes_the_value_away() {
        let before = "<changeSet><name>summary</name>";
        for (path, expected) in [
            ("info.timestamp", "Part(\"info.timestamp\", Absent)"),
            ("name", "Name(Absent)"),
            ("summary.uncommitted", "SummaryPart(\"uncommitted\", Absent)"),
        ] {
            let change = format!("<changeSet><name>{path}</name><op>assign</op></changeSet>");
            let found = patches(before, &format!("{change}{before}"));
            assert!(found.contains(expected) && !found.contains("Spoiled"), "{found}");
        }
    }

    #[test]
    fn a_property_is_missing_with_the_one_that_encloses_it() {
        let missing = |path: &str, fault: &str| {
            let missing = format!(
                "</changeSet><missingSet><path>{path}</path><fault><fault xsi:type=\"{fault}\"/>\
                 <localizedMessage/></fault></missingSet></objectSet>"
            );
            patches("</changeSet></objectSet>", &missing)
        };
        let thin = "Part(\"capability.perFileThinProvisioningSupported\", ";
        for path in ["capability", "capability.perFileThinProvisioningSupported"] {
            assert!(missing(path, "NoPermission").contains(&format!("{thin}Withheld)")), "{path}");
            assert!(missing(path, "InvalidProperty").contains(&format!("{thin}Absent)")), "{path}");
        }
        let info = missing("info", "NoPermission");
        assert!(info.contains("Part(\"info.timestamp\", Withheld)"), "{info}");
        assert!(info.contains("Part(\"info.maxVirtualDiskCapacity\", Withheld)"), "{info}");
        assert!(!missing("cap", "NoPermission").contains("Part("), "the beginning of a word is no property");
        assert!(missing("", "NoPermission").contains("Spoiled"), "what is missing must be said");
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
