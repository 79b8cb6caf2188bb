//! Lists of orders: who sees which, filters, pages, and what an item says.

use kernel::{Actor, OrderId, Role, WorkshopId};
use projections::orders::{OrderFilter, OrderItem, OrderState, list_orders, read_order};
use projections::redaction::Viewer;
use serde_json::Value;
use uuid::Uuid;

use crate::histories::{History, commissioner, commissioner_id, operator, workshop, workshop_id};
use crate::store::Store;

/// Six orders of two commissioners; the even ones are won by the first of their workshops.
async fn six_orders() -> (Store, Vec<History>) {
    let store = Store::create().await;
    let mut orders = Vec::new();
    for number in 1..=6 {
        let workshops = [number % 3, 3].map(workshop_id);
        let mut order = History::place(number, commissioner_id(number % 2), workshops.to_vec());
        if number % 2 == 0 {
            assert!(order.offer(workshops[0], &[false, true], "2029-01-01T00:00:00Z"));
            assert!(order.confirm(workshops[0]));
        }
        store.append_order(order.order_id, 0, &order.happened).await;
        orders.push(order);
    }
    store.catch_up().await;
    (store, orders)
}

async fn list(store: &Store, viewer: impl Into<Viewer>, filter: OrderFilter) -> Vec<OrderItem> {
    let mut connection = store.pool.acquire().await.unwrap();
    let viewer = viewer.into();
    let slice = list_orders(&mut connection, viewer, filter, None, 100)
        .await
        .unwrap();
    assert_eq!(slice.next, None);
    slice.items
}

/// The numbers of the listed orders.
async fn numbers(store: &Store, viewer: impl Into<Viewer>, filter: OrderFilter) -> Vec<u128> {
    let items = list(store, viewer, filter).await;
    items
        .iter()
        .map(|item| item.order_id.as_uuid().as_u128() - 0xd0_0000)
        .collect()
}

fn filter(state: Option<OrderState>, of: Option<usize>, with: Option<usize>) -> OrderFilter {
    OrderFilter {
        state,
        commissioner_id: of.map(commissioner_id),
        workshop_id: with.map(workshop_id),
        mine: false,
    }
}

#[tokio::test]
async fn everyone_sees_what_is_theirs_newest_first() {
    let (store, _) = six_orders().await;
    let all = filter(None, None, None);
    let analyst = Actor::new(Role::Analyst, Uuid::nil());
    assert_eq!(numbers(&store, operator(), all).await, [6, 5, 4, 3, 2, 1]);
    assert_eq!(numbers(&store, analyst, all).await, [6, 5, 4, 3, 2, 1]);
    assert_eq!(
        numbers(&store, commissioner(commissioner_id(0)), all).await,
        [6, 4, 2]
    );
    assert_eq!(numbers(&store, workshop(workshop_id(1)), all).await, [4, 1]);
    assert_eq!(
        numbers(&store, workshop(workshop_id(3)), all).await,
        [6, 5, 4, 3, 2, 1]
    );
    assert!(
        numbers(&store, workshop(workshop_id(9)), all)
            .await
            .is_empty()
    );
    assert!(
        numbers(&store, commissioner(commissioner_id(9)), all)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn filters_narrow_and_never_widen() {
    let (store, _) = six_orders().await;
    let in_progress = Some(OrderState::InProgress);
    let negotiating = Some(OrderState::Negotiating);
    for (who, filter, expected) in [
        (operator(), filter(in_progress, None, None), vec![6, 4, 2]),
        (operator(), filter(None, Some(1), None), vec![5, 3, 1]),
        (operator(), filter(None, None, Some(2)), vec![5, 2]),
        (operator(), filter(in_progress, Some(1), None), vec![]),
        (operator(), filter(in_progress, None, Some(2)), vec![2]),
        (operator(), filter(negotiating, Some(1), Some(2)), vec![5]),
        (
            commissioner(commissioner_id(0)),
            filter(in_progress, None, None),
            vec![6, 4, 2],
        ),
        (
            commissioner(commissioner_id(0)),
            filter(None, Some(0), Some(1)),
            vec![4],
        ),
        (
            commissioner(commissioner_id(0)),
            filter(None, Some(1), None),
            vec![],
        ),
        (
            workshop(workshop_id(3)),
            filter(negotiating, None, Some(3)),
            vec![5, 3, 1],
        ),
        (
            workshop(workshop_id(3)),
            filter(None, Some(0), None),
            vec![6, 4, 2],
        ),
        // Where a rival has a seat too is none of its business.
        (
            workshop(workshop_id(3)),
            filter(None, None, Some(1)),
            vec![],
        ),
    ] {
        assert_eq!(
            numbers(&store, who, filter).await,
            expected,
            "{who} {filter:?}"
        );
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_hole_or_repeat() {
    let (store, orders) = six_orders().await;
    let mut connection = store.pool.acquire().await.unwrap();
    let viewers = [operator(), workshop(workshop_id(3))];
    for viewer in viewers.map(Viewer::from) {
        for limit in [1, 2, 3, 5, 6, 7] {
            let mut seen: Vec<OrderId> = Vec::new();
            let mut after = None;
            loop {
                let page = list_orders(
                    &mut connection,
                    viewer,
                    OrderFilter::default(),
                    after,
                    limit,
                );
                let page = page.await.unwrap();
                assert!(i64::try_from(page.items.len()).unwrap() <= limit);
                seen.extend(page.items.iter().map(|item| item.order_id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let newest_first: Vec<_> = orders.iter().rev().map(|o| o.order_id).collect();
            assert_eq!(seen, newest_first);
        }
    }
}

#[tokio::test]
async fn an_item_is_the_detail_without_its_longer_parts() {
    let (store, mut orders) = six_orders().await;
    let mut disputed = orders.remove(5);
    let before = disputed.happened.len();
    assert!(disputed.cancel(commissioner(disputed.commissioner_id)));
    let expected = before.try_into().unwrap();
    store
        .append_order(disputed.order_id, expected, &disputed.happened[before..])
        .await;
    store.catch_up().await;

    let mut connection = store.pool.acquire().await.unwrap();
    let winner = |number: usize| workshop(WorkshopId::from_uuid(workshop_id(number).as_uuid()));
    for viewer in [operator(), winner(0), winner(1), winner(3)].map(Viewer::from) {
        for item in list(&store, viewer, OrderFilter::default()).await {
            let now = item.created_at;
            let detail = read_order(&mut connection, viewer, item.order_id, now).await;
            let mut detail = serde_json::to_value(detail.unwrap().unwrap()).unwrap();
            for key in ["invitations", "stages", "terms"] {
                detail.as_object_mut().unwrap().remove(key).unwrap();
            }
            detail["request"]
                .as_object_mut()
                .unwrap()
                .remove("brief")
                .unwrap();
            assert_eq!(serde_json::to_value(&item).unwrap(), detail);
        }
    }

    let loser = list(&store, workshop(workshop_id(3)), OrderFilter::default()).await;
    for item in loser {
        assert_eq!(
            (item.workshop_id, item.current_stage, item.dispute),
            (None, None, None)
        );
    }
    let shown = list(&store, workshop(workshop_id(0)), OrderFilter::default()).await;
    let shown = serde_json::to_value(&shown[0]).unwrap();
    assert_eq!(shown["state"], "disputed");
    assert_eq!(shown["dispute"]["from"], "inProgress");
    assert_eq!(shown["dispute"]["openedBy"]["role"], "commissioner");
    assert_eq!(shown["currentStage"], Value::Null);
}
