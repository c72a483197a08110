//! The property collector: what changed between two versions, page by page. No I/O.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{
    inventory::Object,
    selection::{Selected, Spec},
    soap::Fault,
    value::{Ref, Value},
};

/// Versions that may still be asked from again.
const REMEMBERED: usize = 16;

/// A filter of a collector.
pub(super) struct Filter {
    pub object: Ref,
    pub spec: Spec,
    /// Nested changes are reported by their own path.
    pub partial: bool,
}

/// What all filters of a collector selected, by filter id.
type Snapshot = BTreeMap<String, Selected>;

/// A property collector of a session.
pub(super) struct Collector {
    pub object: Ref,
    /// The cookie of its session.
    pub session: String,
    pub filters: Vec<Filter>,
    history: VecDeque<(String, Arc<Snapshot>)>,
    pending: Option<Pending>,
}

/// The rest of a truncated answer.
struct Pending {
    version: String,
    updates: VecDeque<(String, String)>,
    target: Arc<Snapshot>,
}

/// One answer to a wait.
pub(super) struct Page {
    version: String,
    /// Filter id and `objectSet`.
    updates: Vec<(String, String)>,
    truncated: bool,
}

impl Page {
    /// As the content of the response.
    pub fn xml(&self) -> String {
        let mut xml = format!("<returnval><version>{}</version>", self.version);
        for filter in self.updates.chunk_by(|(one, _), (other, _)| one == other) {
            xml += "<filterSet>";
            xml += &Ref::new("PropertyFilter", &filter[0].0).element("filter");
            xml.extend(filter.iter().map(|(_, objects)| objects.as_str()));
            xml += "</filterSet>";
        }
        xml += if self.truncated { "<truncated>true</truncated></returnval>" } else { "</returnval>" };
        xml
    }
}

impl Collector {
    pub fn new(object: Ref, session: &str) -> Self {
        let session = session.to_owned();
        Self { object, session, filters: Vec::new(), history: VecDeque::new(), pending: None }
    }

    /// Whether the rest of a truncated answer is waiting.
    pub fn is_truncated(&self) -> bool {
        self.pending.is_some()
    }

    /// What happened since `version`, at most `limit` objects of it; `None` when nothing did. `fresh` makes
    /// a version that was never used. In a dead session no property can be read.
    pub fn poll(
        &mut self,
        version: &str,
        limit: usize,
        dead: bool,
        find: &dyn Fn(&Ref) -> Option<Arc<Object>>,
        fresh: &mut dyn FnMut() -> String,
    ) -> Result<Option<Page>, Fault> {
        // Whoever asks from another version voids what is left of a truncated answer, and its version.
        let pending = self.pending.take().filter(|pending| pending.version == version);
        let (updates, target) = if let Some(pending) = pending {
            (pending.updates, pending.target)
        } else {
            let base = self.base(version)?;
            let now: Snapshot = self
                .filters
                .iter()
                .map(|filter| (filter.object.id.clone(), filter.spec.select(find)))
                .collect();
            let updates: VecDeque<_> =
                self.filters.iter().flat_map(|filter| filter.changes(&base, &now, dead)).collect();
            if updates.is_empty() && !version.is_empty() {
                return Ok(None);
            }
            (updates, Arc::new(now))
        };
        Ok(Some(self.page(updates, target, limit, fresh())))
    }

    fn base(&self, version: &str) -> Result<Arc<Snapshot>, Fault> {
        if version.is_empty() {
            return Ok(Arc::default());
        }
        let known = self.history.iter().find(|(known, _)| known == version);
        known
            .map(|(_, snapshot)| Arc::clone(snapshot))
            .ok_or_else(|| Fault::new("InvalidCollectorVersion", ""))
    }

    fn page(
        &mut self,
        mut updates: VecDeque<(String, String)>,
        target: Arc<Snapshot>,
        limit: usize,
        version: String,
    ) -> Page {
        let first: Vec<_> = updates.drain(..limit.min(updates.len())).collect();
        let truncated = !updates.is_empty();
        if truncated {
            self.pending = Some(Pending { version: version.clone(), updates, target });
        } else {
            self.history.push_back((version.clone(), target));
            if self.history.len() > REMEMBERED {
                self.history.pop_front();
            }
        }
        Page { version, updates: first, truncated }
    }
}

/// What can be said about a property.
#[derive(PartialEq)]
enum Property<'a> {
    Absent,
    Value(&'a Value),
    Missing(Fault),
}

