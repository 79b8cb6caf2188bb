//! Requests that cannot be read, and values that no rule allows.

use axum::http::header;
use serde_json::{Value, json};

use crate::api::Reply;
use crate::people::{COMMISSIONER, OAK, workshop};
use crate::scene::{Scene, offer, request};

async fn place(scene: &Scene, body: String) -> Reply {
    scene
        .api
        .post("/v1/orders")
        .by(COMMISSIONER)
        .raw(body)
        .send()
        .await
}

#[tokio::test]
async fn what_is_not_json_as_we_take_it_is_malformed() {
    let scene = Scene::set().await;
    let text = request(&[OAK]).to_string();
    for body in [
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "\"text\"".to_owned(),
        format!("{text}{{}}"),
        format!("{text},"),
        text.replacen("{\"request\"", "{\"request\":{},\"request\"", 1),
        text.replacen("\"Oak dining table\"", "7", 1),
        text.replacen("\"1250\"", "1250", 1),
        r#"{"request":[],"workshops":[]}"#.to_owned(),
        r#"{"request":{},"workshops":[null]}"#.to_owned(),
        r#"{"request":{},"workshops":{}}"#.to_owned(),
        r#"{"x":1,"x":2}"#.to_owned(),
    ] {
        assert_eq!(
            place(&scene, body.clone()).await.outcome(),
            "400 MALFORMED_REQUEST",
            "{body}"
        );
    }
}

#[tokio::test]
async fn wrong_types_are_shown_where_they_stand() {
    let scene = Scene::set().await;
    let mut body = request(&[OAK]);
    body["request"]["budget"]["amount"] = 1250.into();
    let reply = place(&scene, body.to_string()).await;
    assert_eq!(
        reply.problem()["errors"][0]["pointer"],
        "/request/budget/amount"
    );
}

#[tokio::test]
async fn all_faults_are_listed_at_once_a_passed_deadline_among_them() {
    let scene = Scene::set().await;
    let reply = place(
        &scene,
        json!({
            "request": {
                "title": "",
                "brief": null,
                "budget": {"amount": "-1", "currency": "EURO"},
                "deadline": "2020-01-01T00:00:00Z",
            },
            "workshops": [OAK.id, "nobody", OAK.id, COMMISSIONER.id],
        })
        .to_string(),
    )
    .await;
    assert_eq!(reply.outcome(), "422 VALIDATION_FAILED");
    insta::assert_json_snapshot!("all_faults_of_an_order", reply.problem());

    let order = scene.placed().await;
    let faulty = json!({
        "budget": {"amount": "0", "currency": "eur"},
        "deadline": "tomorrow",
        "description": "a\u{0}b",
        "stages": [
            {"name": "Drawing", "description": "To scale.", "durationDays": 0},
            {"name": "Drawing"},
        ],
        "requestRevision": 0,
    });
    let reply = order.put("offers", OAK).json(&faulty).send().await;
    let mut problem = reply.problem();
    problem["instance"] = "(path)".into();
    insta::assert_json_snapshot!("all_faults_of_an_offer", problem);
}

#[tokio::test]
async fn a_missing_or_null_field_is_required() {
    let scene = Scene::set().await;
    for body in [json!({}), json!({"request": null, "workshops": null})] {
        let reply = place(&scene, body.to_string()).await;
        assert_eq!(
            reply.problem()["errors"],
            json!([
                {"pointer": "/request", "detail": "is required"},
                {"pointer": "/workshops", "detail": "is required"},
            ])
        );
    }
    let order = scene.placed().await;
    let reply = order.post("cancel").by(COMMISSIONER).send().await;
    assert_eq!(
        reply.problem()["errors"],
        json!([{"pointer": "/reason", "detail": "is required"}])
    );
}

#[tokio::test]
async fn too_many_workshops_are_too_many_seats() {
    let scene = Scene::set().await;
    let workshops: Vec<_> = (1..=21).map(workshop).collect();
    let reply = place(&scene, request(&workshops).to_string()).await;
    assert_eq!(
        reply.problem()["errors"],
        json!([{
            "pointer": "/workshops",
            "detail": "must name 1 to 20 workshops, and names 21",
        }])
    );
}

#[tokio::test]
async fn a_body_must_be_declared_as_json() {
    let scene = Scene::set().await;
    let place = || scene.api.post("/v1/orders").by(COMMISSIONER);
    let body = request(&[OAK]).to_string();
    let reply = place().undeclared(body.clone()).send().await;
    assert_eq!(reply.outcome(), "415 UNSUPPORTED_MEDIA_TYPE");
    for (declared, status) in [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON", 201),
    ] {
        let call = place().header(header::CONTENT_TYPE, declared);
        let reply = call.undeclared(body.clone()).send().await;
        assert_eq!(reply.status, status, "{declared}");
    }
}

#[tokio::test]
async fn a_body_has_at_most_256_kib() {
    let scene = Scene::set().await;
    let body = request(&[OAK]).to_string();
    let padded = |length: usize| body.clone() + &" ".repeat(length - body.len());
    let reply = place(&scene, padded(256 * 1024 + 1)).await;
    assert_eq!(reply.outcome(), "413 PAYLOAD_TOO_LARGE");
    assert_eq!(place(&scene, padded(256 * 1024)).await.status, 201);
}

