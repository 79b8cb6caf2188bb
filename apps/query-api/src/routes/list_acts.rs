//! `GET /v1/ops/acts`: what operators did to the system, newest first.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use event_store::Position;
use event_store::acts::{self, Act};
use http_edge::{Ignored, List, Listing, Page, PageParams, Principal, Problem, problems};
use kernel::Role;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use super::act_request::RequestView;
use crate::AppState;

problems! {
    /// How listing acts is refused.
    Problems: Code::ANY, &[Code::Forbidden];
}

/// Of what letters hold a preview tells most.
const PREVIEW: &str = "redrivePreview";

/// What an operator did, or asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActItem {
    /// What was done, or asked for, in a word, such as `redrive` or `swap`.
    act: String,
    /// Names the act.
    act_id: Uuid,
    /// Who did it.
    operator: Uuid,
    /// Why, in their words.
    reason: String,
    /// What it was done to; its members are each act's own. Of what was asked for, the arguments.
    #[schema(value_type = Object)]
    subject: Value,
    /// When it was recorded.
    when: DateTime<Utc>,
    /// What came of it, with members of the act's own; null while it goes on, and where it has
    /// nothing to say. What a preview found is told of the act by itself, and to operators alone.
    #[schema(required, value_type = Option<Object>)]
    result: Option<Value>,
    /// How far it is, if somebody asked for it from a distance; null for what a command line did
    /// by itself.
    #[schema(required)]
    request: Option<RequestView>,
    #[serde(skip)]
    position: i64,
}

#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "a page",
    example = json!({
        "items": [
            {
                "act": "redrive",
                "actId": "01938f5e-7c00-7000-8000-0000000000ac",
                "operator": "01938f5e-7c00-7000-8000-0000000000ab",
                "reason": "the ledger takes these events since today's release",
                "subject": {"selection": {"code": "ACCOUNT_REJECTED"}, "count": 12},
                "when": "2026-11-26T09:30:00.123456Z",
                "result": {"sent": 12, "closed": 12, "returned": [], "underWay": 0, "left": 0},
                "request": null
            }
        ],
        "nextCursor": null
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(List<ActItem>);

/// List operators' acts.
///
/// Who did what to the system, or asked for it, when and why, and what came of it: newest first.
#[utoipa::path(
    get,
    path = "/v1/ops/acts",
    tag = "operations",
    params(PageParams),
    security(("bearer" = [])),
    responses(Found, Problems)
)]
pub(crate) async fn list_acts(
    State(app): State<AppState>,
    principal: Principal,
    page: Page,
    ignored: Ignored,
) -> Result<impl IntoResponse, Problem> {
    let list = Listing::of(&"acts");
    let before: Option<i64> = page.after(&list)?;
    let before = before.map(Position::new);
    let one_more = i64::from(page.limit()) + 1;
    let found = app
        .look(|connection| {
            Box::pin(async move { Ok(acts::page(connection, before, one_more).await?) })
        })
        .await?;
    let items = found.into_iter();
    let items = items.map(|act| ActItem::of(act, &principal)).collect();
    let list = List::of(items, &page, &list, |item: &ActItem| item.position);
    Ok(Json(list.ignoring(ignored)))
}

impl ActItem {
    /// As it is shown to somebody: what is quoted from dead letters, operators see alone.
    pub(crate) fn of(act: Act, viewer: &Principal) -> Self {
        let is_operator = viewer.actor().role == Role::Operator;
        let is_quoted = act.kind == PREVIEW;
        let result = act.end.map(|end| end.result);
        Self {
            act: act.kind,
            act_id: act.id.as_uuid(),
            operator: act.operator,
            reason: act.reason,
            subject: act.subject,
            when: act.recorded_at,
            result: result.filter(|it| !it.is_null() && (is_operator || !is_quoted)),
            request: act.request.map(|it| RequestView::of(it, is_operator)),
            position: act.position.get(),
        }
    }
}