fn property<'a>(object: &'a Object, path: &str, dead: bool) -> Property<'a> {
    if dead {
        Property::Missing(Fault::not_authenticated(&object.this))
    } else if object.is_withheld(path) {
        Property::Missing(Fault::no_permission(&object.this))
    } else {
        object.at(path).map_or(Property::Absent, Property::Value)
    }
}

fn missing(path: &str, fault: &Fault) -> String {
    format!("<missingSet><path>{path}</path>{}</missingSet>", fault.localized())
}

fn assign(path: &str, value: &Value) -> String {
    let mut xml = format!("<changeSet><name>{path}</name><op>assign</op>");
    value.write_typed("val", &mut xml);
    xml + "</changeSet>"
}

fn removed(path: &str) -> String {
    format!("<changeSet><name>{path}</name><op>remove</op></changeSet>")
}

impl Filter {
    /// The filter's id with one `objectSet` for everything that entered, changed or left.
    fn changes(&self, base: &Snapshot, now: &Snapshot, dead: bool) -> Vec<(String, String)> {
        let none = Selected::new();
        let before = base.get(&self.object.id).unwrap_or(&none);
        let now = now.get(&self.object.id).unwrap_or(&none);
        let mut all = Vec::new();
        let mut add = |kind: &str, object: &Ref, content: &str| {
            let head = format!("<objectSet><kind>{kind}</kind>{}", object.element("obj"));
            all.push((self.object.id.clone(), head + content + "</objectSet>"));
        };
        for (object, gone) in before {
            if !now.contains_key(object) && !dead {
                add("leave", &gone.this, "");
            }
        }
        for (object, current) in now {
            match before.get(object) {
                None => add("enter", object, &self.content(current, dead)),
                Some(_) if dead => add("modify", object, &self.content(current, dead)),
                Some(known) if Arc::ptr_eq(known, current) => {}
                Some(known) => {
                    let content = self.difference(known, current);
                    if !content.is_empty() {
                        add("modify", object, &content);
                    }
                }
            }
        }
        all
    }

    fn content(&self, object: &Object, dead: bool) -> String {
        let (mut changes, mut missed) = (String::new(), String::new());
        for path in self.spec.paths(object) {
            match property(object, path, dead) {
                Property::Absent => {}
                Property::Value(value) => changes += &assign(path, value),
                Property::Missing(fault) => missed += &missing(path, &fault),
            }
        }
        changes + &missed
    }

    fn difference(&self, before: &Object, now: &Object) -> String {
        let (mut changes, mut missed) = (String::new(), String::new());
        for path in self.spec.paths(now) {
            let (old, new) = (property(before, path, false), property(now, path, false));
            if old == new {
                continue;
            }
            match (old, new) {
                (Property::Value(Value::Data(one, old)), Property::Value(Value::Data(other, new)))
                    if self.partial && one == other =>
                {
                    changes += &parts(path, old, new);
                }
                (_, Property::Absent) => changes += &removed(path),
                (_, Property::Value(value)) => changes += &assign(path, value),
                (_, Property::Missing(fault)) => missed += &missing(path, &fault),
            }
        }
        changes + &missed
    }
}

/// The changes between two data objects of one type, by their own paths.
fn parts(path: &str, before: &[(&'static str, Value)], now: &[(&'static str, Value)]) -> String {
    let field = |fields: &[(&'static str, Value)], name: &str| {
        fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone())
    };
    let names: BTreeSet<_> = before.iter().chain(now).map(|(name, _)| *name).collect();
    let mut changes = String::new();
    for name in names {
        let path = format!("{path}.{name}");
        match (field(before, name), field(now, name)) {
            (old, new) if old == new => {}
            (Some(Value::Data(one, old)), Some(Value::Data(other, new))) if one == other => {
                changes += &parts(&path, &old, &new);
            }
            (_, Some(value)) => changes += &assign(&path, &value),
            (_, None) => changes += &removed(&path),
        }
    }
    changes
}

/// One object of a `RetrieveResult`.
pub(super) fn object_content(spec: &Spec, object: &Object, dead: bool) -> String {
    let (mut values, mut missed) = (String::new(), String::new());
    for path in spec.paths(object) {
        match property(object, path, dead) {
            Property::Absent => {}
            Property::Value(value) => {
                values.extend(["<propSet><name>", path, "</name>"]);
                value.write_typed("val", &mut values);
                values += "</propSet>";
            }
            Property::Missing(fault) => missed += &missing(path, &fault),
        }
    }
    format!("<objects>{}{values}{missed}</objects>", object.this.element("obj"))
}
