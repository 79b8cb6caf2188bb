//! The store's answer to an append is lost on the way. Then nobody here knows what came of it, and
//! says so; the key tells.

use event_store::StreamId;
use kernel::Actor;
use serde_json::json;
use test_support::{Cut, eventually};

use crate::apart::{Apart, PATIENCE};
use crate::api::{Api, Call, Reply};
use crate::people::{COMMISSIONER, ELM, OAK, OPERATOR};
use crate::scene::{PlacedOrder, Scene, offer};

/// A command that leads to two facts, the second of which is named; the order is in the state in
/// which it does.
struct Pair {
    method: &'static str,
    rest: String,
    body: serde_json::Value,
    by: Actor,
    facts: [&'static str; 2],
}

impl Pair {
    fn new(rest: impl Into<String>, by: Actor, facts: [&'static str; 2]) -> Self {
        Self {
            method: "POST",
            rest: rest.into(),
            body: json!({}),
            by,
            facts,
        }
    }

    fn sent_to(&self, api: &Api, order: &PlacedOrder<'_>) -> Call {
        let path = format!("/v1/orders/{}/{}", order.id, self.rest);
        let call = api.call(self.method, path).by(self.by).key(&order.id);
        call.json(&self.body)
    }
}

fn decline(workshop: Actor) -> String {
    format!("invitations/{}/decline", workshop.id)
}

/// An order, and the command that closes its round or its work.
async fn pairs(scene: &Scene) -> Vec<(PlacedOrder<'_>, Pair)> {
    let last_offer = Pair {
        method: "PUT",
        body: offer(),
        ..Pair::new(
            format!("offers/{}", ELM.id),
            ELM,
            ["OfferSubmitted", "AllResponsesReceived"],
        )
    };
    let last_answer = Pair::new(
        decline(ELM),
        ELM,
        ["InvitationDeclined", "AllResponsesReceived"],
    );
    let no_answer = Pair::new(
        decline(OAK),
        OAK,
        ["InvitationDeclined", "AllInvitationsClosed"],
    );
    let last_stage = Pair::new(
        "stages/2/complete",
        OAK,
        ["StageMarkedComplete", "OrderFinished"],
    );
    let approval = Pair::new(
        "stages/1/approve",
        COMMISSIONER,
        ["StageApproved", "OrderFinished"],
    );

    let withdrawal = Pair::new(
        format!("offers/{}/withdraw", OAK.id),
        OAK,
        ["OfferWithdrawn", "AllInvitationsClosed"],
    );
    let resolution = |resolution: &str, fact| Pair {
        body: json!({"resolution": resolution, "note": "As agreed."}),
        ..Pair::new("dispute/resolve", OPERATOR, ["DisputeResolved", fact])
    };
    let disputed = async || {
        let order = scene.in_progress().await;
        order.cancel().by(COMMISSIONER).expect_done().await;
        order
    };
    let one_offer = scene.placed_for(&[OAK]).await;
    one_offer
        .put("offers", OAK)
        .json(&offer())
        .expect_done()
        .await;

    let work = scene.in_progress().await;
    work.post("stages/1/complete").by(OAK).expect_done().await;
    work.post("stages/1/approve")
        .by(COMMISSIONER)
        .expect_done()
        .await;

    let one_stage = scene.placed_for(&[OAK]).await;
    let mut blocking = offer();
    blocking["stages"].as_array_mut().unwrap().truncate(1);
    one_stage
        .put("offers", OAK)
        .json(&blocking)
        .expect_done()
        .await;
    one_stage.confirm(OAK).expect_done().await;
    one_stage
        .post("stages/1/complete")
        .by(OAK)
        .expect_done()
        .await;

    vec![
        (scene.offered().await, last_offer),
        (scene.offered().await, last_answer),
        (scene.placed_for(&[OAK]).await, no_answer),
        (work, last_stage),
        (one_stage, approval),
        (one_offer, withdrawal),
        (disputed().await, resolution("cancel", "OrderCancelled")),
        (disputed().await, resolution("complete", "OrderCompleted")),
    ]
}

#[track_caller]
fn is_unknown(reply: &Reply) {
    assert_eq!(reply.outcome(), "503 STORE_UNAVAILABLE", "{reply:?}");
    let problem = reply.problem();
    assert_eq!(
        (&problem["outcome"], &problem["retryable"]),
        (&json!("unknown"), &json!(true))
    );
    assert_eq!(reply.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn an_answer_that_is_lost_is_given_again_under_the_key() {
    let apart = Apart::set().await;
    for (count, (order, pair)) in (1..).zip(pairs(&apart.scene).await) {
        let before = order.event_names().await;
        apart.proxy.cut_at(pair.facts[1], Cut::BeforeTheAnswer);
        let lost = pair.sent_to(&apart.through, &order).send().await;
        is_unknown(&lost);
        assert_eq!(apart.proxy.cuts(), count);

        let told = pair.sent_to(&apart.scene.api, &order).expect_done().await;
        assert_eq!(
            told.header("idempotency-replayed"),
            Some("true"),
            "{told:?}"
        );
        let again = pair.sent_to(&apart.through, &order).expect_done().await;
        assert_eq!(again.body, told.body);
        assert_eq!(
            order.event_names().await,
            [before, pair.facts.map(str::to_owned).to_vec()].concat()
        );
    }
}

#[tokio::test]
async fn a_request_that_is_lost_is_carried_out_under_the_key() {
    let apart = Apart::set().await;
    for (count, (order, pair)) in (1..).zip(pairs(&apart.scene).await) {
        let before = order.event_names().await;
        apart.proxy.cut_at(pair.facts[1], Cut::BeforeTheRequest);
        let lost = pair.sent_to(&apart.through, &order).send().await;
        is_unknown(&lost);
        assert_eq!(apart.proxy.cuts(), count);
        assert_eq!(order.event_names().await, before);

        let done = pair.sent_to(&apart.scene.api, &order).expect_done().await;
        assert_eq!(done.header("idempotency-replayed"), None, "{done:?}");
        let again = pair.sent_to(&apart.through, &order).expect_done().await;
        assert_eq!(again.body, done.body);
        assert_eq!(
            order.event_names().await,
            [before, pair.facts.map(str::to_owned).to_vec()].concat()
        );
    }
}

#[tokio::test]
async fn before_an_append_was_sent_nothing_was_changed() {
    let apart = Apart::set().await;
    let order = apart.scene.offered().await;
    let path = format!("/v1/orders/{}/offers/{}/confirm", order.id, OAK.id);
    // The key goes to the store when the order is loaded.
    apart
        .proxy
        .cut_at("loaded-under-this-key", Cut::BeforeTheAnswer);
    let call = apart.through.post(path.as_str()).by(COMMISSIONER);
    let reply = call.key("loaded-under-this-key").send().await;
    assert_eq!(reply.outcome(), "503 STORE_UNAVAILABLE");
    assert_eq!(reply.problem()["outcome"], "none");
    assert_eq!(order.event_names().await, ["OrderPlaced", "OfferSubmitted"]);
    // The next one is answered over a fresh connection.
    let call = apart.through.post(path).by(COMMISSIONER);
    call.expect_done().await;
}

#[tokio::test]
async fn a_session_that_is_ended_under_an_append_leaves_nobody_wiser() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    let owner = scene.database.pool_owner().await;
    let mut lock = owner.begin().await.unwrap();
    sqlx::query!("LOCK TABLE store.events IN SHARE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let confirm = || order.confirm(OAK).key("k");
    let waiting = tokio::spawn(confirm().send());
    let watcher = scene.database.pool_app().await;
    eventually("the append to be ended", PATIENCE, || async {
        let ended = sqlx::query_scalar!(
            r#"SELECT count(pg_terminate_backend(pid)) AS "count!" FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"#
        );
        match ended.fetch_one(&watcher).await.unwrap() {
            0 => Err("nobody waits yet"),
            _ => Ok(()),
        }
    })
    .await;
    is_unknown(&waiting.await.unwrap());
    lock.rollback().await.unwrap();
    assert_eq!(
        confirm().expect_done().await.header("idempotency-replayed"),
        None
    );
    let stream = order.stream().await;
    assert_eq!(
        (stream.id.kind(), stream.version().get()),
        (StreamId::ORDER, 3)
    );
}
