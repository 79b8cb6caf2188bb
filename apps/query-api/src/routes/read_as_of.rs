//! `GET /v1/orders/{id}/as-of`: one order as it was.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use event_store::Version;
use http_edge::{
    ETag, IfNoneMatch, Ignored, MinPosition, Path, Principal, Problem, Query, problems,
};
use kernel::OrderId;
use order_domain::value::parse_instant;
use projections::Model;
use projections::orders::{AsOf, OrderAsOf};
use projections::redaction::Viewer;
use serde::Deserialize;
use utoipa::IntoResponses;

use super::examples;
use super::read_order::{ConditionalHeaders, NotModified};
use super::seen_as::SeenAs;
use crate::AppState;
use crate::reading::{Fresh, ReadHeaders, asked_for, found_or_parked};

problems! {
    /// How reading an order of the past is refused.
    Problems: Code::ANY, Code::READ, &[Code::Forbidden, Code::NotFound, Code::UnreadableEvent];
}

/// The same for whoever is no party: what is not there tells nothing.
const NO_SUCH_MOMENT: &str = "there is no such order, you are no party to it, or there was nothing \
                              of it yet at that moment or version";

/// Which moment of the past: exactly one of the two.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Moment {
    /// After so many of the order's events.
    #[param(value_type = Option<i64>, minimum = 1)]
    version: Option<String>,
    /// After every event that had occurred by then.
    #[param(value_type = Option<String>, format = DateTime, example = "2027-02-01T12:00:00Z")]
    at: Option<String>,
}

impl Moment {
    fn read(&self) -> Result<AsOf, Problem> {
        match (&self.version, &self.at) {
            (Some(version), None) => version
                .parse::<i64>()
                .ok()
                .filter(|number| number.to_string() == *version)
                .map(|number| AsOf::Version(Version::new(number)))
                .ok_or_else(|| Problem::malformed("version must be a whole number")),
            (None, Some(at)) => parse_instant(at).map(AsOf::At).map_err(|fault| {
                Problem::malformed(format!("at {fault}; write a plus sign in it as %2B"))
            }),
            (Some(_), Some(_)) | (None, None) => Err(Problem::malformed(
                "say which moment is meant by exactly one of version and at",
            )),
        }
    }
}

/// The order as it was.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "the order as it was",
    example = json!(examples::order_as_of()),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(OrderAsOf);

/// Read an order as it was.
///
/// The order after one of its events, or at an instant, folded from its events. Who may see the
/// order today sees as much of its past: a workshop as if it were the only one invited.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}/as-of",
    tag = "orders",
    params(
        ("id" = uuid::Uuid, Path, description = "the order"),
        Moment, SeenAs, ConditionalHeaders, ReadHeaders,
    ),
    security(("bearer" = [])),
    responses(Found, NotModified, Problems),
)]
#[expect(
    clippy::too_many_arguments,
    reason = "each reads a part of the request"
)]
pub(crate) async fn read_as_of(
    State(app): State<AppState>,
    principal: Principal,
    Path(order_id): Path<OrderId>,
    Query(moment): Query<Moment>,
    Query(seen_as): Query<SeenAs>,
    seen: IfNoneMatch,
    _: Ignored,
    least: MinPosition,
) -> Result<Fresh<Response>, Problem> {
    let viewer = Viewer::from(seen_as.by(principal.actor())?);
    let (as_of, asked) = (moment.read()?, asked_for(&least)?);
    let found = app
        .read(Model::Orders, least, |connection| {
            Box::pin(async move {
                let read = projections::orders::read_as_of(connection, viewer, order_id, as_of);
                let found = read.await?;
                found_or_parked(connection, viewer, asked, found).await
            })
        })
        .await?
        .found(NO_SUCH_MOMENT)?;
    Ok(found.map(|order| answer(order, &seen)))
}

/// At a moment of the past nothing is overtaken by time.
fn answer(order: OrderAsOf, seen: &IfNoneMatch) -> Response {
    let tag = ETag(order.as_of.version);
    if seen.matches(order.as_of.version) {
        return tag.not_modified();
    }
    (tag, Json(order)).into_response()
}
