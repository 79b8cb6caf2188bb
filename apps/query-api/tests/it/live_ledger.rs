//! The live stream of a ledger: awards as they are made, and when everything is to be read anew.

use serde_json::{Value, json};

use crate::bonus::{account, award, recomputed, told};
use crate::frames::Frames;
use crate::people::{ANALYST, COMMISSIONER, OAK, OPERATOR};
use crate::scene::Scene;

fn ledger() -> String {
    account() + "/ledger"
}

/// The ledger, oldest award first.
async fn listed(scene: &Scene) -> Vec<Value> {
    let reply = scene.api.get(ledger()).by(COMMISSIONER).send().await;
    let mut items = reply.body["items"].as_array().unwrap().clone();
    items.reverse();
    items
}

#[tokio::test]
async fn awards_come_as_they_are_made_and_after_any_frame() {
    let scene = Scene::set().await;
    award(&scene).await;
    let since = ledger() + "?since=2027-01-01T00:00:00Z&role=commissioner";
    for actor in [COMMISSIONER, OPERATOR, ANALYST] {
        let mut frames = Frames::open(&scene.api, &since, actor, None).await;
        let first = frames.next().await.unwrap();
        assert_eq!(first.data["item"], listed(&scene).await[0]);
        let mut rest = Frames::open(&scene.api, &ledger(), actor, first.id.as_deref()).await;
        assert_eq!(rest.until_caught_up().await, listed(&scene).await[1..]);
        assert_eq!(frames.until_caught_up().await, listed(&scene).await[1..]);
    }
    // The instant is that of what is rewarded, inclusive.
    let second = ledger() + "?since=2027-01-02T00:00:00Z";
    let mut frames = Frames::open(&scene.api, &second, COMMISSIONER, None).await;
    assert_eq!(frames.until_caught_up().await, listed(&scene).await[1..]);

    let list = scene.api.get(ledger()).by(COMMISSIONER).send().await;
    let position = list.header("atlas-position").unwrap();
    let mut now = Frames::open(&scene.api, &ledger(), COMMISSIONER, Some(position)).await;
    assert_eq!(now.until_caught_up().await, [json!(null); 0]);
    told(&scene, &[(3, "OrderPlaced")]).await;
    assert_eq!(now.until_caught_up().await, listed(&scene).await[2..]);
    assert_eq!(frames.until_caught_up().await, listed(&scene).await[2..]);
}

#[tokio::test]
async fn who_may_not_read_it_may_not_follow_it() {
    let scene = Scene::set().await;
    let ask = async |actor| {
        let call = scene.api.get(ledger()).by(actor);
        let call = call.header("accept", "text/event-stream");
        call.send().await.outcome()
    };
    assert_eq!(ask(COMMISSIONER).await, "404 NOT_FOUND", "no award yet");
    award(&scene).await;
    assert_eq!(ask(OAK).await, "404 NOT_FOUND");
}

/// Another policy counts every award anew: what was shown before is to be read anew, once.
#[tokio::test]
async fn after_a_recompute_it_is_read_anew() {
    let scene = Scene::set().await;
    award(&scene).await;
    let since = ledger() + "?since=2027-01-01T00:00:00Z";
    let mut frames = Frames::open(&scene.api, &since, COMMISSIONER, None).await;
    let before = frames.until_caught_up().await;
    assert_eq!(before, listed(&scene).await);
    let position = scene.api.get(ledger()).by(COMMISSIONER).send().await;
    let position = position.header("atlas-position").unwrap().to_owned();

    recomputed(&scene).await;
    assert_eq!(frames.next().await.unwrap().event, "reset");
    assert_eq!(frames.next().await, None);
    let mut resumed = Frames::open(&scene.api, &ledger(), COMMISSIONER, Some(&position)).await;
    assert_eq!(resumed.next().await.unwrap().event, "reset");

    // Who begins anew is shown what there is now, and goes on.
    let after = listed(&scene).await;
    assert_ne!(before, after);
    let mut anew = Frames::open(&scene.api, &since, COMMISSIONER, None).await;
    assert_eq!(anew.until_caught_up().await, after);
    told(&scene, &[(4, "OrderPlaced")]).await;
    assert_eq!(anew.until_caught_up().await.len(), 1);
    // What an order gave is taken away when it is called off.
    told(&scene, &[(5, "OrderCancelled")]).await;
    assert_eq!(anew.next().await.unwrap().event, "reset");
}
