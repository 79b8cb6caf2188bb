//! Lists in pages.

use axum::routing::get as route_get;
use axum::{Json, Router};
use http_edge::{List, Listing, Page, Problem, Query};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{Answer, app, get, send};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Even,
    OddOnes,
}

#[derive(Deserialize)]
struct Filter {
    from: Option<String>,
    kind: Option<Kind>,
}

/// Lists the numbers below 120, in order, from `from` on.
async fn numbers(Query(filter): Query<Filter>, page: Page) -> Result<Json<List<u32>>, Problem> {
    let from = filter.from.map_or(0, |from| from.parse().unwrap());
    let list = Listing::of(&("numbers", from));
    let after = page.after::<u32>(&list)?;
    let begin = after.map_or(from, |last| last + 1);
    let is_listed = |number: &u32| match filter.kind {
        None => true,
        Some(Kind::Even) => number.is_multiple_of(2),
        Some(Kind::OddOnes) => !number.is_multiple_of(2),
    };
    let rows = (begin..120).filter(is_listed);
    let rows = rows.take(page.limit() as usize + 1).collect();
    Ok(Json(List::of(rows, &page, &list, |last| *last)))
}

async fn call(path: &str) -> Answer {
    let routes = Router::new().route("/numbers", route_get(numbers)).route(
        "/others",
        route_get(|page: Page| async move {
            page.after::<u32>(&Listing::of(&("others", 0)))
                .map(|_| "taken")
        }),
    );
    send(&app(routes), get(path)).await
}

fn items(answer: &Answer) -> Vec<u64> {
    let body = answer.json();
    let items = body["items"].as_array().unwrap();
    items.iter().filter_map(Value::as_u64).collect()
}

fn next(answer: &Answer) -> Option<String> {
    answer.json()["nextCursor"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_overlap() {
    let mut seen = Vec::new();
    let mut path = "/numbers?limit=50&from=1".to_owned();
    let mut pages = 0;
    loop {
        let answer = call(&path).await;
        seen.extend(items(&answer));
        pages += 1;
        let Some(cursor) = next(&answer) else { break };
        path = format!("/numbers?limit=50&from=1&cursor={cursor}");
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, (1..120).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_page_that_is_just_full_is_the_last() {
    let answer = call("/numbers?from=70").await;
    assert_eq!(items(&answer).len(), 50);
    assert_eq!(answer.json()["nextCursor"], Value::Null);
    let empty = call("/numbers?from=120").await;
    assert_eq!(empty.json(), json!({"items": [], "nextCursor": null}));
}

#[tokio::test]
async fn a_limit_is_from_1_to_200() {
    assert_eq!(items(&call("/numbers").await).len(), 50);
    assert_eq!(items(&call("/numbers?limit=1").await).len(), 1);
    assert_eq!(items(&call("/numbers?limit=200").await).len(), 120);
    for limit in ["0", "201", "-1", "%2B5", "05", "5.0", "x", ""] {
        let answer = call(&format!("/numbers?limit={limit}")).await;
        assert_eq!(
            answer.problem(),
            (400, "MALFORMED_REQUEST".to_owned()),
            "{limit}"
        );
        assert_eq!(
            answer.detail(),
            "limit must be a whole number from 1 to 200"
        );
    }
}

#[tokio::test]
async fn a_foreign_cursor_is_400() {
    let cursor = next(&call("/numbers?limit=1").await).unwrap();
    assert_eq!(call(&format!("/numbers?cursor={cursor}")).await.status, 200);
    for path in [
        format!("/numbers?from=1&cursor={cursor}"),
        format!("/others?cursor={cursor}"),
        format!("/numbers?cursor=x{cursor}"),
        "/numbers?cursor=".to_owned(),
        "/numbers?cursor=%00".to_owned(),
    ] {
        let answer = call(&path).await;
        assert_eq!(
            answer.problem(),
            (400, "MALFORMED_REQUEST".to_owned()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_query_is_told_in_plain_words() {
    assert_eq!(items(&call("/numbers?kind=oddOnes").await)[0], 1);
    assert_eq!(items(&call("/numbers?colour=red&colour=blue").await)[0], 0);
    for (query, detail) in [
        ("kind=OddOnes", "kind must be one of even, oddOnes"),
        ("kind=", "kind must be one of even, oddOnes"),
        (
            "kind=even&kind=even",
            "the parameter kind stands twice in the query",
        ),
        (
            "limit=1&limit=2",
            "the parameter limit stands twice in the query",
        ),
    ] {
        let answer = call(&format!("/numbers?{query}")).await;
        assert_eq!(answer.problem(), (400, "MALFORMED_REQUEST".to_owned()));
        assert_eq!(answer.detail(), detail);
    }
}
