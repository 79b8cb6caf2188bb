//! `PATCH /v1/orders/{id}/request`: the commissioner changes what is asked for.

use axum::extract::State;
use http_edge::{Code, Principal, Problem, problems};
use kernel::OrderId;
use order_domain::order::{EditRequest, OrderCommand};
use order_domain::value::RequestEditInput;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::money::MoneyBody;
use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::refusal;
use crate::request::{CommandHeaders, Sent};

problems! {
    /// How editing a request is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND,
        &[
            Code::NothingToChange,
            Code::RevisionLimit,
            Code::OrderTooLarge,
        ];
}

/// What the request is to say from here on. What is left out stays as it is; nothing may be null.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EditRequest)]
pub(crate) struct Body {
    /// What it is called.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    title: Option<Option<String>>,
    /// What it is about.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 10_000)]
    brief: Option<Option<String>>,
    /// What the commissioner means to pay.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = MoneyBody, required = false)]
    budget: Option<Option<MoneyBody>>,
    /// When it should be there; later than now.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, format = DateTime)]
    deadline: Option<Option<String>>,
}

/// Reads a field that is there, so that null is told from a field that is left out.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    field: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(field).map(Some)
}

impl Body {
    /// Whether it changes nothing that there is.
    const fn is_empty(&self) -> bool {
        self.title.is_none()
            && self.brief.is_none()
            && self.budget.is_none()
            && self.deadline.is_none()
    }
}

impl From<Body> for RequestEditInput {
    fn from(body: Body) -> Self {
        Self {
            title: body.title,
            brief: body.brief,
            budget: body.budget.map(|budget| budget.map(Into::into)),
            deadline: body.deadline,
        }
    }
}

/// Edit a request.
///
/// While it is negotiated, its commissioner changes any of title, brief, budget and deadline. The
/// request is at its next revision then, and every offer that stands is outdated until its
/// workshop revises it.
#[utoipa::path(
    patch,
    path = "/v1/orders/{id}/request",
    tag = "negotiation",
    params(("id" = uuid::Uuid, Path, description = "the order"), CommandHeaders),
    request_body(content = Option<Body>, example = json!({
        "budget": {"amount": "1400.00", "currency": "EUR"},
    })),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn edit_request(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<OrderId, Body>,
) -> Result<OrderAnswer, Problem> {
    let nothing_known = sent.body.is_empty() && !sent.asked.ignored.is_empty();
    let command = EditRequest::parse(sent.body.into(), app.now()).map_err(refusal::invalid)?;
    let command = OrderCommand::EditRequest(command);
    app.command_order(principal.actor(), sent.path, command, sent.asked)
        .await
        .map_err(|problem| {
            if nothing_known && problem.code() == Code::NothingToChange {
                let read =
                    "nothing in the body is read here: title, brief, budget and deadline are";
                Problem::new(Code::NothingToChange, read)
            } else {
                problem
            }
        })
}
