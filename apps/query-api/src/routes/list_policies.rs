//! `GET /v1/bonus/policies`: the rules of the bonus, and which are in force.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http_edge::{Ignored, List, MinPosition, Principal, Problem, problems};
use projections::Model;
use utoipa::IntoResponses;

use super::examples::policy;
use super::policies::{PolicyView, policies};
use crate::AppState;
use crate::reading::ReadHeaders;

problems! {
    /// How listing policies is refused.
    Problems: Code::ANY, Code::READ;
}

/// The policies.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "every policy",
    example = json!({ "items": [policy()], "nextCursor": null }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Listed(List<PolicyView>);

/// List the policies.
///
/// Every policy of this release, by version, and which one is in force. All of them fit one page.
#[utoipa::path(
    get,
    path = "/v1/bonus/policies",
    tag = "bonus",
    params(ReadHeaders),
    security(("bearer" = [])),
    responses(Listed, Problems)
)]
pub(crate) async fn list_policies(
    State(app): State<AppState>,
    _principal: Principal,
    least: MinPosition,
    ignored: Ignored,
) -> Result<impl IntoResponse, Problem> {
    let found = app
        .read(Model::Bonus, least, |connection| {
            Box::pin(async move { Ok(policies(connection).await?) })
        })
        .await?;
    Ok(found.map(|items| {
        Json(List {
            items,
            next_cursor: None,
            ignored: ignored.0.clone(),
        })
    }))
}
