//! `PUT /v1/workshops/{W}`: an operator enters a workshop into the directory, or changes its entry.

use axum::extract::State;
use http_edge::{NoIfMatch, Principal, Problem, problems};
use kernel::WorkshopId;
use order_domain::workshop::{PutWorkshop, WorkshopInput};
use serde::Deserialize;
use utoipa::{IntoResponses, ToSchema};

use crate::AppState;
use crate::answer::{WorkshopAfter, WorkshopAnswer};
use crate::refusal;
use crate::request::{Sent, UnconditionalHeaders};

problems! {
    /// How a directory entry is refused.
    Problems: Code::ANY, Code::COMMAND,
        &[Code::ConcurrentModification];
}

/// What the entry should say.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PutWorkshop)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    /// What the workshop is called.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Whether it takes commissions.
    #[schema(value_type = bool)]
    accepts_commissions: Option<bool>,
}

impl From<Body> for WorkshopInput {
    fn from(body: Body) -> Self {
        Self {
            name: body.name,
            accepts_commissions: body.accepts_commissions,
        }
    }
}

/// The answer to a directory entry.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "carries the description of an answer")]
enum Put {
    #[response(
        status = 201,
        description = "entered",
        example = json!({
            "workshopId": "01938f5e-7c00-7000-8000-00000000000a",
            "version": 1,
            "position": "Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI",
        }),
    )]
    Entered(WorkshopAfter),
    #[response(
        status = 200,
        description = "changed, or nothing to change",
        example = json!({
            "workshopId": "01938f5e-7c00-7000-8000-00000000000a",
            "version": 2,
            "position": "Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI",
        }),
    )]
    Changed(WorkshopAfter),
}

/// Enter or change a workshop.
///
/// Operators keep the directory of workshops. An entry that says this already is left as it is.
#[utoipa::path(
    put,
    path = "/v1/workshops/{id}",
    tag = "workshops",
    params(("id" = uuid::Uuid, Path, description = "the workshop"), UnconditionalHeaders),
    request_body(content = Body, example = json!({
        "name": "Hollow Oak Joinery",
        "acceptsCommissions": true,
    })),
    security(("bearer" = [])),
    responses(Put, Problems),
)]
pub(crate) async fn put_workshop(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<WorkshopId, Body, NoIfMatch>,
) -> Result<WorkshopAnswer, Problem> {
    let command = PutWorkshop::parse(sent.path, sent.body.into()).map_err(refusal::invalid)?;
    app.command_workshop(principal.actor(), command, sent.asked)
        .await
}
