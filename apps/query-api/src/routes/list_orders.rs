//! `GET /v1/orders`: the orders that the viewer may see, newest first.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use event_store::Position;
use http_edge::{
    Ignored, List, Listing, MinPosition, Page, PageParams, Principal, Problem, Query, problems,
};
use kernel::MalformedId;
use projections::orders::{
    OrderFilter, OrderItem, OrderState, Span, complete_up_to, list_orders as list_of, walk_orders,
};
use projections::redaction::Viewer;
use projections::{Interest, Model};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::IntoResponses;

use super::examples;
use crate::AppState;
use crate::live::{self, Cursor, Live, LiveHeaders, LiveParams, Paging, Source};
use crate::reading::{ReadHeaders, asked_for, unless_parked};

problems! {
    /// How listing orders is refused.
    Problems: Code::ANY, Code::READ;
}

/// Which orders to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filter {
    /// Only those in this state.
    state: Option<OrderState>,
    /// Only those at which this workshop has a seat.
    #[param(value_type = Option<uuid::Uuid>)]
    workshop_id: Option<String>,
    /// Only those of this commissioner.
    #[param(value_type = Option<uuid::Uuid>)]
    commissioner_id: Option<String>,
    /// Only those that wait for the viewer: for an operator, those in dispute; for an analyst, none.
    turn: Option<TurnFilter>,
}

/// Whose turn it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
pub(crate) enum TurnFilter {
    /// The viewer's.
    #[serde(rename = "mine")]
    Mine,
}

/// A page of orders.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "a page",
    example = json!({"items": [examples::item()], "nextCursor": null}),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Listed(List<OrderItem>);

impl Filter {
    fn read(&self) -> Result<OrderFilter, Problem> {
        let malformed = |name: &'static str| {
            move |_: MalformedId| Problem::malformed(format!("{name} must be a hyphenated UUID"))
        };
        let workshop_id = self.workshop_id.as_deref().map(str::parse).transpose();
        let commissioner_id = self.commissioner_id.as_deref().map(str::parse).transpose();
        Ok(OrderFilter {
            state: self.state,
            mine: self.turn.is_some(),
            workshop_id: workshop_id.map_err(malformed("workshopId"))?,
            commissioner_id: commissioner_id.map_err(malformed("commissionerId"))?,
        })
    }
}

/// List orders.
///
/// A commissioner sees their own, a workshop those that it was ever invited to, operators and
/// analysts all; newest first. Filters by another's id give an empty list.
#[utoipa::path(
    get,
    path = "/v1/orders",
    tag = "orders",
    params(Filter, PageParams, ReadHeaders, LiveParams, LiveHeaders),
    security(("bearer" = [])),
    responses(Listed, Problems)
)]
pub(crate) async fn list_orders(
    State(app): State<AppState>,
    principal: Principal,
    Query(filter): Query<Filter>,
    page: Page,
    live: Live,
    ignored: Ignored,
    least: MinPosition,
) -> Result<Response, Problem> {
    let actor = principal.actor();
    if let Some(start) = live.0 {
        let moved = OrdersMoved(Viewer::from(actor));
        return app.stream(&principal, Cursor::new(start, moved)).await;
    }
    let filter = filter.read()?;
    let list = Listing::of(&("orders", actor, filter));
    let after = page.after(&list)?;
    let viewer = Viewer::from(actor);
    let limit = page.limit().into();
    let asked = asked_for(&least)?;
    let slice = app
        .read(Model::Orders, least, |connection| {
            Box::pin(async move {
                unless_parked(connection, viewer, asked).await?;
                let read = list_of(connection, viewer, filter, after, limit).await?;
                Ok(read)
            })
        })
        .await?;
    Ok(slice
        .map(|slice| {
            Json(List {
                items: slice.items,
                next_cursor: slice.next.map(|key| list.next(&key)),
                ignored: ignored.0.clone(),
            })
        })
        .into_response())
}

/// The orders that the viewer may see, as they move.
struct OrdersMoved(Viewer);

impl Source for OrdersMoved {
    const MODEL: Model = Model::Orders;

    fn interest(&self) -> Interest {
        Interest::Orders(self.0)
    }

    fn page<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        span: Span,
        _fresh: Position,
    ) -> Paging<'c> {
        Box::pin(async move {
            let up_to = complete_up_to(connection, self.0, span.up_to).await?;
            if up_to <= span.after {
                return Ok(live::Page::none(span));
            }
            let page = walk_orders(connection, self.0, Span { up_to, ..span }).await?;
            Ok(page.into())
        })
    }
}
