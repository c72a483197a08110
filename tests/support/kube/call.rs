//! What a request asks for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::kinds::{KINDS, Kind};
use super::refusal::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Delete,
}

/// A request, understood.
#[derive(Clone, Debug)]
pub struct Call {
    pub verb: Verb,
    pub kind: &'static Kind,
    /// Empty when none is named.
    pub namespace: String,
    /// Of a create, the name in the body. Empty for lists, and for watches of more than one object.
    pub name: String,
    /// The status endpoint.
    pub status: bool,
    pub query: BTreeMap<String, String>,
    /// `Null` when there is none.
    pub body: Value,
    /// Only metadata is wanted.
    pub metadata_only: bool,
}

impl Call {
    /// Understands a request.
    pub fn parse(method: &str, path: &str, query: &str, accept: &str, body: &[u8]) -> Result<Self, Refusal> {
        let unknown = || Refusal::new(404, "NotFound", "the server could not find the requested resource");
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(unknown()),
        };
        let find = |plural: &str| {
            let mut kinds = KINDS.iter();
            kinds
                .find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
                .ok_or_else(unknown)
        };
        let (kind, namespace, name, subresource) = match rest {
            ["namespaces", namespace, plural] => (find(plural)?, *namespace, "", ""),
            ["namespaces", namespace, plural, name] => (find(plural)?, *namespace, *name, ""),
            ["namespaces", namespace, plural, name, below] => (find(plural)?, *namespace, *name, *below),
            [plural] => (find(plural)?, "", "", ""),
            [plural, name] => (find(plural)?, "", *name, ""),
            [plural, name, below] => (find(plural)?, "", *name, *below),
            _ => return Err(unknown()),
        };
        let query: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let selector = query.get("fieldSelector").cloned().unwrap_or_default();
        let is_watch = query.get("watch").is_some_and(|watch| watch == "true" || watch == "1");
        let verb = match (method, name.is_empty()) {
            ("GET", true) if is_watch => Verb::Watch,
            ("GET", true) => Verb::List,
            ("GET", false) => Verb::Get,
            ("POST", true) => Verb::Create,
            ("PUT", false) => Verb::Update,
            ("DELETE", false) => Verb::Delete,
            _ => {
                let words = "the server does not allow this method on the requested resource";
                return Err(Refusal::new(405, "MethodNotAllowed", words));
            }
        };
        let everywhere = matches!(verb, Verb::List | Verb::Watch) && namespace.is_empty();
        let misplaced = kind.namespaced == namespace.is_empty() && !everywhere;
        if misplaced || !matches!(subresource, "" | "status") {
            return Err(unknown());
        }
        let not_json = |error| Refusal::bad_request(format!("the object provided is unrecognized: {error}"));
        let body: Value =
            if body.is_empty() { Value::Null } else { serde_json::from_slice(body).map_err(not_json)? };
        let name = match verb {
            Verb::Create => body["metadata"]["name"].as_str().unwrap_or_default(),
            // The one selector that is understood, here and where rights are checked.
            Verb::Watch => selector.strip_prefix("metadata.name=").unwrap_or_default(),
            _ => name,
        };
        Ok(Self {
            verb,
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            status: subresource == "status",
            query,
            metadata_only: accept.contains("as=PartialObjectMetadata"),
            body,
        })
    }

    /// A parameter of the query that is not empty.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Refuses what is asked but not understood here: a server that ignored it would answer something else.
    pub fn allow(&self, parameters: &[&str]) -> Result<(), Refusal> {
        match self.query.keys().find(|name| !parameters.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                Err(Refusal::bad_request(format!("this server does not know the parameter {name}")))
            }
        }
    }
}
