//! The application: routes, documents, and the layers around them.

use axum::Router;
use bonus_store::LedgerItem;
use http_edge::{AnswerHeader, Edge, Form, List, Problem, describe};
use projections::bonus::AccountView;
use projections::orders::{
    InvitationItem, OrderAsOf, OrderDetail, OrderItem, Situation, TimelineEntry,
};
use projections::workshops::WorkshopItem;
use service_runtime::HealthApi;
use utoipa::OpenApi;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, RefOr, Schema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::AppState;
use crate::routes;
use crate::routes::{
    ActItem, DeadLetterCodeName, DeadLetterDetail, DeadLetterGroup, DeadLetterItem,
    DeadLetterKindName, Explained, OrderStates, PolicyDiff, PolicyView, Projections, Rebuilds,
    TurnFilter,
};

/// The whole application. `health` are the routes of the process itself.
pub fn app(state: AppState, edge: Edge, health: Router) -> Router {
    let (api, _) = routes::all().split_for_parts();
    let documents = SwaggerUi::new("/docs")
        .url("/openapi.json", openapi())
        .config(Config::default().validator_url("none"));
    edge.around(api.with_state(state), health.merge(documents))
}

/// The OpenAPI document that the application serves.
#[must_use]
pub fn openapi() -> Document {
    let (_, routes) = routes::all().split_for_parts();
    let mut document = QueryApi::openapi()
        .merge_from(routes)
        .merge_from(HealthApi::openapi());
    describe(&mut document, answer_headers);
    for path in STREAMS {
        let item = document.paths.paths.get_mut(path);
        item.into_iter().for_each(say_that_it_streams);
    }
    document
}

/// The paths that stream what they show to who accepts `text/event-stream`.
const STREAMS: [&str; 5] = [
    "/v1/orders",
    "/v1/orders/{id}/timeline",
    "/v1/invitations",
    "/v1/bonus/accounts/{id}/ledger",
    "/v1/ops/projections",
];

/// What a stream looks like.
const FRAMES: &str = "id: Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI\n\
    data: {\"item\":{},\"prev\":null}\n\n\
    event: caught-up\n\
    id: Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBM\n\
    data: {\"prev\":\"Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI\"}\n\n";

fn say_that_it_streams(item: &mut PathItem) {
    let responses = item.get.iter_mut();
    let responses = responses.filter_map(|it| it.responses.responses.get_mut("200"));
    for response in responses {
        if let RefOr::T(response) = response {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let frames = ContentBuilder::new()
                .schema(Some(RefOr::T(Schema::Object(text))))
                .example(Some(FRAMES.into()))
                .build();
            let content = RefOr::T(frames);
            response
                .content
                .insert("text/event-stream".to_owned(), content);
        }
    }
}

const POSITION: AnswerHeader = AnswerHeader {
    name: "Atlas-Position",
    of: None,
    description: "How far the read model has come: a token for Atlas-Min-Position.",
    form: Form::Text(
        "^[A-Za-z0-9_-]+$",
        "Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI",
    ),
    always: true,
};
const LAG_SECONDS: AnswerHeader = AnswerHeader {
    name: "Atlas-Lag-Seconds",
    of: None,
    description: "The age of the oldest event that the read model has not passed; 0 if none.",
    form: Form::Decimal(0.125),
    always: true,
};

/// The headers of what was read, and of what was looked for and is not there.
fn answer_headers(path: &str, status: u16) -> &'static [AnswerHeader] {
    let versioned = path.ends_with("/{id}") || path.ends_with("/as-of");
    match status {
        200 | 304 if path.starts_with("/v1/orders/") && versioned => {
            &[AnswerHeader::ETAG, POSITION, LAG_SECONDS]
        }
        // What else operators are shown is no read model's.
        200 if path == "/v1/ops/order-states" => &[POSITION, LAG_SECONDS],
        _ if path.starts_with("/v1/ops/") => &[],
        200 | 404 if path.starts_with("/v1/") => &[POSITION, LAG_SECONDS],
        _ => &[],
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Artisan Atlas query API",
        description = include_str!("description.md"),
    ),
    tags(
        (name = "orders", description = "Orders, and how they came to be what they are."),
        (name = "workshops", description = "The directory of workshops."),
        (name = "bonus", description = "Points, grades and VIP standing."),
        (name = "operations", description = "How the house itself is, for those who run it."),
        (name = "health", description = "Of the process itself."),
    ),
    components(schemas(
        AccountView,
        ActItem,
        DeadLetterCodeName,
        DeadLetterDetail,
        DeadLetterKindName,
        Explained,
        List<ActItem>,
        List<DeadLetterGroup>,
        List<DeadLetterItem>,
        List<InvitationItem>,
        List<LedgerItem>,
        List<OrderItem>,
        List<PolicyView>,
        List<TimelineEntry>,
        List<WorkshopItem>,
        OrderAsOf,
        OrderDetail,
        OrderStates,
        PolicyDiff,
        PolicyView,
        Problem,
        Projections,
        Rebuilds,
        Situation,
        TurnFilter,
    )),
)]
struct QueryApi;
