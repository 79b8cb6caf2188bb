//! Every reason of the rules for which a command is refused, as the client sees it.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::api::Reply;
use crate::people::{COMMISSIONER, ELM, OAK, OPERATOR, workshop};
use crate::scene::{Scene, offer, request};

/// Problems by the situation in which they are answered, without what differs from run to run.
#[derive(Default)]
struct Refusals(Map<String, Value>);

impl Refusals {
    #[track_caller]
    fn note(&mut self, situation: &str, reply: &Reply) {
        let mut problem = reply.problem();
        let fields = problem.as_object_mut().unwrap();
        fields.remove("instance");
        fields.remove("requestId");
        self.0.insert(situation.to_owned(), problem);
    }
}

#[tokio::test]
async fn placing_with_workshops_that_cannot_be_invited() {
    let scene = Scene::set().await;
    let closed = json!({"name": "A workshop", "acceptsCommissions": false});
    let put = scene.api.put(format!("/v1/workshops/{}", ELM.id));
    put.by(OPERATOR).json(&closed).expect_done().await;
    let place = scene.api.post("/v1/orders").by(COMMISSIONER);
    let reply = place.json(&request(&[OAK, ELM, workshop(9)])).send().await;
    let mut refusals = Refusals::default();
    refusals.note("one closed, one unknown", &reply);
    insta::assert_json_snapshot!("refusals_of_place_order", refusals.0);
}

#[tokio::test]
async fn answers_to_an_invitation() {
    let scene = Scene::set().await;
    let mut refusals = Refusals::default();
    let order = scene.offered().await;
    let again = order.put("offers", OAK).json(&offer()).send().await;
    refusals.note("putting the offer that stands", &again);
    refusals.note(
        "withdrawing what was never offered",
        &order.withdraw(ELM).send().await,
    );
    refusals.note(
        "declining where an offer stands",
        &order.decline(OAK).send().await,
    );

    let mut ahead = offer();
    ahead["requestRevision"] = 2.into();
    let reply = order.put("offers", ELM).json(&ahead).send().await;
    refusals.note("answering another revision of the request", &reply);
    let mut dollars = offer();
    dollars["budget"]["currency"] = "USD".into();
    let reply = order.put("offers", ELM).json(&dollars).send().await;
    refusals.note("offering in another currency", &reply);

    order.decline(ELM).expect_done().await;
    let reply = order.put("offers", ELM).json(&offer()).send().await;
    refusals.note("submitting after declining", &reply);
    order.confirm(OAK).expect_done().await;
    refusals.note(
        "declining what is past negotiating",
        &order.decline(ELM).send().await,
    );
    insta::assert_json_snapshot!("refusals_of_answers", refusals.0);
}

#[tokio::test]
async fn changes_to_what_is_asked_for() {
    let scene = Scene::set().await;
    let mut refusals = Refusals::default();
    let order = scene.offered().await;
    let unchanged = order.edit(&json!({"title": "Oak dining table"}));
    refusals.note("editing nothing", &unchanged.send().await);
    let faulty =
        json!({"title": "", "budget": {"amount": "1"}, "deadline": "2026-11-25T12:00:00Z"});
    refusals.note("editing with faults", &order.edit(&faulty).send().await);
    let late = order.edit(&json!({"deadline": "2026-11-25T12:00:00Z"}));
    refusals.note("a deadline that has passed", &late.send().await);
    refusals.note(
        "inviting one that offered and one that is pending",
        &order.invite(&[OAK, ELM]).send().await,
    );
    refusals.note(
        "inviting an unknown one",
        &order.invite(&[workshop(9)]).send().await,
    );
    let namesake = kernel::Actor::new(OAK.role, COMMISSIONER.id);
    refusals.note("inviting oneself", &order.invite(&[namesake]).send().await);
    let many: Vec<_> = (1..=20).map(workshop).collect();
    refusals.note("inviting too many", &order.invite(&many).send().await);
    order.confirm(OAK).expect_done().await;
    for (what, call) in [
        (
            "editing what is agreed",
            order.edit(&json!({"title": "Elm table"})),
        ),
        ("inviting to what is agreed", order.invite(&[ELM])),
        ("withdrawing what is agreed", order.withdraw(OAK)),
    ] {
        refusals.note(what, &call.send().await);
    }
    insta::assert_json_snapshot!("refusals_of_changes", refusals.0);
}

#[tokio::test]
async fn confirmations() {
    let scene = Scene::set().await;
    let mut refusals = Refusals::default();
    let order = scene.offered().await;
    refusals.note(
        "a workshop that has not answered",
        &order.confirm(ELM).send().await,
    );
    let other = order.confirm(OAK).json(&json!({"offerRevision": 2}));
    refusals.note("another revision of the offer", &other.send().await);
    let reply = order
        .confirm(OAK)
        .json(&json!({"offerRevision": 0}))
        .send()
        .await;
    refusals.note("a revision that cannot be", &reply);
    scene.clock.advance(TimeDelta::days(150));
    refusals.note(
        "an offer whose deadline has passed",
        &order.confirm(OAK).send().await,
    );
    insta::assert_json_snapshot!("refusals_of_confirm_offer", refusals.0);
}

#[tokio::test]
async fn stages() {
    let scene = Scene::set().await;
    let mut refusals = Refusals::default();
    let order = scene.in_progress().await;
    let complete = |number| order.post(&format!("stages/{number}/complete")).by(OAK);
    let approve = |number| {
        order
            .post(&format!("stages/{number}/approve"))
            .by(COMMISSIONER)
    };
    refusals.note("completing the next but one", &complete(2).send().await);
    refusals.note("completing one beyond the last", &complete(3).send().await);
    refusals.note("approving what was not marked", &approve(1).send().await);
    refusals.note(
        "sending back what was not marked",
        &order.request_changes(1).send().await,
    );
    let without = order.post("stages/1/request-changes").by(COMMISSIONER);
    refusals.note("sending back without a note", &without.send().await);
    refusals.note(
        "accepting unfinished work",
        &order.post("accept").by(COMMISSIONER).send().await,
    );
    complete(1).expect_done().await;
    refusals.note("completing what awaits approval", &complete(1).send().await);
    refusals.note("approving the next but one", &approve(2).send().await);
    approve(1).expect_done().await;
    refusals.note("completing what is completed", &complete(1).send().await);
    complete(2).expect_done().await;
    refusals.note("completing finished work", &complete(2).send().await);
    insta::assert_json_snapshot!("refusals_of_stages", refusals.0);
}

#[tokio::test]
async fn ends() {
    let scene = Scene::set().await;
    let mut refusals = Refusals::default();
    let order = scene.finished().await;
    order.post("accept").by(COMMISSIONER).expect_done().await;
    refusals.note(
        "accepting twice",
        &order.post("accept").by(COMMISSIONER).send().await,
    );
    refusals.note(
        "cancelling completed work",
        &order.cancel().by(COMMISSIONER).send().await,
    );
    let order = scene.cancelled().await;
    refusals.note(
        "cancelling twice",
        &order.cancel().by(COMMISSIONER).send().await,
    );
    let order = scene.in_progress().await;
    refusals.note(
        "resolving where nothing is disputed",
        &order.resolve("resume").send().await,
    );
    let order = scene.placed().await;
    refusals.note(
        "cancelling a negotiation as a workshop",
        &order.cancel().by(OAK).send().await,
    );
    insta::assert_json_snapshot!("refusals_of_ends", refusals.0);
}
