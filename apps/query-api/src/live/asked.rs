//! Whether a stream is asked for, and from where on.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use chrono::{DateTime, Utc};
use event_store::{Generation, Position, PositionToken};
use http_edge::{Problem, Query};
use order_domain::value::parse_instant;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// From where on a stream shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// From when it begins.
    Now,
    /// After the event of this token.
    After(PositionToken),
    /// What occurred at this instant or later.
    Since(DateTime<Utc>),
}

impl Start {
    pub(super) const fn since(&self) -> DateTime<Utc> {
        match self {
            Self::Since(since) => *since,
            Self::Now | Self::After(_) => DateTime::UNIX_EPOCH,
        }
    }

    /// Where the stream stands, as far as that is known before the first look.
    pub(super) const fn cursor(&self) -> PositionToken {
        match self {
            Self::After(token) => *token,
            Self::Now | Self::Since(_) => PositionToken {
                generation: Generation {
                    store: Uuid::nil(),
                    number: 1,
                },
                position: Position::START,
            },
        }
    }

    pub(super) fn last_id(&self) -> Option<String> {
        match self {
            Self::After(token) => Some(token.encode()),
            Self::Now | Self::Since(_) => None,
        }
    }
}

/// A stream, if one is asked for: by `Accept: text/event-stream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live(pub(crate) Option<Start>);

/// The header by which a stream goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "carries the description of what `Live` reads")]
pub(crate) struct LiveHeaders {
    /// With `Accept: text/event-stream`: the id of the last frame, or the `Atlas-Position` of the
    /// list; the stream goes on after it.
    #[param(
        rename = "Last-Event-ID",
        value_type = String,
        required = false,
        pattern = "^[A-Za-z0-9_-]{1,128}$",
        example = "Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI"
    )]
    last_event_id: Option<String>,
}

/// The parameter with which a stream begins.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "carries the description of what `Live` reads")]
pub(crate) struct LiveParams {
    /// With `Accept: text/event-stream`, and without `Last-Event-ID`: the stream begins with what
    /// occurred at this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<String>,
}

/// What is read of a stream's query.
#[derive(Deserialize)]
struct Beginning {
    since: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Live {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if !is_asked_for(&parts.headers) {
            return Ok(Self(None));
        }
        let Query(Beginning { since }) = Query::from_request_parts(parts, state).await?;
        takes_nothing_else(parts)?;
        let since = since.map(|text| {
            parse_instant(&text).map_err(|_| {
                Problem::malformed("since must be an RFC 3339 instant in the years 0001 to 9999")
            })
        });
        let since = since.transpose()?;
        let mut ids = parts.headers.get_all(LAST_EVENT_ID).iter();
        let start = match (ids.next(), ids.next()) {
            (None, _) => since.map_or(Start::Now, Start::Since),
            (Some(id), None) => {
                let token = id.to_str().ok().map(PositionToken::decode);
                Start::After(token.and_then(Result::ok).ok_or_else(|| {
                    Problem::malformed(
                        "Last-Event-ID is no token that was given out here; send the id of the \
                         last frame, or Atlas-Position, as it stands",
                    )
                })?)
            }
            (Some(_), Some(_)) => {
                return Err(Problem::malformed("send the header Last-Event-ID once"));
            }
        };
        Ok(Self(Some(start)))
    }
}

fn is_asked_for(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut types = texts.flat_map(|text| text.split(','));
    types.any(|one| {
        let essence = one.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("text/event-stream")
    })
}

/// Nothing of a list is taken beside the instant to begin with: a stream has no pages, and shows what
/// leaves a filter as well as what comes in.
fn takes_nothing_else(parts: &Parts) -> Result<(), Problem> {
    type Pairs = axum::extract::Query<Vec<(String, String)>>;
    let pairs = Pairs::try_from_uri(&parts.uri);
    let pairs = pairs
        .map_err(|_| Problem::malformed("the query cannot be read"))?
        .0;
    // `role` says whose account it is.
    if pairs
        .iter()
        .all(|(name, _)| name == "since" || name == "role")
    {
        return Ok(());
    }
    Err(Problem::malformed(
        "a stream takes since, once, and no filter, cursor or limit",
    ))
}