#[tokio::test]
async fn paths_name_ids_and_numbers() {
    let scene = Scene::set().await;
    let order = scene.in_progress().await;
    let id = &order.id;
    for path in [
        "/v1/orders/7/accept".to_owned(),
        format!("/v1/orders/{}/accept", id.replace('-', "")),
        format!("/v1/orders/{id}/stages/one/complete"),
        format!("/v1/orders/{id}/stages/0/complete"),
        format!("/v1/orders/{id}/stages/-1/complete"),
        format!("/v1/orders/{id}/stages/+1/complete"),
        format!("/v1/orders/{id}/stages/1.0/complete"),
        format!("/v1/orders/{id}/invitations/oak/decline"),
    ] {
        // An operator may use every route but one.
        let reply = scene
            .api
            .post(path.as_str())
            .by(crate::people::OPERATOR)
            .send()
            .await;
        assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST", "{path}");
    }
    // Any case is taken.
    let upper = id.to_uppercase();
    let call = scene
        .api
        .post(format!("/v1/orders/{upper}/stages/1/complete"));
    let reply = call.by(OAK).expect_done().await;
    assert_eq!(reply.body["orderId"], id.as_str());
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let scene = Scene::set().await;
    for path in ["/", "/v1", "/v1/orders/x/y/z", "/v2/orders"] {
        let reply = scene.api.post(path).send().await;
        assert_eq!(reply.outcome(), "404 NOT_FOUND", "{path}");
        assert_eq!(reply.problem()["instance"], path);
    }
    let reply = scene.api.call("DELETE", "/v1/orders").send().await;
    assert_eq!(reply.outcome(), "405 METHOD_NOT_ALLOWED");
    assert_eq!(reply.header("allow"), Some("POST"));
}

#[tokio::test]
async fn an_offer_without_stages_is_one_stage() {
    let scene = Scene::set().await;
    for stages in [Value::Null, json!([])] {
        let order = scene.placed().await;
        let mut body = offer();
        body["stages"] = stages;
        order.put("offers", OAK).json(&body).expect_done().await;
        let stored = order
            .stream()
            .await
            .events
            .remove(1)
            .payload
            .value()
            .unwrap();
        assert_eq!(
            stored["offer"]["stages"],
            json!([{
                "name": "Commissioned work",
                "description": "The work as offered.",
                "durationDays": null,
                "requiresApproval": false,
            }])
        );
    }
}

/// JSON has one type of numbers: what is whole is a revision, or none that there is, or below 1.
#[tokio::test]
async fn a_revision_is_a_whole_number_from_1_however_it_is_written() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    for (written, outcome, detail) in [
        (
            "0",
            "422 VALIDATION_FAILED",
            "must be a whole number from 1",
        ),
        (
            "-1",
            "422 VALIDATION_FAILED",
            "must be a whole number from 1",
        ),
        (
            "-1.0",
            "422 VALIDATION_FAILED",
            "must be a whole number from 1",
        ),
        ("2", "409 OFFER_CHANGED", ""),
        ("2.0", "409 OFFER_CHANGED", ""),
        ("1e3", "409 OFFER_CHANGED", ""),
        ("4294967297", "409 OFFER_CHANGED", ""),
        ("9223372036854775807", "409 OFFER_CHANGED", ""),
        ("1.5", "400 MALFORMED_REQUEST", "found the number 1.5"),
        ("\"1\"", "400 MALFORMED_REQUEST", "found a string"),
        ("true", "400 MALFORMED_REQUEST", "found a boolean"),
    ] {
        let confirm = order.confirm(OAK);
        let body = format!(r#"{{"offerRevision":{written}}}"#);
        let reply = confirm.raw(body).send().await;
        assert_eq!(reply.outcome(), outcome, "{written}");
        if !detail.is_empty() {
            let error = &reply.body["errors"][0];
            assert_eq!(error["pointer"], "/offerRevision");
            let told = error["detail"].as_str().unwrap();
            assert!(told.contains(detail), "{written}: {told}");
        }
        let mut put = offer();
        put["requestRevision"] = "here".into();
        let put = put.to_string().replace("\"here\"", written);
        let reply = order.put("offers", OAK).raw(put).send().await;
        let outcome = outcome.replace("OFFER_CHANGED", "OFFER_OUTDATED");
        assert_eq!(reply.outcome(), outcome, "{written}");
    }
    let confirm = order.confirm(OAK).raw(r#"{"offerRevision":1.0}"#);
    confirm.expect_done().await;
}

#[tokio::test]
async fn days_are_whole_however_they_are_written() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let put = |written: &str| {
        let body = offer().to_string();
        order
            .put("offers", OAK)
            .raw(body.replacen(":60", &format!(":{written}"), 1))
    };
    for (written, outcome) in [
        ("0.0", "422 VALIDATION_FAILED"),
        ("3651.0", "422 VALIDATION_FAILED"),
        ("1e300", "400 MALFORMED_REQUEST"),
        ("0.5", "400 MALFORMED_REQUEST"),
    ] {
        assert_eq!(put(written).send().await.outcome(), outcome, "{written}");
    }
    put("6.0e1").expect_done().await;
    let stored = order
        .stream()
        .await
        .events
        .remove(1)
        .payload
        .value()
        .unwrap();
    assert_eq!(stored["offer"]["stages"][1]["durationDays"], 60);
}

#[tokio::test]
async fn an_instant_has_a_t_between_day_and_time() {
    let scene = Scene::set().await;
    let mut body = request(&[OAK]);
    body["request"]["deadline"] = "2030-06-01 00:00:00Z".into();
    let reply = place(&scene, body.to_string()).await;
    assert_eq!(reply.outcome(), "422 VALIDATION_FAILED");
    assert_eq!(
        reply.body["errors"],
        json!([{
            "pointer": "/request/deadline",
            "detail": "must be an RFC 3339 instant with a T between day and time, with its offset, \
                       and without a leap second, such as \"2027-05-01T12:00:00Z\"",
        }])
    );
}
