//! The form in which a folded order is stored, in every situation: `fixtures/shape/order-N.json`,
//! where N is [`ORDER_SHAPE`]. The file is written once: where this test fails, raise the number,
//! remove the old file and run the test with `ATLAS_BLESS=1`.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::scenes::Scene;
use super::{ORDER_SHAPE, Order};

fn stored() -> Value {
    let orders = Scene::ALL.map(|scene| {
        let order = serde_json::to_value(scene.given().order).unwrap();
        (scene.words().to_owned(), order)
    });
    json!({"shape": ORDER_SHAPE, "orders": Map::from_iter(orders)})
}

#[test]
fn when_this_changes_raise_order_shape() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/shape")
        .join(format!("order-{ORDER_SHAPE}.json"));
    if !path.exists() && std::env::var_os("ATLAS_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&stored()).unwrap();
        fs::write(&path, text + "\n").unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let kept: Value = serde_json::from_str(&kept).unwrap_or_default();
    assert!(
        kept == stored(),
        "a folded order is stored in another form than before: raise ORDER_SHAPE, remove the old \
         fixtures/shape/order-N.json and run this test with ATLAS_BLESS=1"
    );
}

#[test]
fn a_folded_order_is_read_as_it_was_stored() {
    for scene in Scene::ALL {
        let order = scene.given().order;
        let stored = serde_json::to_value(&order).unwrap();
        let read: Order = serde_json::from_value(stored).unwrap();
        assert_eq!(read, order, "{}", scene.words());
    }
}

#[test]
fn an_order_that_ended_says_when_and_no_other_does() {
    for scene in Scene::ALL {
        let order = scene.given().order;
        let last = order.placement().map(|placement| placement.updated_at());
        let ended = order.completed_at().or(order.cancelled_at());
        assert_eq!(ended.is_some(), order.is_terminal(), "{}", scene.words());
        assert!(ended.is_none() || ended == last, "{}", scene.words());
        let both = order.completed_at().is_some() && order.cancelled_at().is_some();
        assert!(!both, "{}", scene.words());
    }
}
