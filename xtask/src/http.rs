//! HTTP to processes of ours: plain, blocking, and bounded in time.

use std::net::SocketAddr;
use std::time::Duration;

use ureq::http::{HeaderMap, Request, StatusCode};
use ureq::{Agent, AsSendBody};

/// How long a process may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends requests, and takes every status for an answer.
#[derive(Debug)]
pub(crate) struct Client(Agent);

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Client {
    /// A client that waits for an answer no longer than this.
    pub(crate) fn new(patience: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(patience))
            .proxy(None) // the caller's is for the world outside
            .build();
        Self(Agent::new_with_config(config))
    }

    /// Sends a request; only one that is not answered at all is an error.
    pub(crate) fn send(&self, request: Request<impl AsSendBody>) -> Result<Answer, ureq::Error> {
        let mut response = self.0.run(request)?;
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_string()?,
        })
    }
}

/// The status that a GET of `path` is answered with.
pub(crate) fn status(address: SocketAddr, path: &str) -> Result<u16, ureq::Error> {
    let request = Request::get(format!("http://{address}{path}")).body(())?;
    Ok(Client::new(PATIENCE).send(request)?.status.as_u16())
}
