//! The credentials of Berth's own namespace: the only place where they are kept. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

use crate::scheduler::SeenSecret;

const USERNAME: &str = "username";
const PASSWORD: &str = "password";

/// User name and password as one version of a Secret has them.
#[derive(Clone)]
pub(super) struct Stored {
    /// The version.
    pub(super) resource_version: String,
    /// Key `username`.
    pub(super) username: SecretString,
    /// Key `password`.
    pub(super) password: SecretString,
}

/// Credentials by name of the Secret.
#[derive(Default)]
pub(super) struct Secrets(Mutex<BTreeMap<String, Stored>>);

impl Secrets {
    /// Keeps what a Secret has, and says what it lacks. `None` when it has no name or version.
    pub(super) fn keep(&self, secret: Secret) -> Option<SeenSecret> {
        let name = secret.metadata.name?;
        let resource_version = secret.metadata.resource_version?;
        let mut data = secret.data.unwrap_or_default();
        let mut take = |key: &str| {
            let text = String::from_utf8(data.remove(key)?.0).ok()?;
            let line = without_line_break(&text);
            (!line.is_empty()).then(|| SecretString::from(line))
        };
        let (username, password) = (take(USERNAME), take(PASSWORD));
        let mut missing_keys = Vec::new();
        if username.is_none() {
            missing_keys.push(USERNAME);
        }
        if password.is_none() {
            missing_keys.push(PASSWORD);
        }
        if let (Some(username), Some(password)) = (username, password) {
            let stored = Stored { resource_version: resource_version.clone(), username, password };
            self.lock().insert(name.clone(), stored);
        } else {
            self.lock().remove(&name);
        }
        Some(SeenSecret { name, resource_version, missing_keys })
    }

    /// A Secret is gone.
    pub(super) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Only these Secrets are still there.
    pub(super) fn retain(&self, names: &BTreeSet<String>) {
        self.lock().retain(|name, _| names.contains(name));
    }

    /// What a Secret has now.
    pub(super) fn get(&self, name: &str) -> Option<Stored> {
        self.lock().get(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Files end in a line break, and `kubectl create secret --from-file` takes it along. No vCenter has one in a user
/// name or password.
fn without_line_break(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn secret(data: &[(&str, &str)]) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = Some("vc".into());
        secret.metadata.resource_version = Some("5".into());
        secret.data =
            Some(data.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect());
        secret
    }

    #[test]
    fn credentials_stay_here_and_only_what_is_missing_is_told() {
        let secrets = Secrets::default();
        let seen = secrets.keep(secret(&[("username", "u"), ("password", "p"), ("ca", "x")])).unwrap();
        assert!(seen.missing_keys.is_empty());
        let stored = secrets.get("vc").unwrap();
        assert_eq!((stored.username.expose_secret(), stored.password.expose_secret()), ("u", "p"));
        assert_eq!(stored.resource_version, "5");

        secrets.keep(secret(&[("username", "u\r\n"), ("password", " p \n\n")])).unwrap();
        let stored = secrets.get("vc").unwrap();
        assert_eq!((stored.username.expose_secret(), stored.password.expose_secret()), ("u", " p \n"));

        let seen = secrets.keep(secret(&[("username", "u"), ("password", "\n")])).unwrap();
        assert_eq!(seen.missing_keys, ["password"]);
        let seen = secrets.keep(secret(&[("username", "u"), ("password", "")])).unwrap();
        assert_eq!(seen.missing_keys, ["password"]);
        assert!(secrets.get("vc").is_none());
    }

    #[test]
    fn what_a_new_list_does_not_show_is_forgotten() {
        let secrets = Secrets::default();
        secrets.keep(secret(&[("username", "u"), ("password", "p")])).unwrap();
        secrets.retain(&BTreeSet::from(["vc".to_owned()]));
        assert!(secrets.get("vc").is_some());
        secrets.retain(&BTreeSet::new());
        assert!(secrets.get("vc").is_none());
    }
}
