//! Events of other releases: older ones are read, and a newer one holds back its order alone.

use event_store::{Position, Version};
use kernel::{Actor, Role};
use projections::orders::{
    AsOf, OrderDetail, OrderError, OrderFilter, OrderState, list_orders, read_as_of, read_order,
    read_timeline, sees_parked,
};
use serde_json::json;

use crate::histories::{History, commissioner, commissioner_id, operator, workshop, workshop_id};
use crate::store::Store;

const LATE: &str = "2029-01-01T00:00:00Z";

/// An order with an offer, and after it an event that nobody knows, and one that everybody would.
async fn with_an_unknown_event(store: &Store, number: usize) -> History {
    let maker = workshop_id(1);
    let mut order = History::place(number, commissioner_id(1), vec![maker, workshop_id(2)]);
    assert!(order.offer(maker, &[], LATE));
    store.append_order(order.order_id, 0, &order.happened).await;
    store
        .append_raw(&order, 2, "OrderGilded", "1.0", json!({}))
        .await;
    let cancelled = json!({
        "workshopId": null, "reason": "Enough", "cancelledFrom": "negotiating",
        "byDispute": false,
    });
    store
        .append_raw(&order, 3, "OrderCancelled", "1.1", cancelled)
        .await;
    order
}

/// The three reads of one order.
async fn reads(
    store: &Store,
    viewer: Actor,
    order: &History,
) -> [Result<Option<i64>, OrderError>; 3] {
    let mut connection = store.pool.acquire().await.unwrap();
    let (viewer, id) = (viewer.into(), order.order_id);
    let now = "2027-12-31T12:00:00Z".parse().unwrap();
    let detail = read_order(&mut connection, viewer, id, now).await;
    let timeline = read_timeline(&mut connection, viewer, id, Version::NONE, 10).await;
    let past = read_as_of(&mut connection, viewer, id, AsOf::At(now)).await;
    [
        detail.map(|found| found.map(|order| order.version)),
        timeline.map(|found| found.and_then(|page| Some(page.items.last()?.version))),
        past.map(|found| found.map(|order| order.detail.version)),
    ]
}

#[tokio::test]
async fn an_order_with_an_unknown_event_waits_and_no_other_does() {
    let store = Store::create().await;
    let order = with_an_unknown_event(&store, 1).await;
    let other = History::place(2, commissioner_id(1), vec![workshop_id(1)]);
    store.append_order(other.order_id, 0, &other.happened).await;
    store.catch_up().await;

    for party in [
        operator(),
        commissioner(commissioner_id(1)),
        workshop(workshop_id(2)),
    ] {
        for read in reads(&store, party, &order).await {
            assert!(
                matches!(&read, Err(OrderError::Unreadable { order_id, .. })
                    if *order_id == order.order_id),
                "{read:?}"
            );
        }
    }
    for stranger in [commissioner(commissioner_id(9)), workshop(workshop_id(9))] {
        for read in reads(&store, stranger, &order).await {
            assert_eq!(read.unwrap(), None);
        }
    }
    for read in reads(&store, operator(), &other).await {
        assert_eq!(read.unwrap(), Some(1));
    }

    // Lists show it as it was last known.
    let mut connection = store.pool.acquire().await.unwrap();
    let all = OrderFilter::default();
    let listed = list_orders(&mut connection, operator().into(), all, None, 10).await;
    let listed: Vec<_> = listed
        .unwrap()
        .items
        .into_iter()
        .map(|item| (item.version, item.state))
        .collect();
    assert_eq!(
        listed,
        [(1, OrderState::Negotiating), (2, OrderState::Negotiating)]
    );
}

/// The first event is one that this release does not know: not even whose order it is.
#[tokio::test]
async fn an_order_that_never_was_known_is_there_for_the_marketplace_alone() {
    let store = Store::create().await;
    let order = History::place(1, commissioner_id(1), vec![workshop_id(1)]);
    store
        .append_raw(&order, 0, "OrderPlaced", "9.0", json!({}))
        .await;
    store.catch_up().await;
    let [detail, timeline, past] = reads(&store, operator(), &order).await;
    for read in [detail, timeline, past] {
        assert!(
            matches!(read, Err(OrderError::Unreadable { .. })),
            "{read:?}"
        );
    }
    for read in reads(&store, commissioner(commissioner_id(1)), &order).await {
        assert_eq!(read.unwrap(), None);
    }
}

