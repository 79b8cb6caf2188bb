//! `GET /v1/orders/{id}`: one order in full.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http_edge::{
    ETag, IfNoneMatch, Ignored, MinPosition, Path, Principal, Problem, Query, problems,
};
use kernel::OrderId;
use projections::Model;
use projections::orders::{self, InvitationStatus, OrderDetail};
use projections::redaction::Viewer;
use utoipa::IntoResponses;

use super::examples;
use super::seen_as::SeenAs;
use crate::AppState;
use crate::reading::{Fresh, ReadHeaders, asked_for, found_or_parked};

problems! {
    /// How reading an order is refused.
    Problems: Code::ANY, Code::READ, &[Code::Forbidden, Code::NotFound, Code::UnreadableEvent];
}

/// Why an order is not found.
pub(super) const NO_ORDER: &str = "there is no such order, or you are no party to it";

/// The header of a read that may find nothing new.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "carries the description of a header that `IfNoneMatch` reads"
)]
pub(crate) struct ConditionalHeaders {
    /// The ETag of what the client has already.
    #[param(rename = "If-None-Match", value_type = String, required = false, example = "\"4\"")]
    if_none_match: Option<String>,
}

/// The order.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "the order",
    example = json!(examples::order()),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(OrderDetail);

/// The client has it already.
#[derive(IntoResponses)]
#[response(
    status = 304,
    description = "the order is at the version that If-None-Match names; never while the \
                   deadline of an offer that stands has passed"
)]
pub(super) struct NotModified;

/// Read an order.
///
/// The order as the viewer may see it: a workshop sees it as if it were the only one invited.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}",
    tag = "orders",
    params(("id" = uuid::Uuid, Path, description = "the order"), SeenAs, ConditionalHeaders, ReadHeaders),
    security(("bearer" = [])),
    responses(Found, NotModified, Problems),
)]
pub(crate) async fn read_order(
    State(app): State<AppState>,
    principal: Principal,
    Path(order_id): Path<OrderId>,
    Query(seen_as): Query<SeenAs>,
    seen: IfNoneMatch,
    _: Ignored,
    least: MinPosition,
) -> Result<Fresh<Response>, Problem> {
    let viewer = Viewer::from(seen_as.by(principal.actor())?);
    let asked = asked_for(&least)?;
    let found = app
        .read(Model::Orders, least, |connection| {
            let now = app.clock.now();
            Box::pin(async move {
                let order = orders::read_order(connection, viewer, order_id, now).await?;
                let found = found_or_parked(connection, viewer, asked, order).await?;
                Ok(found.map(|order| (order, now)))
            })
        })
        .await?
        .found(NO_ORDER)?;
    Ok(found.map(|(order, now)| answer(order, &seen, now)))
}

fn answer(order: OrderDetail, seen: &IfNoneMatch, now: DateTime<Utc>) -> Response {
    let tag = ETag(order.version);
    if seen.matches(order.version) && !is_overtaken_by_time(&order, now) {
        return tag.not_modified();
    }
    (tag, Json(order)).into_response()
}

/// Whether the order shows something that no event has told: an offer that stands became outdated
/// when its deadline passed.
fn is_overtaken_by_time(order: &OrderDetail, now: DateTime<Utc>) -> bool {
    order
        .invitations
        .iter()
        .filter(|seat| seat.status == InvitationStatus::Offered)
        .filter_map(|seat| seat.offer.as_ref())
        .any(|offer| offer.deadline <= now)
}
