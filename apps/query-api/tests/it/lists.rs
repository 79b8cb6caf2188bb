//! Lists over HTTP: items, filters, pages, and cursors that belong to one list.

use serde_json::{Value, json};

use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::Scene;
use crate::story::{Story, registered};

/// Five orders of five days; the third is in progress.
async fn five_orders() -> Scene {
    let scene = Scene::set().await;
    for day in 1..=5 {
        let mut story = Story::placed(&scene.pool, day).await;
        if day == 3 {
            story.offered(&scene.pool).await;
            story.confirmed(&scene.pool).await;
        }
    }
    scene.catch_up().await;
    scene
}

fn titles(body: &Value) -> Vec<String> {
    let items = body["items"].as_array().unwrap();
    let title = |item: &Value| item["request"]["title"].as_str().unwrap().to_owned();
    items.iter().map(title).collect()
}

/// Follows the cursors from the first page to the last.
async fn pages(scene: &Scene, path: &str, viewer: kernel::Actor) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let reply = scene
            .api
            .get(format!("{path}{cursor}"))
            .by(viewer)
            .send()
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let next = reply.body["nextCursor"]
            .as_str()
            .map(|next| format!("&cursor={next}"));
        pages.push(reply.body);
        let Some(next) = next else {
            return pages;
        };
        cursor = next;
    }
}

#[tokio::test]
async fn an_item_has_its_keys_and_no_others() {
    let scene = five_orders().await;
    let reply = scene
        .api
        .get("/v1/orders?state=inProgress")
        .by(COMMISSIONER)
        .send()
        .await;
    assert_eq!(
        reply.body["items"],
        json!([{
            "orderId": "00000000-0000-0000-0000-0000000000d3",
            "version": 5,
            "state": "inProgress",
            "yourTurn": false,
            "commissionerId": COMMISSIONER.id,
            "workshopId": OAK.id,
            "request": {
                "title": "Oak table 3",
                "budget": {"amount": "1500.00", "currency": "EUR"},
                "deadline": "2027-06-01T00:00:00Z", "revision": 1,
            },
            "currentStage": 1,
            "dispute": null,
            "createdAt": "2027-01-03T00:00:00Z",
            "updatedAt": "2027-01-03T04:00:00Z",
        }])
    );
    let losers = scene
        .api
        .get("/v1/orders?state=inProgress")
        .by(ELM)
        .send()
        .await;
    assert_eq!(losers.body["items"][0]["workshopId"], Value::Null);
    assert_eq!(losers.body["items"][0]["currentStage"], Value::Null);
}

#[tokio::test]
async fn filters_by_another_s_id_give_an_empty_list() {
    let scene = five_orders().await;
    for (path, viewer, found) in [
        ("/v1/orders".to_owned(), COMMISSIONER, 5),
        ("/v1/orders".to_owned(), STRANGER, 0),
        ("/v1/orders".to_owned(), ASH, 0),
        ("/v1/orders".to_owned(), OPERATOR, 5),
        (
            format!("/v1/orders?commissionerId={}", COMMISSIONER.id),
            ANALYST,
            5,
        ),
        (
            format!("/v1/orders?commissionerId={}", COMMISSIONER.id),
            STRANGER,
            0,
        ),
        (
            format!("/v1/orders?workshopId={}&state=negotiating", OAK.id),
            COMMISSIONER,
            4,
        ),
        (format!("/v1/orders?workshopId={}", OAK.id), OAK, 5),
        (format!("/v1/orders?workshopId={}", OAK.id), ELM, 0),
    ] {
        let reply = scene.api.get(&path).by(viewer).send().await;
        assert_eq!(reply.status, 200);
        assert_eq!(titles(&reply.body).len(), found, "{path} for {viewer}");
    }
}

#[tokio::test]
async fn pages_follow_one_another() {
    let scene = five_orders().await;
    for viewer in [COMMISSIONER, OAK, OPERATOR] {
        for (limit, sizes) in [
            (1, vec![1; 5]),
            (2, vec![2, 2, 1]),
            (5, vec![5]),
            (200, vec![5]),
        ] {
            let pages = pages(&scene, &format!("/v1/orders?limit={limit}"), viewer).await;
            let found: Vec<_> = pages.iter().map(titles).collect();
            assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
            let newest_first = ["5", "4", "3", "2", "1"].map(|day| format!("Oak table {day}"));
            assert_eq!(found.concat(), newest_first);
        }
    }
    let timeline = "/v1/orders/00000000-0000-0000-0000-0000000000d3/timeline?limit=2";
    let sizes = pages(&scene, timeline, ELM).await;
    let sizes: Vec<_> = sizes
        .iter()
        .map(|p| p["items"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [2, 1]);
}

#[tokio::test]
async fn a_cursor_belongs_to_one_list_and_one_viewer() {
    let scene = five_orders().await;
    let first = scene
        .api
        .get("/v1/orders?limit=2")
        .by(COMMISSIONER)
        .send()
        .await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let order = "00000000-0000-0000-0000-0000000000d3";
    for (path, viewer) in [
        (format!("/v1/orders?cursor={cursor}"), OPERATOR),
        (
            format!("/v1/orders?state=inProgress&cursor={cursor}"),
            COMMISSIONER,
        ),
        (
            format!("/v1/orders/{order}/timeline?cursor={cursor}"),
            COMMISSIONER,
        ),
        (format!("/v1/workshops?cursor={cursor}"), COMMISSIONER),
        ("/v1/orders?cursor=nonsense".to_owned(), COMMISSIONER),
    ] {
        let reply = scene.api.get(&path).by(viewer).send().await;
        assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST", "{path}");
    }
}

fn entry(workshop: kernel::Actor, name: &str, accepts: bool) -> Value {
    json!({"workshopId": workshop.id, "name": name, "acceptsCommissions": accepts})
}

#[tokio::test]
async fn the_directory_is_for_anyone_signed_in() {
    let scene = Scene::set().await;
    for (workshop, name, accepts) in [(OAK, "Oak", true), (ELM, "Elm", false), (ASH, "Ash", true)] {
        registered(&scene.pool, workshop, name, accepts).await;
    }
    scene.catch_up().await;
    let all = [
        entry(ASH, "Ash", true),
        entry(ELM, "Elm", false),
        entry(OAK, "Oak", true),
    ];
    for viewer in [COMMISSIONER, OAK, OPERATOR, ANALYST] {
        let reply = scene.api.get("/v1/workshops").by(viewer).send().await;
        assert_eq!(reply.body, json!({"items": all, "nextCursor": null}));
        let pages = pages(&scene, "/v1/workshops?limit=2", viewer).await;
        assert_eq!(pages.len(), 2);
        assert_eq!(pages[0]["items"], json!(all[..2]));
        assert_eq!(pages[1]["items"], json!(all[2..]));
    }
}
