//! `GET /v1/bonus/accounts/{id}/ledger`: the awards behind an account.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bonus_domain::Beneficiary;
use bonus_store::{AccountAt, LedgerItem, awards_of, ledger_page};
use chrono::{DateTime, Utc};
use event_store::{Position, StreamId, Version};
use http_edge::{
    Ignored, List, Listing, MinPosition, Page, PageParams, Path, Principal, Problem, Query,
    problems,
};
use kernel::EventId;
use projections::bonus::{AccountSpan, Moved, read_account, walk_account};
use projections::orders::Span;
use projections::{Interest, Model};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::IntoResponses;
use uuid::Uuid;

use super::read_bonus_account::{InRole, NO_ACCOUNT, may_see};
use crate::AppState;
use crate::live::{self, Beginning, Cursor, Live, LiveHeaders, LiveParams, Paging, Source};
use crate::reading::ReadHeaders;
use crate::refusal::ReadError;

problems! {
    /// How reading a ledger is refused.
    Problems: Code::ANY, Code::READ, &[Code::NotFound, Code::UnreadableEvent];
}

/// A page of awards.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "a page",
    example = json!({
        "items": [
            {
                "eventId": "01938f5e-7c00-7000-8000-0000000000e1",
                "event": "OrderPlaced",
                "orderId": "01938f5e-7c00-7000-8000-000000000001",
                "points": 40,
                "policyVersion": 1,
                "occurredAt": "2026-11-25T12:00:00Z",
                "recordedAt": "2026-11-25T12:00:00.250000Z"
            }
        ],
        "nextCursor": null
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Listed(List<LedgerItem>);

/// Read a bonus account's ledger.
///
/// The awards that make the account's points, newest first. Who may see the account may see them. As a
/// stream the awards one by one, as they are made; where some are taken away, or another policy counts
/// them anew, it says `reset`.
#[utoipa::path(
    get,
    path = "/v1/bonus/accounts/{id}/ledger",
    tag = "bonus",
    params(
        ("id" = Uuid, Path, description = "the beneficiary"),
        InRole,
        PageParams,
        ReadHeaders,
        LiveParams,
        LiveHeaders,
    ),
    security(("bearer" = [])),
    responses(Listed, Problems),
)]
#[expect(
    clippy::too_many_arguments,
    reason = "each reads a part of the request"
)]
pub(crate) async fn read_bonus_ledger(
    State(app): State<AppState>,
    principal: Principal,
    Path(id): Path<Uuid>,
    Query(in_role): Query<InRole>,
    page: Page,
    live: Live,
    ignored: Ignored,
    least: MinPosition,
) -> Result<Response, Problem> {
    let actor = principal.actor();
    let beneficiary = in_role.beneficiary(id);
    let visible = may_see(actor, beneficiary);
    let start = live.0;
    let list = Listing::of(&("ledger", actor, beneficiary.role, beneficiary.id));
    let after = page.after(&list)?;
    let limit = page.limit().into();
    let awards = app
        .read(Model::Bonus, least, |connection| {
            Box::pin(async move {
                if !visible {
                    return Ok(None);
                }
                let Some(row) = read_account(connection, beneficiary).await? else {
                    return Ok(None);
                };
                let account = AccountAt {
                    beneficiary,
                    version: row.version,
                    policy: row.policy()?,
                };
                Ok(Some(ledger_page(connection, account, after, limit).await?))
            })
        })
        .await?
        .found(NO_ACCOUNT)?;
    if let Some(start) = start {
        let moved = LedgerMoved::of(beneficiary);
        return app.stream(&principal, Cursor::new(start, moved)).await;
    }
    Ok(awards
        .map(|awards| {
            Json(List {
                items: awards.items,
                next_cursor: awards.next.map(|key| list.next(&key)),
                ignored: ignored.0.clone(),
            })
        })
        .into_response())
}

/// The awards of an account, as they are made.
struct LedgerMoved {
    beneficiary: Beneficiary,
    /// The version that the stream has passed: the account's stream is not searched for it again.
    passed: AtomicI64,
}

impl LedgerMoved {
    const fn of(beneficiary: Beneficiary) -> Self {
        Self {
            beneficiary,
            passed: AtomicI64::new(0),
        }
    }

    /// A page, of the account as it is in the caller's snapshot: an award that was taken away since is
    /// not shown, and what was shown before is to be read anew where it is taken away.
    async fn read(
        &self,
        connection: &mut PgConnection,
        span: Span,
        fresh: Position,
    ) -> Result<live::Page, ReadError> {
        let Some(row) = read_account(connection, self.beneficiary).await? else {
            return Ok(live::Page::empty(span.up_to));
        };
        let account = AccountAt {
            beneficiary: self.beneficiary,
            version: row.version,
            policy: row.policy()?,
        };
        let part = AccountSpan {
            after: span.after,
            passed: Version::new(self.passed.load(Ordering::Relaxed)),
            up_to: span.up_to,
        };
        let moves = walk_account(connection, &row, account.policy, part).await?;
        let mut page = live::Page::empty(moves.reached);
        page.anew = moves
            .moves
            .iter()
            .any(|(at, moved)| *moved == Moved::Otherwise && *at > fresh);
        let awarded: BTreeMap<EventId, Position> = moves
            .moves
            .iter()
            .filter_map(|(at, moved)| match moved {
                Moved::Awarded(event) => Some((*event, *at)),
                Moved::Otherwise => None,
            })
            .collect();
        let events: Vec<EventId> = awarded.keys().copied().collect();
        let awards = awards_of(connection, account, &events).await?;
        let shown = awards.into_iter().filter(|it| it.occurred_at >= span.since);
        let placed = shown.filter_map(|it| Some((*awarded.get(&it.event_id)?, json!(it))));
        page.items = placed.collect();
        page.items.sort_by_key(|(at, _)| *at);
        self.passed.store(moves.version.get(), Ordering::Relaxed);
        Ok(page)
    }
}

impl Source for LedgerMoved {
    const MODEL: Model = Model::Bonus;

    fn interest(&self) -> Interest {
        let Beneficiary { role, id } = self.beneficiary;
        Interest::Stream(StreamId::account(role, id))
    }

    fn page<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        span: Span,
        fresh: Position,
    ) -> Paging<'c> {
        Box::pin(self.read(connection, span, fresh))
    }

    /// The account's stream is short, and is read from its beginning.
    fn begin<'c>(
        &'c self,
        _connection: &'c mut PgConnection,
        _since: DateTime<Utc>,
        _up_to: Position,
    ) -> Beginning<'c> {
        Box::pin(async { Ok(Position::START) })
    }
}
