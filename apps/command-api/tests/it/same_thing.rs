//! A command that lost a race is decided again only on the same thing as when it came. One instance
//! is held up at its append, and what it acts on is exchanged through the other meanwhile.

use kernel::Actor;
use serde_json::{Value, json};

use crate::apart::Apart;
use crate::api::Reply;
use crate::people::{COMMISSIONER, OAK, OPERATOR};
use crate::scene::{PlacedOrder, offer};

const RACES: usize = 200;
/// How many of them one order sees, where it can see more than one: it grows.
const IN_A_ROW: usize = 20;

impl Apart {
    /// Sends a command through the instance that is held up once it appends `fact`, does something
    /// else meanwhile, and tells what became of the command.
    async fn beside(
        &self,
        order: &PlacedOrder<'_>,
        (by, rest, body): (Actor, &str, Value),
        fact: &str,
        meanwhile: impl AsyncFnOnce(),
    ) -> Reply {
        self.proxy.hold_at(fact);
        let path = format!("/v1/orders/{}/{rest}", order.id);
        let call = self.through.post(path).by(by).json(&body);
        let call = tokio::spawn(call.send());
        self.proxy.held().await;
        meanwhile().await;
        self.proxy.release();
        call.await.unwrap()
    }
}

fn conflict(reply: &Reply) {
    assert_eq!(reply.outcome(), "409 CONCURRENT_MODIFICATION", "{reply:?}");
    assert_eq!(reply.problem()["retryable"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_to_cancel_the_negotiation_never_becomes_a_dispute() {
    let apart = Apart::set().await;
    for _ in 0..RACES {
        let order = apart.scene.offered().await;
        let cancel = (COMMISSIONER, "cancel", json!({"reason": "We move abroad."}));
        let meanwhile = async || drop(order.confirm(OAK).expect_done().await);
        let reply = apart
            .beside(&order, cancel, "OrderCancelled", meanwhile)
            .await;
        conflict(&reply);
        assert_eq!(order.event_names().await.last().unwrap(), "OfferConfirmed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_marking_is_approved_that_its_sender_did_not_see() {
    let apart = Apart::set().await;
    for _ in 0..RACES / IN_A_ROW {
        race_for_a_marking(&apart).await;
    }
}

async fn race_for_a_marking(apart: &Apart) {
    let order = apart.scene.in_progress().await;
    let complete = || order.post("stages/1/complete").by(OAK);
    complete().expect_done().await;
    for race in 0..IN_A_ROW {
        let approve = (COMMISSIONER, "stages/1/approve", json!({}));
        let note = json!({"note": "Smoother."});
        let changes = (COMMISSIONER, "stages/1/request-changes", note);
        let (command, fact) = if race % 2 == 0 {
            (approve, "StageApproved")
        } else {
            (changes, "StageChangesRequested")
        };
        let meanwhile = async || {
            order.request_changes(1).expect_done().await;
            complete().expect_done().await;
        };
        conflict(&apart.beside(&order, command, fact, meanwhile).await);
    }
    let names = order.event_names().await;
    assert!(!names.iter().any(|name| name == "StageApproved"));
    let sent_back = names.iter().filter(|name| *name == "StageChangesRequested");
    assert_eq!(sent_back.count(), IN_A_ROW);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_dispute_is_resolved_but_the_one_that_was_seen() {
    let apart = Apart::set().await;
    let order = apart.scene.disputed().await;
    for _ in 0..20 {
        let body = json!({"resolution": "cancel", "note": "As agreed."});
        let resolve = (OPERATOR, "dispute/resolve", body);
        let meanwhile = async || {
            order.resolve("resume").expect_done().await;
            order.cancel().by(OAK).expect_done().await;
        };
        conflict(
            &apart
                .beside(&order, resolve, "DisputeResolved", meanwhile)
                .await,
        );
    }
    assert!(
        !order
            .event_names()
            .await
            .iter()
            .any(|name| name == "OrderCancelled")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_terms_are_confirmed_but_those_that_were_seen() {
    let apart = Apart::set().await;
    let order = apart.scene.offered().await;
    let confirm = format!("offers/{}/confirm", OAK.id);
    for amount in 900..920 {
        let mut other = offer();
        other["budget"]["amount"] = json!(amount.to_string());
        let command = (COMMISSIONER, confirm.as_str(), json!({}));
        let meanwhile = async || drop(order.put("offers", OAK).json(&other).expect_done().await);
        conflict(
            &apart
                .beside(&order, command, "OfferConfirmed", meanwhile)
                .await,
        );
    }
    assert!(
        !order
            .event_names()
            .await
            .iter()
            .any(|name| name == "OfferConfirmed")
    );
}

/// What changes nothing of what it acts on does not stop a command that lost the race.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_race_about_another_thing_is_decided_again() {
    let apart = Apart::set().await;
    let order = apart.scene.offered().await;
    let cancel = (COMMISSIONER, "cancel", json!({"reason": "We move abroad."}));
    let meanwhile = async || drop(order.edit(&json!({"title": "Elm"})).expect_done().await);
    let reply = apart
        .beside(&order, cancel, "OrderCancelled", meanwhile)
        .await;
    assert_eq!(reply.accepted(), (4, "cancelled".to_owned()));
}
