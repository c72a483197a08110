//! From the text of a source to the objects in it, and to what cannot be used of it. No I/O.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;

use super::rules::Rules;
use super::split::{Document, documents};
use super::tree::{self, Content, Node, Spot};
use super::{Kind, MAX_PROBLEMS, Manifest, Place, Problem, Source};
use crate::api::{self, GROUP, VERSION};
use crate::objects::one_line;

/// Documents of one source.
const MAX_DOCUMENTS: usize = 50_000;
/// Values of one source, with what aliases repeat: 10,000 placements with full statuses have half of it.
const MAX_VALUES: usize = 2_000_000;
/// Bytes of a problem's message.
const MAX_MESSAGE: usize = 600;

/// What is in a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// In the order of the text; what is in a list stands where the list stands.
    pub manifests: Vec<Manifest>,
    /// In the order of the text, at most [`MAX_PROBLEMS`] and one that says that there are more.
    pub problems: Vec<Problem>,
    /// How many objects are of kinds that mean nothing here.
    pub ignored: usize,
}

/// What objects are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// They are to be applied: what the API server would refuse is a problem.
    Wanted,
    /// The API server gave them, whatever its CRDs were when they were stored.
    Stored,
}

/// Reads sources. It holds the rules of every kind, compiled once.
#[derive(Debug)]
pub struct Reader {
    rules: BTreeMap<Kind, Rules>,
}

impl Reader {
    /// A reader that holds objects to the CRDs of this version of Berth.
    ///
    /// # Errors
    /// When a CRD has a keyword that is not understood here, which the tests rule out.
    pub fn new() -> Result<Self, serde_json::Error> {
        let mut rules = BTreeMap::from([(Kind::Namespace, Rules::of_namespaces()?)]);
        for crd in api::crds() {
            let name = crd.pointer("/spec/names/kind").and_then(Value::as_str).unwrap_or_default();
            if let Some(kind) = Kind::of(GROUP, VERSION, name) {
                rules.insert(kind, Rules::of_crd(&crd)?);
            }
        }
        Ok(Self { rules })
    }

    /// The objects that a source wants in the cluster, as the API server would create them: checked, with
    /// defaults, without status. Whatever it would refuse is a problem.
    #[must_use]
    pub fn read(&self, source: &Source) -> Reading {
        self.read_as(Standing::Wanted, source)
    }

    /// The objects of a source that came from a cluster (`kubectl get iplace -A -o yaml`), as they are.
    #[must_use]
    pub fn read_stored(&self, source: &Source) -> Reading {
        self.read_as(Standing::Stored, source)
    }

    /// What the API server would refuse when a stored object is to become what its manifest wants.
    #[must_use]
    pub fn check_update(&self, stored: &Manifest, wanted: &Manifest) -> Vec<Problem> {
        let Some(rules) = self.rules.get(&wanted.kind) else { return Vec::new() };
        let messages = rules.check_update(&stored.object, &wanted.object).into_iter();
        messages.map(|message| Problem { place: wanted.place.clone(), message }).collect()
    }

    fn read_as(&self, standing: Standing, source: &Source) -> Reading {
        let mut pass =
            Pass { rules: &self.rules, standing, source: &source.name, reading: Reading::default() };
        let mut values_left = MAX_VALUES;
        for (count, document) in documents(&source.text).enumerate() {
            if count == MAX_DOCUMENTS {
                pass.problem(document.first, &format!("more than {MAX_DOCUMENTS} documents; split the file"));
                break;
            }
            pass.document(document, &mut values_left);
            if pass.is_full() || values_left == 0 {
                break;
            }
        }
        pass.reading
    }
}

/// `apiVersion` and `kind` of an object, the former in its two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Type<'a> {
    group: &'a str,
    version: &'a str,
    kind: &'a str,
}

/// One pass over one source.
struct Pass<'a> {
    rules: &'a BTreeMap<Kind, Rules>,
    standing: Standing,
    source: &'a str,
    reading: Reading,
}

