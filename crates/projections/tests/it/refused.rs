//! A row that the tables refuse: its order waits, and says so, and no other does.

use event_store::Version;
use projections::orders::{OrderError, OrderFilter, list_orders, read_order, read_timeline};
use projections::redaction::Viewer;
use projections::{Model, Snapshot};
use serde_json::json;

use crate::histories::{History, commissioner_id, workshop_id};
use crate::rows_equal_a_fold::{assert_rows_equal_the_fold, now};
use crate::store::Store;

#[tokio::test]
async fn an_order_that_the_tables_refuse_waits_and_no_other_does() {
    let store = Store::create().await;
    store
        .as_owner("ALTER TABLE orders ADD CONSTRAINT dull CHECK (title <> 'Piece 2')")
        .await;
    let orders = [1, 2, 3].map(|number| {
        let mut order = History::place(number, commissioner_id(1), vec![workshop_id(1)]);
        assert!(order.offer(workshop_id(1), &[], "2029-01-01T00:00:00Z"));
        order
    });
    for order in &orders {
        store.append_order(order.order_id, 0, &order.happened).await;
    }
    store.catch_up().await;

    let mut connection = store.pool.acquire().await.unwrap();
    let all = OrderFilter::default();
    let listed = list_orders(&mut connection, Viewer::Operator, all, None, 10).await;
    assert_eq!(listed.unwrap().items.len(), 2);
    let refused = orders[1].order_id;
    let anyone = Viewer::Operator;
    let detail = read_order(&mut connection, anyone, refused, now()).await;
    let timeline = read_timeline(&mut connection, anyone, refused, Version::NONE, 10).await;
    for error in [detail.unwrap_err(), timeline.unwrap_err()] {
        let OrderError::Unreadable {
            order_id, source, ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(order_id, refused);
        assert!(source.to_string().contains("dull"), "{source}");
    }
    let pool = store.pool_app().await;
    let snapshot = Snapshot::open(&pool, Model::Orders).await.unwrap();
    assert!(snapshot.freshness().lag_seconds > 0.0);
    snapshot.close().await.unwrap();

    store
        .as_owner("ALTER TABLE orders DROP CONSTRAINT dull")
        .await;
    store.catch_up().await;
    assert_rows_equal_the_fold(&store, &orders).await;
}

/// Many lines go by COPY: one is refused while the events behind it are still folded, and one of
/// these cannot be read.
#[tokio::test]
async fn in_a_large_batch_what_is_refused_and_what_is_unreadable_wait_and_nothing_else() {
    const ORDERS: usize = 600;
    let store = Store::create().await;
    let dull = "ALTER TABLE timeline ADD CONSTRAINT dull
                CHECK (data -> 'request' ->> 'title' <> 'Piece 2')";
    store.as_owner(dull).await;
    let orders: Vec<History> = (1..=ORDERS)
        .map(|number| History::place(number, commissioner_id(1), vec![workshop_id(1)]))
        .collect();
    for order in &orders {
        store.append_order(order.order_id, 0, &order.happened).await;
    }
    let (last, readable) = orders.split_last().unwrap();
    let unknown = ("OrderTeleported", "1.0", json!({}));
    store
        .append_raw(last, 1, unknown.0, unknown.1, unknown.2)
        .await;
    store.catch_up().await;

    let mut parked: Vec<String> =
        sqlx::query_scalar("SELECT aggregate_id FROM store.parked WHERE reader = 'orders@1'")
            .fetch_all(&store.pool)
            .await
            .unwrap();
    parked.sort();
    let mut expected = [&orders[1], last].map(|order| order.order_id.to_string());
    expected.sort();
    assert_eq!(parked, expected);
    store
        .as_owner("ALTER TABLE timeline DROP CONSTRAINT dull")
        .await;
    store.catch_up().await;
    assert_rows_equal_the_fold(&store, readable).await;
}
