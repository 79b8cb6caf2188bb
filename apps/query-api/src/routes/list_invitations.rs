//! `GET /v1/invitations`: a workshop's inbox.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use event_store::Position;
use http_edge::{
    Ignored, List, Listing, MinPosition, Page, PageParams, Principal, Problem, Query, problems,
};
use kernel::{Clock, WorkshopId};
use projections::orders::{
    InvitationFilter, InvitationItem, InvitationStatus, Span, complete_up_to, walk_invitations,
};
use projections::redaction::Viewer;
use projections::{Interest, Model};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::IntoResponses;

use super::list_orders::TurnFilter;
use crate::AppState;
use crate::live::{self, Cursor, Live, LiveHeaders, LiveParams, Paging, Source};
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
    /// Only those of orders that wait for the workshop.
    turn: Option<TurnFilter>,
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
                "invitedAt": "2026-11-25T12:00:00Z",
                "yourTurn": false
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
    params(Filter, PageParams, ReadHeaders, LiveParams, LiveHeaders),
    security(("bearer" = [])),
    responses(Listed, Problems)
)]
pub(crate) async fn list_invitations(
    State(app): State<AppState>,
    principal: Principal,
    Query(filter): Query<Filter>,
    page: Page,
    live: Live,
    ignored: Ignored,
    least: MinPosition,
) -> Result<Response, Problem> {
    let actor = principal.actor();
    let workshop_id = WorkshopId::from_uuid(actor.id);
    if let Some(start) = live.0 {
        let clock = Arc::clone(&app.clock);
        let told = InvitationsMoved { workshop_id, clock };
        return app.stream(&principal, Cursor::new(start, told)).await;
    }
    let filter = InvitationFilter {
        status: filter.status,
        mine: filter.turn.is_some(),
    };
    let list = Listing::of(&("invitations", actor, filter));
    let after = page.after(&list)?;
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
                    filter,
                    now,
                    after,
                    limit,
                );
                Ok(read.await?)
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

/// The workshop's invitations, as they and their orders move.
struct InvitationsMoved {
    workshop_id: WorkshopId,
    clock: Arc<dyn Clock>,
}

impl Source for InvitationsMoved {
    const MODEL: Model = Model::Orders;

    fn interest(&self) -> Interest {
        Interest::Orders(Viewer::Workshop(self.workshop_id))
    }

    fn page<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        span: Span,
        _fresh: Position,
    ) -> Paging<'c> {
        Box::pin(async move {
            let viewer = Viewer::Workshop(self.workshop_id);
            let up_to = complete_up_to(connection, viewer, span.up_to).await?;
            if up_to <= span.after {
                return Ok(live::Page::none(span));
            }
            let span = Span { up_to, ..span };
            let now = self.clock.now();
            let page = walk_invitations(connection, self.workshop_id, now, span).await?;
            Ok(page.into())
        })
    }
}
