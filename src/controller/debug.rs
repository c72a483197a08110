//! The endpoints for people who look for a cause: what a vCenter shows, why a placement is where it is, and the level
//! of the log. Does I/O.
//!
//! They show names of every team's objects, so they are answered to this machine alone (`kubectl port-forward` comes
//! from there) unless they are enabled for all.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tracing::{Level, info};

use crate::api::is_object_name;
use crate::placement::{Inventory, Verdict};
use crate::plan::{Explanation, ExplanationFormat, PlannedPlacement};
use crate::recording::{self, Recording};
use crate::scheduler::{Key, Now, Scheduler};
use crate::telemetry::{LogLevel, Peer};

use super::call::Failure;
use super::shell::Shell;
use super::writes;

/// Questions that wait for the scheduler; whoever has more is told to come back.
const QUESTIONS: usize = 4;
/// The scheduler answers between two steps.
const PATIENCE: Duration = Duration::from_secs(5);
/// A word is all that is sent here.
const MAX_BODY_BYTES: usize = 64;

/// What the scheduler is asked, between two inputs.
pub(super) enum Question {
    /// See [`Scheduler::inventories`].
    Inventories(oneshot::Sender<Vec<Shown>>),
    /// See [`Scheduler::explain`].
    Explain(Key, oneshot::Sender<Option<(String, Vec<Verdict>)>>),
}

/// What one vCenter shows.
pub(super) struct Shown {
    vcenter: String,
    server: String,
    inventory: Arc<Inventory>,
}

impl Question {
    /// Answers. Whoever asked may have gone.
    pub(super) fn answer(self, scheduler: &Scheduler, now: Now) {
        match self {
            Self::Inventories(asker) => {
                let shown = scheduler.inventories().map(|(vcenter, server, inventory)| Shown {
                    vcenter: vcenter.to_owned(),
                    server: server.to_owned(),
                    inventory: Arc::clone(inventory),
                });
                drop(asker.send(shown.collect()));
            }
            Self::Explain(key, asker) => {
                let answer = scheduler.explain(&key, now);
                drop(asker.send(answer.map(|(vcenter, verdicts)| (vcenter.to_owned(), verdicts))));
            }
        }
    }
}

/// What the endpoints work with.
#[derive(Clone)]
struct Desk {
    shell: Arc<Shell>,
    questions: mpsc::Sender<Question>,
    level: LogLevel,
}

/// The routes, and the questions that they ask. `for_all`: not to this machine alone.
pub(super) fn routes(
    shell: Arc<Shell>,
    level: LogLevel,
    for_all: bool,
) -> (Router, mpsc::Receiver<Question>) {
    let (questions, asked) = mpsc::channel(QUESTIONS);
    let guard = middleware::from_fn(
        move |Extension(Peer(peer)): Extension<Peer>, request: Request, next: Next| async move {
            if for_all || peer.ip().to_canonical().is_loopback() {
                return next.run(request).await;
            }
            let why = "answered to this machine alone: use kubectl port-forward, or start Berth with \
                   --enable-debug-endpoints\n";
            (StatusCode::FORBIDDEN, why).into_response()
        },
    );
    let routes = Router::new()
        .route("/debug/inventory", get(inventory))
        .route("/debug/explain", get(explain))
        .route("/debug/log-level", get(log_level).put(set_log_level))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(guard)
        .with_state(Desk { shell, questions, level });
    (routes, asked)
}

impl Desk {
    /// The scheduler's answer, or what to tell whoever asked.
    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<T, Response> {
        let busy = |why: &'static str| (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
        let (sender, answer) = oneshot::channel();
        self.questions.try_send(question(sender)).map_err(|_| busy("too many ask already; try again\n"))?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(busy("no answer yet; try again\n")),
        }
    }
}

#[derive(Deserialize)]
struct WhichVCenter {
    vcenter: Option<String>,
}

/// As `berth inventory` records it.
async fn inventory(State(desk): State<Desk>, Query(which): Query<WhichVCenter>) -> Response {
    let mut shown = match desk.ask(Question::Inventories).await {
        Ok(shown) => shown,
        Err(told) => return told,
    };
    let names: Vec<_> = shown.iter().map(|one| one.vcenter.clone()).collect();
    if let Some(wanted) = which.vcenter {
        shown.retain(|one| one.vcenter == wanted);
    }
    let one = match (shown.pop(), shown.is_empty()) {
        (Some(one), true) => one,
        (Some(_), false) => {
            let why = format!("say which, as ?vcenter=NAME: {}\n", names.join(", "));
            return (StatusCode::BAD_REQUEST, why).into_response();
        }
        (None, _) => {
            let why = format!("there is no inventory of that VCenter; there are: {}\n", names.join(", "));
            return (StatusCode::NOT_FOUND, why).into_response();
        }
    };
    let Some(server) = recording::server(&one.server) else {
        return (StatusCode::NOT_FOUND, "its server is no address of a vCenter\n").into_response();
    };
    // It may be long: the threads of the controller are not kept waiting.
    let write = move || Recording { server, inventory: one.inventory.as_ref().clone() }.to_json();
    match tokio::task::spawn_blocking(write).await {
        Ok(Ok(text)) => json(text),
        Ok(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// As `berth explain -o json` prints it, with the status that the API server has.
async fn explain(State(desk): State<Desk>, Query(key): Query<Named>) -> Response {
    let key = Key { namespace: key.namespace, name: key.name };
    if !is_object_name(&key.namespace) || !is_object_name(&key.name) {
        return (StatusCode::BAD_REQUEST, "namespace and name are those of an object\n").into_response();
    }
    let object = match writes::fetch(&desk.shell.client, &writes::path(&key)).await {
        Ok(object) => object,
        Err(Failure::Refused(404, _)) => {
            let why = format!("there is no InstancePlacement {} in namespace {}\n", key.name, key.namespace);
            return (StatusCode::NOT_FOUND, why).into_response();
        }
        Err(failure) => {
            let why = format!("the API server: {}\n", failure.message());
            return (StatusCode::BAD_GATEWAY, why).into_response();
        }
    };
    let status = object.get("status").cloned().unwrap_or(Value::Null);
    let placement = PlannedPlacement::new(&key, status);
    let (vcenter, verdicts) = match desk.ask(|asker| Question::Explain(key, asker)).await {
        Ok(found) => found.unwrap_or_default(),
        Err(told) => return told,
    };
    let explanation = Explanation { placement, vcenter, verdicts, missing: Vec::new(), warnings: Vec::new() };
    match explanation.render(ExplanationFormat::Json) {
        Ok(text) => json(text),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Deserialize)]
struct Named {
    namespace: String,
    name: String,
}

async fn log_level(State(desk): State<Desk>) -> String {
    format!("{}\n", word(desk.level.get()))
}

/// Until the process ends: then it is the flag's again.
async fn set_log_level(State(desk): State<Desk>, body: axum::body::Bytes) -> Response {
    let text = String::from_utf8_lossy(&body);
    let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    let Some(level) = levels.into_iter().find(|level| word(*level) == text.trim()) else {
        let why = "the level is one of error, warn, info, debug, trace\n";
        return (StatusCode::BAD_REQUEST, why).into_response();
    };
    info!(level = word(level), "the level of the log is changed");
    desk.level.set(level);
    format!("{}\n", word(level)).into_response()
}

fn word(level: Level) -> String {
    level.as_str().to_ascii_lowercase()
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests;
