//! `GET /v1/bonus/accounts/{id}/ledger`: the awards behind an account.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use bonus_store::{AccountAt, LedgerItem, ledger_page};
use http_edge::{
    Ignored, List, Listing, MinPosition, Page, PageParams, Path, Principal, Problem, Query,
    problems,
};
use projections::Model;
use projections::bonus::read_account;
use utoipa::IntoResponses;
use uuid::Uuid;

use super::read_bonus_account::{InRole, NO_ACCOUNT, may_see};
use crate::AppState;
use crate::reading::ReadHeaders;

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
/// The awards that make the account's points, newest first. Who may see the account may see them.
#[utoipa::path(
    get,
    path = "/v1/bonus/accounts/{id}/ledger",
    tag = "bonus",
    params(("id" = Uuid, Path, description = "the beneficiary"), InRole, PageParams, ReadHeaders),
    security(("bearer" = [])),
    responses(Listed, Problems),
)]
pub(crate) async fn read_bonus_ledger(
    State(app): State<AppState>,
    principal: Principal,
    Path(id): Path<Uuid>,
    Query(in_role): Query<InRole>,
    page: Page,
    ignored: Ignored,
    least: MinPosition,
) -> Result<impl IntoResponse, Problem> {
    let actor = principal.actor();
    let beneficiary = in_role.beneficiary(id);
    let visible = may_see(actor, beneficiary);
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
    Ok(awards.map(|awards| {
        Json(List {
            items: awards.items,
            next_cursor: awards.next.map(|key| list.next(&key)),
            ignored: ignored.0.clone(),
        })
    }))
}