/// Its events wait at the positions 3 and 4, after those two that were applied.
#[tokio::test]
async fn who_would_be_shown_the_order_sees_that_an_event_waits() {
    let store = Store::create().await;
    let order = with_an_unknown_event(&store, 1).await;
    let other = History::place(2, commissioner_id(1), vec![workshop_id(1)]);
    store.append_order(other.order_id, 0, &other.happened).await;
    let never_known = History::place(3, commissioner_id(2), vec![workshop_id(2)]);
    store
        .append_raw(&never_known, 0, "OrderPlaced", "9.0", json!({}))
        .await;
    store.catch_up().await;

    let parties = [
        operator(),
        commissioner(order.commissioner_id),
        workshop(workshop_id(1)),
        workshop(workshop_id(2)),
    ];
    let strangers = [commissioner(commissioner_id(9)), workshop(workshop_id(9))];
    let mut connection = store.pool.acquire().await.unwrap();
    for (viewers, is_party) in [(&parties[..], true), (&strangers, false)] {
        for viewer in viewers {
            let mut seen = Vec::new();
            for position in 0..=7 {
                let position = Position::new(position);
                let sees = sees_parked(&mut connection, (*viewer).into(), position).await;
                if sees.unwrap() {
                    seen.push(position.get());
                }
            }
            // Whose order the last one is nobody knows; and any workshop may have been invited to the
            // first, which is negotiated, by what waits.
            let may_be_invited = viewer.role == Role::Workshop;
            let expected = match is_party || may_be_invited {
                true => vec![3, 4, 6],
                false => vec![6],
            };
            assert_eq!(seen, expected, "{viewer}");
        }
    }
}

/// A release that knows the event: here the store is changed in its place.
#[tokio::test]
async fn once_the_event_is_known_nothing_of_the_order_is_missing() {
    let store = Store::create().await;
    let order = with_an_unknown_event(&store, 1).await;
    store.catch_up().await;
    let withdrawn = json!({
        "event": "OfferWithdrawn", "workshopId": workshop_id(1), "reason": null,
        "orderId": order.order_id, "commissionerId": order.commissioner_id,
        "occurredAt": "2027-12-31T00:00:00Z",
    });
    sqlx::query(
        "UPDATE store.events SET event_type = 'OfferWithdrawn', payload = $1
         WHERE event_type = 'OrderGilded'",
    )
    .bind(withdrawn)
    .execute(&store.owner().await)
    .await
    .unwrap();
    store.catch_up().await;
    for read in reads(&store, operator(), &order).await {
        assert_eq!(read.unwrap(), Some(4));
    }
}

#[tokio::test]
async fn a_cancellation_of_the_first_version_is_read() {
    let store = Store::create().await;
    let order = History::place(1, commissioner_id(1), vec![workshop_id(1)]);
    store.append_order(order.order_id, 0, &order.happened).await;
    let cancelled = json!({
        "workshopId": null, "reason": "Enough", "cancelledFrom": "negotiating",
    });
    store
        .append_raw(&order, 1, "OrderCancelled", "1.0", cancelled)
        .await;
    store.catch_up().await;
    for read in reads(&store, workshop(workshop_id(1)), &order).await {
        assert_eq!(read.unwrap(), Some(2));
    }

    let mut connection = store.pool.acquire().await.unwrap();
    let now = "2027-12-31T12:00:00Z".parse().unwrap();
    let (viewer, id) = (operator().into(), order.order_id);
    let detail = read_order(&mut connection, viewer, id, now).await.unwrap();
    let detail: OrderDetail = detail.unwrap();
    assert_eq!(detail.state, OrderState::Cancelled);
    let past = read_as_of(&mut connection, viewer, id, AsOf::At(now)).await;
    assert_eq!(past.unwrap().unwrap().detail, detail);
    let told = read_timeline(&mut connection, viewer, id, Version::NONE, 10).await;
    let told = told.unwrap().unwrap().items;
    assert_eq!(told[1].data["byDispute"], false);
}
