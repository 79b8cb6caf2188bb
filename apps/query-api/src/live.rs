//! Live streams: what a list or a timeline shows, as it comes about, as server-sent events.
//!
//! A stream is a cursor and nothing else. Whenever its read model has moved, and its client takes
//! what it is sent, the next page is read behind the cursor: nothing is kept for a client that is
//! slow, and one that comes back with the id of its last frame goes on there, at any process.

mod asked;
mod frame;
mod places;

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use event_store::{Position, PositionToken};
use http_edge::{Principal, Problem};
use projections::orders::{Span, Walked, position_before};
use projections::{Model, Snapshot};
use serde::Serialize;
use serde_json::{Value, json};
use service_runtime::chain;
use sqlx::PgConnection;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub(crate) use asked::{Live, LiveHeaders, LiveParams, Start};
pub(crate) use places::Places;

use crate::AppState;
use crate::refusal::ReadError;
use places::Place;

/// How long nothing is sent at most.
const SILENCE: Duration = Duration::from_secs(15);

/// How many pages are looked at in one snapshot, where none has anything for the viewer.
const PAGES_OF_A_LOOK: usize = 20;

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A page of frames.
pub(crate) struct Page {
    /// What is shown, each with the position of its own event, ascending.
    pub(crate) items: Vec<(Position, Value)>,
    /// The position up to which there is nothing else.
    pub(crate) reached: Position,
}

impl Page {
    /// Nothing, and nowhere reached: what follows waits.
    pub(crate) const fn none(span: Span) -> Self {
        Self {
            items: Vec::new(),
            reached: span.after,
        }
    }
}

impl<T: Serialize> From<Walked<T>> for Page {
    fn from(walked: Walked<T>) -> Self {
        let items = walked.items.into_iter();
        Self {
            items: items.map(|(at, item)| (at, json!(item))).collect(),
            reached: walked.reached,
        }
    }
}

/// A page under way on a snapshot's connection.
pub(crate) type Paging<'c> = Pin<Box<dyn Future<Output = Result<Page, ReadError>> + Send + 'c>>;

/// What a stream shows.
pub(crate) trait Source: Send + Sync + 'static {
    /// The read model that it is read from.
    const MODEL: Model;

    /// Reads a page. It ends nowhere within what one event has told.
    fn page<'c>(&'c self, connection: &'c mut PgConnection, span: Span) -> Paging<'c>;
}

/// A stream, between two pages.
struct Stream<S> {
    app: AppState,
    source: S,
    start: Option<Start>,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    cursor: PositionToken,
    /// The id of the last frame, or the one that the client came with.
    last_id: Option<String>,
    /// Where the read model was at the last look.
    seen: PositionToken,
    /// Up to where the client was told that it has everything.
    told: Option<Position>,
    closing: CancellationToken,
    ended: bool,
    _place: Place,
}

/// What a look at the read model came to.
enum Look {
    /// Frames to be sent.
    Frames(Bytes),
    /// Nothing so far, and more to look at.
    More,
    /// Nothing new.
    Nothing,
    /// The log is another one.
    Foreign,
}

impl AppState {
    /// Answers with a stream of what `source` shows.
    ///
    /// # Errors
    /// 429 if the principal has as many as it may, 503 once the process was told to stop.
    pub(crate) fn stream<S: Source>(
        &self,
        principal: &Principal,
        start: Start,
        source: S,
    ) -> Result<Response, Problem> {
        if self.closing.is_cancelled() {
            return Err(Problem::leaving());
        }
        let place = self.places.take(principal.actor())?;
        let stream = Stream {
            app: self.clone(),
            source,
            since: start.since(),
            until: principal.expires_at(),
            cursor: start.cursor(),
            seen: start.cursor(),
            last_id: start.last_id(),
            start: Some(start),
            told: None,
            closing: self.closing.clone(),
            ended: false,
            _place: place,
        };
        let frames = futures::stream::unfold(stream, Stream::next);
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/event-stream"),
            ),
            // A gateway that holds back what it is sent would hold back what is live.
            (ACCEL_BUFFERING, HeaderValue::from_static("no")),
        ];
        Ok((headers, Body::from_stream(frames)).into_response())
    }
}

