//! Every read with an odd path or query, over a real store: a success, or a problem of 4xx.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::access::paths;
use crate::people::{COMMISSIONER, OAK, OPERATOR};
use crate::scene::Scene;

const CASES: u32 = 60;

fn query() -> impl Strategy<Value = String> {
    let name = prop::sample::select(
        &[
            "limit",
            "cursor",
            "state",
            "workshopId",
            "commissionerId",
            "role",
            "status",
            "at",
            "version",
            "code",
            "kind",
            "topic",
            "type",
            "group",
            "x",
        ][..],
    );
    let value = prop_oneof![
        "[0-9]{0,4}",
        "-?[0-9]{1,25}",
        "[A-Za-z0-9_-]{0,60}",
        "(negotiating|completed|pending|workshop|operator)",
        "0000000[0-9a-f]-0000-0000-0000-0000000000[0-9a-fA-F]{1,3}",
        "(%[0-9a-fA-F]{2}){0,6}",
        "2[0-9]{3}-0[1-9]-[0-3][0-9]T[0-9]{2}:00:00(Z|%2B[0-9]{2}:00)",
        "[!$'()*,;:@/?~.]{0,8}",
    ];
    let pairs = prop::collection::vec((name, value), 0..4);
    pairs.prop_map(|pairs| {
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("&")
    })
}

#[tokio::test]
async fn odd_questions_are_refused_and_break_nothing() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let mut runner = TestRunner::default();
    for template in paths() {
        for _ in 0..CASES {
            let path = template
                .replace("{id}", &order_id.to_string())
                .replace("{version}", "1")
                .replace("{to}", "2");
            let path = format!(
                "{path}?{}",
                query().new_tree(&mut runner).unwrap().current()
            );
            for actor in [COMMISSIONER, OAK, OPERATOR] {
                let reply = scene.api.get(path.as_str()).by(actor).send().await;
                let shown = format!("{actor} GET {path}: {reply:?}");
                assert!(!reply.status.is_server_error(), "{shown}");
                if !reply.status.is_success() {
                    assert_eq!(reply.body["status"], reply.status.as_u16(), "{shown}");
                }
            }
        }
    }
}
