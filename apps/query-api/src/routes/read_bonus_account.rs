//! `GET /v1/bonus/accounts/{id}`: points, grade and VIP of one beneficiary.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use bonus_domain::Beneficiary;
use bonus_store::{AccountAt, vip_at};
use http_edge::{Ignored, MinPosition, Path, Principal, Problem, Query, problems};
use kernel::{Actor, Role};
use projections::Model;
use projections::bonus::{AccountView, read_account};
use projections::orders::RoleName;
use serde::Deserialize;
use utoipa::IntoResponses;
use uuid::Uuid;

use crate::AppState;
use crate::reading::ReadHeaders;

problems! {
    /// How reading an account is refused.
    Problems: Code::ANY, Code::READ, &[Code::NotFound, Code::UnreadableEvent];
}

/// Why an account is not found.
pub(super) const NO_ACCOUNT: &str =
    "there is no such account before its first award, or it is not yours";

/// Which of the accounts of an id.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct InRole {
    /// The role in which the points were earned.
    #[param(value_type = Option<RoleName>, default = "commissioner")]
    role: Option<Role>,
}

impl InRole {
    /// Whose account is asked for.
    pub(super) fn beneficiary(&self, id: Uuid) -> Beneficiary {
        Beneficiary::new(self.role.unwrap_or(Role::Commissioner), id)
    }
}

/// Whether the account is the actor's own, or the actor sees all.
pub(super) fn may_see(actor: Actor, account: Beneficiary) -> bool {
    match actor.role {
        Role::Operator | Role::Analyst => true,
        Role::Commissioner | Role::Workshop => (actor.role, actor.id) == (account.role, account.id),
    }
}

/// The account.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "the account",
    example = json!({
        "id": "01938f5e-7c00-7000-8000-00000000000c",
        "role": "commissioner",
        "lifetimePoints": 140,
        "grade": "Silver",
        "nextGrade": {
            "name": "Gold",
            "pointsToGo": 160
        },
        "vip": {
            "active": false,
            "windowPoints": 140,
            "threshold": 200,
            "until": null
        },
        "policyVersion": 1,
        "asOf": "2026-11-26T09:30:00Z"
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(AccountView);

/// Read a bonus account.
///
/// Its owner, operators and analysts see it, from the first award on. `Atlas-Min-Position` speaks
/// of account facts: an award that is still under way is not waited for.
#[utoipa::path(
    get,
    path = "/v1/bonus/accounts/{id}",
    tag = "bonus",
    params(("id" = Uuid, Path, description = "the beneficiary"), InRole, ReadHeaders),
    security(("bearer" = [])),
    responses(Found, Problems),
)]
pub(crate) async fn read_bonus_account(
    State(app): State<AppState>,
    principal: Principal,
    Path(id): Path<Uuid>,
    Query(in_role): Query<InRole>,
    _: Ignored,
    least: MinPosition,
) -> Result<impl IntoResponse, Problem> {
    let beneficiary = in_role.beneficiary(id);
    let visible = may_see(principal.actor(), beneficiary);
    let account = app
        .read(Model::Bonus, least, |connection| {
            let now = app.clock.now();
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
                let vip = vip_at(connection, account, now).await?;
                Ok(Some(row.view(now, vip)?))
            })
        })
        .await?
        .found(NO_ACCOUNT)?;
    Ok(account.map(Json))
}
