//! Reading: one snapshot an answer, no older than the client asks, and the headers that say how
//! old it is.

use std::pin::Pin;

use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use event_store::{Freshness, PositionToken, generation};
use http_edge::{Code, MinPosition, Problem};
use projections::orders::sees_parked;
use projections::redaction::Viewer;
use projections::{Model, Snapshot};
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, timeout_at};
use utoipa::IntoParams;

use crate::AppState;
use crate::refusal::ReadError;

const POSITION: HeaderName = HeaderName::from_static("atlas-position");
const LAG_SECONDS: HeaderName = HeaderName::from_static("atlas-lag-seconds");

/// The header that every read takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "carries the description of a header that `MinPosition` reads"
)]
pub(crate) struct ReadHeaders {
    /// What the answer must at least contain: a token from `Atlas-Position`, or `position` in the
    /// answer to a command. The read waits for it for a while, and is then answered with 503.
    #[param(
        rename = "Atlas-Min-Position",
        value_type = String,
        required = false,
        pattern = "^[A-Za-z0-9_-]{1,128}$",
        example = "Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI"
    )]
    atlas_min_position: Option<String>,
    /// `handling=strict` refuses parameters of the query that are not read (400), which lists else
    /// name in `ignored`: RFC 7240.
    #[param(
        rename = "Prefer",
        value_type = String,
        required = false,
        example = "handling=strict"
    )]
    prefer: Option<String>,
}

/// A read under way on a snapshot's connection.
pub(crate) type Reading<'c, T> = Pin<Box<dyn Future<Output = Result<T, ReadError>> + Send + 'c>>;

/// What was read, and how current it is.
#[derive(Debug)]
pub(crate) struct Fresh<T> {
    pub(crate) freshness: Freshness,
    pub(crate) read: T,
}

impl<T> Fresh<T> {
    pub(crate) fn map<U>(self, answer: impl FnOnce(T) -> U) -> Fresh<U> {
        Fresh {
            freshness: self.freshness,
            read: answer(self.read),
        }
    }
}

impl<T> Fresh<Option<T>> {
    /// What was found; else 404, which says as well how current it is.
    pub(crate) fn found(self, detail: &'static str) -> Result<Fresh<T>, Problem> {
        let freshness = self.freshness;
        match self.read {
            Some(read) => Ok(Fresh { freshness, read }),
            None => Err(headers(freshness)
                .into_iter()
                .fold(Problem::not_found(detail), |problem, (name, value)| {
                    problem.with_header(name, value)
                })),
        }
    }
}

impl<T: IntoResponse> IntoResponse for Fresh<T> {
    fn into_response(self) -> Response {
        (headers(self.freshness), self.read).into_response()
    }
}

fn headers(freshness: Freshness) -> [(HeaderName, HeaderValue); 2] {
    // Base64 and digits are legal in every header.
    let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    let lag = freshness.lag_seconds;
    let lag = if lag > 0.0 {
        format!("{lag:.3}")
    } else {
        "0".to_owned()
    };
    [
        (POSITION, value(freshness.token.encode())),
        (LAG_SECONDS, value(lag)),
    ]
}

