//! A live stream as its client reads it.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use http_body_util::BodyExt;
use kernel::Actor;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::api::Api;

/// How long a frame is waited for.
const BOUND: Duration = Duration::from_secs(20);
/// How long it takes to believe that none comes.
const QUIET: Duration = Duration::from_millis(400);

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) event: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

/// A stream as its client reads it.
pub(crate) struct Frames {
    body: Body,
    text: String,
    /// The id of the last frame, which the next one has to name.
    pub(crate) last_id: Option<String>,
}

impl Frames {
    pub(crate) async fn open(api: &Api, path: &str, actor: Actor, after: Option<&str>) -> Self {
        let mut call = api
            .get(path)
            .by(actor)
            .header("accept", "text/event-stream");
        if let Some(id) = after {
            call = call.header("last-event-id", id);
        }
        let response: Response<Body> = call.send_for_stream().await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self {
            body: response.into_body(),
            text: String::new(),
            last_id: after.map(str::to_owned),
        }
    }

    /// The next frame, comments passed over; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(frame) = self.read(&frame) {
                    return Some(frame);
                }
                continue;
            }
            let part = timeout(BOUND, self.body.frame()).await.expect("a frame")?;
            let bytes = part.unwrap().into_data().unwrap();
            self.text += std::str::from_utf8(&bytes).unwrap();
        }
    }

    fn read(&mut self, text: &str) -> Option<Frame> {
        if text.starts_with(':') {
            return None;
        }
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let data: Value = serde_json::from_str(field("data").unwrap()).unwrap();
        let id = field("id").map(str::to_owned);
        if id.is_some() {
            assert_eq!(data["prev"], json!(self.last_id), "{text}");
            self.last_id.clone_from(&id);
        }
        Some(Frame {
            event: field("event").unwrap_or("message").to_owned(),
            id,
            data,
        })
    }

    /// The items up to where the client is told that it has everything.
    pub(crate) async fn until_caught_up(&mut self) -> Vec<Value> {
        let mut items = Vec::new();
        loop {
            let frame = self.next().await.expect("no end");
            match frame.event.as_str() {
                "message" => items.push(frame.data["item"].clone()),
                "caught-up" => return items,
                other => panic!("{other}"),
            }
        }
    }

    pub(crate) async fn is_quiet(&mut self) -> bool {
        timeout(QUIET, self.next()).await.is_err()
    }
}
