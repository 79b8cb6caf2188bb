//! Orders that were stored under other rules than those of today go on as ever.

use serde_json::{Value, json};

use crate::people::{COMMISSIONER, ELM, OAK, OPERATOR};
use crate::scene::{PlacedOrder, Scene, offer};

/// Currencies that have left ISO 4217.
const GONE: [&str; 2] = ["HRK", "ZWL"];

impl PlacedOrder<'_> {
    /// Puts `value` at `path` of the payloads of its events of this type, as the owner of the store.
    async fn rewrite(&self, event_type: &str, path: &str, value: Value) {
        let owner = self.scene.database.pool_owner().await;
        let rewritten = sqlx::query(
            "UPDATE store.events SET payload = jsonb_set(payload, $3::text[], $4)
             WHERE aggregate_id = $1 AND event_type = $2",
        );
        let rewritten = rewritten
            .bind(&self.id)
            .bind(event_type)
            .bind(path)
            .bind(value);
        assert!(rewritten.execute(&owner).await.unwrap().rows_affected() > 0);
    }

    /// Makes the request one that nobody could place today.
    async fn outlive(&self, currency: &str) {
        let title = "Oak\u{7} table ".repeat(25);
        self.rewrite("OrderPlaced", "{request,budget,currency}", json!(currency))
            .await;
        self.rewrite("OrderPlaced", "{request,title}", json!(title))
            .await;
    }
}

fn offer_in(currency: &str) -> Value {
    let mut offer = offer();
    offer["budget"]["currency"] = json!(currency);
    offer
}

/// More stages than an offer may have today, which take longer, under names that are not unique
/// and hold a control character; the first and the last block.
fn stages() -> Value {
    let stages = (1..=25).map(|number| {
        json!({"name": "Stage\u{7}", "description": "", "durationDays": 40_000,
               "requiresApproval": number == 1 || number == 25})
    });
    stages.collect()
}

#[tokio::test]
async fn an_order_in_a_currency_that_is_gone_is_negotiated_to_its_end() {
    let scene = Scene::set().await;
    for currency in GONE {
        let order = scene.placed().await;
        order.outlive(currency).await;
        order.decline(ELM).expect_done().await;
        order
            .put("offers", OAK)
            .json(&offer_in(currency))
            .expect_done()
            .await;
        let edit = json!({"brief": "For six people."});
        order.edit(&edit).expect_done().await;
        for body in [offer(), offer_in("DEM"), offer_in("XXX")] {
            let refused = order.put("offers", OAK).json(&body).send().await;
            assert_eq!(refused.outcome(), "422 VALIDATION_FAILED");
            assert_eq!(
                refused.body["errors"],
                json!([{
                    "pointer": "/budget/currency",
                    "detail": format!("must be {currency}, the currency of the request"),
                }])
            );
        }
        order
            .put("offers", OAK)
            .json(&offer_in(currency))
            .expect_done()
            .await;
        order.confirm(OAK).expect_done().await;
        let confirmed = order.stream().await.events.pop().unwrap();
        assert_eq!(
            confirmed.payload.value().unwrap()["terms"]["budget"]["currency"],
            currency
        );

        let order = scene.placed().await;
        order.outlive(currency).await;
        order.cancel().by(COMMISSIONER).expect_done().await;
    }
}

#[tokio::test]
async fn nobody_asks_anew_in_a_currency_that_is_gone() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    for currency in GONE {
        let budget = json!({"budget": {"amount": "900", "currency": currency}});
        let refused = order.edit(&budget).send().await;
        assert_eq!(refused.outcome(), "422 VALIDATION_FAILED");
        let refused = order.put("offers", OAK).json(&offer_in(currency));
        assert_eq!(refused.send().await.outcome(), "422 VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn work_under_terms_that_nobody_could_offer_today_goes_on_to_its_end() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    order.outlive("HRK").await;
    order
        .rewrite("OfferSubmitted", "{offer,stages}", stages())
        .await;
    order
        .rewrite(
            "OfferSubmitted",
            "{offer,budget}",
            json!({"amount": "0.125", "currency": "HRK"}),
        )
        .await;
    order.confirm(OAK).expect_done().await;
    for stage in 1..=25 {
        let complete = order.post(&format!("stages/{stage}/complete"));
        complete.by(OAK).expect_done().await;
        if stage == 1 {
            order.request_changes(1).expect_done().await;
            order.post("stages/1/complete").by(OAK).expect_done().await;
        }
        if stage == 1 || stage == 25 {
            let approve = order.post(&format!("stages/{stage}/approve"));
            approve.by(COMMISSIONER).expect_done().await;
        }
    }
    order.cancel().by(OAK).expect_done().await;
    order
        .rewrite("CancellationDisputed", "{reason}", json!(""))
        .await;
    order.resolve("resume").expect_done().await;
    let accept = order.post("accept").by(COMMISSIONER);
    let done = accept.expect_done().await;
    assert_eq!(done.body["state"], "completed");
}

#[tokio::test]
async fn a_workshop_under_a_name_of_another_day_is_invited_and_renamed() {
    let scene = Scene::set().await;
    let owner = scene.database.pool_owner().await;
    let rewritten = sqlx::query(
        "UPDATE store.events SET payload = jsonb_set(payload, '{name}', $2) WHERE aggregate_id = $1",
    );
    let rewritten = rewritten
        .bind(OAK.id.to_string())
        .bind(json!("Oak\u{7} & Elm ".repeat(30)));
    assert_eq!(rewritten.execute(&owner).await.unwrap().rows_affected(), 1);
    scene.placed().await;
    let entry = json!({"name": "Oak", "acceptsCommissions": true});
    let call = scene.api.put(format!("/v1/workshops/{}", OAK.id));
    let reply = call.by(OPERATOR).json(&entry).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}