impl AppState {
    /// Reads from the read model `model` in one snapshot, once it has come as far as `least`.
    pub(crate) async fn read<T>(
        &self,
        model: Model,
        least: MinPosition,
        read: impl for<'c> Fn(&'c mut PgConnection) -> Reading<'c, T>,
    ) -> Result<Fresh<T>, Problem> {
        let least = asked_for(&least)?;
        let mut snapshot = self.snapshot(model, least).await?;
        let mut outcome = read(&mut snapshot).await;
        if outcome.as_ref().is_err_and(ReadError::is_stale_plan) {
            // A migration has come in between: plans are made anew, once.
            snapshot
                .clear_cached_statements()
                .await
                .map_err(ReadError::from)?;
            snapshot.close().await.map_err(ReadError::from)?;
            snapshot = self.snapshot(model, least).await?;
            outcome = read(&mut snapshot).await;
        }
        let freshness = snapshot.freshness();
        snapshot.close().await.map_err(ReadError::from)?;
        Ok(Fresh {
            freshness,
            read: outcome?,
        })
    }

    /// Reads what belongs to no read model, as it is now.
    pub(crate) async fn look<T>(
        &self,
        read: impl for<'c> Fn(&'c mut PgConnection) -> Reading<'c, T>,
    ) -> Result<T, Problem> {
        Ok(self.look_for(read).await?)
    }

    /// The same, for who does not answer with it.
    pub(crate) async fn look_for<T>(
        &self,
        read: impl for<'c> Fn(&'c mut PgConnection) -> Reading<'c, T>,
    ) -> Result<T, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let mut outcome = read(&mut connection).await;
        if outcome.as_ref().is_err_and(ReadError::is_stale_plan) {
            connection.clear_cached_statements().await?;
            outcome = read(&mut connection).await;
        }
        outcome
    }

    /// A snapshot of a read model that has come as far as `least`.
    async fn snapshot(
        &self,
        model: Model,
        least: Option<PositionToken>,
    ) -> Result<Snapshot, Problem> {
        let open = async || {
            Snapshot::open(&self.pool, model)
                .await
                .map_err(ReadError::from)
        };
        let Some(least) = least else {
            return Ok(open().await?);
        };
        self.refuse_foreign(least).await?;
        let give_up = Instant::now() + self.min_position_wait;
        loop {
            let snapshot = open().await?;
            if has_come_to(snapshot.freshness().token, least) {
                return Ok(snapshot);
            }
            snapshot.close().await.map_err(ReadError::from)?;
            let reached = self.positions.reached(model, |now| has_come_to(now, least));
            if timeout_at(give_up, reached).await.is_err() {
                return Err(lagging());
            }
        }
    }

    async fn refuse_foreign(&self, least: PositionToken) -> Result<(), Problem> {
        let mut connection = self.pool.acquire().await.map_err(ReadError::from)?;
        let here = generation::enter(&mut connection)
            .await
            .map_err(ReadError::from)?;
        if least.generation == here {
            return Ok(());
        }
        Err(Problem::new(
            Code::PositionForeign,
            "the position is of another store, or of another history of this one, from before a \
             restore or a take-over; read without Atlas-Min-Position",
        ))
    }
}

/// The position that the client asks for, if it does.
pub(crate) fn asked_for(least: &MinPosition) -> Result<Option<PositionToken>, Problem> {
    let token = least.0.as_deref().map(PositionToken::decode).transpose();
    token.map_err(|_| {
        Problem::malformed(
            "Atlas-Min-Position is no token that was given out here; send one from \
             Atlas-Position or from \"position\" in the answer to a command as it stands",
        )
    })
}

/// Refuses a list in which the event that the client asks for would show, while that event waits:
/// the checkpoint has passed it, and the rows have not.
pub(crate) async fn unless_parked(
    connection: &mut PgConnection,
    viewer: Viewer,
    least: Option<PositionToken>,
) -> Result<(), ReadError> {
    match least {
        Some(least) if sees_parked(connection, viewer, least.position).await? => {
            Err(ReadError::Lagging)
        }
        Some(_) | None => Ok(()),
    }
}

/// Gives what was found of an order; where nothing was, what the client asks for may be what waits.
pub(crate) async fn found_or_parked<T>(
    connection: &mut PgConnection,
    viewer: Viewer,
    least: Option<PositionToken>,
    found: Option<T>,
) -> Result<Option<T>, ReadError> {
    if found.is_none() {
        unless_parked(connection, viewer, least).await?;
    }
    Ok(found)
}

/// What was to be read has not come to the position that the client asks for.
pub(crate) fn lagging() -> Problem {
    Problem::new(
        Code::ProjectionLagging,
        "what is read here has not come as far as Atlas-Min-Position in time; try again in a \
         moment, or read without it",
    )
}

/// A read model that still is in an older generation has not come to any position of this one.
fn has_come_to(reached: PositionToken, least: PositionToken) -> bool {
    reached.generation == least.generation && reached.position >= least.position
}
