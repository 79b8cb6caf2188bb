//! `GET /v1/bonus/accounts/{id}/explain`: why an account is what it is, or what one fact did to it.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use bonus_domain::{Beneficiary, Explanation, explain};
use bonus_store::account_facts;
use chrono::{DateTime, Utc};
use dead_letters::open_code;
use http_edge::{Ignored, MinPosition, Path, Principal, Problem, Query, problems};
use kernel::{EventId, Role};
use projections::Model;
use projections::bonus::{AccountRow, read_account};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::IntoResponses;
use uuid::Uuid;

use super::examples::{explained_fact, explanation};
use super::explanation::{Explained, ExplainedAccount, ExplainedFact};
use super::read_bonus_account::{InRole, may_see};
use crate::AppState;
use crate::reading::ReadHeaders;
use crate::refusal::ReadError;

/// Why nothing is explained.
const NOT_HERE: &str = "there is no such account before its first award, or it is not yours; or its \
                        ledger holds no such event: no policy rewards it, or it has not arrived";
/// Why the query was not read.
const NO_EVENT: &str = "event must be a hyphenated UUID";
/// Who gives up on facts.
const CONSUMER: &str = "atlas-bonus";

problems! {
    /// How explaining an account is refused.
    Problems: Code::ANY, Code::READ, &[Code::NotFound, Code::UnreadableEvent];
}

/// Which fact is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OfEvent {
    /// The id of an event: what it did to the account, or why it counts nothing.
    #[param(value_type = Option<Uuid>)]
    event: Option<String>,
}

impl OfEvent {
    /// The event that is asked for.
    fn id(&self) -> Result<Option<EventId>, Problem> {
        let read = |text: &String| text.parse().map_err(|_| Problem::malformed(NO_EVENT));
        self.event.as_ref().map(read).transpose()
    }
}

/// The explanation.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "the explanation of the account, or of the event that was asked for",
    examples(
        ("account" = (value = json!(explanation()))),
        ("event" = (value = json!(explained_fact()))),
    ),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(Explained);

/// Explain a bonus account.
///
/// Every fact in one place, and the places sum to the account's numbers; what is missing for the next
/// grade and for VIP, and when VIP will end. The newest 500 facts are told one by one. With `event`:
/// what this event did, or why it counts nothing. Who may see the account may ask.
#[utoipa::path(
    get,
    path = "/v1/bonus/accounts/{id}/explain",
    tag = "bonus",
    params(("id" = Uuid, Path, description = "the beneficiary"), InRole, OfEvent, ReadHeaders),
    security(("bearer" = [])),
    responses(Found, Problems),
)]
pub(crate) async fn explain_bonus_account(
    State(app): State<AppState>,
    principal: Principal,
    Path(id): Path<Uuid>,
    Query(in_role): Query<InRole>,
    Query(of): Query<OfEvent>,
    _: Ignored,
    least: MinPosition,
) -> Result<impl IntoResponse, Problem> {
    let event = of.id()?;
    let beneficiary = in_role.beneficiary(id);
    let visible = may_see(principal.actor(), beneficiary);
    let operator = matches!(principal.actor().role, Role::Operator);
    let found = app
        .read(Model::Bonus, least, |connection| {
            let now = app.clock.now();
            Box::pin(async move {
                if !visible {
                    return Ok(None);
                }
                let Some(row) = read_account(connection, beneficiary).await? else {
                    return Ok(None);
                };
                let explained = explained(connection, &row, now).await?;
                let Some(event) = event else {
                    let account = ExplainedAccount::new(beneficiary, &explained);
                    return Ok(Some(Explained::Account(Box::new(account))));
                };
                let fact = fact(connection, beneficiary, &explained, event, operator).await?;
                Ok(fact.map(|fact| Explained::Fact(Box::new(fact))))
            })
        })
        .await?
        .found(NOT_HERE)?;
    Ok(found.map(Json))
}

async fn explained(
    connection: &mut PgConnection,
    row: &AccountRow,
    now: DateTime<Utc>,
) -> Result<Explanation, ReadError> {
    let policy = row.policy()?;
    let facts = account_facts(connection, row.beneficiary, row.version).await?;
    let explained = explain(policy, &facts.counted, &facts.deferred, now);
    Ok(explained.map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
}

/// What an event did; none where nothing is known of it. Of dead letters operators alone are told:
/// nobody knows whose they are.
async fn fact(
    connection: &mut PgConnection,
    beneficiary: Beneficiary,
    explained: &Explanation,
    event: EventId,
    operator: bool,
) -> Result<Option<ExplainedFact>, ReadError> {
    let mut parts = explained.parts.iter();
    if let Some(part) = parts.find(|part| part.fact.source_event_id == event) {
        return Ok(Some(ExplainedFact::of_part(beneficiary, explained, part)));
    }
    if !operator {
        return Ok(None);
    }
    let code = open_code(connection, CONSUMER, event).await?;
    Ok(code.map(|code| ExplainedFact::dead_letter(beneficiary, explained, event, &code)))
}
