//! `GET /v1/ops/acts/{id}`: what an operator did to the system, or asked for, and how far that is.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use event_store::acts::{ActId, find};
use http_edge::{Ignored, Path, Principal, Problem, problems};
use utoipa::IntoResponses;
use uuid::Uuid;

use super::list_acts::ActItem;
use crate::AppState;

problems! {
    /// How reading an act is refused.
    Problems: Code::ANY, &[Code::Forbidden, Code::NotFound];
}

#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "the act",
    example = json!({
        "act": "rebuild",
        "actId": "01938f5e-7c00-5000-8000-0000000000ac",
        "operator": "01938f5e-7c00-7000-8000-0000000000ab",
        "reason": "the directory shows names since this release",
        "subject": {"model": "workshops", "keep": false},
        "when": "2026-11-26T09:30:00.123456Z",
        "result": null,
        "request": {
            "state": "running",
            "progress": {"what": "events", "done": 120000, "total": 480000, "ratePerSecond": 40000.0},
            "said": ["workshops@2 is begun"],
            "exitCode": null,
            "startedAt": "2026-11-26T09:30:00.523456Z",
            "endedAt": null,
            "facts": [{
                "act": "rebuild",
                "actId": "01938f5e-7c00-7000-8000-0000000000ad",
                "subject": {
                    "model": "workshops", "rebuild": 1, "from": "workshops@1",
                    "to": "workshops@2", "takenUp": false
                },
                "when": "2026-11-26T09:30:00.623456Z"
            }]
        }
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(ActItem);

/// Read an operator's act.
///
/// Who did it or asked for it, why, what came of it, and while it is carried out, how far it is.
#[utoipa::path(
    get,
    path = "/v1/ops/acts/{id}",
    tag = "operations",
    params(("id" = Uuid, Path, description = "the act")),
    security(("bearer" = [])),
    responses(Found, Problems)
)]
pub(crate) async fn read_act(
    State(app): State<AppState>,
    principal: Principal,
    Path(id): Path<Uuid>,
    _: Ignored,
) -> Result<impl IntoResponse, Problem> {
    let id = ActId::from_uuid(id);
    let found = app
        .look(|connection| Box::pin(async move { Ok(find(connection, id).await?) }))
        .await?;
    match found {
        Some(act) => Ok(Json(ActItem::of(act, &principal))),
        None => Err(Problem::not_found("there is no such act")),
    }
}