impl<S: Source> Stream<S> {
    /// What is sent next; none at the end.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        // Whatever wakes it meanwhile, and however much it passes over.
        let quiet_until = Instant::now() + SILENCE;
        loop {
            let now = self.app.clock.now();
            if self.ended || now >= self.until {
                return None;
            }
            if self.closing.is_cancelled() {
                return Some(self.last(frame::moved()));
            }
            match self.look().await {
                Ok(Look::Frames(frames)) => return Some((Ok(frames), self)),
                Ok(Look::Foreign) => return Some(self.last(frame::reset())),
                Ok(Look::More) if Instant::now() >= quiet_until => {
                    return Some((Ok(frame::comment()), self));
                }
                Ok(Look::More) => continue,
                Ok(Look::Nothing) => {}
                // The client comes back, and is then told what is wrong.
                Err(error) => {
                    tracing::warn!(error = chain(&error), "stream.broken_off");
                    return None;
                }
            }
            let left = (self.until - now).to_std().unwrap_or_default();
            let seen = self.seen;
            let moved = self.app.positions.reached(S::MODEL, |now| now != seen);
            let closing = self.closing.clone();
            tokio::select! {
                () = moved => {}
                () = closing.cancelled() => {}
                () = sleep_until(quiet_until.min(Instant::now() + left)) => {
                    return Some((Ok(frame::comment()), self));
                }
            }
        }
    }

    /// The last frame.
    fn last(mut self, frame: Bytes) -> (Result<Bytes, Infallible>, Self) {
        self.ended = true;
        (Ok(frame), self)
    }

    async fn look(&mut self) -> Result<Look, ReadError> {
        let mut snapshot = Snapshot::open(&self.app.pool, S::MODEL).await?;
        let here = snapshot.freshness().token;
        self.seen = here;
        let look = self.look_at(&mut snapshot, here).await;
        snapshot.close().await?;
        look
    }

    async fn look_at(
        &mut self,
        connection: &mut PgConnection,
        here: PositionToken,
    ) -> Result<Look, ReadError> {
        match self.start.take() {
            Some(Start::Now) => self.cursor = here,
            Some(Start::Since(since)) => {
                self.cursor = PositionToken {
                    position: position_before(connection, since, here.position).await?,
                    ..here
                };
            }
            Some(Start::After(_)) | None => {}
        }
        if here.generation != self.cursor.generation {
            // A read model that has not come to the newer history yet is waited for.
            let behind = here.generation.store == self.cursor.generation.store
                && here.generation.number < self.cursor.generation.number;
            return Ok(if behind { Look::Nothing } else { Look::Foreign });
        }
        let mut frames = String::new();
        let mut waits = false;
        for _ in 0..PAGES_OF_A_LOOK {
            if waits || self.cursor.position >= here.position || !frames.is_empty() {
                break;
            }
            let span = Span {
                after: self.cursor.position,
                up_to: here.position,
                since: self.since,
            };
            let page = self.source.page(connection, span).await?;
            for (position, item) in page.items {
                let id = PositionToken { position, ..here }.encode();
                frame::item(&mut frames, self.last_id.as_deref(), &id, &item);
                self.last_id = Some(id);
            }
            // Otherwise something of the viewer's is parked there.
            waits = page.reached <= self.cursor.position;
            self.cursor.position = page.reached.max(self.cursor.position);
        }
        if self.cursor.position >= here.position
            && self.told.is_none_or(|told| told < here.position)
        {
            let first = self.told.is_none();
            self.told = Some(here.position);
            if first || !frames.is_empty() {
                let id = self.cursor.encode();
                frame::caught_up(&mut frames, self.last_id.as_deref(), &id);
                self.last_id = Some(id);
            }
        }
        Ok(match frames.is_empty() {
            false => Look::Frames(frames.into()),
            true if waits || self.cursor.position >= here.position => Look::Nothing,
            true => Look::More,
        })
    }
}
