//! `GET /v1/orders/{id}/situation`: whose turn it is, and what the viewer could do.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http_edge::{Ignored, MinPosition, Path, Principal, Problem, Query, problems};
use kernel::OrderId;
use projections::Model;
use projections::orders::{self, Situation};
use projections::redaction::Viewer;
use utoipa::IntoResponses;

use super::examples;
use super::read_order::NO_ORDER;
use super::seen_as::SeenAs;
use crate::AppState;
use crate::reading::{Fresh, ReadHeaders, asked_for, found_or_parked};

problems! {
    /// How reading a situation is refused.
    Problems: Code::ANY, Code::READ, &[Code::Forbidden, Code::NotFound, Code::UnreadableEvent];
}

/// The situation.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "the situation",
    example = json!(examples::situation()),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(Situation);

/// Read an order's situation.
///
/// Who has to act now, what follows by time alone, and for each command that the viewer could give
/// whether it would be taken now, with the code and the reason if not. It comes from the rules that
/// decide commands; a workshop sees it as if it were the only one invited.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}/situation",
    tag = "orders",
    params(("id" = uuid::Uuid, Path, description = "the order"), SeenAs, ReadHeaders),
    security(("bearer" = [])),
    responses(Found, Problems),
)]
pub(crate) async fn read_situation(
    State(app): State<AppState>,
    principal: Principal,
    Path(order_id): Path<OrderId>,
    Query(seen_as): Query<SeenAs>,
    _: Ignored,
    least: MinPosition,
) -> Result<impl IntoResponse, Problem> {
    let actor = seen_as.by(principal.actor())?;
    let (viewer, asked) = (Viewer::from(actor), asked_for(&least)?);
    let Fresh {
        freshness,
        read: mut situation,
    } = app
        .read(Model::Orders, least, |connection| {
            let now = app.clock.now();
            Box::pin(async move {
                let found = orders::read_situation(connection, actor, order_id, now).await?;
                found_or_parked(connection, viewer, asked, found).await
            })
        })
        .await?
        .found(NO_ORDER)?;
    situation.house.lag_seconds = freshness.lag_seconds.max(0.0);
    Ok(Fresh {
        freshness,
        read: Json(situation),
    })
}
