//! A client of live streams, as any would write one: it goes on after the last id, and believes no
//! frame that does not name the one before it.

use std::time::Duration;

use event_store::{Position, PositionToken};
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::time::timeout;

/// The server says something every 15 s.
const BOUND: Duration = Duration::from_secs(40);

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) event: String,
    pub(super) id: Option<String>,
    pub(super) data: Value,
}

/// A stream while its connection lasts.
pub(super) struct Connection {
    response: Response,
    text: String,
    last_id: Option<String>,
}

impl Connection {
    /// Opens the stream at an address, after an id.
    ///
    /// # Errors
    /// What went wrong, in words: a server that is away, or a refusal.
    pub(super) async fn open(
        client: &Client,
        url: &str,
        token: &str,
        after: Option<&str>,
    ) -> Result<Self, String> {
        let mut request = client
            .get(url)
            .bearer_auth(token)
            .header("accept", "text/event-stream");
        if let Some(id) = after {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(response.text().await.unwrap_or_default());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self {
            response,
            text: String::new(),
            last_id: after.map(str::to_owned),
        })
    }

    /// The next frame; none at the end, however it came about.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(frame) = self.read(&frame) {
                    return Some(frame);
                }
                continue;
            }
            let piece = timeout(BOUND, self.response.chunk())
                .await
                .unwrap()
                .ok()??;
            self.text += std::str::from_utf8(&piece).unwrap();
        }
    }

    /// A frame from its text; none of a comment.
    #[track_caller]
    fn read(&mut self, text: &str) -> Option<Frame> {
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let data: Value = serde_json::from_str(field("data")?).unwrap();
        let id = field("id").map(str::to_owned);
        if id.is_some() {
            let prev = data["prev"].as_str();
            assert_eq!(prev, self.last_id.as_deref(), "a frame is missing: {text}");
            self.last_id.clone_from(&id);
        }
        Some(Frame {
            event: field("event").unwrap_or("message").to_owned(),
            id,
            data,
        })
    }

    /// The id to go on after.
    pub(super) fn last_id(&self) -> Option<String> {
        self.last_id.clone()
    }

    /// Reads up to where everything has been told, and returns the items.
    pub(super) async fn until_caught_up(&mut self) -> Vec<Value> {
        let mut items = Vec::new();
        loop {
            let frame = self.next().await.unwrap();
            match frame.event.as_str() {
                "message" => items.push(frame.data["item"].clone()),
                "caught-up" => return items,
                other => panic!("{other}"),
            }
        }
    }
}

/// Where a token points to.
#[track_caller]
pub(super) fn position(token: &str) -> Position {
    PositionToken::decode(token).unwrap().position
}
