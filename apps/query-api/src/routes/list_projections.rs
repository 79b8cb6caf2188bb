//! `GET /v1/ops/projections`: every reader of the feed, by its row, and what holds them all up.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use event_store::{Condition, Parked, Stall, Surveyed, stall, survey};
use http_edge::{Ignored, Listing, Page, PageParams, Principal, Problem, problems};
use kernel::EventId;
use projections::{Version, served};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use crate::AppState;
use crate::live::{Live, LiveHeaders, Start, States};

problems! {
    /// How listing readers is refused.
    Problems: Code::ANY, &[Code::Forbidden];
}

/// A page of readers, and what holds all of them up.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Projections {
    /// The readers, by name.
    items: Vec<Projection>,
    /// How to ask for the next page; null if this is the last.
    #[schema(required)]
    next_cursor: Option<String>,
    /// The append that holds the watermark for over a second: nothing after it is read meanwhile.
    #[schema(required)]
    stall: Option<StallView>,
}

/// A reader of the feed.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Projection {
    /// Its name; that of a read model's version has its number.
    name: String,
    /// Whether queries are answered from what it fills; null where it fills no read model.
    #[schema(required)]
    served: Option<bool>,
    /// How it is.
    state: StateName,
    /// Why, where it is not as it should be.
    #[schema(required)]
    reason: Option<String>,
    /// The event that the reason is about.
    #[schema(required)]
    event_id: Option<Uuid>,
    /// The last position that it has passed.
    #[schema(minimum = 0)]
    position: i64,
    /// Events not passed yet; beyond 10000 an estimate.
    #[schema(minimum = 0)]
    lag_events: i64,
    /// The age of the oldest event not passed yet, or parked; 0 if none.
    #[schema(minimum = 0)]
    lag_seconds: f64,
    /// Events a second, over the last second or so.
    #[schema(minimum = 0)]
    rate_per_second: f64,
    /// Who reads; null where nobody does.
    #[schema(required)]
    owner: Option<String>,
    /// The age of what its row says; null where nobody ever read.
    #[schema(required, minimum = 0)]
    seen_seconds: Option<f64>,
    /// How many streams it has parked, counted up to 1000.
    #[schema(minimum = 0)]
    parked_streams: i64,
    /// The first 50 of them.
    parked: Vec<ParkedView>,
}

/// How a reader is.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum StateName {
    /// Nobody reads.
    Idle,
    /// It takes what comes.
    Running,
    /// What it sends to does not answer.
    Waiting,
    /// Something failed; it begins again at its checkpoint.
    Failing,
    /// It cannot go on until somebody acts.
    Halted,
}

/// A stream that waits, because a reader could not take an event of it.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ParkedView {
    /// Its type and id.
    stream: String,
    /// The first event that waits.
    event_id: Uuid,
    /// Its stored name and version.
    event: String,
}

/// An append that holds the watermark.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StallView {
    /// The process of the server.
    pid: i32,
    /// The age of its transaction.
    #[schema(minimum = 0)]
    age_seconds: f64,
    /// What it runs, or ran last.
    query: String,
}

#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "a page",
    example = json!({
        "items": [
            {
                "name": "orders@1",
                "served": true,
                "state": "running",
                "reason": null,
                "eventId": null,
                "position": 1042,
                "lagEvents": 3,
                "lagSeconds": 0.012,
                "ratePerSecond": 211.5,
                "owner": "projector 01938f5e-7c00-7000-8000-0000000000aa",
                "seenSeconds": 0.4,
                "parkedStreams": 1,
                "parked": [
                    {
                        "stream": "order/01938f5e-7c00-7000-8000-000000000001",
                        "eventId": "01938f5e-7c00-7000-8000-0000000000ee",
                        "event": "OrderShipped 1.0"
                    }
                ]
            }
        ],
        "nextCursor": null,
        "stall": null
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Listed(Projections);

/// List the readers of the feed.
///
/// Every read model, also of versions that are not served, and the relay: how far it has come, and
/// how it is, as its row says. As a stream each reader as it is, and from then on those that change;
/// `stall` is of the list alone.
#[utoipa::path(
    get,
    path = "/v1/ops/projections",
    tag = "operations",
    params(PageParams, LiveHeaders),
    security(("bearer" = [])),
    responses(Listed, Problems)
)]
pub(crate) async fn list_projections(
    State(app): State<AppState>,
    principal: Principal,
    page: Page,
    live: Live,
    _: Ignored,
) -> Result<Response, Problem> {
    match live.0 {
        Some(Start::Since(_)) => {
            return Err(Problem::malformed(
                "this stream has no past: without since it begins with how the readers are",
            ));
        }
        Some(start) => return app.stream(&principal, States::new(&start)).await,
        None => {}
    }
    let list = Listing::of(&"projections");
    let after: Option<String> = page.after(&list)?;
    let limit = i64::from(page.limit());
    let (mut found, served, stall) = app
        .look(|connection| {
            let after = after.clone();
            Box::pin(async move {
                let served = served(connection).await?;
                let found = survey(connection, after.as_deref(), limit + 1).await?;
                Ok((found, served, stall(connection).await?))
            })
        })
        .await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|last| list.next(&last.status.name));
    Ok(Json(Projections {
        items: found
            .into_iter()
            .map(|one| Projection::of(one, &served))
            .collect(),
        next_cursor,
        stall: stall.map(StallView::from),
    })
    .into_response())
}

impl Projection {
    /// As it was found, where these versions are served.
    pub(crate) fn of(found: Surveyed, served: &[Version]) -> Self {
        let Surveyed {
            status,
            lag,
            parked,
        } = found;
        let version = Version::of_reader(&status.name);
        Self {
            served: version.map(|version| served.contains(&version)),
            state: StateName::from(&status.condition),
            reason: status.condition.reason().map(ToOwned::to_owned),
            event_id: status.condition.event_id().map(EventId::as_uuid),
            position: status.position.get(),
            lag_events: lag.events,
            lag_seconds: lag.seconds,
            rate_per_second: status.rate,
            owner: status.owner,
            seen_seconds: status.seen.map(|seen| seen.as_secs_f64()),
            parked_streams: status.parked,
            parked: parked.into_iter().map(ParkedView::from).collect(),
            name: status.name,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it still is like this one; that its row grows older is no change.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        let seen_seconds = other.seen_seconds;
        let of_that_age = Self {
            seen_seconds,
            ..self.clone()
        };
        of_that_age == *other
    }
}

impl From<&Condition> for StateName {
    fn from(condition: &Condition) -> Self {
        match condition {
            Condition::Idle => Self::Idle,
            Condition::Running => Self::Running,
            Condition::Waiting { .. } => Self::Waiting,
            Condition::Failing { .. } => Self::Failing,
            Condition::Halted { .. } => Self::Halted,
        }
    }
}

impl From<Parked> for ParkedView {
    fn from(parked: Parked) -> Self {
        Self {
            stream: parked.stream.to_string(),
            event_id: parked.event_id.as_uuid(),
            event: parked.event,
        }
    }
}

impl From<Stall> for StallView {
    fn from(stall: Stall) -> Self {
        Self {
            pid: stall.pid,
            age_seconds: stall.age.as_secs_f64(),
            query: stall.query,
        }
    }
}
