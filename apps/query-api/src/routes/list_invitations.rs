//! `GET /v1/invitations`: a workshop's inbox.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http_edge::{
    List, Listing, MinPosition, Page, PageParams, Principal, Problem, Query, problems,
};
use kernel::WorkshopId;
use projections::Model;
use projections::orders::{InvitationItem, InvitationStatus};
use projections::redaction::Viewer;
use serde::Deserialize;
use utoipa::IntoResponses;

use crate::AppState;
use crate::reading::{ReadHeaders, asked_for, unless_parked};

problems! {
    /// How listing invitations is refused.
    Problems: Code::ANY, Code::READ, &[Code::Forbidden];
}

/// Which invitations to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those in this status.
    status: Option<InvitationStatus>,
}

/// A page of invitations.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "a page",
    example = json!({
        "items": [
            {
                "orderId": "01938f5e-7c00-7000-8000-000000000001",
                "title": "Oak dining table",
                "commissionerId": "01938f5e-7c00-7000-8000-00000000000c",
                "status": "offered",
                "requestRevision": 1,
                "offerRevision": 1,
                "outdated": false,
                "invitedAt": "2026-11-25T12:00:00Z"
            }
        ],
        "nextCursor": null
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Listed(List<InvitationItem>);

/// List invitations.
///
/// A workshop's inbox: every order that it was ever invited to, the last invitation first.
#[utoipa::path(
    get,
    path = "/v1/invitations",
    tag = "orders",
    params(Filter, PageParams, ReadHeaders),
    security(("bearer" = [])),
    responses(Listed, Problems)
)]
pub(crate) async fn list_invitations(
    State(app): State<AppState>,
    principal: Principal,
    Query(filter): Query<Filter>,
    page: Page,
    least: MinPosition,
) -> Result<impl IntoResponse, Problem> {
    let actor = principal.actor();
    let status = filter.status;
    let list = Listing::of(&("invitations", actor, status));
    let after = page.after(&list)?;
    let workshop_id = WorkshopId::from_uuid(actor.id);
    let limit = page.limit().into();
    let viewer = Viewer::from(actor);
    let asked = asked_for(&least)?;
    let slice = app
        .read(Model::Orders, least, |connection| {
            let now = app.clock.now();
            Box::pin(async move {
                unless_parked(connection, viewer, asked).await?;
                let read = projections::orders::list_invitations(
                    connection,
                    workshop_id,
                    status,
                    now,
                    after,
                    limit,
                );
                Ok(read.await?)
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
