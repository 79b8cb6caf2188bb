//! `PUT /v1/orders/{id}/offers/{W}`: an invited workshop answers with terms, or revises those that
//! stand. Which of both it is, only the order knows.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::{OrderId, WorkshopId};
use order_domain::order::{OrderCommand, SubmitOffer};
use order_domain::value::{OfferInput, StageInput};
use serde::Deserialize;
use utoipa::ToSchema;

use super::money::PriceBody;
use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::refusal;
use crate::request::{CommandHeaders, Sent};

problems! {
    /// How an offer is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND,
        &[
            Code::InvitationNotOpen,
            Code::OfferOutdated,
            Code::NothingToChange,
            Code::RevisionLimit,
            Code::OrderTooLarge,
        ];
}

/// A workshop's terms.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Offer)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    /// What it would cost, in the currency of the request.
    #[schema(value_type = PriceBody)]
    budget: Option<PriceBody>,
    /// When it would be done, and until when the offer can be confirmed; later than now.
    #[schema(value_type = String, format = DateTime)]
    deadline: Option<String>,
    /// What is offered.
    #[schema(value_type = String, min_length = 1, max_length = 5000)]
    description: Option<String>,
    /// The stages of the work, in order; none is one stage, "Commissioned work".
    #[schema(max_items = 20)]
    stages: Option<Vec<StageBody>>,
    /// The revision of the request that the offer answers; any other than the current one is
    /// refused.
    #[schema(minimum = 1)]
    request_revision: Option<i64>,
}

/// A milestone of the work.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Stage)]
#[serde(rename_all = "camelCase")]
struct StageBody {
    /// What it is called; unique in its offer.
    #[schema(value_type = String, min_length = 1, max_length = 120)]
    name: Option<String>,
    /// What it is about.
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    description: Option<String>,
    /// How long it is meant to take.
    #[schema(minimum = 1, maximum = 3650)]
    duration_days: Option<i64>,
    /// Whether work may not pass it until the commissioner approves; false unless given.
    requires_approval: Option<bool>,
}

impl From<Body> for OfferInput {
    fn from(body: Body) -> Self {
        let stages = |stages: Vec<StageBody>| stages.into_iter().map(StageInput::from).collect();
        Self {
            budget: body.budget.map(Into::into),
            deadline: body.deadline,
            description: body.description,
            stages: body.stages.map(stages),
            request_revision: body.request_revision,
        }
    }
}

impl From<StageBody> for StageInput {
    fn from(body: StageBody) -> Self {
        Self {
            name: body.name,
            description: body.description,
            duration_days: body.duration_days,
            requires_approval: body.requires_approval,
        }
    }
}

/// Submit or revise an offer.
///
/// An invited workshop answers with its terms. Where an offer of it stands already these terms take
/// its place, at the next revision; the same terms once more bring an outdated offer up to date.
#[utoipa::path(
    put,
    path = "/v1/orders/{id}/offers/{workshopId}",
    tag = "negotiation",
    params(
        ("id" = uuid::Uuid, Path, description = "the order"),
        ("workshopId" = uuid::Uuid, Path, description = "the workshop"),
        CommandHeaders,
    ),
    request_body(content = Body, example = json!({
        "budget": {"amount": "1180.00", "currency": "EUR"},
        "deadline": "2099-04-15T12:00:00Z",
        "description": "Solid oak from the region, hand-planed and oiled twice.",
        "stages": [
            {
                "name": "Drawing",
                "description": "A drawing to scale.",
                "durationDays": 7,
                "requiresApproval": true,
            },
            {"name": "Building", "description": "The table itself.", "durationDays": 60},
        ],
        "requestRevision": 1,
    })),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn submit_offer(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<(OrderId, WorkshopId), Body>,
) -> Result<OrderAnswer, Problem> {
    let (order_id, workshop_id) = sent.path;
    let command =
        SubmitOffer::parse(workshop_id, sent.body.into(), app.now()).map_err(refusal::invalid)?;
    let command = OrderCommand::SubmitOffer(command);
    app.command_order(principal.actor(), order_id, command, sent.asked)
        .await
}
