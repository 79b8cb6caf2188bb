//! The application: routes, documents, and the layers around them.

use axum::Router;
use bonus_store::LedgerItem;
use http_edge::{Edge, List, Problem};
use projections::bonus::AccountView;
use projections::orders::{InvitationItem, OrderAsOf, OrderDetail, OrderItem, TimelineEntry};
use projections::workshops::WorkshopItem;
use service_runtime::HealthApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

use crate::AppState;
use crate::routes;

/// The whole application. `health` are the routes of the process itself.
pub fn app(state: AppState, edge: Edge, health: Router) -> Router {
    let (api, _) = routes::all().split_for_parts();
    let documents = SwaggerUi::new("/docs").url("/openapi.json", openapi());
    edge.around(api.with_state(state), health.merge(documents))
}

/// The OpenAPI document that the application serves.
#[must_use]
pub fn openapi() -> Document {
    let (_, routes) = routes::all().split_for_parts();
    QueryApi::openapi()
        .merge_from(routes)
        .merge_from(HealthApi::openapi())
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Artisan Atlas query API",
        description = "How commissions stand, as each viewer may see them. Every answer says in \
                       `Atlas-Position` how far its read model has come and in \
                       `Atlas-Lag-Seconds` how old it is. Every answer that is not a success is \
                       an RFC 9457 problem.",
    ),
    components(schemas(
        AccountView,
        List<InvitationItem>,
        List<LedgerItem>,
        List<OrderItem>,
        List<TimelineEntry>,
        List<WorkshopItem>,
        OrderAsOf,
        OrderDetail,
        Problem,
    )),
    modifiers(&BearerTokens),
    security(("bearer" = [])),
)]
struct QueryApi;

struct BearerTokens;

impl Modify for BearerTokens {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}
