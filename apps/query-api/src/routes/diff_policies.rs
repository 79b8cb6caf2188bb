//! `GET /v1/bonus/policies/{version}/diff/{to}`: who would gain and who would lose if another policy
//! came into force.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use bonus_domain::{Holdings, Policies, Policy, PolicyVersion, Report, diff};
use bonus_store::whole_ledger;
use chrono::{DateTime, Utc};
use http_edge::{Code, Ignored, MinPosition, Path, Principal, Problem, problems};
use projections::Model;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use utoipa::IntoResponses;

use super::examples::policy_diff;
use super::policy_diff::{LedgerRead, Moved, PolicyDiff};
use crate::AppState;
use crate::reading::ReadHeaders;
use crate::refusal::ReadError;

problems! {
    /// How comparing policies is refused.
    Problems: Code::ANY, Code::READ, &[Code::Forbidden, Code::NotFound];
}

/// The difference.
#[derive(IntoResponses)]
#[response(status = 200, description = "the difference", example = json!(policy_diff()))]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Compared(PolicyDiff);

/// Compare two policies.
///
/// What a recompute of the ledger as it is would do if the second followed the first: who gains and
/// who loses, by how much, and which grades and VIP move. The numbers are those of `projector policy
/// diff`, which is for ledgers that are too large to be read while somebody waits (504 TIMEOUT here).
/// One comparison at a time; another meanwhile is 503 OVERLOADED.
#[utoipa::path(
    get,
    path = "/v1/bonus/policies/{version}/diff/{to}",
    tag = "bonus",
    params(
        ("version" = u16, Path, description = "the policy that is left"),
        ("to" = u16, Path, description = "the policy that would follow"),
        ReadHeaders,
    ),
    security(("bearer" = [])),
    responses(Compared, Problems)
)]
pub(crate) async fn diff_policies(
    State(app): State<AppState>,
    _principal: Principal,
    Path((version, to)): Path<(u16, u16)>,
    _: Ignored,
    least: MinPosition,
) -> Result<impl IntoResponse, Problem> {
    let policies = compiled(version).zip(compiled(to));
    let Ok(_only) = app.comparing.try_acquire() else {
        return Err(Problem::new(
            Code::Overloaded,
            "somebody compares policies at this moment, and one comparison reads the whole \
             ledger; try again when it has ended",
        ));
    };
    let found = app
        .read(Model::Bonus, least, |connection| {
            let now = app.clock.now();
            let options = app.pool.connect_options();
            Box::pin(async move {
                match policies {
                    Some((from, to)) => compared(connection, &options, [from, to], now)
                        .await
                        .map(Some),
                    None => Ok(None),
                }
            })
        })
        .await?
        .found("this release knows no such policy")?;
    Ok(found.map(Json))
}

fn compiled(version: u16) -> Option<&'static Policy> {
    Policies::compiled().get(PolicyVersion::new(version)?)
}

/// Reads the ledger once, as the snapshot of the answer has it, but by a connection of its own: one on
/// which a COPY was given up is in no state to be used again.
async fn compared(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
    [from, to]: [&Policy; 2],
    at: DateTime<Utc>,
) -> Result<PolicyDiff, ReadError> {
    // It has nothing to do meanwhile; the request's deadline bounds it.
    sqlx::query("SET LOCAL idle_in_transaction_session_timeout = 0")
        .execute(&mut *connection)
        .await?;
    let snapshot = sqlx::query_scalar!(r#"SELECT pg_export_snapshot() AS "snapshot!""#)
        .fetch_one(connection)
        .await?;
    let mut own = options.connect().await?;
    let mut transaction = own
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .await?;
    sqlx::query(&format!("SET TRANSACTION SNAPSHOT '{snapshot}'"))
        .execute(&mut *transaction)
        .await?;
    let mut report = Report::default();
    let mut moved = Moved::default();
    let mut of_others = 0;
    let ledger = whole_ledger(&mut transaction, |beneficiary, of: Holdings<'_>| {
        of_others += u64::from(of.policy_version != from.version());
        let movement = diff(from, to, of, at)?;
        moved.add(beneficiary, movement);
        report.add(beneficiary, movement)
    })
    .await?;
    transaction.rollback().await?;
    own.close().await?;
    let ledger = LedgerRead::of(ledger, of_others, at);
    let versions = (from.version(), to.version());
    Ok(PolicyDiff::of(versions, ledger, &report, moved))
}
