//! Watches: every commit after a version, bookmarks, and an end.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep, sleep_until};

use super::call::Call;
use super::faults::OnEvent;
use super::history::{Change, Version};
use super::list::{concerns, shown};
use super::refusal::Refusal;
use super::shared::{Shared, State};

/// How often a bookmark comes; another one comes shortly before the end.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
const LAST_BOOKMARK: Duration = Duration::from_secs(2);
/// When the client does not say how long.
const TIMEOUT: Duration = Duration::from_mins(30);

/// A watch under way.
struct Watch {
    shared: Arc<Shared>,
    call: Call,
    changed: Receiver<u64>,
    /// Everything up to this version is told.
    position: u64,
    round: u64,
    bookmark: Option<Instant>,
    deadline: Instant,
    lines: VecDeque<Bytes>,
    ended: bool,
}

/// The lines of a watch.
pub fn watch(
    shared: &Arc<Shared>,
    state: &State,
    call: Call,
) -> Result<impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static, Refusal> {
    let mut known = vec!["watch", "resourceVersion", "allowWatchBookmarks", "timeoutSeconds"];
    if !call.name.is_empty() {
        known.push("fieldSelector");
    }
    call.allow(&known)?;
    let history = &state.store.history;
    let number = |name: &str| call.parameter(name).map_or(Ok(0), str::parse::<u64>);
    let asked =
        number("resourceVersion").map_err(|_| Refusal::bad_request("resourceVersion is no number"))?;
    let timeout =
        number("timeoutSeconds").map_err(|_| Refusal::bad_request("timeoutSeconds is no number"))?;
    let timeout = if timeout == 0 { TIMEOUT } else { Duration::from_secs(timeout) };
    let mut lines = VecDeque::new();
    let mut position = asked;
    let mut ended = false;
    if asked == 0 {
        position = history.revision();
        let now = history.current().filter(|(key, _)| concerns(&call, key));
        lines.extend(now.map(|(_, object)| line("ADDED", &shown(&state.store, &call, object))));
    } else if asked < history.compacted() {
        let words = format!("too old resource version: {asked} ({})", history.compacted());
        lines.push_back(line("ERROR", &Refusal::new(410, "Expired", words).body()));
        ended = true;
    }
    let deadline = Instant::now() + timeout;
    let bookmark = (call.parameter("allowWatchBookmarks") == Some("true")).then(|| next_bookmark(deadline));
    let (shared, changed, round) = (Arc::clone(shared), shared.changes(), state.watches);
    let watch = Watch { shared, call, changed, position, round, bookmark, deadline, lines, ended };
    Ok(stream::unfold(watch, |mut watch| async move { watch.next().await.map(|line| (Ok(line), watch)) }))
}

/// What is to be done now.
enum Step {
    Tell(Arc<Version>, Option<OnEvent>),
    Wait,
    End,
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            match self.look() {
                Step::End => return None,
                Step::Tell(version, what) => self.tell(&version, what).await,
                Step::Wait => self.wait().await,
            }
        }
    }

    fn look(&mut self) -> Step {
        self.changed.borrow_and_update();
        let state = &mut *self.shared.lock();
        if state.watches != self.round {
            return Step::End;
        }
        match state.store.history.next(self.position, |key| concerns(&self.call, key)) {
            None => Step::Wait,
            Some(version) => {
                self.position = version.revision;
                let what = state.faults.take_event(&self.call, &version.key.name);
                Step::Tell(version, what)
            }
        }
    }

    async fn tell(&mut self, version: &Version, what: Option<OnEvent>) {
        let kind = match version.change {
            Change::Added => "ADDED",
            Change::Modified => "MODIFIED",
            Change::Deleted => "DELETED",
        };
        let event = line(kind, &shown(&self.shared.lock().store, &self.call, &version.object));
        match what {
            None => {}
            Some(OnEvent::Drop) => return,
            Some(OnEvent::Repeat) => self.lines.push_back(event.clone()),
            Some(OnEvent::Delay(time)) => sleep(time).await,
            Some(OnEvent::Fail(refusal)) => {
                self.lines.push_back(line("ERROR", &refusal.body()));
                self.ended = true;
                return;
            }
        }
        self.lines.push_back(event);
    }

    async fn wait(&mut self) {
        let bookmark = self.bookmark.unwrap_or(self.deadline);
        tokio::select! {
            biased;
            _ = self.changed.changed() => {}
            () = sleep_until(self.deadline) => self.ended = true,
            () = sleep_until(bookmark), if self.bookmark.is_some() => {
                self.bookmark = Some(next_bookmark(self.deadline));
                // Of a store that was restored to an older state, nothing new is known.
                self.position = self.position.max(self.shared.lock().store.history.revision());
                let kind = &self.call.kind;
                let (version, kind) = if self.call.metadata_only {
                    ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata")
                } else {
                    (kind.api_version(), kind.name)
                };
                let metadata = json!({"resourceVersion": self.position.to_string(), "creationTimestamp": null});
                let object = json!({"apiVersion": version, "kind": kind, "metadata": metadata});
                self.lines.push_back(line("BOOKMARK", &object));
            }
        }
    }
}

fn next_bookmark(deadline: Instant) -> Instant {
    let (now, last) = (Instant::now(), deadline - LAST_BOOKMARK);
    if now < last { last.min(now + BOOKMARK_EVERY) } else { deadline + BOOKMARK_EVERY }
}

fn line(kind: &str, object: &Value) -> Bytes {
    format!("{}\n", json!({"type": kind, "object": object})).into()
}
