//! Which namespaces may use something. No I/O.

use std::collections::BTreeMap;

use crate::api::{AllowedNamespaces, NamespacesFrom};

/// Labels of a namespace.
pub type Labels = BTreeMap<String, String>;

/// Which namespaces may use something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Allowed {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those whose labels meet every requirement.
    Labelled(Vec<Requirement>),
}

/// One requirement on labels, with the meaning of Kubernetes label selectors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

impl Allowed {
    /// Reads the field `allowedNamespaces`; `absent` is what it means to leave it out.
    ///
    /// # Errors
    /// What is wrong with it, in users' words: the API server refuses all of it already, but an object can
    /// be older than the rule.
    pub fn parse(spec: Option<&AllowedNamespaces>, absent: Self) -> Result<Self, String> {
        let Some(AllowedNamespaces { from, selector }) = spec else { return Ok(absent) };
        let Some(from) = from else {
            return match selector {
                None => Ok(absent),
                Some(_) => Err("allowedNamespaces: a selector needs from: Selector".to_owned()),
            };
        };
        match (from, selector) {
            (NamespacesFrom::None, None) => Ok(Self::None),
            (NamespacesFrom::All, None) => Ok(Self::All),
            (NamespacesFrom::Selector, Some(selector)) => {
                let labels = selector.match_labels.iter().flatten();
                let labels = labels.map(|(key, value)| {
                    Ok(Requirement { key: key.clone(), test: Test::In(vec![value.clone()]) })
                });
                let expressions = selector.match_expressions.iter().flatten().map(|e| {
                    let values = e.values.clone().unwrap_or_default();
                    let test = match (e.operator.as_str(), values.is_empty()) {
                        ("In", false) => Test::In(values),
                        ("NotIn", false) => Test::NotIn(values),
                        ("Exists", true) => Test::Exists,
                        ("DoesNotExist", true) => Test::DoesNotExist,
                        _ => {
                            return Err(format!(
                                "allowedNamespaces.selector: operator {:?} cannot be used with {} values; use In or \
                                 NotIn with values, Exists or DoesNotExist without",
                                e.operator,
                                values.len()
                            ));
                        }
                    };
                    Ok(Requirement { key: e.key.clone(), test })
                });
                labels.chain(expressions).collect::<Result<_, _>>().map(Self::Labelled)
            }
            (NamespacesFrom::Selector, None) => {
                Err("allowedNamespaces: from is Selector, but there is no selector".to_owned())
            }
            (NamespacesFrom::None | NamespacesFrom::All, Some(_)) => {
                Err("allowedNamespaces: a selector needs from: Selector".to_owned())
            }
        }
    }

    /// Whether a namespace with these labels may use it.
    #[must_use]
    pub fn admits(&self, labels: &Labels) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Labelled(requirements) => requirements.iter().all(|r| {
                let value = labels.get(&r.key);
                match &r.test {
                    Test::In(values) => value.is_some_and(|value| values.contains(value)),
                    Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                    Test::Exists => value.is_some(),
                    Test::DoesNotExist => value.is_none(),
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(yaml: &str) -> Result<Allowed, String> {
        Allowed::parse(Some(&serde_saphyr::from_str(yaml).unwrap()), Allowed::None)
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn what_is_not_said_is_what_the_kind_says() {
        assert!(Allowed::parse(None, Allowed::All).unwrap().admits(&Labels::new()));
        assert!(!Allowed::parse(None, Allowed::None).unwrap().admits(&Labels::new()));
        assert!(!allowed("from: None").unwrap().admits(&Labels::new()));
        assert!(allowed("from: All").unwrap().admits(&Labels::new()));
    }

    #[test]
    fn a_selector_selects_by_labels_and_expressions_together() {
        let selector = allowed(
            "{from: Selector, selector: {matchLabels: {tier: prod}, matchExpressions: [\
             {key: team, operator: In, values: [a, b]}, {key: frozen, operator: DoesNotExist}]}}",
        )
        .unwrap();
        assert!(selector.admits(&labels(&[("tier", "prod"), ("team", "b")])));
        assert!(!selector.admits(&labels(&[("tier", "prod"), ("team", "c")])));
        assert!(!selector.admits(&labels(&[("tier", "prod"), ("team", "a"), ("frozen", "")])));
        let not_in = allowed("{from: Selector, selector: {matchExpressions: [{key: t, operator: NotIn, values: [x]}, {key: u, operator: Exists}]}}").unwrap();
        assert!(not_in.admits(&labels(&[("u", "1")])));
        assert!(!not_in.admits(&labels(&[("u", "1"), ("t", "x")])));
    }

    #[test]
    fn contradictions_are_named() {
        assert!(allowed("from: Selector").unwrap_err().contains("no selector"));
        assert!(allowed("{from: All, selector: {}}").unwrap_err().contains("from: Selector"));
        let odd = allowed("{from: Selector, selector: {matchExpressions: [{key: a, operator: Near}]}}");
        assert!(odd.unwrap_err().contains("\"Near\""));
    }
}
