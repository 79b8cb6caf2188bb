//! Why an account is what it is, over HTTP: each place that a fact may have, in whole bodies.

use std::sync::Arc;

use bonus_domain::{Beneficiary, Fact, PolicyVersion, SourceType};
use bonus_store::{ConflictMode, Delivery, Ingest, activate, check_policies};
use kernel::{EventId, OrderId, RandomIds};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::people::{ANALYST, COMMISSIONER, OPERATOR, STRANGER};
use crate::scene::Scene;

const NOW: &str = "2027-02-01T00:00:00Z";
/// What the consumer gave up on.
const GIVEN_UP: Uuid = Uuid::from_u128(0xdead);

fn order(number: u128) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(0xd0 + number))
}

fn told(number: u128, event: &str, of: u128, at: &str) -> Delivery {
    Delivery {
        fact: Fact {
            source_event_id: EventId::from_uuid(Uuid::from_u128(number)),
            source_type: SourceType::known(event).expect("a kept event"),
            beneficiary: Beneficiary::new(COMMISSIONER.role, COMMISSIONER.id),
            order_id: Some(order(of)),
            by_dispute: false,
            occurred_at: format!("{at}T00:00:00Z").parse().unwrap(),
        },
        correlation_id: Uuid::from_u128(number),
        traceparent: None,
    }
}

async fn put_in_force(scene: &Scene, version: u16) {
    let mut transaction = scene.pool.begin().await.unwrap();
    let version = PolicyVersion::new(version).unwrap();
    activate(&mut transaction, version, OPERATOR.id)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

/// An account under policy 2 with a fact in every place: in the window, out of it and ahead of it, one
/// that is reversed and the one that reverses it, one that was deferred; and a dead letter.
async fn every_place() -> Scene {
    let scene = Scene::set().await;
    check_policies(&scene.pool).await.unwrap();
    let (clock, ids) = (scene.clock.clone(), Arc::new(RandomIds));
    let ingest = Ingest::new(scene.pool.clone(), ConflictMode::Ingest, clock, ids);
    put_in_force(&scene, 2).await;
    let facts = [
        told(1, "OrderPlaced", 1, "2027-01-20"),
        told(2, "OrderCompleted", 1, "2026-12-01"),
        told(3, "OrderPlaced", 2, "2027-01-10"),
        told(4, "OrderCancelled", 2, "2027-01-11"),
        told(5, "OfferConfirmed", 3, "2027-02-03"),
    ];
    ingest.run(&facts).await.unwrap();
    put_in_force(&scene, 1).await;
    let deferred = told(6, "OrderPlaced", 4, "2027-01-25");
    ingest.run(&[deferred]).await.unwrap();
    sqlx::query(
        "INSERT INTO ops.dead_letters
             (id, consumer, topic, topic_id, partition, \"offset\", key, value, header_names,
              header_values, ce_id, code, kind, detail, cause, attempts, first_failed_at,
              last_failed_at, last_partition, last_offset)
         VALUES ($1, 'atlas-bonus', 'facts', 'id', 0, 1, '', 'x', '{}', '{}', $2,
                 'POLICY_VERSION_CONFLICT', 'policy-conflict', 'detail', 'detail', 1, now(), now(), 0, 1)",
    )
    .bind(Uuid::from_u128(0x1))
    .bind(GIVEN_UP)
    .execute(&scene.pool)
    .await
    .unwrap();
    scene.catch_up().await;
    scene
}

/// A fact as it is told: its place, its points and those in the window, and why.
fn part(fact: &Delivery, place: &str, [points, window_points]: [i64; 2], sentence: &str) -> Value {
    let fact = &fact.fact;
    json!({
        "eventId": fact.source_event_id,
        "event": fact.source_type,
        "orderId": fact.order_id,
        "link": fact.order_id.map(|order| format!("/v1/orders/{order}/timeline")),
        "occurredAt": fact.occurred_at,
        "place": place,
        "points": points,
        "windowPoints": window_points,
        "reversedBy": (place == "reversed").then(|| Uuid::from_u128(4)),
        "sentence": sentence,
    })
}

/// Every fact, newest first.
fn parts() -> [Value; 6] {
    [
        part(
            &told(5, "OfferConfirmed", 3, "2027-02-03"),
            "ahead",
            [30, 0],
            "OfferConfirmed gives 30 points under policy 2; it counts for VIP from \
             2027-02-03T00:00:00Z on, when it occurs.",
        ),
        part(
            &told(6, "OrderPlaced", 4, "2027-01-25"),
            "deferred",
            [0, 0],
            "OrderPlaced counts nothing yet: it was deferred, since the account was not of the \
             policy in force, and counts from the next recompute on.",
        ),
        part(
            &told(1, "OrderPlaced", 1, "2027-01-20"),
            "inWindow",
            [10, 10],
            "OrderPlaced gives 10 points under policy 2; it counts for VIP until \
             2027-02-19T00:00:00Z.",
        ),
        part(
            &told(4, "OrderCancelled", 2, "2027-01-11"),
            "notRewarded",
            [0, 0],
            "OrderCancelled counts nothing: policy 2 gives no points for it in the role \
             commissioner.",
        ),
        part(
            &told(3, "OrderPlaced", 2, "2027-01-10"),
            "reversed",
            [0, 0],
            "OrderPlaced counts nothing: the 10 points that it would give under policy 2 are taken \
             away by event 00000000-0000-0000-0000-000000000004 of the same order.",
        ),
        part(
            &told(2, "OrderCompleted", 1, "2026-12-01"),
            "leftWindow",
            [120, 0],
            "OrderCompleted gives 120 points under policy 2; it counts for VIP no more: it left the \
             window at 2026-12-31T00:00:00Z.",
        ),
    ]
}

fn path() -> String {
    format!("/v1/bonus/accounts/{}/explain", COMMISSIONER.id)
}

#[tokio::test]
async fn an_explanation_has_every_fact_in_its_place_and_sums_to_the_account() {
    let scene = every_place().await;
    let expected = json!({
        "id": COMMISSIONER.id,
        "role": "commissioner",
        "policyVersion": 2,
        "asOf": NOW,
        "lifetimePoints": 160,
        "grade": "Silver",
        "nextGrade": {"name": "Gold", "pointsToGo": 240},
        "vip": {
            "active": false,
            "windowPoints": 10,
            "threshold": 250,
            "pointsToGo": 240,
            "nextChange": null,
        },
        "sentences": [
            "160 points make Silver; 240 more make Gold.",
            "10 points in the window; VIP takes 240 more.",
        ],
        "parts": parts(),
        "older": null,
    });
    for viewer in [COMMISSIONER, OPERATOR, ANALYST] {
        let reply = scene.api.get(path()).by(viewer).send().await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &expected));
    }
    let account = format!("/v1/bonus/accounts/{}", COMMISSIONER.id);
    let shown = scene.api.get(account).by(OPERATOR).send().await.body;
    assert_eq!(shown["lifetimePoints"], expected["lifetimePoints"]);
    assert_eq!(shown["vip"]["windowPoints"], 10);
    let refused = scene.api.get(path()).by(STRANGER).send().await;
    assert_eq!(refused.outcome(), "404 NOT_FOUND");
}

