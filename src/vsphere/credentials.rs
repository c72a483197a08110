//! A user name and a password that cannot be printed. No I/O.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// What a login needs. Both are wiped from memory when dropped, and `Debug` shows neither.
#[derive(Clone)]
pub struct Credentials {
    username: SecretString,
    password: SecretString,
}

/// Why a pair cannot be a login: known before any server sees it, so that it does not count as a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// One of the two is empty.
    #[error("user name or password is empty")]
    Empty,
    /// One of the two is longer than 1,024 bytes.
    #[error("user name or password is longer than {LIMIT} bytes")]
    TooLong,
    /// XML 1.0 has no way to write this character, not even escaped.
    #[error("user name or password has a character that cannot be sent")]
    Unsendable,
}

/// Bytes of one of the two.
const LIMIT: usize = 1024;

impl Credentials {
    /// Takes the pair as it is: no trimming.
    ///
    /// # Errors
    /// When a part is empty, too long, or has characters that XML 1.0 forbids.
    pub fn new(username: SecretString, password: SecretString) -> Result<Self, CredentialsError> {
        for part in [username.expose_secret(), password.expose_secret()] {
            if part.is_empty() {
                return Err(CredentialsError::Empty);
            }
            if part.len() > LIMIT {
                return Err(CredentialsError::TooLong);
            }
            if !part.chars().all(sendable) {
                return Err(CredentialsError::Unsendable);
            }
        }
        Ok(Self { username, password })
    }

    /// The user name, for the login request and for nothing else.
    pub(crate) fn username(&self) -> &str {
        self.username.expose_secret()
    }

    /// The password, for the login request and for nothing else.
    pub(crate) fn password(&self) -> &str {
        self.password.expose_secret()
    }
}

/// The `Char` production of XML 1.0.
fn sendable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(user: &str, password: &str) -> Result<Credentials, CredentialsError> {
        Credentials::new(user.to_owned().into(), password.to_owned().into())
    }

    #[test]
    fn nothing_of_them_can_be_printed() {
        let shown = format!("{:?}", pair("root-user", "hunter2").unwrap());
        assert_eq!(shown, "Credentials");
    }

    #[test]
    fn what_cannot_be_a_login_is_refused_before_any_server_sees_it() {
        assert_eq!(pair("", "x").unwrap_err(), CredentialsError::Empty);
        assert_eq!(pair("x", "").unwrap_err(), CredentialsError::Empty);
        assert_eq!(pair("x", "a\0b").unwrap_err(), CredentialsError::Unsendable);
        assert_eq!(pair(&"x".repeat(1025), "b").unwrap_err(), CredentialsError::TooLong);
        assert!(pair("Пользователь\\x", "\t\"'<&>\u{1f511}").is_ok());
    }
}
