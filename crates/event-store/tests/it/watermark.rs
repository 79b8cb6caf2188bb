//! The watermark and the feed: what they wait for, and what they do not.

use event_store::{BatchBound, Checkpoint, Feed, Position, Selection, append, checkpoint};
use test_support::TestDatabase;

use crate::fixtures::{counted, stored};

/// Ten events at once.
const TEN: BatchBound = BatchBound {
    events: 10,
    bytes: 1 << 20,
};

/// Whatever there is.
const ALL: Selection = Selection {
    to: None,
    stream: None,
};

async fn feed(database: &TestDatabase) -> Feed {
    Feed::connect(&database.options("atlas_app")).await.unwrap()
}

#[tokio::test]
async fn an_open_append_holds_the_feed_before_it_and_its_end_lets_go() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let mut feed = feed(&database).await;
    let mut slow = pool.begin().await.unwrap();
    stored(append(&mut slow, &counted("slow", 0, 1)).await.unwrap());
    let quick = {
        let mut connection = pool.acquire().await.unwrap();
        stored(
            append(&mut connection, &counted("quick", 0, 1))
                .await
                .unwrap(),
        )
    };
    let batch = feed.next_batch(Position::START, &ALL, TEN).await.unwrap();
    assert_eq!((batch.watermark, batch.events.len()), (Position::START, 0));

    slow.commit().await.unwrap();
    let batch = feed.next_batch(Position::START, &ALL, TEN).await.unwrap();
    assert_eq!(batch.watermark, quick.token.position);
    let streams: Vec<_> = batch
        .events
        .iter()
        .map(|e| e.stream.key().to_owned())
        .collect();
    assert_eq!(streams, ["slow", "quick"]);
}

#[tokio::test]
async fn a_rolled_back_append_leaves_a_hole_that_nobody_waits_for() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let mut feed = feed(&database).await;
    let mut undone = pool.begin().await.unwrap();
    stored(append(&mut undone, &counted("undone", 0, 3)).await.unwrap());
    undone.rollback().await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let kept = stored(
        append(&mut connection, &counted("kept", 0, 1))
            .await
            .unwrap(),
    );
    assert_eq!(kept.token.position, Position::new(4));
    let batch = feed.next_batch(Position::START, &ALL, TEN).await.unwrap();
    assert_eq!(batch.events.len(), 1);
    let lag = checkpoint::lag(feed.connection(), "nobody", kept.token.position)
        .await
        .unwrap();
    assert_eq!((lag.events, lag.seconds), (0, 0.0));
    let lag = checkpoint::lag(feed.connection(), "nobody", Position::START)
        .await
        .unwrap();
    assert_eq!(lag.events, 1);
}

#[tokio::test]
async fn appends_in_another_database_of_the_server_hold_back_nobody() {
    let database = TestDatabase::create().await;
    let other = TestDatabase::create().await;
    let other_pool = other.pool_app().await;
    let mut open_elsewhere = other_pool.begin().await.unwrap();
    stored(
        append(&mut open_elsewhere, &counted("a", 0, 1))
            .await
            .unwrap(),
    );

    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 1)).await.unwrap());
    let batch = feed(&database)
        .await
        .next_batch(Position::START, &ALL, TEN)
        .await
        .unwrap();
    assert_eq!(batch.events.len(), 1);
}

#[tokio::test]
async fn batches_end_at_their_limit_and_go_on_from_there() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 25)).await.unwrap());
    let mut feed = feed(&database).await;
    let mut checkpoint = Checkpoint::default();
    let mut sizes = Vec::new();
    loop {
        let batch = feed
            .next_batch(checkpoint.position, &ALL, TEN)
            .await
            .unwrap();
        if batch.events.is_empty() {
            break;
        }
        sizes.push(batch.events.len());
        checkpoint = checkpoint.after(&batch.events);
    }
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(checkpoint.delivered, 25);
    let recomputed = checkpoint::recompute(feed.connection(), Position::START, checkpoint.position)
        .await
        .unwrap();
    assert_eq!(recomputed, checkpoint);
}

#[tokio::test]
async fn the_feed_the_streams_and_old_keys_are_read_by_their_indexes() {
    let database = TestDatabase::create().await;
    let owner = database.pool_owner().await;
    sqlx::raw_sql(
        "INSERT INTO store.events
         SELECT n, 'counter', n % 100, n / 100 + 1, 'Counted', '1.0', '{}', '{}',
                gen_random_uuid(), now()
         FROM generate_series(1, 20000) n;
         INSERT INTO store.idempotency_keys
         SELECT 's', n, decode(repeat('00', 32), 'hex'), 200, 'counter', 'a', 1, NULL,
                now() - n * interval '1 minute'
         FROM generate_series(1, 20000) n;
         ANALYZE store.events, store.idempotency_keys;",
    )
    .execute(&owner)
    .await
    .unwrap();
    let plans = [
        (
            "SELECT * FROM store.events WHERE position > 5 AND position <= 9000
             ORDER BY position LIMIT 500",
            "events_pkey",
        ),
        (
            "SELECT * FROM store.events WHERE aggregate_type = 'counter' AND aggregate_id = '7'
             ORDER BY sequence LIMIT 100001",
            "events_stream_version",
        ),
        (
            "SELECT scope, key FROM store.idempotency_keys
             WHERE created_at < now() - interval '7 days' ORDER BY created_at LIMIT 1000",
            "idempotency_keys_created_at",
        ),
    ];
    for (statement, index) in plans {
        let plan: Vec<String> = sqlx::query_scalar(&format!("EXPLAIN {statement}"))
            .fetch_all(&owner)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(
            plan.contains(index) && !plan.contains("Seq Scan"),
            "{statement}:\n{plan}"
        );
    }
}
