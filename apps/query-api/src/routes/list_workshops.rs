//! `GET /v1/workshops`: the directory.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http_edge::{
    Ignored, List, Listing, MinPosition, Page, PageParams, Principal, Problem, problems,
};
use projections::Model;
use projections::workshops::WorkshopItem;
use utoipa::IntoResponses;

use crate::AppState;
use crate::reading::ReadHeaders;

problems! {
    /// How listing workshops is refused.
    Problems: Code::ANY, Code::READ;
}

/// A page of the directory.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "a page",
    example = json!({
        "items": [
            {
                "workshopId": "01938f5e-7c00-7000-8000-00000000000a",
                "name": "Hollow Oak Joinery",
                "acceptsCommissions": true
            }
        ],
        "nextCursor": null
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Listed(List<WorkshopItem>);

/// List workshops.
///
/// The directory, by name.
#[utoipa::path(
    get,
    path = "/v1/workshops",
    tag = "workshops",
    params(PageParams, ReadHeaders),
    security(("bearer" = [])),
    responses(Listed, Problems)
)]
pub(crate) async fn list_workshops(
    State(app): State<AppState>,
    _principal: Principal,
    page: Page,
    ignored: Ignored,
    least: MinPosition,
) -> Result<impl IntoResponse, Problem> {
    let list = Listing::of(&"workshops");
    let after = page.after(&list)?;
    let limit = page.limit().into();
    let slice = app
        .read(Model::Workshops, least, |connection| {
            let after = after.clone();
            Box::pin(async move {
                Ok(projections::workshops::list_workshops(connection, after, limit).await?)
            })
        })
        .await?;
    Ok(slice.map(|slice| {
        Json(List {
            items: slice.items,
            next_cursor: slice.next.map(|key| list.next(&key)),
            ignored: ignored.0.clone(),
        })
    }))
}
