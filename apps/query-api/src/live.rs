//! Live streams: what a list or a timeline shows, as it comes about, as server-sent events.
//!
//! A stream holds a place in what it shows and nothing else. Whenever that has moved, and its client
//! takes what it is sent, the next page is read behind the place: nothing is kept for a client that is
//! slow, and one that comes back with the id of its last frame goes on there, at any process.
//!
//! Start at [`Tail`]: `cursor.rs` is that of what a read model tells, `states.rs` that of how the
//! readers are.

mod asked;
mod cursor;
mod frame;
mod places;
mod states;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http_edge::{Principal, Problem};
use service_runtime::chain;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub(crate) use asked::{Live, LiveHeaders, LiveParams, Start};
pub(crate) use cursor::{Beginning, Cursor, Page, Paging, Source};
pub(crate) use places::Places;
pub(crate) use states::States;

use crate::AppState;
use crate::refusal::ReadError;
use places::Place;

/// How long nothing is sent at most.
const SILENCE: Duration = Duration::from_secs(15);

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What a stream shows, look by look.
pub(crate) trait Tail: Send + 'static {
    /// Looks for what is to be sent next.
    fn look(&mut self, app: &AppState) -> impl Future<Output = Result<Look, ReadError>> + Send;

    /// Waits until there may be something that the last look has not seen.
    fn moved(&mut self, app: &AppState) -> impl Future<Output = ()> + Send;
}

/// What a look came to.
pub(crate) enum Look {
    /// Frames to be sent.
    Frames(Bytes),
    /// Nothing so far, and more to look at.
    More,
    /// Nothing new.
    Nothing,
    /// The client is to read anew: there is no going on from where it is.
    Anew,
}

/// A stream, between two pages.
struct Stream<T> {
    app: AppState,
    tail: T,
    /// What was looked at before there was an answer.
    first: Option<Look>,
    until: DateTime<Utc>,
    closing: CancellationToken,
    ended: bool,
    _place: Place,
}

impl AppState {
    /// Answers with a stream. The first look is taken before that, so that what it fails with is told
    /// as a problem.
    ///
    /// # Errors
    /// 429 if the principal has as many as it may, 503 once the process was told to stop; what the
    /// first look failed with.
    pub(crate) async fn stream<T: Tail>(
        &self,
        principal: &Principal,
        mut tail: T,
    ) -> Result<Response, Problem> {
        if self.closing.is_cancelled() {
            return Err(Problem::leaving());
        }
        let place = self.places.take(principal.actor())?;
        let first = tail.look(self).await?;
        let stream = Stream {
            app: self.clone(),
            tail,
            first: Some(first),
            until: principal.expires_at(),
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

impl<T: Tail> Stream<T> {
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
            let look = match self.first.take() {
                Some(first) => Ok(first),
                None => self.tail.look(&self.app).await,
            };
            match look {
                Ok(Look::Frames(frames)) => return Some((Ok(frames), self)),
                Ok(Look::Anew) => return Some(self.last(frame::reset())),
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
            tokio::select! {
                () = self.tail.moved(&self.app) => {}
                () = self.closing.cancelled() => {}
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
}
