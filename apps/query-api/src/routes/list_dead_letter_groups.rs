//! `GET /v1/ops/dead-letters/groups`: the open dead letters by what is wrong with them.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use dead_letters::{Group, groups};
use http_edge::{Ignored, List, Listing, Page, PageParams, Principal, Problem, Query, problems};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::list_dead_letters::Filter;
use crate::AppState;

problems! {
    /// How listing groups is refused.
    Problems: Code::ANY, &[Code::Forbidden];
}

/// Open dead letters of the same code, type and cause.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetterGroup {
    /// Names the group.
    group: String,
    /// How many there are.
    #[schema(minimum = 1)]
    count: i64,
    /// What is wrong, in a word.
    code: String,
    /// Of which kind that is.
    kind: String,
    /// The event type, whatever its producer wrote; null if it has none.
    #[schema(required)]
    ce_type: Option<String>,
    /// What is wrong, in a sentence without what is particular to one message.
    cause: String,
    /// When the first of them failed first.
    first_failed_at: DateTime<Utc>,
    /// When the last of them failed last.
    last_failed_at: DateTime<Utc>,
}

#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "a page",
    example = json!({
        "items": [
            {
                "group": "5f1c0b6a7d2e",
                "count": 12,
                "code": "INVALID_JSON",
                "kind": "malformed",
                "ceType": "atlas.order.OrderCompleted",
                "cause": "the value is no JSON object: EOF at line # column #",
                "firstFailedAt": "2026-11-25T12:00:00Z",
                "lastFailedAt": "2026-11-25T12:03:20.125Z"
            }
        ],
        "nextCursor": null
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(List<DeadLetterGroup>);

/// List groups of dead letters.
///
/// What is open, by what is wrong with it: the largest group first, then by id.
#[utoipa::path(
    get,
    path = "/v1/ops/dead-letters/groups",
    tag = "operations",
    params(Filter, PageParams),
    security(("bearer" = [])),
    responses(Found, Problems)
)]
pub(crate) async fn list_dead_letter_groups(
    State(app): State<AppState>,
    _principal: Principal,
    Query(filter): Query<Filter>,
    page: Page,
    ignored: Ignored,
) -> Result<impl IntoResponse, Problem> {
    let selection = filter.selection()?;
    let list = Listing::of(&("groups of dead letters", &filter));
    let after: Option<(i64, String)> = page.after(&list)?;
    let one_more = i64::from(page.limit()) + 1;
    let found = app
        .look(|connection| {
            let (selection, after) = (selection.clone(), after.clone());
            Box::pin(async move {
                let after = after.as_ref().map(|(count, id)| (*count, id.as_str()));
                Ok(groups(connection, &selection, after, one_more).await?)
            })
        })
        .await?;
    let items = found.into_iter().map(DeadLetterGroup::from).collect();
    let key = |item: &DeadLetterGroup| (item.count, item.group.clone());
    let list = List::of(items, &page, &list, key);
    Ok(Json(list.ignoring(ignored)))
}

impl From<Group> for DeadLetterGroup {
    fn from(group: Group) -> Self {
        Self {
            group: group.id,
            count: group.count,
            code: group.key.code,
            kind: group.key.kind,
            ce_type: group.key.ce_type,
            cause: group.key.cause,
            first_failed_at: group.first_failed_at,
            last_failed_at: group.last_failed_at,
        }
    }
}
