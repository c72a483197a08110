//! What kube's client says, made fit for a log line, a status or an event. No I/O.

use crate::objects::one_line;

/// What kube's client says, without its name for the layer that said it.
pub(super) fn kube_error(error: &kube::Error) -> String {
    match error {
        kube::Error::Service(cause) => chain(cause.as_ref()),
        kube::Error::Api(status) => one_line(&format!("{}: {}", status.code, status.message), 512),
        other => chain(other),
    }
}

/// An error with everything that caused it, as one line. Causes that repeat what was said already are left
/// out.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    one_line(&text, 512)
}
