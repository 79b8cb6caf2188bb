//! Folds that another release has stored: folded again from the stream, by reads and by the reader.

use kernel::OrderId;
use projections::orders::{OrderDetail, OrderError, read_order};
use projections::redaction::Viewer;
use serde_json::json;

use crate::histories::{History, commissioner_id, workshop_id};
use crate::rows_equal_a_fold::{assert_rows_equal_the_fold, lives, now};
use crate::store::Store;
use crate::versions::{assert_equal_rows, create_second, fill_second};

const ANOTHER_SHAPE: &str = "UPDATE folds SET shape = -1, fold = '{}'";
const LATE: &str = "2029-01-01T00:00:00Z";

async fn read(store: &Store, order_id: OrderId) -> Result<Option<OrderDetail>, OrderError> {
    let mut connection = store.pool.acquire().await.unwrap();
    read_order(&mut connection, Viewer::Operator, order_id, now()).await
}

/// How many folds there are of the other shape.
async fn of_another_shape(store: &Store) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM folds WHERE shape = -1");
    count.fetch_one(&store.pool).await.unwrap()
}

#[tokio::test]
async fn they_are_folded_again_by_reads_and_by_the_reader() {
    let store = Store::create().await;
    let mut lives = lives(&store, 12, 30).await;
    store.catch_up().await;
    store.as_owner(ANOTHER_SHAPE).await;
    assert_rows_equal_the_fold(&store, &lives).await;

    let mut moved = 0;
    for life in &mut lives {
        let before = life.happened.len();
        if life.edit(3000) {
            let expected = i64::try_from(before).unwrap();
            store
                .append_order(life.order_id, expected, &life.happened[before..])
                .await;
            moved += 1;
        }
    }
    assert!(moved > 0, "no order is still negotiated");
    store.catch_up().await;
    assert_rows_equal_the_fold(&store, &lives).await;
    assert_eq!(
        of_another_shape(&store).await,
        12 - moved,
        "the moved ones are stored anew"
    );

    // Nothing is lost on the way: rows and what touched them are as if there had been no other.
    create_second(&store).await;
    fill_second(&store).await;
    store
        .as_owner(
            "UPDATE folds f SET shape = s.shape, fold = s.fold
                   FROM \"orders@2\".folds s WHERE f.order_id = s.order_id AND f.shape = -1",
        )
        .await;
    assert_equal_rows(&store).await;
}

#[tokio::test]
async fn what_is_garbled_counts_as_another_shape() {
    let store = Store::create().await;
    let lives = lives(&store, 3, 10).await;
    store.catch_up().await;
    store.as_owner("UPDATE folds SET fold = '{}'").await;
    assert_rows_equal_the_fold(&store, &lives).await;
}

/// A newer release has come further with an order than this one can read.
#[tokio::test]
async fn an_order_that_cannot_be_folded_again_waits_alone() {
    let store = Store::create().await;
    let mut orders = [1, 2].map(|number| {
        let mut order = History::place(number, commissioner_id(1), vec![workshop_id(1)]);
        assert!(order.offer(workshop_id(1), &[], LATE));
        order
    });
    for order in &orders {
        store.append_order(order.order_id, 0, &order.happened).await;
    }
    store.catch_up().await;
    let (gilded, next) = (orders[0].order_id, orders[0].happened.len() + 1);
    store.as_owner(ANOTHER_SHAPE).await;
    store
        .as_owner(&format!(
            "UPDATE store.events SET event_type = 'OrderGilded'
             WHERE aggregate_id = '{gilded}' AND sequence = 2"
        ))
        .await;
    let refused = read(&store, gilded).await.unwrap_err();
    assert!(
        matches!(refused, OrderError::Unreadable { .. }),
        "{refused:?}"
    );

    for order in &mut orders {
        let before = order.happened.len();
        assert!(order.edit(3000));
        let expected = i64::try_from(before).unwrap();
        store
            .append_order(order.order_id, expected, &order.happened[before..])
            .await;
    }
    store.catch_up().await;
    let refused = read(&store, gilded).await.unwrap_err();
    assert!(
        matches!(refused, OrderError::Unreadable { .. }),
        "{refused:?}"
    );
    let other = &orders[1];
    let found = read(&store, other.order_id).await.unwrap().unwrap();
    assert_eq!(found.version, i64::try_from(other.happened.len()).unwrap());
    let parked: Vec<(String, i64)> =
        sqlx::query_as("SELECT aggregate_id, sequence FROM store.parked")
            .fetch_all(&store.pool)
            .await
            .unwrap();
    assert_eq!(json!(parked), json!([[gilded, next]]));
}
