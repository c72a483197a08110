//! Publishes events, one small writer for all. Does I/O; what fails is only logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::debug;

use crate::api::{GROUP, VERSION};
use crate::scheduler::{Announcement, Subject};

use super::call::post;
use super::shell::Shell;
use crate::objects::one_line;

/// Events that wait; more are dropped.
const WAITING: usize = 1024;
/// Events on their way at a time.
const CONCURRENT: usize = 4;
const TIMEOUT: Duration = Duration::from_secs(5);
/// The API server's limit on the text.
const NOTE_BYTES: usize = 1024;
/// The API server's limit on a name.
const NAME_BYTES: usize = 253;

/// Takes announcements without ever waiting.
#[derive(Clone)]
pub(super) struct Events(mpsc::Sender<Announcement>);

impl Events {
    /// Starts the writer.
    pub(super) fn start(shell: Arc<Shell>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let waiting = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|announcement| (announcement, receiver))
        });
        let tasks = shell.tasks.clone();
        drop(tasks.spawn(async move {
            let publish = |announcement| publish(&shell, announcement);
            waiting.for_each_concurrent(CONCURRENT, publish).await;
        }));
        Self(sender)
    }

    /// Publishes, or drops when too many wait.
    pub(super) fn announce(&self, announcement: Announcement) {
        if let Err(error) = self.0.try_send(announcement) {
            debug!(%error, "an event is dropped");
        }
    }
}

async fn publish(shell: &Shell, announcement: Announcement) {
    let namespace = match &announcement.subject {
        Subject::Placement(key) => key.namespace.as_str(),
        // The API server takes events about objects without a namespace only here.
        Subject::Class(_) | Subject::VCenter(_) => "default",
    };
    let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events?fieldManager=berth");
    let body = event(&announcement, namespace, shell.clock.now()).to_string();
    match tokio::time::timeout(TIMEOUT, post(&shell.client, &path, body)).await {
        Ok(Ok(_)) => {}
        Ok(Err(failure)) => debug!(reason = failure.message(), "an event was not published"),
        Err(_) => debug!("an event was not published in time"),
    }
}

fn event(announcement: &Announcement, namespace: &str, now: Timestamp) -> Value {
    let Announcement { subject, uid, warning, reason, message } = announcement;
    let (kind, name, doing) = match subject {
        Subject::Placement(key) => ("InstancePlacement", &key.name, "Place"),
        Subject::Class(name) => ("PlacementClass", name, "Select"),
        Subject::VCenter(name) => ("VCenter", name, "Connect"),
    };
    let namespaced = matches!(subject, Subject::Placement(_)).then_some(namespace);
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": event_name(name, now), "namespace": namespace},
        "eventTime": format!("{now:.6}"),
        "reportingController": "berth.dev/controller",
        "reportingInstance": "berth",
        "action": doing,
        "reason": reason,
        "regarding": {
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": kind,
            "namespace": namespaced,
            "name": name,
            "uid": uid,
        },
        "note": one_line(message, NOTE_BYTES),
        "type": if *warning { "Warning" } else { "Normal" },
    })
}

/// A DNS subdomain that no other event has: as much of the object's name as fits, the time, a count.
fn event_name(object: &str, now: Timestamp) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed) & 0xffff;
    let suffix = format!(".{:x}{count:04x}", now.as_microsecond());
    let room = NAME_BYTES.saturating_sub(suffix.len());
    let stem = object.get(..object.floor_char_boundary(room)).unwrap_or_default();
    let stem = stem.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    format!("{stem}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::super::mock::{shell, status};
    use super::*;
    use crate::scheduler::Key;

    fn announcement(subject: Subject) -> Announcement {
        Announcement {
            subject,
            uid: "u-1".into(),
            warning: true,
            reason: "Placed",
            message: "ü".repeat(2000),
        }
    }

    #[test]
    fn names_are_unique_dns_subdomains() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let dotted = "abc.".repeat(63);
        let dashed = "a--".repeat(84);
        let cut_anywhere = (225..252).flat_map(|end| [&dotted[..end], &dashed[..end]]);
        for object in cut_anywhere.chain(["web-01", "a.b.c"]) {
            let name = event_name(object, now);
            assert!(name.len() <= 253);
            for label in name.split('.') {
                assert!(label.starts_with(|c: char| c.is_ascii_alphanumeric()), "{name}");
                assert!(label.ends_with(|c: char| c.is_ascii_alphanumeric()), "{name}");
            }
            assert_ne!(name, event_name(object, now));
        }
    }

    #[test]
    fn an_event_is_complete_and_bounded() {
        let key = Key { namespace: "team-a".into(), name: "web-01".into() };
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let event = event(&announcement(Subject::Placement(key)), "team-a", now);
        assert_eq!(event["eventTime"], "2026-01-01T00:00:00.000000Z");
        assert_eq!(event["regarding"]["namespace"], "team-a");
        assert_eq!(event["type"], "Warning");
        assert!(event["note"].as_str().unwrap().len() <= 1024);
        serde_json::from_value::<k8s_openapi::api::events::v1::Event>(event).unwrap();
    }

    #[tokio::test]
    async fn events_of_cluster_objects_go_to_default_and_may_fail() {
        let (sender, mut lines) = mpsc::unbounded_channel();
        let (shell, _) = shell(move |line, _| {
            sender.send(line.to_owned()).unwrap();
            status(403, "no")
        });
        let events = Events::start(shell);
        events.announce(announcement(Subject::VCenter("vc-east".into())));
        let line = lines.recv().await.unwrap();
        assert_eq!(line, "POST /apis/events.k8s.io/v1/namespaces/default/events?fieldManager=berth");
    }
}
