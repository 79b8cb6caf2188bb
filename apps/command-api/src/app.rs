//! The application: routes, documents, and the layers around them.

use axum::Router;
use http_edge::{AnswerHeader, Edge, Form, Problem, describe};
use service_runtime::HealthApi;
use utoipa::OpenApi;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::{OpenApi as Document, RefOr, Schema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::AppState;
use crate::answer::{ActAfter, OrderAfter, WorkshopAfter};
use crate::routes;

/// The whole application. `health` are the routes of the process itself.
pub fn app(state: AppState, edge: Edge, health: Router) -> Router {
    let (api, _) = routes::all().split_for_parts();
    let documents = SwaggerUi::new("/docs")
        .url("/openapi.json", openapi())
        .config(Config::default().validator_url("none"));
    edge.around_commands(api.with_state(state), health.merge(documents))
}

/// The OpenAPI document that the application serves.
#[must_use]
pub fn openapi() -> Document {
    let (_, mut routes) = routes::all().split_for_parts();
    routes.paths.paths.values_mut().for_each(refuse_null_bodies);
    let mut document = CommandApi::openapi()
        .merge_from(routes)
        .merge_from(HealthApi::openapi());
    let schemas = document
        .components
        .iter_mut()
        .flat_map(|it| it.schemas.values_mut());
    schemas.for_each(refuse_control_characters);
    describe(&mut document, answer_headers);
    document.paths.paths.iter_mut().for_each(show_state_after);
    document
}

const LOCATION: AnswerHeader = AnswerHeader {
    name: "Location",
    of: None,
    description: "The order's path in the query API.",
    form: Form::Text(
        "^/v1/orders/[0-9a-f-]{36}$",
        "/v1/orders/01938f5e-7c00-7000-8000-000000000001",
    ),
    always: true,
};
const LOCATION_OF_ACT: AnswerHeader = AnswerHeader {
    name: "Location",
    of: Some("act"),
    description: "The act's path in the query API.",
    form: Form::Text(
        "^/v1/ops/acts/[0-9a-f-]{36}$",
        "/v1/ops/acts/01938f5e-7c00-7000-8000-000000000001",
    ),
    always: true,
};
const IDEMPOTENCY_REPLAYED: AnswerHeader = AnswerHeader {
    name: "Idempotency-Replayed",
    of: None,
    description: "The answer is an earlier one, given again under its Idempotency-Key.",
    form: Form::Fixed("true"),
    always: false,
};

/// The headers of answers to commands.
fn answer_headers(path: &str, status: u16) -> &'static [AnswerHeader] {
    match (path, status) {
        ("/v1/orders", 201) => &[AnswerHeader::ETAG, IDEMPOTENCY_REPLAYED, LOCATION],
        ("/v1/ops/acts", 201) => &[AnswerHeader::ETAG, IDEMPOTENCY_REPLAYED, LOCATION_OF_ACT],
        (path, 200 | 201) if path.starts_with("/v1/") => {
            &[AnswerHeader::ETAG, IDEMPOTENCY_REPLAYED]
        }
        _ => &[],
    }
}

/// A body that may be left out is described as one that may be `null`, which is refused.
fn refuse_null_bodies(item: &mut PathItem) {
    let operations = [&mut item.post, &mut item.put, &mut item.patch];
    for operation in operations.into_iter().flatten() {
        let Some(RefOr::T(body)) = &mut operation.request_body else {
            continue;
        };
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content
                && let Some(RefOr::T(Schema::OneOf(one_of))) = &content.schema
            {
                content.schema = one_of.items.first().cloned();
            }
        }
    }
}

/// Lets the example of an answer show a state that the command can lead to.
fn show_state_after((path, item): (&String, &mut PathItem)) {
    let state = match path.rsplit('/').next() {
        Some("confirm" | "complete" | "approve" | "request-changes" | "resolve") => "inProgress",
        Some("accept") => "completed",
        Some("cancel") => "cancelled",
        _ => return,
    };
    let responses = item.post.iter_mut();
    let responses = responses.filter_map(|it| it.responses.responses.get_mut("200"));
    for response in responses {
        let RefOr::T(response) = response else {
            continue;
        };
        for content in response.content.values_mut() {
            if let RefOr::T(content) = content
                && let Some(state_of) = content.example.as_mut().and_then(|it| it.get_mut("state"))
            {
                *state_of = state.into();
            }
        }
    }
}

/// What every text holds: something beside space, and no control characters but newline and tab.
const TEXT: &str =
    r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b-\x1f\x7f-\x9f]*$";

/// Describes texts, which are the strings of bounded length, as they are taken.
fn refuse_control_characters(schema: &mut RefOr<Schema>) {
    let object = match schema {
        RefOr::T(Schema::Object(object)) => object,
        RefOr::T(Schema::OneOf(one_of)) => {
            return one_of.items.iter_mut().for_each(refuse_control_characters);
        }
        RefOr::T(_) | RefOr::Ref(_) => return,
    };
    for property in object.properties.values_mut() {
        if let RefOr::T(Schema::Object(text)) = property
            && text.max_length.is_some()
        {
            text.pattern = Some(TEXT.to_owned());
        }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Artisan Atlas command API",
        description = include_str!("description.md"),
    ),
    tags(
        (name = "orders", description = "An order from its placement to its end."),
        (name = "negotiation", description = "Workshops answer, the commissioner chooses."),
        (name = "work", description = "The confirmed work, stage by stage."),
        (name = "workshops", description = "The directory of workshops, which operators keep."),
        (name = "operations", description = "What operators do to the system."),
        (name = "health", description = "Of the process itself."),
    ),
    components(schemas(ActAfter, OrderAfter, WorkshopAfter, Problem))
)]
struct CommandApi;
