//! The API server's audit log, read as a list of requests. Does I/O: reads a file.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// One request as the API server saw it. A watch has one event when it starts and one when it ends; see
/// `stage`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// `ResponseStarted` (watches), `ResponseComplete` or `Panic`.
    pub stage: String,
    /// `get`, `list`, `watch`, `create`, `update`, ...
    pub verb: String,
    /// Path and query.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    /// Who asked.
    pub user: AuditUser,
    /// What client said it was.
    #[serde(default)]
    pub user_agent: String,
    /// What was asked for; absent for paths that are no resources.
    #[serde(default)]
    pub object_ref: AuditObject,
    /// How it ended.
    #[serde(default)]
    pub response_status: AuditStatus,
    /// When the request arrived, RFC 3339 with microseconds.
    pub request_received_timestamp: String,
}

impl AuditEvent {
    /// Berth's controller asked.
    #[must_use]
    pub fn is_berths(&self) -> bool {
        self.user.username == "system:serviceaccount:berth-system:berth"
    }
}

/// Who sent a request.
#[derive(Clone, Debug, Deserialize)]
pub struct AuditUser {
    /// For example `system:serviceaccount:berth-system:berth`.
    pub username: String,
}

/// The object or collection of a request; empty strings for what does not apply.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditObject {
    /// Empty for the core group.
    pub api_group: String,
    /// Plural, for example `instanceplacements`.
    pub resource: String,
    /// For example `status`.
    pub subresource: String,
    /// Empty for cluster-wide requests.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
}

/// The HTTP status of an answer.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AuditStatus {
    /// For example 200; 0 when unknown.
    #[serde(default)]
    pub code: u16,
}

/// The events from byte `start` on. A line that is still being written is left for the next time.
pub(super) fn read(log: &Path, start: u64) -> anyhow::Result<Vec<AuditEvent>> {
    let bytes = fs::read(log)?;
    let bytes = bytes.get(usize::try_from(start)?..).unwrap_or_default();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let text = String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default());
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
