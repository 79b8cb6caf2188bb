//! Paths and queries.

use axum::Router;
use axum::routing::get as route_get;
use http_edge::{Path, Query};
use kernel::{OrderId, WorkshopId};
use serde::Deserialize;

use crate::app::{Answer, app, get, send};

const ID: &str = "01890000-0000-7000-8000-00000000000a";
const OTHER: &str = "01890000-0000-7000-8000-00000000000b";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    state: Option<State>,
    at_least: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum State {
    InProgress,
    Finished,
}

async fn call(path: &str) -> Answer {
    let app = app(Router::new()
        .route(
            "/orders/{id}",
            route_get(|Path(id): Path<OrderId>| async move { id.to_string() }),
        )
        .route(
            "/orders/{id}/offers/{workshop}",
            route_get(
                |Path((id, workshop)): Path<(OrderId, WorkshopId)>| async move {
                    format!("{id} {workshop}")
                },
            ),
        )
        .route(
            "/orders/{id}/stages/{n}",
            route_get(|Path((id, n)): Path<(OrderId, u32)>| async move { format!("{id} {n}") }),
        )
        .route(
            "/list",
            route_get(async |Query(filter): Query<Filter>| {
                format!("{:?} {:?}", filter.state, filter.at_least)
            }),
        ));
    send(&app, get(path)).await
}

#[tokio::test]
async fn ids_are_taken_in_any_case_and_numbers_plain() {
    let upper = ID.to_uppercase();
    assert_eq!(call(&format!("/orders/{upper}")).await.body, ID);
    let offer = call(&format!("/orders/{ID}/offers/{OTHER}")).await;
    assert_eq!(offer.body, format!("{ID} {OTHER}"));
    assert_eq!(
        call(&format!("/orders/{ID}/stages/12")).await.body,
        format!("{ID} 12")
    );
}

#[tokio::test]
async fn anything_else_in_their_place_is_400_and_says_what_must_be_there() {
    let simple = ID.replace('-', "");
    for (path, expected) in [
        (format!("/orders/{simple}"), "a hyphenated UUID"),
        (format!("/orders/{{{ID}}}"), "a hyphenated UUID"),
        ("/orders/7".to_owned(), "a hyphenated UUID"),
        ("/orders/%ff".to_owned(), "percent-encoded UTF-8"),
        (format!("/orders/{ID}/offers/x"), "a hyphenated UUID"),
        (format!("/orders/{ID}/stages/+1"), "a whole number"),
        (format!("/orders/{ID}/stages/-1"), "a whole number"),
        (format!("/orders/{ID}/stages/01"), "a whole number"),
        (format!("/orders/{ID}/stages/4294967296"), "a whole number"),
    ] {
        let answer = call(&path).await;
        assert_eq!(
            answer.problem(),
            (400, "MALFORMED_REQUEST".to_owned()),
            "{path}"
        );
        assert!(
            answer.detail().contains(expected),
            "{path}: {}",
            answer.detail()
        );
    }
}

#[tokio::test]
async fn a_query_names_its_parameters() {
    let read = call("/list?state=inProgress&atLeast=3&unknown=1").await;
    assert_eq!(read.body, "Some(InProgress) Some(\"3\")");
    assert_eq!(call("/list").await.body, "None None");
    for (path, reason) in [
        ("/list?state=lost", "inProgress"),
        ("/list?state=finished&state=finished", "twice"),
    ] {
        let answer = call(path).await;
        assert_eq!(
            answer.problem(),
            (400, "MALFORMED_REQUEST".to_owned()),
            "{path}"
        );
        assert!(
            answer.detail().contains(reason),
            "{path}: {}",
            answer.detail()
        );
    }
}
