//! `PropertyFilterSpec`: which objects, found along which references, and which of their properties. No I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    inventory::Object,
    schema,
    soap::{Arguments, Element, Fault},
    value::{Ref, Value},
};

/// `PropertyFilterSpec`.
pub(super) struct Spec {
    properties: Vec<PropertySpec>,
    objects: Vec<ObjectSpec>,
}

struct PropertySpec {
    kind: String,
    all: bool,
    paths: Vec<String>,
}

struct ObjectSpec {
    object: Ref,
    skip: bool,
    select: Vec<Selection>,
}

enum Selection {
    Traversal(Traversal),
    /// A traversal of the same specification, by its name.
    Named(String),
}

struct Traversal {
    name: Option<String>,
    kind: String,
    path: String,
    skip: bool,
    select: Vec<Selection>,
}

impl Spec {
    /// Reads a `spec` or `specSet` element.
    pub fn read(element: &Element) -> Result<Self, Fault> {
        let mut arguments = Arguments::of(element);
        let properties =
            arguments.many("propSet").into_iter().map(PropertySpec::read).collect::<Result<Vec<_>, _>>()?;
        let objects =
            arguments.many("objectSet").into_iter().map(ObjectSpec::read).collect::<Result<Vec<_>, _>>()?;
        if let Some(flag) = arguments.optional("reportMissingObjectsInResults") {
            flag.flag()?;
        }
        arguments.end()?;
        if properties.is_empty() || objects.is_empty() {
            return Err(Fault::invalid_argument("spec"));
        }
        Ok(Self { properties, objects })
    }

    /// The objects named in it.
    pub fn roots(&self) -> impl Iterator<Item = &Ref> {
        self.objects.iter().map(|spec| &spec.object)
    }

    /// The properties asked for of an object: those of the nearest type.
    pub fn paths<'a>(&'a self, object: &'a Object) -> Vec<&'a str> {
        let kind = &object.this.kind;
        let fitting =
            self.properties.iter().filter_map(|spec| Some((schema::distance(kind, &spec.kind)?, spec)));
        match fitting.min_by_key(|(distance, _)| *distance) {
            None => Vec::new(),
            Some((_, spec)) if spec.all => object.properties.keys().map(String::as_str).collect(),
            Some((_, spec)) => spec.paths.iter().map(String::as_str).collect(),
        }
    }

    fn wants(&self, kind: &str) -> bool {
        self.properties.iter().any(|spec| schema::distance(kind, &spec.kind).is_some())
    }

    /// All selected objects. `find` looks an object up.
    pub fn select(&self, find: &dyn Fn(&Ref) -> Option<Arc<Object>>) -> Selected {
        let mut walk = Walk { spec: self, find, done: BTreeSet::new(), selected: Selected::new() };
        for spec in &self.objects {
            let Some(object) = find(&spec.object) else { continue };
            if !spec.skip {
                walk.take(&object);
            }
            walk.follow(&object, &spec.select);
        }
        walk.selected
    }

    fn named(&self, name: &str) -> Option<&Traversal> {
        fn within<'a>(list: &'a [Selection], name: &str) -> Option<&'a Traversal> {
            list.iter().find_map(|selection| match selection {
                Selection::Traversal(found) if found.name.as_deref() == Some(name) => Some(found),
                Selection::Traversal(other) => within(&other.select, name),
                Selection::Named(_) => None,
            })
        }
        self.objects.iter().find_map(|spec| within(&spec.select, name))
    }
}

struct Walk<'a> {
    spec: &'a Spec,
    find: &'a dyn Fn(&Ref) -> Option<Arc<Object>>,
    /// Traversals that were made already, by object and address.
    done: BTreeSet<(Ref, usize)>,
    selected: Selected,
}

impl Walk<'_> {
    fn take(&mut self, object: &Arc<Object>) {
        if self.spec.wants(&object.this.kind) {
            self.selected.insert(object.this.clone(), Arc::clone(object));
        }
    }

    fn follow(&mut self, object: &Arc<Object>, select: &[Selection]) {
        for selection in select {
            let traversal = match selection {
                Selection::Traversal(traversal) => Some(traversal),
                Selection::Named(name) => self.spec.named(name),
            };
            let Some(traversal) = traversal else { continue };
            let fits = schema::distance(&object.this.kind, &traversal.kind).is_some();
            if !fits || !self.done.insert((object.this.clone(), std::ptr::from_ref(traversal).addr())) {
                continue;
            }
            for target in object.at(&traversal.path).map_or(&[][..], Value::objects) {
                let Some(target) = (self.find)(target) else { continue };
                if !traversal.skip {
                    self.take(&target);
                }
                self.follow(&target, &traversal.select);
            }
        }
    }
}

impl PropertySpec {
    fn read(element: &Element) -> Result<Self, Fault> {
        let mut arguments = Arguments::of(element);
        let kind = arguments.required("type")?.leaf()?.to_owned();
        let all = arguments.optional("all").map(Element::flag).transpose()?.unwrap_or_default();
        let paths = arguments.many("pathSet").into_iter().map(|path| path.leaf().map(str::to_owned));
        let paths = paths.collect::<Result<Vec<_>, _>>()?;
        arguments.end()?;
        if !schema::is_known(&kind) {
            return Err(Fault::invalid_argument("propSet.type"));
        }
        match paths.iter().find(|path| !schema::has_path(&kind, path)) {
            Some(unknown) => Err(Fault::invalid_property(unknown)),
            None => Ok(Self { kind, all, paths }),
        }
    }
}

impl ObjectSpec {
    fn read(element: &Element) -> Result<Self, Fault> {
        let mut arguments = Arguments::of(element);
        let object = arguments.required("obj")?.object()?;
        let skip = arguments.optional("skip").map(Element::flag).transpose()?.unwrap_or_default();
        let select = selections(&mut arguments)?;
        arguments.end()?;
        Ok(Self { object, skip, select })
    }
}

fn selections(arguments: &mut Arguments<'_>) -> Result<Vec<Selection>, Fault> {
    arguments.many("selectSet").into_iter().map(Selection::read).collect()
}

impl Selection {
    fn read(element: &Element) -> Result<Self, Fault> {
        let mut arguments = Arguments::of(element);
        let name = arguments.optional("name").map(Element::leaf).transpose()?.map(str::to_owned);
        match element.xsi_type.as_deref() {
            Some("TraversalSpec") => {}
            None | Some("SelectionSpec") => {
                arguments.end()?;
                return name.map(Self::Named).ok_or_else(|| Fault::invalid_argument("selectSet.name"));
            }
            Some(other) => return Err(Fault::invalid_request(format!("unknown selection type {other}"))),
        }
        let kind = arguments.required("type")?.leaf()?.to_owned();
        let path = arguments.required("path")?.leaf()?.to_owned();
        let skip = arguments.optional("skip").map(Element::flag).transpose()?.unwrap_or_default();
        let select = selections(&mut arguments)?;
        arguments.end()?;
        if !schema::is_known(&kind) {
            return Err(Fault::invalid_argument("selectSet.type"));
        }
        if !schema::has_path(&kind, &path) {
            return Err(Fault::invalid_property(&path));
        }
        Ok(Self::Traversal(Traversal { name, kind, path, skip, select }))
    }
}

/// The objects that a filter selects.
pub(super) type Selected = BTreeMap<Ref, Arc<Object>>;
