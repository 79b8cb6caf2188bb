//! Stages that are sent back, and disputes with their three ends.

use serde_json::json;

use crate::people::{COMMISSIONER, ELM, OAK, OPERATOR};
use crate::scene::{PlacedOrder, Scene};

async fn names_after(order: &PlacedOrder<'_>, version: usize) -> Vec<String> {
    order.event_names().await.split_off(version)
}

#[tokio::test]
async fn a_stage_that_is_sent_back_is_marked_again() {
    let scene = Scene::set().await;
    let order = scene.in_progress().await;
    let complete = || order.post("stages/1/complete").by(OAK);
    complete().expect_done().await;
    let reply = order.request_changes(1).expect_done().await;
    assert_eq!(reply.accepted(), (5, "inProgress".to_owned()));
    let again = order.request_changes(1).send().await;
    assert_eq!(again.outcome(), "409 STAGE_NOT_AWAITING_APPROVAL");
    complete().expect_done().await;
    let approve = order.post("stages/1/approve").by(COMMISSIONER);
    approve.expect_done().await;
    assert_eq!(
        names_after(&order, 3).await,
        [
            "StageMarkedComplete",
            "StageChangesRequested",
            "StageMarkedComplete",
            "StageApproved",
        ]
    );
}

#[tokio::test]
async fn a_resumed_order_is_where_it_was() {
    let scene = Scene::set().await;
    let order = scene.in_progress().await;
    order.post("stages/1/complete").by(OAK).expect_done().await;
    order.cancel().by(OAK).expect_done().await;
    let reply = order.resolve("resume").expect_done().await;
    assert_eq!(reply.accepted(), (6, "inProgress".to_owned()));
    // The stage still waits for its approval.
    let again = order.post("stages/1/complete").by(OAK).send().await;
    assert_eq!(again.outcome(), "409 STAGE_AWAITING_APPROVAL");

    let order = scene.finished().await;
    order.cancel().by(COMMISSIONER).expect_done().await;
    let reply = order.resolve("resume").expect_done().await;
    assert_eq!(reply.accepted().1, "finished");
    order.post("accept").by(COMMISSIONER).expect_done().await;
}

#[tokio::test]
async fn a_dispute_can_end_the_order_either_way() {
    let scene = Scene::set().await;
    for (resolution, state, end) in [
        ("cancel", "cancelled", "OrderCancelled"),
        ("complete", "completed", "OrderCompleted"),
    ] {
        let order = scene.disputed().await;
        let reply = order.resolve(resolution).expect_done().await;
        assert_eq!(reply.accepted(), (6, state.to_owned()));
        assert_eq!(names_after(&order, 4).await, ["DisputeResolved", end]);
        for call in [order.resolve("resume"), order.cancel().by(COMMISSIONER)] {
            let refused = call.send().await;
            assert_eq!(refused.outcome(), "409 ILLEGAL_TRANSITION");
            assert_eq!(refused.problem()["state"], state);
        }
    }
}

#[tokio::test]
async fn a_cancellation_by_dispute_carries_the_reason_of_the_dispute() {
    let scene = Scene::set().await;
    let order = scene.disputed().await;
    order.resolve("cancel").expect_done().await;
    let cancelled = order.stream().await.events.pop().unwrap();
    assert_eq!(
        cancelled.payload.value().unwrap()["reason"],
        "We move abroad."
    );
    assert_eq!(cancelled.payload.value().unwrap()["byDispute"], true);
    assert_eq!(
        cancelled.payload.value().unwrap()["cancelledFrom"],
        "inProgress"
    );
    assert_eq!(
        cancelled.payload.value().unwrap()["workshopId"],
        json!(OAK.id)
    );
    let metadata = cancelled.metadata().unwrap();
    assert_eq!(
        (metadata.actor, metadata.on_behalf_of),
        (Some(OPERATOR), None)
    );
}

#[tokio::test]
async fn while_disputed_nothing_else_is_allowed() {
    let scene = Scene::set().await;
    let order = scene.disputed().await;
    for call in [
        order.edit(&json!({"title": "Elm table"})),
        order.invite(&[ELM]),
        order.withdraw(OAK),
        order.post("stages/1/complete").by(OAK),
        order.request_changes(1),
        order.post("accept").by(COMMISSIONER),
        order.cancel().by(OAK),
    ] {
        let refused = call.send().await;
        assert_eq!(refused.outcome(), "409 ILLEGAL_TRANSITION");
        assert_eq!(refused.problem()["state"], "disputed");
    }
}

#[tokio::test]
async fn all_faults_of_a_resolution_are_told_at_once() {
    let scene = Scene::set().await;
    let order = scene.disputed().await;
    let resolve = |body| order.post("dispute/resolve").by(OPERATOR).json(&body);
    let reply = resolve(json!({"resolution": "forget", "note": " "}))
        .send()
        .await;
    assert_eq!(
        reply.problem()["errors"],
        json!([
            {
                "pointer": "/resolution",
                "detail": "must be \"resume\", \"cancel\" or \"complete\"",
            },
            {
                "pointer": "/note",
                "detail": "must have 1 to 2000 characters after trimming, and has 0",
            },
        ])
    );
    let reply = resolve(json!({})).send().await;
    assert_eq!(reply.problem()["errors"].as_array().unwrap().len(), 2);
}