impl Pass<'_> {
    fn document(&mut self, document: Document<'_>, values_left: &mut usize) {
        match tree::parse(document.text, document.first, values_left) {
            Ok(Some(node)) if !node.is_null() => self.object(&node, None),
            Ok(_) => {}
            Err(error) => self.problem(error.spot, &error.message),
        }
    }

    /// An object, or a list of them. An item need not say what it is when its list does.
    fn object(&mut self, node: &Node, of_list: Option<Type<'_>>) {
        let Content::Map(_) = node.content else {
            return self
                .problem(node.spot, "not a Kubernetes object: expected a map with apiVersion and kind");
        };
        let object_type = match (type_of(node), of_list) {
            (Ok(object_type), _) => object_type,
            (Err(_), Some(object_type)) if node.get("kind").is_none() => object_type,
            (Err(missing), _) => {
                let message = format!("not a Kubernetes object: {missing} is missing or is no text");
                return self.problem(node.spot, &message);
            }
        };
        if object_type.is_list() {
            return self.list(node, object_type.of_items());
        }
        let Type { group, version, kind } = object_type;
        match Kind::of(group, version, kind) {
            Some(kind) => self.manifest(kind, node),
            None if group == GROUP => {
                let field = if version == VERSION { "kind" } else { "apiVersion" };
                let message = format!(
                    "{kind} of {group}/{version} is not known; known are {}, {} and {} of {GROUP}/{VERSION}",
                    Kind::InstancePlacement,
                    Kind::PlacementClass,
                    Kind::VCenter,
                );
                self.problem(node.spot_of_key(field), &message);
            }
            None => self.reading.ignored += 1,
        }
    }

    fn list(&mut self, node: &Node, item_type: Option<Type<'_>>) {
        match node.get("items").map(|items| &items.content) {
            None | Some(Content::Scalar(Value::Null)) => {}
            Some(Content::List(items)) => {
                for item in items {
                    if self.is_full() {
                        return;
                    }
                    self.object(item, item_type);
                }
            }
            Some(_) => self.problem(node.spot_of_key("items"), "items: expected a list of objects"),
        }
    }

    fn manifest(&mut self, kind: Kind, node: &Node) {
        let object = match (self.standing, self.rules.get(&kind)) {
            (Standing::Wanted, Some(rules)) => rules.admit(node),
            _ => return self.stored(kind, node),
        };
        match object {
            Ok(object) => self.found(kind, node.spot, object),
            Err(findings) => {
                for finding in findings.list {
                    self.problem(finding.spot, &finding.message);
                }
            }
        }
    }

    fn stored(&mut self, kind: Kind, node: &Node) {
        let name = node.get("metadata").and_then(|metadata| metadata.get("name"));
        match name.and_then(Node::as_str) {
            Some(_) => self.found(kind, node.spot, node.to_value()),
            None => self.problem(node.at("metadata.name").0, "metadata.name: Required value"),
        }
    }

    fn found(&mut self, kind: Kind, spot: Spot, object: Value) {
        let place = self.place(spot);
        self.reading.manifests.push(Manifest { place, kind, object });
    }

    fn problem(&mut self, spot: Spot, message: &str) {
        let problems = &self.reading.problems;
        let message = match problems.len() {
            ..MAX_PROBLEMS => one_line(message, MAX_MESSAGE),
            MAX_PROBLEMS => "there are more problems from here on".to_owned(),
            _ => return,
        };
        let place = self.place(spot);
        self.reading.problems.push(Problem { place, message });
    }

    fn is_full(&self) -> bool {
        self.reading.problems.len() > MAX_PROBLEMS
    }

    fn place(&self, Spot { line, column }: Spot) -> Place {
        Place { source: self.source.to_owned(), line, column }
    }
}

impl Type<'_> {
    /// A list whose items can mean something here.
    fn is_list(self) -> bool {
        self.kind.ends_with("List") && matches!((self.group, self.version), (GROUP, _) | ("", "v1"))
    }

    /// What the items of a list are when they do not say. Of `v1` `List` nobody knows.
    fn of_items(self) -> Option<Self> {
        let kind = self.kind.strip_suffix("List").filter(|kind| !kind.is_empty())?;
        Some(Self { kind, ..self })
    }
}

/// What an object says it is, or the field that does not say it.
fn type_of(node: &Node) -> Result<Type<'_>, &'static str> {
    let text = |field: &'static str| node.get(field).and_then(Node::as_str).ok_or(field);
    let (api_version, kind) = (text("apiVersion")?, text("kind")?);
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Ok(Type { group, version, kind })
}

/// What is there twice: each later one, with the place of the first.
#[must_use]
pub fn duplicates(manifests: &[Manifest]) -> Vec<Problem> {
    let mut first = BTreeMap::new();
    let mut problems = Vec::new();
    for manifest in manifests {
        let (namespace, name) = (manifest.namespace().unwrap_or_default(), manifest.name());
        match first.entry((manifest.kind, namespace, name)) {
            Entry::Vacant(entry) => {
                entry.insert(&manifest.place);
            }
            Entry::Occupied(entry) => {
                let slash = if namespace.is_empty() { "" } else { "/" };
                let message =
                    format!("{} {namespace}{slash}{name} is already at {}", manifest.kind, entry.get());
                problems.push(Problem { place: manifest.place.clone(), message });
            }
        }
    }
    problems
}
