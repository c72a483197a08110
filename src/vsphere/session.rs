//! One session: find out who the server is, log in once, log out. Does I/O.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{
    Endpoint,
    credentials::Credentials,
    decode::content::ServiceContent,
    error::Error,
    soap::{
        envelope::Request,
        reader::{Reader, XmlError},
        returned_nothing,
    },
    transport::{CallError, Transport},
    version,
};

/// For everything that vCenter answers at once. A login asks the identity source, which can be slow.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// For everything after the decision to end.
pub(crate) const GOODBYE_DEADLINE: Duration = Duration::from_secs(2);

/// A connection that knows its server.
pub(crate) struct Session {
    transport: Transport,
    pub content: ServiceContent,
    logged_in: bool,
}

impl Session {
    /// Finds the API version and the service content. Needs no credentials and sends none.
    pub async fn discover(endpoint: &Endpoint) -> Result<(Self, Instant), Error> {
        let mut transport = Transport::new(endpoint)?;
        let versions = transport.versions(CALL_DEADLINE).await?;
        let spoken = match versions {
            Some(list) => version::choose(&list)?,
            None => version::WRITTEN_FOR.to_owned(),
        };
        transport.speak(&spoken);
        let request = Request::RetrieveServiceContent;
        let (content, at) = transport.call(&request, CALL_DEADLINE, ServiceContent::read).await?;
        if content.api_type != "VirtualCenter" || content.instance_uuid.is_empty() {
            return Err(Error::Endpoint("the server is not a vCenter".into()));
        }
        Ok((Self { transport, content, logged_in: false }, at))
    }

    /// Logs in: one attempt.
    ///
    /// When the answer is lost the server may have made a session all the same; the cookie that came with
    /// it is kept, so that [`Session::logout`] can end it.
    pub async fn login(&mut self, credentials: &Credentials) -> Result<Instant, Error> {
        self.transport.forget_cookie();
        let request = Request::Login { session_manager: &self.content.session_manager, credentials };
        let outcome = self.transport.call(&request, CALL_DEADLINE, returned_nothing).await;
        self.logged_in = match &outcome {
            Ok(_) => true,
            Err(CallError::Fault(_)) => false,
            Err(CallError::Other(_)) => self.transport.has_cookie(),
        };
        outcome.map(|((), at)| at).map_err(Error::from)
    }

    /// One call within the session.
    pub async fn call<T>(
        &mut self,
        request: &Request<'_>,
        deadline: Duration,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, XmlError>,
    ) -> Result<(T, Instant), CallError> {
        self.transport.call(request, deadline, read).await
    }

    /// Ends the session, if there is one, within [`GOODBYE_DEADLINE`]. Sessions that are left behind count
    /// against vCenter's limit until they time out.
    pub async fn logout(&mut self) {
        if !std::mem::take(&mut self.logged_in) {
            return;
        }
        let request = Request::Logout { session_manager: &self.content.session_manager };
        let call = self.transport.call(&request, GOODBYE_DEADLINE, returned_nothing);
        match timeout(GOODBYE_DEADLINE, call).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let error = Error::from(error);
                tracing::debug!(error = %error, "logging out of vCenter failed");
            }
            Err(_) => {
                tracing::debug!("logging out of vCenter took too long");
            }
        }
        self.transport.forget_cookie();
    }
}
