//! An order as one of its parties sees it, read by those who see all of it.

use kernel::Actor;

use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::Scene;

/// The reads of an order that are cut to their viewer.
fn paths(order: impl std::fmt::Display) -> [String; 4] {
    let order = format!("/v1/orders/{order}");
    [
        format!("{order}?"),
        format!("{order}/timeline?"),
        format!("{order}/situation?"),
        format!("{order}/as-of?version=4&"),
    ]
}

fn seen_as(path: &str, party: Actor) -> String {
    format!("{path}as={}:{}", party.role, party.id)
}

#[tokio::test]
async fn it_is_to_the_byte_what_the_party_is_answered() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    for path in paths(order_id) {
        for party in [COMMISSIONER, OAK, ELM, STRANGER, ASH] {
            let own = scene.api.get(path.as_str()).by(party).send().await;
            for viewer in [OPERATOR, ANALYST] {
                let seen = scene.api.get(seen_as(&path, party)).by(viewer).send().await;
                assert_eq!(seen.outcome(), own.outcome(), "{path} as {party}");
                if own.status == 200 {
                    assert_eq!(seen.body, own.body, "{path} as {party}");
                    assert_eq!(seen.header("etag"), own.header("etag"));
                }
            }
        }
    }
}

#[tokio::test]
async fn nobody_else_looks_through_another_s_eyes() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    for path in paths(order_id) {
        for (viewer, party) in [
            (ELM, OAK),
            (OAK, OAK),
            (COMMISSIONER, ELM),
            (STRANGER, COMMISSIONER),
        ] {
            let refused = scene.api.get(seen_as(&path, party)).by(viewer).send().await;
            assert_eq!(refused.outcome(), "403 FORBIDDEN", "{viewer} as {party}");
        }
        for party in [
            format!("operator:{}", OAK.id),
            format!("workshop:{{{}}}", OAK.id),
            format!("workshop:{}", OAK.id.simple()),
            "workshop:".to_owned(),
            OAK.id.to_string(),
        ] {
            let odd = scene.api.get(format!("{path}as={party}"));
            let odd = odd.by(OPERATOR).send().await;
            assert_eq!(odd.outcome(), "400 MALFORMED_REQUEST", "{party}");
        }
    }
}

#[tokio::test]
async fn pages_of_a_timeline_belong_to_whom_it_is_seen_as() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let path = format!("/v1/orders/{order_id}/timeline?limit=1&");
    let first = seen_as(&path, ELM);
    let first = scene.api.get(first).by(OPERATOR).send().await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let path = format!("{path}cursor={cursor}&");
    let next = scene.api.get(seen_as(&path, ELM)).by(OPERATOR).send().await;
    assert_eq!(next.body["items"][0]["version"], 3);
    for other in [path.clone(), seen_as(&path, OAK)] {
        let foreign = scene.api.get(other).by(OPERATOR).send().await;
        assert_eq!(foreign.outcome(), "400 MALFORMED_REQUEST");
    }
}
