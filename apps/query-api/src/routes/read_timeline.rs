//! `GET /v1/orders/{id}/timeline`: an order's life, fact by fact.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use event_store::{Position, StreamId, Version};
use http_edge::{
    Ignored, List, Listing, MinPosition, Page, PageParams, Path, Principal, Problem, Query,
    problems,
};
use kernel::OrderId;
use projections::orders::{Span, TimelineEntry, is_parked as is_parked_at, walk_timeline};
use projections::redaction::Viewer;
use projections::{Interest, Model};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::IntoResponses;

use super::examples;
use super::read_order::NO_ORDER;
use super::seen_as::SeenAs;
use crate::AppState;
use crate::live::{self, Cursor, Live, LiveHeaders, LiveParams, Paging, Source};
use crate::reading::{ReadHeaders, asked_for, found_or_parked};

problems! {
    /// How reading a timeline is refused.
    Problems: Code::ANY, Code::READ, &[Code::Forbidden, Code::NotFound, Code::UnreadableEvent];
}

/// Which events to tell.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Beginning {
    /// Only those after this one: of a long life the end, without all that came before.
    #[param(value_type = Option<i64>, minimum = 0)]
    after_version: Option<String>,
}

impl Beginning {
    fn after(&self) -> Result<Version, Problem> {
        let Some(text) = &self.after_version else {
            return Ok(Version::NONE);
        };
        let number = text
            .parse::<i64>()
            .ok()
            .filter(|number| *number >= 0 && number.to_string() == *text);
        number
            .map(Version::new)
            .ok_or_else(|| Problem::malformed("afterVersion must be a whole number, 0 or more"))
    }
}

/// A page of a timeline.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "a page",
    example = json!({"items": [examples::placed()], "nextCursor": "Qm9nPj4-NQ"}),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Told(List<TimelineEntry>);

/// Read an order's timeline.
///
/// Every event as a fact that a person can read, oldest first, as far as the viewer may know it.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}/timeline",
    tag = "orders",
    params(
        ("id" = uuid::Uuid, Path, description = "the order"),
        SeenAs,
        Beginning,
        PageParams,
        ReadHeaders,
        LiveParams,
        LiveHeaders,
    ),
    security(("bearer" = [])),
    responses(Told, Problems),
)]
#[expect(
    clippy::too_many_arguments,
    reason = "each reads a part of the request"
)]
pub(crate) async fn read_timeline(
    State(app): State<AppState>,
    principal: Principal,
    Path(order_id): Path<OrderId>,
    Query(seen_as): Query<SeenAs>,
    Query(beginning): Query<Beginning>,
    page: Page,
    live: Live,
    ignored: Ignored,
    least: MinPosition,
) -> Result<Response, Problem> {
    let actor = seen_as.by(principal.actor())?;
    let list = Listing::of(&("timeline", actor, order_id));
    let after = page.after(&list)?.map_or(Version::NONE, Version::new);
    let after = after.max(beginning.after()?);
    let (viewer, limit) = (Viewer::from(actor), page.limit().into());
    let asked = asked_for(&least)?;
    let slice = app
        .read(Model::Orders, least, |connection| {
            Box::pin(async move {
                let read =
                    projections::orders::read_timeline(connection, viewer, order_id, after, limit);
                let found = read.await?;
                found_or_parked(connection, viewer, asked, found).await
            })
        })
        .await?
        .found(NO_ORDER)?;
    if let Some(start) = live.0 {
        let told = FactsToldOf { viewer, order_id };
        return app.stream(&principal, Cursor::new(start, told)).await;
    }
    Ok(slice
        .map(|slice| {
            Json(List {
                items: slice.items,
                next_cursor: slice.next.map(|last| list.next(&last.get())),
                ignored: ignored.0.clone(),
            })
        })
        .into_response())
}

/// The facts of one order, as they come about.
struct FactsToldOf {
    viewer: Viewer,
    order_id: OrderId,
}

impl Source for FactsToldOf {
    const MODEL: Model = Model::Orders;

    fn interest(&self) -> Interest {
        Interest::Stream(StreamId::order(self.order_id))
    }

    fn page<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        span: Span,
        _fresh: Position,
    ) -> Paging<'c> {
        Box::pin(async move {
            if is_parked_at(connection, self.order_id).await? {
                return Ok(live::Page::none(span));
            }
            let page = walk_timeline(connection, self.viewer, self.order_id, span).await?;
            Ok(page.map_or(live::Page::none(span), live::Page::from))
        })
    }
}
