//! What is to go wrong, when, and how it changes an answer. No I/O.

use std::time::Duration;

use super::soap::Fault;

/// What happens to a request instead of, or to, its answer.
#[derive(Clone, Debug)]
pub enum Action {
    /// Not handled: this HTTP status with a short text, as a proxy in front of vCenter says it.
    Status(u16),
    /// Not handled: a SOAP fault.
    Fault(Fault),
    /// Not handled: a redirect to this address.
    Redirect(u16, String),
    /// Not handled: HTTP 200 with this body.
    Body(String),
    /// Not handled: the connection is reset.
    ResetBefore,
    /// Handled, and then the connection is reset before the answer.
    ResetAfter,
    /// Not handled and not answered, while the connection stays.
    Hang,
    /// Handled and not answered, while the connection stays.
    HangAfter,
    /// The first bytes of the answer's body, then nothing, while the connection stays.
    Stall(usize),
    /// Handled and answered this much later.
    Delay(Duration),
    /// The connection ends in order after this many bytes of the answer's body.
    Cut(usize),
    /// Only this many bytes of the answer's body, as if they were all.
    Truncate(usize),
    /// Another byte at this place of the answer's body.
    Corrupt(usize),
    /// An answer whose body is this many bytes long, most of them blanks.
    Oversize(usize),
    /// The answer with this many elements within each other at its beginning.
    Deep(usize),
    /// An answer with a document type declaration.
    Doctype,
    /// The answer with another `Content-Type`.
    ContentType(String),
    /// The answer with one text replaced by another, everywhere.
    Replace(String, String),
    /// Every object of the answer twice.
    Twice,
    /// All sessions end before the request is handled.
    EndSessions,
}

/// A rule for the requests of one method.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub method: String,
    /// Requests that pass first.
    pub pass: usize,
    /// Requests that it then is for; `None` for all.
    pub left: Option<usize>,
    pub action: Action,
}

/// The rule's action for a request of `method`, counted.
pub(super) fn take(rules: &mut Vec<Rule>, method: &str) -> Option<Action> {
    let mut found = None;
    for rule in rules.iter_mut().filter(|rule| rule.method == method || rule.method == "*") {
        if rule.pass > 0 {
            rule.pass -= 1;
        } else if found.is_none() {
            rule.left = rule.left.map(|left| left - 1);
            found = Some(rule.action.clone());
        }
    }
    rules.retain(|rule| rule.left != Some(0));
    found
}

/// An answer to be written.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub content_type: String,
    /// More header lines, each with its line end.
    pub headers: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let content_type = "text/xml; charset=utf-8".to_owned();
        Self { status, content_type, headers: String::new(), body: body.into() }
    }

    fn text(status: u16, body: &str) -> Self {
        Self { content_type: "text/plain".to_owned(), ..Self::new(status, body) }
    }
}

impl Action {
    /// The answer that is given without handling the request, when this is such an action.
    pub(super) fn instead(&self) -> Option<Answer> {
        Some(match self {
            Self::Status(status) => Answer::text(*status, "no healthy upstream"),
            Self::Fault(fault) => Answer::new(500, fault.document()),
            Self::Redirect(status, location) => {
                Answer { headers: format!("Location: {location}\r\n"), ..Answer::text(*status, "") }
            }
            Self::Body(body) => {
                Answer { content_type: "text/html".to_owned(), ..Answer::new(200, body.as_str()) }
            }
            Self::Oversize(bytes) => {
                let (head, tail) = ("<a>", "</a>");
                let blanks = bytes.saturating_sub(head.len() + tail.len());
                Answer::new(200, [head.as_bytes(), &vec![b' '; blanks], tail.as_bytes()].concat())
            }
            Self::Doctype => Answer::new(
                200,
                "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>",
            ),
            _ => return None,
        })
    }

    /// The answer as it is after the action.
    pub(super) fn change(&self, mut answer: Answer) -> Answer {
        match self {
            Self::Truncate(bytes) => answer.body.truncate(*bytes),
            Self::Corrupt(at) => {
                if let Some(byte) = answer.body.get_mut(*at) {
                    // Never the same byte, and never the first of a longer character.
                    *byte = if *byte == b'\x01' { b'\x02' } else { b'\x01' };
                }
            }
            Self::Deep(levels) => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                let (before, after) = text.split_once("urn:vim25\">").unwrap_or((&text, ""));
                let deep = "<a>".repeat(*levels) + &"</a>".repeat(*levels);
                answer.body = [before, "urn:vim25\">", &deep, after].concat().into_bytes();
            }
            Self::ContentType(other) => answer.content_type.clone_from(other),
            Self::Replace(from, to) => {
                answer.body = String::from_utf8_lossy(&answer.body).replace(from, to).into_bytes();
            }
            Self::Twice => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                answer.body = twice(&twice(&text, "objectSet"), "objects").into_bytes();
            }
            _ => {}
        }
        answer
    }
}

fn twice(text: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open.as_str()) {
        let (inside, after) = after.split_once(close.as_str()).unwrap_or((after, ""));
        out += before;
        for _ in 0..2 {
            out = out + &open + inside + &close;
        }
        rest = after;
    }
    out + rest
}
