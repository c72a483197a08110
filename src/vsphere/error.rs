//! What can go wrong with a vCenter, and what kind of trouble it is. No I/O.
//!
//! Texts are made for people and logs: bounded, without control characters, and never with a user name,
//! a password, a cookie or a session id. What to do about an error, and when, is the owner's decision.

use std::time::Duration;

use super::tls::CertificateProblem;

/// What kind of trouble an [`Error`] is: the only thing a retry policy has to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Passes by itself: try again with a back-off.
    Retry,
    /// Trying again soon does harm (a locked account): wait for minutes or until the input changes.
    Wait,
    /// The configuration does not fit this server: wait until one of them changes.
    Invalid,
    /// Someone else changed the same thing. Reading vCenter never ends with it.
    Conflict,
    /// A right is missing: wait until somebody grants it.
    Forbidden,
}

/// Why a connection to a vCenter ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address cannot be used: not `https://host[:port]`, or what answers is not a vCenter.
    #[error("unusable endpoint: {0}")]
    Endpoint(String),
    /// No connection, or a connection that broke.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// A request had no complete answer within its deadline.
    #[error("no complete answer to {method} within {} s", .after.as_secs())]
    Timeout {
        /// The API method that was called.
        method: &'static str,
        /// The deadline that passed.
        after: Duration,
    },
    /// The server's certificate was refused; nothing was sent to it.
    #[error("certificate refused: {0}")]
    Certificate(CertificateProblem),
    /// User name or password are wrong, expired or locked.
    #[error("vCenter refused the user name or password")]
    InvalidLogin,
    /// The session is gone: it was idle too long, was ended by an administrator, or vCenter restarted.
    #[error("the session is no longer valid")]
    NotAuthenticated,
    /// The user lacks a privilege.
    #[error("the user lacks a privilege: {0}")]
    NoPermission(String),
    /// An HTTP status that is neither a result (200) nor a SOAP fault (500 with one inside).
    #[error("HTTP status {0}")]
    HttpStatus(u16),
    /// The server wants the request elsewhere. Never followed: the credentials are for this server.
    #[error("the server redirects (HTTP status {0})")]
    Redirect(u16),
    /// An answer exceeds what a vCenter may send.
    #[error("the answer is too large: {0}")]
    TooLarge(&'static str),
    /// An answer is cut short, is not XML, or is not what the method returns.
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
    /// Any other SOAP fault.
    #[error("fault {name}: {text}")]
    Fault {
        /// The fault's type, for example `InvalidArgument`: letters, digits and `_` only.
        name: String,
        /// vCenter's own words, at most 256 characters.
        text: String,
    },
}

impl Error {
    /// What kind of trouble this is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Endpoint(_) | Self::Certificate(_) | Self::Redirect(_) => Class::Invalid,
            Self::InvalidLogin | Self::TooLarge(_) => Class::Wait,
            Self::NoPermission(_) => Class::Forbidden,
            Self::Unreachable(_)
            | Self::Timeout { .. }
            | Self::NotAuthenticated
            | Self::HttpStatus(_)
            | Self::Malformed(_)
            | Self::Fault { .. } => Class::Retry,
        }
    }

    /// Every [`Self::label`].
    pub const LABELS: [&'static str; 12] = [
        "endpoint",
        "unreachable",
        "timeout",
        "certificate",
        "invalid_login",
        "not_authenticated",
        "no_permission",
        "http_status",
        "redirect",
        "too_large",
        "malformed",
        "fault",
    ];

    /// A fixed word per variant, for metrics: one of [`Self::LABELS`].
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Endpoint(_) => "endpoint",
            Self::Unreachable(_) => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Certificate(_) => "certificate",
            Self::InvalidLogin => "invalid_login",
            Self::NotAuthenticated => "not_authenticated",
            Self::NoPermission(_) => "no_permission",
            Self::HttpStatus(_) => "http_status",
            Self::Redirect(_) => "redirect",
            Self::TooLarge(_) => "too_large",
            Self::Malformed(_) => "malformed",
            Self::Fault { .. } => "fault",
        }
    }
}

/// At most this many characters of a foreign text enter an error.
const TEXT_LIMIT: usize = 256;

/// A foreign text made fit for logs and statuses: one line, no control or formatting characters,
/// bounded, session ids replaced.
///
/// vCenter names session-scoped objects `session[KEY]UUID` and repeats them in fault texts; on some
/// servers the key is the cookie.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut left = TEXT_LIMIT;
    while left > 0 {
        if let Some(after) = rest.strip_prefix("session[") {
            out.push_str("session[..]");
            left = left.saturating_sub(11);
            rest = after.trim_start_matches(|c: char| !c.is_whitespace() && !matches!(c, '\'' | '"' | '<'));
            continue;
        }
        let mut chars = rest.chars();
        let Some(c) = chars.next() else { break };
        rest = chars.as_str();
        left = left.saturating_sub(1);
        out.push(if c.is_control() || is_invisible(c) { ' ' } else { c });
    }
    out.trim().to_owned()
}

/// Characters that change how the text around them is shown: direction marks, line separators, joiners.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_is_one_bounded_line_without_session_ids() {
        assert_eq!(clean("a\r\nb\u{1b}[31mc\u{202e}"), "a  b [31mc");
        assert_eq!(clean(&"x".repeat(9000)).len(), 256);
        let text = "The object 'vim.view.ContainerView:session[52aa-bb]52cc-dd' has been deleted";
        assert_eq!(clean(text), "The object 'vim.view.ContainerView:session[..]' has been deleted");
        assert_eq!(clean("session[cut off"), "session[..] off");
    }

    #[test]
    fn labels_are_a_closed_set_of_words() {
        let all = [
            Error::Endpoint("x".into()),
            Error::Unreachable("x".into()),
            Error::Timeout { method: "Login", after: Duration::from_secs(1) },
            Error::Certificate(CertificateProblem::Expired),
            Error::InvalidLogin,
            Error::NotAuthenticated,
            Error::NoPermission("x".into()),
            Error::HttpStatus(503),
            Error::Redirect(302),
            Error::TooLarge("body"),
            Error::Malformed("syntax"),
            Error::Fault { name: "X".into(), text: "y".into() },
        ];
        let labels: std::collections::BTreeSet<_> = all.iter().map(Error::label).collect();
        assert_eq!(labels, Error::LABELS.into());
        assert!(labels.iter().all(|l| l.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
        assert_eq!(Error::InvalidLogin.class(), Class::Wait);
        assert_eq!(Error::NotAuthenticated.class(), Class::Retry);
        assert_eq!(Error::NoPermission(String::new()).class(), Class::Forbidden);
        assert_eq!(Error::Certificate(CertificateProblem::Expired).class(), Class::Invalid);
    }
}
