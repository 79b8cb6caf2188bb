//! `GET /v1/bonus/policies/{version}`: the rules of one policy.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http_edge::{Ignored, MinPosition, Path, Principal, Problem, problems};
use projections::Model;
use utoipa::IntoResponses;

use super::examples::policy;
use super::policies::{PolicyView, policies};
use crate::AppState;
use crate::reading::ReadHeaders;

problems! {
    /// How reading a policy is refused.
    Problems: Code::ANY, Code::READ, &[Code::NotFound];
}

/// The policy.
#[derive(IntoResponses)]
#[response(status = 200, description = "the policy", example = json!(policy()))]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(PolicyView);

/// Read a policy.
///
/// What gives points and what takes them away, the grades, and when an account is VIP.
#[utoipa::path(
    get,
    path = "/v1/bonus/policies/{version}",
    tag = "bonus",
    params(("version" = u16, Path, description = "the policy's number"), ReadHeaders),
    security(("bearer" = [])),
    responses(Found, Problems)
)]
pub(crate) async fn read_policy(
    State(app): State<AppState>,
    _principal: Principal,
    Path(version): Path<u16>,
    _: Ignored,
    least: MinPosition,
) -> Result<impl IntoResponse, Problem> {
    let found = app
        .read(Model::Bonus, least, |connection| {
            Box::pin(async move {
                let mut policies = policies(connection).await?.into_iter();
                Ok(policies.find(|policy| policy.version() == version))
            })
        })
        .await?
        .found("this release knows no such policy")?;
    Ok(found.map(Json))
}
