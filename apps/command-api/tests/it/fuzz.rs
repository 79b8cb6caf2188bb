//! The body of every command with something odd somewhere in it, over a real store: a success, or
//! a problem of 4xx.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::access::operations;
use crate::people::{COMMISSIONER, OAK, OPERATOR};
use crate::scene::{Scene, fresh_key};

const CASES: u32 = 40;

fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,30}".prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "[0-9]{0,14}(\\.[0-9]{0,3})?".prop_map(Value::from),
        "[0-9]{1,5}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,9})?(Z|\\+[0-9]{2}:[0-9]{2})"
            .prop_map(Value::from),
        (1_usize..3000).prop_map(|length| "x".repeat(length).into()),
    ]
}

/// The places of a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    for (name, value) in value.as_object().into_iter().flatten() {
        places(value, &format!("{at}/{name}"), found);
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        places(value, &format!("{at}/{index}"), found);
    }
}

#[tokio::test]
async fn odd_values_are_refused_and_break_nothing() {
    let scene = Scene::set().await;
    let mut runner = TestRunner::default();
    let changes = prop::collection::vec((any::<Index>(), odd()), 1..3);
    for operation in operations() {
        let order = scene.offered().await;
        let path = operation
            .path
            .replace("{id}", &order.id)
            .replace("{workshopId}", &OAK.id.to_string())
            .replace("{number}", "1");
        for _ in 0..CASES {
            let mut body = operation.example.clone();
            for (place, value) in changes.new_tree(&mut runner).unwrap().current() {
                let mut found = Vec::new();
                places(&body, "", &mut found);
                let place = place.get(&found).as_str();
                *body.pointer_mut(place).unwrap() = value;
            }
            for actor in [COMMISSIONER, OAK, OPERATOR] {
                let call = scene.api.call(operation.method, path.as_str()).by(actor);
                // Some cannot do without.
                let call = call.key(&fresh_key());
                let reply = call.json(&body).send().await;
                let shown = format!("{} {path} {body}: {reply:?}", operation.method);
                assert!(!reply.status.is_server_error(), "{shown}");
                if !reply.status.is_success() {
                    assert_eq!(reply.problem()["status"], reply.status.as_u16(), "{shown}");
                }
            }
        }
    }
}
