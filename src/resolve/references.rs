//! Follows a placement's references. No I/O.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::PlacementReason;
use crate::placement::{Ask, ClassRules, FieldError};

use super::allowed::{Allowed, Labels};

/// What is known of a class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClassView {
    /// Its uid.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// When it was created.
    pub created: Timestamp,
    /// It is marked as the default.
    pub is_default: bool,
    /// Which namespaces may use it.
    pub allowed: Allowed,
    /// What it asks for, or which field cannot be used.
    pub rules: Result<ClassRules, FieldError>,
}

/// What resolving needs to know of a `VCenter`.
pub trait VCenterView {
    /// Which namespaces may use it.
    fn allowed(&self) -> &Allowed;
}

/// Everything that a placement can refer to.
#[derive(Clone, Copy, Debug)]
pub struct World<'a, V> {
    /// Classes by name.
    pub classes: &'a BTreeMap<String, ClassView>,
    /// `VCenter` objects by name.
    pub vcenters: &'a BTreeMap<String, V>,
    /// Labels of every namespace.
    pub namespaces: &'a BTreeMap<String, Labels>,
}

/// Where a placement's references lead.
#[derive(Clone, Copy, Debug)]
pub struct Resolved<'a> {
    /// Name of the class.
    pub class_name: &'a str,
    /// The class.
    pub class: &'a ClassView,
    /// What the class asks for.
    pub rules: &'a ClassRules,
    /// Name of the `VCenter`.
    pub vcenter: &'a str,
}

/// A reference that leads nowhere, yet or for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unresolved {
    /// Reason of the Ready condition.
    pub reason: PlacementReason,
    /// For people. It does not tell a missing object from a forbidden one.
    pub message: String,
}

/// The default class: of several, the newest; of equally new ones, the first by name.
#[must_use]
pub fn default_class(classes: &BTreeMap<String, ClassView>) -> Option<(&String, &ClassView)> {
    let defaults = classes.iter().filter(|(_, class)| class.is_default);
    defaults.min_by(|(a_name, a), (b_name, b)| b.created.cmp(&a.created).then(a_name.cmp(b_name)))
}

/// Follows the references of a placement in `namespace`.
///
/// # Errors
/// The first reference that leads nowhere.
pub fn resolve<'a, V: VCenterView>(
    ask: &Ask,
    namespace: &str,
    world: &World<'a, V>,
) -> Result<Resolved<'a>, Unresolved> {
    let no_labels = Labels::new();
    let labels = world.namespaces.get(namespace).unwrap_or(&no_labels);
    let (class_name, class) = find_class(ask, labels, world)?;
    let rules = class.rules.as_ref().map_err(|error| Unresolved {
        reason: PlacementReason::ClassInvalid,
        message: format!(
            "PlacementClass {class_name} cannot be used: its field {} is invalid; ask the administrator",
            error.field
        ),
    })?;
    let named = match (&ask.vcenter, &rules.vcenter) {
        (Some(own), Some(of_class)) if own != of_class => {
            return Err(Unresolved {
                reason: PlacementReason::InvalidSpec,
                message: format!(
                    "vCenterName is {own}, but PlacementClass {class_name} is for {of_class}: leave vCenterName \
                     out, or name another class"
                ),
            });
        }
        (Some(name), _) | (None, Some(name)) => Some(name.as_str()),
        (None, None) => None,
    };
    let vcenter = find_vcenter(named, labels, world)?;
    Ok(Resolved { class_name, class, rules, vcenter })
}

fn find_class<'a, V>(
    ask: &Ask,
    labels: &Labels,
    world: &World<'a, V>,
) -> Result<(&'a str, &'a ClassView), Unresolved> {
    let found = match &ask.class {
        Some(name) => world.classes.get_key_value(name),
        None => default_class(world.classes),
    };
    let usable = found.filter(|(_, class)| class.allowed.admits(labels));
    usable.map(|(name, class)| (name.as_str(), class)).ok_or_else(|| Unresolved {
        reason: PlacementReason::ClassNotFound,
        message: match &ask.class {
            Some(name) => format!("there is no PlacementClass {name} that this namespace may use"),
            None => {
                "no placementClassName is given, and no PlacementClass that this namespace may use is the \
                     default"
                    .to_owned()
            }
        },
    })
}

fn find_vcenter<'a, V: VCenterView>(
    named: Option<&str>,
    labels: &Labels,
    world: &World<'a, V>,
) -> Result<&'a str, Unresolved> {
    let allowed = world.vcenters.iter().filter(|(_, vcenter)| vcenter.allowed().admits(labels));
    let mut usable = allowed.map(|(name, _)| name.as_str()).filter(|name| named.is_none_or(|n| n == *name));
    match (usable.next(), usable.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Unresolved {
            reason: PlacementReason::VCenterNotAllowed,
            message: match named {
                Some(name) => format!("there is no VCenter {name} that this namespace may use"),
                None => "there is no VCenter that this namespace may use".to_owned(),
            },
        }),
        (Some(first), Some(second)) => Err(Unresolved {
            reason: PlacementReason::AmbiguousVCenter,
            message: format!(
                "this namespace may use several VCenters ({first}, {second}{}): name one in vCenterName",
                if usable.next().is_some() { ", ..." } else { "" }
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Patterns;

    struct Open(Allowed);

    impl VCenterView for Open {
        fn allowed(&self) -> &Allowed {
            &self.0
        }
    }

    /// Where a placement leads whose own vCenterName, and that of the default class, are these.
    fn vcenter(own: Option<&str>, of_class: Option<&str>) -> Result<String, Unresolved> {
        let spec = serde_json::from_value(serde_json::json!({"rootDisk": {"size": "1Gi"}})).unwrap();
        let asked = Ask::parse(&spec, &mut Patterns::default()).unwrap();
        let asked = Ask { vcenter: own.map(str::to_owned), ..asked };
        let rules = ClassRules { vcenter: of_class.map(str::to_owned), ..ClassRules::default() };
        let class = ClassView {
            uid: "u-1".to_owned(),
            generation: 1,
            created: Timestamp::UNIX_EPOCH,
            is_default: true,
            allowed: Allowed::All,
            rules: Ok(rules),
        };
        let world = World {
            classes: &BTreeMap::from([("standard".to_owned(), class)]),
            vcenters: &["east", "west"].map(|name| (name.to_owned(), Open(Allowed::All))).into(),
            namespaces: &BTreeMap::new(),
        };
        resolve(&asked, "team-a", &world).map(|resolved| resolved.vcenter.to_owned())
    }

    #[test]
    fn a_placement_and_its_class_may_name_the_same_vcenter() {
        for (own, of_class, expected) in
            [(Some("east"), None, "east"), (None, Some("west"), "west"), (Some("west"), Some("west"), "west")]
        {
            assert_eq!(vcenter(own, of_class), Ok(expected.to_owned()));
        }
        assert_eq!(vcenter(Some("east"), Some("west")).unwrap_err().reason, PlacementReason::InvalidSpec);
        assert_eq!(vcenter(None, None).unwrap_err().reason, PlacementReason::AmbiguousVCenter);
    }
}
