//! The form in which a folded order is stored, in every situation: `fixtures/shape/order-N.json`,
//! where N is [`ORDER_SHAPE`]. Situations may be added to the file with `ATLAS_BLESS=1`; what it
//! holds is never changed. Where it would have to be, raise the number, and remove the old file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scenes::Scene;
use super::{ORDER_SHAPE, Order};

/// The stored forms of orders, by the situation in words.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Shape {
    number: u32,
    orders: BTreeMap<String, Value>,
}

impl Shape {
    fn of_today() -> Self {
        let orders = Scene::ALL.map(|scene| {
            let order = serde_json::to_value(scene.given().order).unwrap();
            (scene.words().to_owned(), order)
        });
        Self {
            number: ORDER_SHAPE,
            orders: orders.into(),
        }
    }

    fn changes(&self, kept: &Self) -> bool {
        let mut orders = kept.orders.iter();
        self.number != kept.number || orders.any(|(at, order)| self.orders.get(at) != Some(order))
    }
}

#[test]
fn when_this_changes_raise_order_shape() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/shape")
        .join(format!("order-{ORDER_SHAPE}.json"));
    let read = || fs::read_to_string(&path).ok();
    let kept = || read().map(|kept| serde_json::from_str::<Shape>(&kept).unwrap());
    let today = Shape::of_today();
    assert!(
        !kept().is_some_and(|kept| today.changes(&kept)),
        "a folded order is stored in another form than before: raise ORDER_SHAPE, remove the old \
         fixtures/shape/order-N.json, and run this test with ATLAS_BLESS=1"
    );
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the test says whether it writes"
    )]
    let blessed = std::env::var_os("ATLAS_BLESS").is_some();
    if blessed {
        let text = serde_json::to_string_pretty(&today).unwrap();
        fs::write(&path, text + "\n").unwrap();
    }
    assert!(
        kept() == Some(today),
        "a situation is new: run this test with ATLAS_BLESS=1"
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
