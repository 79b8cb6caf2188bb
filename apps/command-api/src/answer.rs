//! Answers to accepted commands, the same for the first time and for every repeat under a key.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use event_store::Answer;
use event_store::acts::ActId;
use http_edge::ETag;
use order_domain::order::OrderState;
use serde::Serialize;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoResponses, ToSchema};

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a command on an order came to.
pub(crate) struct OrderAnswer {
    pub(crate) answer: Answer,
    /// The members of the body that were not read.
    pub(crate) ignored: Vec<String>,
}

/// What a command on a directory entry came to.
pub(crate) struct WorkshopAnswer {
    pub(crate) answer: Answer,
    /// The members of the body that were not read.
    pub(crate) ignored: Vec<String>,
}

/// What came of asking for an act.
pub(crate) struct ActAnswer {
    pub(crate) act: ActId,
    pub(crate) answer: Answer,
    /// The members of the body that were not read.
    pub(crate) ignored: Vec<String>,
}

/// The order after a command.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderAfter {
    /// The order.
    #[schema(format = Uuid)]
    order_id: String,
    /// Its number of events.
    #[schema(minimum = 1)]
    version: i64,
    /// The state that it is in.
    #[schema(required, schema_with = state_names)]
    state: Option<String>,
    /// Where its last event lies in the log: send it as `Atlas-Min-Position` to read what you
    /// wrote.
    position: String,
    /// The members of the body that were not read, as JSON pointers; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    ignored: Vec<String>,
}

/// The directory entry after a command.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkshopAfter {
    /// The workshop.
    #[schema(format = Uuid)]
    workshop_id: String,
    /// Its number of events.
    #[schema(minimum = 1)]
    version: i64,
    /// Where its last event lies in the log: send it as `Atlas-Min-Position` to read what you
    /// wrote.
    position: String,
    /// The members of the body that were not read, as JSON pointers; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    ignored: Vec<String>,
}

/// An act that was asked for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActAfter {
    /// The act, as the query API names it.
    #[schema(format = Uuid)]
    act_id: String,
    /// The number of events of the operator's own stream.
    #[schema(minimum = 1)]
    version: i64,
    /// Where the request lies in the log.
    position: String,
    /// The members of the body that were not read, as JSON pointers; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    ignored: Vec<String>,
}

/// The answer of every command on an existing order.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "done",
    example = json!({
        "orderId": "01938f5e-7c00-7000-8000-000000000001",
        "version": 4,
        "state": "negotiating",
        "position": "Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI",
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
pub(crate) struct Done(OrderAfter);

impl IntoResponse for OrderAnswer {
    fn into_response(self) -> Response {
        let Self { answer, ignored } = self;
        let location = (answer.status == StatusCode::CREATED.as_u16())
            .then(|| HeaderValue::try_from(format!("/v1/orders/{}", answer.key)).ok())
            .flatten();
        let body = OrderAfter {
            order_id: answer.key.clone(),
            version: answer.version.get(),
            state: answer.state.clone(),
            position: answer.token.encode(),
            ignored,
        };
        let mut response = answered(&answer, body);
        if let Some(location) = location {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

impl IntoResponse for WorkshopAnswer {
    fn into_response(self) -> Response {
        let Self { answer, ignored } = self;
        let body = WorkshopAfter {
            workshop_id: answer.key.clone(),
            version: answer.version.get(),
            position: answer.token.encode(),
            ignored,
        };
        answered(&answer, body)
    }
}

impl IntoResponse for ActAnswer {
    fn into_response(self) -> Response {
        let Self {
            act,
            answer,
            ignored,
        } = self;
        let body = ActAfter {
            act_id: act.to_string(),
            version: answer.version.get(),
            position: answer.token.encode(),
            ignored,
        };
        let mut response = answered(&answer, body);
        if let Ok(location) = HeaderValue::try_from(format!("/v1/ops/acts/{act}")) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

fn answered(answer: &Answer, body: impl Serialize) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or_default();
    let mut response = (status, ETag(answer.version.get()), Json(body)).into_response();
    if answer.replayed {
        let replayed = HeaderValue::from_static("true");
        response
            .headers_mut()
            .insert(IDEMPOTENCY_REPLAYED, replayed);
    }
    response
}

fn state_names() -> utoipa::openapi::schema::Object {
    let states = [
        OrderState::Negotiating,
        OrderState::InProgress,
        OrderState::Finished,
        OrderState::Disputed,
        OrderState::Completed,
        OrderState::Cancelled,
    ];
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(states.map(OrderState::as_str)))
        .description(Some("The state that it is in."))
        .build()
}
