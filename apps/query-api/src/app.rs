//! The application: routes, documents, and the layers around them.

use axum::Router;
use bonus_store::LedgerItem;
use http_edge::{AnswerHeader, Edge, Form, List, Problem, describe};
use projections::bonus::AccountView;
use projections::orders::{InvitationItem, OrderAsOf, OrderDetail, OrderItem, TimelineEntry};
use projections::workshops::WorkshopItem;
use service_runtime::HealthApi;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::AppState;
use crate::routes;
use crate::routes::{
    ActItem, DeadLetterCodeName, DeadLetterDetail, DeadLetterGroup, DeadLetterItem,
    DeadLetterKindName, Explained, PolicyView, Projections,
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
    document
}

const POSITION: AnswerHeader = AnswerHeader {
    name: "Atlas-Position",
    description: "How far the read model has come: a token for Atlas-Min-Position.",
    form: Form::Text(
        "^[A-Za-z0-9_-]+$",
        "Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI",
    ),
    always: true,
};
const LAG_SECONDS: AnswerHeader = AnswerHeader {
    name: "Atlas-Lag-Seconds",
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
        // What operators are shown is no read model's.
        _ if path.starts_with("/v1/ops/") => &[],
        200 | 404 if path.starts_with("/v1/") => &[POSITION, LAG_SECONDS],
        _ => &[],
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Artisan Atlas query API",
        description = "How commissions stand, as each viewer may see them. Every answer says in \
                       `Atlas-Position` how far its read model has come and in \
                       `Atlas-Lag-Seconds` how old it is. Every answer that is not a success is \
                       an RFC 9457 problem: beside those of each read, 404 NOT_FOUND for a path \
                       that is not described here, and 405 METHOD_NOT_ALLOWED with `Allow` for a \
                       method that its path does not take.",
    ),
    components(schemas(
        AccountView,
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
        PolicyView,
        Problem,
        Projections,
    )),
)]
struct QueryApi;
