//! Where a connection reports its counts, so that metrics need no place in the adapter. No I/O.

use std::{fmt, time::Duration};

/// Every API method that is called; [`Method::label`] is the metrics label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `GET /sdk/vimServiceVersions.xml`.
    Versions,
    /// `RetrieveServiceContent`.
    RetrieveServiceContent,
    /// `Login`.
    Login,
    /// `Logout`.
    Logout,
    /// `CreateContainerView`.
    CreateContainerView,
    /// `DestroyView`.
    DestroyView,
    /// `CreatePropertyCollector`.
    CreatePropertyCollector,
    /// `DestroyPropertyCollector`.
    DestroyPropertyCollector,
    /// `CreateFilter`.
    CreateFilter,
    /// `WaitForUpdatesEx`.
    WaitForUpdatesEx,
    /// `CancelWaitForUpdates`.
    CancelWaitForUpdates,
    /// `RetrievePropertiesEx`.
    RetrievePropertiesEx,
    /// `ContinueRetrievePropertiesEx`.
    ContinueRetrievePropertiesEx,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 13] = [
        Self::Versions,
        Self::RetrieveServiceContent,
        Self::Login,
        Self::Logout,
        Self::CreateContainerView,
        Self::DestroyView,
        Self::CreatePropertyCollector,
        Self::DestroyPropertyCollector,
        Self::CreateFilter,
        Self::WaitForUpdatesEx,
        Self::CancelWaitForUpdates,
        Self::RetrievePropertiesEx,
        Self::ContinueRetrievePropertiesEx,
    ];

    /// The method's name in the API, also its metrics label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Versions => "vimServiceVersions",
            Self::RetrieveServiceContent => "RetrieveServiceContent",
            Self::Login => "Login",
            Self::Logout => "Logout",
            Self::CreateContainerView => "CreateContainerView",
            Self::DestroyView => "DestroyView",
            Self::CreatePropertyCollector => "CreatePropertyCollector",
            Self::DestroyPropertyCollector => "DestroyPropertyCollector",
            Self::CreateFilter => "CreateFilter",
            Self::WaitForUpdatesEx => "WaitForUpdatesEx",
            Self::CancelWaitForUpdates => "CancelWaitForUpdates",
            Self::RetrievePropertiesEx => "RetrievePropertiesEx",
            Self::ContinueRetrievePropertiesEx => "ContinueRetrievePropertiesEx",
        }
    }
}

/// Told about every request; called from the connection's task, so it must be cheap and must not block.
///
/// `result` is `ok` or one of [`super::Error::label`]: a closed set. A request that was abandoned because
/// of a stop is not reported. Every method has an empty default.
pub trait Observer: Send + Sync + fmt::Debug {
    /// One request with its complete answer (or failure), and the time from sending to the decoded answer.
    fn request(&self, method: Method, result: &'static str, took: Duration) {
        let _ = (method, result, took);
    }
    /// One login attempt.
    fn login(&self, result: &'static str) {
        let _ = result;
    }
    /// After each complete answer that brought updates: how many objects are skipped for `reason` (one of
    /// [`super::Reason::label`]). Every reason is reported, zeros included.
    fn skipped(&self, reason: &'static str, objects: usize) {
        let _ = (reason, objects);
    }
    /// After each complete answer that brought updates: how many datastores have properties that vCenter
    /// withholds, usually for want of a privilege.
    fn withheld(&self, datastores: usize) {
        let _ = datastores;
    }
}

/// Observes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
