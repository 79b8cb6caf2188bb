//! `GET /v1/ops/order-states`: how many orders are in which state.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http_edge::{Ignored, MinPosition, Principal, Problem, problems};
use projections::Model;
use projections::orders::{InState, OrderState, count_by_state};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::AppState;
use crate::reading::ReadHeaders;

problems! {
    /// How counting is refused.
    Problems: Code::ANY, Code::READ, &[Code::Forbidden];
}

/// So many of a state are counted one by one.
const MOST: i64 = 10_000;

/// A state, and how many orders are in it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OrdersInState {
    /// The state.
    state: OrderState,
    /// How many orders are in it, counted up to 10000.
    #[schema(minimum = 0, maximum = 10_000)]
    orders: i64,
    /// Whether there are more than were counted.
    more: bool,
}

impl From<InState> for OrdersInState {
    fn from(counted: InState) -> Self {
        Self {
            state: counted.state,
            orders: counted.orders.min(MOST),
            more: counted.orders > MOST,
        }
    }
}

/// Every state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderStates {
    /// Every state of an order, in the order of its life.
    items: Vec<OrdersInState>,
}

/// The counts.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "every state",
    example = json!({
        "items": [
            { "state": "negotiating", "orders": 12, "more": false },
            { "state": "completed", "orders": 10_000, "more": true }
        ]
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Counted(OrderStates);

/// Count orders by state.
///
/// How many orders are in each state; of many only that there are more than 10000.
#[utoipa::path(
    get,
    path = "/v1/ops/order-states",
    tag = "operations",
    params(ReadHeaders),
    security(("bearer" = [])),
    responses(Counted, Problems)
)]
pub(crate) async fn count_order_states(
    State(app): State<AppState>,
    _principal: Principal,
    _: Ignored,
    least: MinPosition,
) -> Result<impl IntoResponse, Problem> {
    let counted = app
        .read(Model::Orders, least, |connection| {
            Box::pin(async move { Ok(count_by_state(connection, MOST + 1).await?) })
        })
        .await?;
    Ok(counted.map(|states| {
        let items = states.into_iter().map(OrdersInState::from).collect();
        Json(OrderStates { items })
    }))
}
