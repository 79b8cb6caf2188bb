//! How often an offer and a request may be revised, and how large an order may grow.

use serde_json::{Value, json};

use crate::api::{Call, Reply};
use crate::people::{ASH, COMMISSIONER, ELM, OAK};
use crate::scene::{PlacedOrder, Scene, offer};

fn refused(reply: &Reply, code: &str) -> String {
    assert_eq!(reply.outcome(), format!("409 {code}"), "{reply:?}");
    let problem = reply.problem();
    assert_eq!(problem["retryable"], false);
    problem["detail"].as_str().unwrap().to_owned()
}

fn offer_for(amount: u32) -> Value {
    let mut offer = offer();
    offer["budget"]["amount"] = json!(amount.to_string());
    offer
}

#[tokio::test]
async fn a_seat_has_fifty_revisions_of_its_offer_over_all_its_life() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let put = |amount| order.put("offers", OAK).json(&offer_for(amount));
    for amount in 1..=50 {
        put(amount).expect_done().await;
    }
    let reply = put(51).send().await;
    let detail = refused(&reply, "REVISION_LIMIT");
    assert_eq!(detail, "revision 50 is the last: go on with what stands");
    // Nor does a second chance begin to count anew.
    order.withdraw(OAK).expect_done().await;
    order.invite(&[OAK]).expect_done().await;
    refused(&put(51).send().await, "REVISION_LIMIT");
    order.decline(OAK).expect_done().await;
    // What is sent again says nothing of a limit, and others have theirs.
    order.put("offers", ELM).json(&offer()).expect_done().await;
    let again = order.put("offers", ELM).json(&offer()).send().await;
    assert_eq!(again.outcome(), "409 NOTHING_TO_CHANGE");
}

#[tokio::test]
async fn a_request_has_a_hundred_revisions() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let edit = |number: u32| order.edit(&json!({"title": format!("Table {number}")}));
    for number in 2..=100 {
        edit(number).expect_done().await;
    }
    let reply = edit(101).send().await;
    let detail = refused(&reply, "REVISION_LIMIT");
    assert_eq!(detail, "revision 100 is the last: go on with what stands");
    let again = edit(100).send().await;
    assert_eq!(again.outcome(), "409 NOTHING_TO_CHANGE");
    order.put("offers", OAK).json(&offer()).expect_done().await;
    order.confirm(OAK).expect_done().await;
}

impl PlacedOrder<'_> {
    /// Puts so many MiB of edits that change nothing between its placement and what followed, as
    /// the owner of the store.
    async fn grow(&self, mib: i64) {
        let owner = self.scene.database.pool_owner().await;
        let mut transaction = owner.begin().await.unwrap();
        let edits = mib * 16;
        sqlx::query(
            "UPDATE store.events SET sequence = sequence + $2
             WHERE aggregate_id = $1 AND sequence > 1",
        )
        .bind(&self.id)
        .bind(1_000_000_i64)
        .execute(&mut *transaction)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO store.events (position, event_id, aggregate_type, aggregate_id, sequence,
                                       event_type, event_version, payload, metadata, recorded_at)
             SELECT nextval('store.position'), gen_random_uuid(), aggregate_type, aggregate_id,
                    number + 1, 'RequestEdited', '1.0',
                    jsonb_set(payload, '{request,brief}', to_jsonb(repeat('x', 65536)))
                        || '{\"event\": \"RequestEdited\", \"changed\": []}',
                    metadata, recorded_at
             FROM store.events, generate_series(1, $2) AS number
             WHERE aggregate_id = $1 AND sequence = 1",
        )
        .bind(&self.id)
        .bind(edits)
        .execute(&mut *transaction)
        .await
        .unwrap();
        sqlx::query(
            "UPDATE store.events SET sequence = sequence - $2 + $3
             WHERE aggregate_id = $1 AND sequence > $2",
        )
        .bind(&self.id)
        .bind(1_000_000_i64)
        .bind(edits)
        .execute(&mut *transaction)
        .await
        .unwrap();
        transaction.commit().await.unwrap();
    }

    fn complete(&self, stage: u32) -> Call {
        self.post(&format!("stages/{stage}/complete")).by(OAK)
    }
}

#[tokio::test]
async fn a_large_negotiation_takes_no_more_texts_and_comes_to_its_end() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    order.grow(16).await;
    let texts = [
        order.edit(&json!({"title": "Elm table"})),
        order.put("offers", OAK).json(&offer_for(900)),
        order.put("offers", ELM).json(&offer()),
    ];
    for call in texts {
        let detail = refused(&call.send().await, "ORDER_TOO_LARGE");
        assert!(detail.contains("16 MiB"), "{detail}");
    }
    let again = order
        .edit(&json!({"title": "Oak dining table"}))
        .send()
        .await;
    assert_eq!(again.outcome(), "409 NOTHING_TO_CHANGE");
    order.decline(ELM).expect_done().await;
    order.invite(&[ASH]).expect_done().await;
    order.confirm(OAK).expect_done().await;

    let order = scene.offered().await;
    order.grow(21).await;
    refused(&order.invite(&[ASH]).send().await, "ORDER_TOO_LARGE");
    order.withdraw(OAK).expect_done().await;
    order.cancel().by(COMMISSIONER).expect_done().await;
}

#[tokio::test]
async fn large_work_is_sent_back_no_more_and_comes_to_its_end() {
    let scene = Scene::set().await;
    let order = scene.in_progress().await;
    order.grow(16).await;
    order.complete(1).expect_done().await;
    let reply = order.request_changes(1).send().await;
    refused(&reply, "ORDER_TOO_LARGE");
    let approve = order.post("stages/1/approve").by(COMMISSIONER);
    approve.expect_done().await;
    order.cancel().by(OAK).expect_done().await;
    order.resolve("resume").expect_done().await;
    order.grow(5).await;
    let reply = order.cancel().by(OAK).send().await;
    refused(&reply, "ORDER_TOO_LARGE");
    order.complete(2).expect_done().await;
    order.post("accept").by(COMMISSIONER).expect_done().await;
}
