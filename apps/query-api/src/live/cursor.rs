//! The tail of what a read model tells: a cursor that pages through it by position.

use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use event_store::{Position, PositionToken};
use projections::orders::{Span, Walked, position_before};
use projections::{Interest, Model, Snapshot};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;

use super::{Look, Start, Tail, frame};
use crate::AppState;
use crate::moves::{Meaning, Recent};
use crate::refusal::ReadError;

/// How many pages are looked at in one snapshot, where none has anything for the viewer.
const PAGES_OF_A_LOOK: usize = 20;

/// A page of frames.
pub(crate) struct Page {
    /// What is shown, each with the position of its own event, ascending.
    pub(crate) items: Vec<(Position, Value)>,
    /// The position up to which there is nothing else.
    pub(crate) reached: Position,
    /// Whether something changed that cannot be told by items: the client is to read anew.
    pub(crate) anew: bool,
}

impl Page {
    /// Nothing, up to there.
    pub(crate) const fn empty(reached: Position) -> Self {
        Self {
            items: Vec::new(),
            reached,
            anew: false,
        }
    }

    /// Nothing, and nowhere reached: what follows waits.
    pub(crate) const fn none(span: Span) -> Self {
        Self::empty(span.after)
    }
}

impl<T: Serialize> From<Walked<T>> for Page {
    fn from(walked: Walked<T>) -> Self {
        let items = walked.items.into_iter();
        Self {
            items: items.map(|(at, item)| (at, json!(item))).collect(),
            ..Self::empty(walked.reached)
        }
    }
}

/// A page under way on a snapshot's connection.
pub(crate) type Paging<'c> = Pin<Box<dyn Future<Output = Result<Page, ReadError>> + Send + 'c>>;

/// A place under way on a snapshot's connection.
pub(crate) type Beginning<'c> =
    Pin<Box<dyn Future<Output = Result<Position, ReadError>> + Send + 'c>>;

/// What a stream shows of a read model.
pub(crate) trait Source: Send + Sync + 'static {
    /// The read model that it is read from.
    const MODEL: Model;

    /// Whose it is: of moves that do not concern it nothing is shown.
    fn interest(&self) -> Interest;

    /// Reads a page. It ends nowhere within what one event has told. The client was shown nothing that
    /// is older than the position `fresh`.
    fn page<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        span: Span,
        fresh: Position,
    ) -> Paging<'c>;

    /// A position before everything that occurred at the instant or later.
    fn begin<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        since: DateTime<Utc>,
        up_to: Position,
    ) -> Beginning<'c> {
        Box::pin(async move { Ok(position_before(connection, since, up_to).await?) })
    }
}

/// The tail of a source.
pub(crate) struct Cursor<S> {
    source: S,
    /// Where to begin, before the first look.
    start: Option<Start>,
    since: DateTime<Utc>,
    cursor: PositionToken,
    /// Where the read model was when the stream began anew; the start of the log if it was resumed.
    fresh: Position,
    /// The id of the last frame, or the one that the client came with.
    last_id: Option<String>,
    /// Where the read model was at the last look.
    seen: PositionToken,
    /// Up to where the client was told that it has everything.
    told: Option<Position>,
    moves: Option<watch::Receiver<Option<Arc<Recent>>>>,
    /// The last move that was taken in.
    taken: Option<PositionToken>,
    /// Whether there may be something that was not looked at.
    due: bool,
}

impl<S: Source> Cursor<S> {
    pub(crate) fn new(start: Start, source: S) -> Self {
        Self {
            source,
            since: start.since(),
            cursor: start.cursor(),
            fresh: Position::START,
            seen: start.cursor(),
            last_id: start.last_id(),
            start: Some(start),
            told: None,
            moves: None,
            taken: None,
            due: true,
        }
    }

    async fn begin(
        &mut self,
        connection: &mut PgConnection,
        here: PositionToken,
    ) -> Result<(), ReadError> {
        match &self.start {
            Some(Start::Now) => (self.cursor, self.fresh) = (here, here.position),
            Some(Start::Since(since)) => {
                let begun = self.source.begin(connection, *since, here.position);
                let position = begun.await?;
                self.cursor = PositionToken { position, ..here };
                self.fresh = here.position;
            }
            Some(Start::After(_)) | None => {}
        }
        // Only now: what failed is tried again.
        self.start = None;
        Ok(())
    }

    async fn look_at(
        &mut self,
        connection: &mut PgConnection,
        here: PositionToken,
    ) -> Result<Look, ReadError> {
        self.begin(connection, here).await?;
        if here.generation != self.cursor.generation {
            // A read model that has not come to the newer history yet is waited for.
            let behind = here.generation.store == self.cursor.generation.store
                && here.generation.number < self.cursor.generation.number;
            return Ok(if behind { Look::Nothing } else { Look::Anew });
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
            let page = self.source.page(connection, span, self.fresh).await?;
            if page.anew {
                return Ok(Look::Anew);
            }
            self.write(&mut frames, page.items, here);
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

    /// Writes a frame an item. Of the several that one event told the last alone has an id: who goes on
    /// after it has them all.
    fn write(&mut self, frames: &mut String, items: Vec<(Position, Value)>, here: PositionToken) {
        let mut items = items.into_iter().peekable();
        while let Some((position, item)) = items.next() {
            let is_last = items.peek().is_none_or(|(next, _)| *next != position);
            let id = is_last.then(|| PositionToken { position, ..here }.encode());
            frame::item(frames, self.last_id.as_deref(), id.as_deref(), &item);
            self.last_id = id.or(self.last_id.take());
        }
    }
}

impl<S: Source> Tail for Cursor<S> {
    async fn look(&mut self, app: &AppState) -> Result<Look, ReadError> {
        if !self.due && self.cursor == self.seen {
            return Ok(Look::Nothing);
        }
        let mut snapshot = Snapshot::open(&app.pool, S::MODEL).await?;
        let mut here = snapshot.freshness().token;
        let mut look = self.look_at(&mut snapshot, here).await;
        if look.as_ref().is_err_and(ReadError::is_stale_plan) {
            // A migration has come in between: plans are made anew, once. A page that failed has moved
            // the cursor nowhere.
            snapshot.clear_cached_statements().await?;
            snapshot.close().await?;
            snapshot = Snapshot::open(&app.pool, S::MODEL).await?;
            here = snapshot.freshness().token;
            look = self.look_at(&mut snapshot, here).await;
        }
        (self.seen, self.due) = (here, false);
        snapshot.close().await?;
        look
    }

    async fn moved(&mut self, app: &AppState) {
        let moves = self.moves.get_or_insert_with(|| app.moves.watch(S::MODEL));
        loop {
            let recent = moves.borrow_and_update().clone();
            let here = recent.as_ref().map(|recent| recent.here());
            if let Some(recent) = recent.filter(|_| here != self.taken && here != Some(self.seen)) {
                self.taken = here;
                let interest = self.source.interest();
                // Who does not have everything yet looks at each move.
                let meaning = match self.cursor == self.seen {
                    true => recent.means(self.cursor, &interest),
                    false => Meaning::Something,
                };
                match meaning {
                    Meaning::Behind => {}
                    Meaning::Nothing(here) => (self.cursor, self.seen) = (here, here),
                    Meaning::Something => {
                        self.due = true;
                        return;
                    }
                }
            }
            if moves.changed().await.is_err() {
                // Nobody tells of moves any more.
                (self.moves, self.due) = (None, true);
                return;
            }
        }
    }
}
