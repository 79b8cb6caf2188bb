//! A second version of a read model, built beside the first by the same code, and then served.

use event_store::{BatchBound, Position, ReaderOptions};
use projections::orders::{OrderFilter, list_orders};
use projections::redaction::Viewer;
use projections::{Model, Snapshot, Version};
use sqlx::PgPool;

use crate::histories::{History, commissioner_id, workshop_id};
use crate::rows_equal_a_fold::{assert_rows_equal_the_fold, lives};
use crate::store::{Store, first, options};

const SECOND: Version = Version {
    model: Model::Orders,
    version: 2,
};
const TABLES: [&str; 5] = ["orders", "invitations", "stages", "timeline", "folds"];

/// Makes the tables of the second version.
pub(crate) async fn create_second(store: &Store) {
    store.as_owner("SELECT read.create_orders(2)").await;
}

/// Both versions have the same rows, to the last column.
pub(crate) async fn assert_equal_rows(store: &Store) {
    let owner = store.owner().await;
    for table in TABLES {
        let (one, two) = (
            format!("\"orders@1\".{table}"),
            format!("\"orders@2\".{table}"),
        );
        let differences = format!(
            "SELECT (SELECT count(*) FROM {one}),
                    (SELECT count(*) FROM (TABLE {one} EXCEPT TABLE {two}) d),
                    (SELECT count(*) FROM (TABLE {two} EXCEPT TABLE {one}) d)"
        );
        let (rows, missing, more): (i64, i64, i64) = sqlx::query_as(&differences)
            .fetch_one(&owner)
            .await
            .unwrap();
        assert!(rows > 0, "{table} is empty");
        assert_eq!((missing, more), (0, 0), "of {rows} rows of {table}");
    }
}

/// Fills the second version from the start, a few events at a time.
pub(crate) async fn fill_second(store: &Store) {
    let with = ReaderOptions {
        batch: BatchBound {
            events: 7,
            ..BatchBound::default()
        },
        ..options(SECOND)
    };
    store.catch_up_with(SECOND, with).await;
}

#[tokio::test]
async fn a_second_version_is_filled_beside_the_first_with_equal_rows() {
    let store = Store::create().await;
    let lives = lives(&store, 12, 30).await;
    store.catch_up().await;
    create_second(&store).await;
    fill_second(&store).await;
    assert_rows_equal_the_fold(&store, &lives).await;
    assert_equal_rows(&store).await;
    // Checkpoints, too, but for their names.
    let found: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT DISTINCT position, delivered, digest FROM store.checkpoints
         WHERE name IN ('orders@1', 'orders@2')",
    )
    .fetch_all(&store.pool)
    .await
    .unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
}

/// What a snapshot shows: how many orders, and as of which position.
async fn shown(pool: &PgPool) -> (usize, Position) {
    let mut snapshot = Snapshot::open(pool, Model::Orders).await.unwrap();
    let all = OrderFilter::default();
    let page = list_orders(&mut snapshot, Viewer::Operator, all, None, 100).await;
    let shown = (
        page.unwrap().items.len(),
        snapshot.freshness().token.position,
    );
    snapshot.close().await.unwrap();
    shown
}

#[tokio::test]
async fn a_snapshot_reads_the_version_that_is_served() {
    let store = Store::create().await;
    let pool = store.pool_app().await;
    let place = async |number| {
        let order = History::place(number, commissioner_id(1), vec![workshop_id(1)]);
        store.append_order(order.order_id, 0, &order.happened).await;
    };
    assert_eq!(shown(&pool).await, (0, Position::START));
    place(1).await;
    store.catch_up().await;
    create_second(&store).await;
    fill_second(&store).await;
    place(2).await;
    store.catch_up_to(first(Model::Orders)).await;
    assert_eq!(shown(&pool).await, (2, Position::new(2)));

    // On one and the same connection, whose statements were prepared for the first version.
    store
        .as_owner("UPDATE read.served SET version = 2 WHERE model = 'orders'")
        .await;
    assert_eq!(shown(&pool).await, (1, Position::new(1)));
    let mut connection = pool.acquire().await.unwrap();
    assert_eq!(Model::Orders.served(&mut connection).await.unwrap(), SECOND);
    store.catch_up_to(SECOND).await;
    assert_eq!(shown(&pool).await, (2, Position::new(2)));
}