#[tokio::test]
async fn each_fact_says_what_it_did_and_that_it_counts_once() {
    let scene = every_place().await;
    for part in parts() {
        let event = part["eventId"].as_str().unwrap();
        let asked = format!("{}?event={event}", path());
        let reply = scene.api.get(asked).by(COMMISSIONER).send().await;
        let sentence = part["sentence"].as_str().unwrap();
        let expected = json!({
            "id": COMMISSIONER.id,
            "role": "commissioner",
            "policyVersion": 2,
            "asOf": NOW,
            "eventId": event,
            "place": part["place"],
            "points": part["points"],
            "part": part,
            "sentence": format!(
                "{sentence} Told again, it counts nothing more: it is known already."
            ),
        });
        assert_eq!((reply.status.as_u16(), reply.body), (200, expected));
    }
}

#[tokio::test]
async fn of_dead_letters_operators_are_told_and_of_the_unknown_nobody() {
    let scene = every_place().await;
    let given_up = format!("{}?event={GIVEN_UP}", path());
    let reply = scene.api.get(given_up.as_str()).by(OPERATOR).send().await;
    let expected = json!({
        "id": COMMISSIONER.id,
        "role": "commissioner",
        "policyVersion": 2,
        "asOf": NOW,
        "eventId": GIVEN_UP,
        "place": "deadLetter",
        "points": 0,
        "part": null,
        "sentence": "The event counts nothing: it is a dead letter (POLICY_VERSION_CONFLICT), and \
                     counts for whomever it names once it was redriven.",
    });
    assert_eq!((reply.status.as_u16(), reply.body), (200, expected));
    let unknown = format!("{}?event={}", path(), Uuid::from_u128(0x99));
    for (asked, viewer) in [(&given_up, COMMISSIONER), (&unknown, OPERATOR)] {
        let reply = scene.api.get(asked.as_str()).by(viewer).send().await;
        assert_eq!(reply.outcome(), "404 NOT_FOUND", "{asked} by {viewer}");
    }
    let nothing = scene.api.get(path() + "?event=x").by(OPERATOR).send().await;
    assert_eq!(nothing.outcome(), "400 MALFORMED_REQUEST");
}
