//! `POST /v1/orders`: a commissioner asks for a piece, and invites workshops to make offers.

use axum::extract::State;
use http_edge::{NoIfMatch, Principal, Problem, problems};
use kernel::{CommissionerId, OrderId};
use order_domain::order::{PlaceOrder, PlaceOrderInput};
use order_domain::value::RequestInput;
use serde::Deserialize;
use utoipa::{IntoResponses, ToSchema};

use super::money::MoneyBody;
use crate::AppState;
use crate::answer::{OrderAfter, OrderAnswer};
use crate::refusal;
use crate::request::{NoPath, Sent, UnconditionalHeaders};

problems! {
    /// How placing an order is refused.
    Problems: Code::ANY, Code::COMMAND,
        &[Code::UnknownWorkshop];
}

/// A request, and who may answer it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PlaceOrder)]
pub(crate) struct Body {
    #[schema(value_type = RequestBody)]
    request: Option<RequestBody>,
    /// The workshops to invite, all different: they must be in the directory and take
    /// commissions. Never the commissioner's own id.
    #[schema(value_type = std::collections::BTreeSet<uuid::Uuid>, min_items = 1, max_items = 20)]
    workshops: Option<Vec<String>>,
}

/// What is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Request)]
struct RequestBody {
    /// What it is called.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    title: Option<String>,
    /// What it is about.
    #[schema(value_type = String, min_length = 1, max_length = 10_000)]
    brief: Option<String>,
    /// What the commissioner means to pay.
    #[schema(value_type = MoneyBody)]
    budget: Option<MoneyBody>,
    /// When it should be there; later than now.
    #[schema(value_type = String, format = DateTime)]
    deadline: Option<String>,
}

/// The answer to a placed order.
#[derive(IntoResponses)]
#[response(
    status = 201,
    description = "placed",
    example = json!({
        "orderId": "01938f5e-7c00-7000-8000-000000000001",
        "version": 1,
        "state": "negotiating",
        "position": "Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI",
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Placed(OrderAfter);

impl From<Body> for PlaceOrderInput {
    fn from(body: Body) -> Self {
        Self {
            request: body.request.map(RequestInput::from),
            workshops: body.workshops,
        }
    }
}

impl From<RequestBody> for RequestInput {
    fn from(body: RequestBody) -> Self {
        Self {
            title: body.title,
            brief: body.brief,
            budget: body.budget.map(Into::into),
            deadline: body.deadline,
        }
    }
}

/// Place an order.
///
/// A commissioner asks for a piece, and invites 1 to 20 workshops to make offers.
#[utoipa::path(
    post,
    path = "/v1/orders",
    tag = "orders",
    params(UnconditionalHeaders),
    request_body(content = Body, example = json!({
        "request": {
            "title": "Oak dining table",
            "brief": "For eight people, oiled, with rounded corners.",
            "budget": {"amount": "1250.00", "currency": "EUR"},
            "deadline": "2099-05-01T12:00:00Z",
        },
        "workshops": ["01938f5e-7c00-7000-8000-00000000000a"],
    })),
    security(("bearer" = [])),
    responses(Placed, Problems),
)]
pub(crate) async fn place_order(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<NoPath, Body, NoIfMatch>,
) -> Result<OrderAnswer, Problem> {
    let actor = principal.actor();
    let order_id = OrderId::from_uuid(app.next_id());
    let commissioner_id = CommissionerId::from_uuid(actor.id);
    let command = PlaceOrder::parse(order_id, commissioner_id, sent.body.into(), app.now())
        .map_err(refusal::invalid)?;
    app.place_order(&principal, order_id, command, sent.asked)
        .await
}
