//! `GET /v1/orders`: the orders that the viewer may see, newest first.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http_edge::{
    List, Listing, MinPosition, Page, PageParams, Principal, Problem, Query, problems,
};
use kernel::MalformedId;
use projections::Model;
use projections::orders::{OrderFilter, OrderItem, OrderState};
use projections::redaction::Viewer;
use serde::Deserialize;
use utoipa::IntoResponses;

use super::examples;
use crate::AppState;
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
    params(Filter, PageParams, ReadHeaders),
    security(("bearer" = [])),
    responses(Listed, Problems)
)]
pub(crate) async fn list_orders(
    State(app): State<AppState>,
    principal: Principal,
    Query(filter): Query<Filter>,
    page: Page,
    least: MinPosition,
) -> Result<impl IntoResponse, Problem> {
    let actor = principal.actor();
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
                Ok(
                    projections::orders::list_orders(connection, viewer, filter, after, limit)
                        .await?,
                )
            })
        })
        .await?;
    Ok(slice.map(|slice| {
        Json(List {
            items: slice.items,
            next_cursor: slice.next.map(|key| list.next(&key)),
        })
    }))
}
