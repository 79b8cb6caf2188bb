//! The application: routes, documents, and the layers around them.

use axum::Router;
use http_edge::{Edge, Problem};
use service_runtime::HealthApi;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, RefOr, Schema};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

use crate::AppState;
use crate::answer::{OrderAfter, WorkshopAfter};
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
    let (_, mut routes) = routes::all().split_for_parts();
    routes.paths.paths.values_mut().for_each(refuse_null_bodies);
    CommandApi::openapi()
        .merge_from(routes)
        .merge_from(HealthApi::openapi())
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

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Artisan Atlas command API",
        description = "What the parties of a commission want done. Every answer that is not a \
                       success is an RFC 9457 problem.",
    ),
    components(schemas(OrderAfter, WorkshopAfter, Problem)),
    modifiers(&BearerTokens),
)]
struct CommandApi;

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
