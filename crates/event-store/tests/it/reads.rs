//! What a reader reads: from where, to where, which stream, how much at once, and how fast.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use event_store::{
    BatchBound, Checkpoint, Ended, Position, Reader, ReaderOptions, Sink, SinkError, StoredEvent,
    append, checkpoint, streams_between, version_at,
};
use serde_json::json;
use sqlx::PgConnection;
use test_support::TestDatabase;
use tokio_util::sync::CancellationToken;

use crate::fixtures::{counted, stored, stream};

/// Keeps what it is brought, batch by batch: stream and version of each event.
#[derive(Default)]
struct Kept(Vec<Vec<(String, i64)>>);

#[async_trait]
impl Sink for Kept {
    async fn apply(
        &mut self,
        _: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), SinkError> {
        let one = |event: &StoredEvent| (event.stream.key().to_owned(), event.version.get());
        self.0.push(events.iter().map(one).collect());
        Ok(())
    }
}

impl Kept {
    fn sizes(&self) -> Vec<usize> {
        self.0.iter().map(Vec::len).collect()
    }

    fn all(&self) -> Vec<(&str, i64)> {
        let events = self.0.iter().flatten();
        events
            .map(|(stream, version)| (stream.as_str(), *version))
            .collect()
    }
}

fn options() -> ReaderOptions {
    ReaderOptions::new("test", "test", Duration::from_secs(10))
}

/// Positions 1 to 4 are those of `a`, 5 to 8 of `b`, 9 to 12 of `a`.
async fn three_appends(database: &TestDatabase) {
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    for (name, version) in [("a", 0), ("b", 0), ("a", 4)] {
        stored(
            append(&mut connection, &counted(name, version, 4))
                .await
                .unwrap(),
        );
    }
}

/// Drives a reader that comes to an end.
async fn reach(database: &TestDatabase, options: ReaderOptions) -> Kept {
    let mut kept = Kept::default();
    let reader = Reader::new(database.options("atlas_app"), options);
    let ended = reader.drive(&mut kept, &CancellationToken::new()).await;
    assert_eq!(ended, Ended::Reached);
    kept
}

#[tokio::test]
async fn from_and_to_are_kept_and_it_ends_there() {
    let database = TestDatabase::create().await;
    three_appends(&database).await;
    let kept = reach(
        &database,
        ReaderOptions {
            after: Position::new(2),
            to: Some(Position::new(6)),
            ..options()
        },
    )
    .await;
    assert_eq!(kept.all(), [("a", 3), ("a", 4), ("b", 1), ("b", 2)]);
    // Its checkpoint counts from where it began, and holds.
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let (since, position, delivered, digest): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT since, position, delivered, digest FROM store.checkpoints WHERE name = 'test'",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    assert_eq!((since, position, delivered), (2, 6, 4));
    let (since, position) = (Position::new(since), Position::new(position));
    let recomputed = checkpoint::recompute(&mut connection, since, position).await;
    let found = Checkpoint {
        position,
        delivered,
        digest,
    };
    assert_eq!(recomputed.unwrap(), found);
    // There is nothing more to come: it ends at once.
    let again = ReaderOptions {
        to: Some(Position::new(6)),
        ..options()
    };
    assert_eq!(reach(&database, again).await.all(), []);
}

#[tokio::test]
async fn of_one_stream_it_brings_that_stream_alone() {
    let database = TestDatabase::create().await;
    three_appends(&database).await;
    let kept = reach(
        &database,
        ReaderOptions {
            to: Some(Position::new(10)),
            stream: Some(stream("a")),
            ..options()
        },
    )
    .await;
    assert_eq!(
        kept.all(),
        [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("a", 5), ("a", 6)]
    );
}

#[tokio::test]
async fn a_rate_is_kept() {
    let database = TestDatabase::create().await;
    three_appends(&database).await;
    let started = Instant::now();
    let kept = reach(
        &database,
        ReaderOptions {
            to: Some(Position::new(12)),
            max_rate: NonZeroU32::new(20),
            ..options()
        },
    )
    .await;
    // Two at once, and twelve of them take six tenths of a second.
    assert_eq!(kept.sizes(), [2; 6]);
    assert!(
        started.elapsed() >= Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
}

/// What is stored compressed counts as it is read.
#[tokio::test]
async fn batches_are_cut_by_bytes_too_and_one_event_goes_whatever_its_size() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let mut large = counted("large", 0, 7);
    for event in &mut large.streams[0].events {
        event.payload = json!({ "text": "a".repeat(100_000) });
    }
    large.streams[0].events[6].payload = json!({ "text": "a".repeat(900_000) });
    stored(append(&mut connection, &large).await.unwrap());
    stored(
        append(&mut connection, &counted("small", 0, 9))
            .await
            .unwrap(),
    );
    let kept = reach(
        &database,
        ReaderOptions {
            to: Some(Position::new(16)),
            batch: BatchBound {
                events: 8,
                bytes: 250_000,
            },
            ..options()
        },
    )
    .await;
    // Each batch ends with the event that makes it full.
    assert_eq!(kept.sizes(), [3, 3, 1, 8, 1]);
}

/// What live streams ask: which streams have moved, and which version one had.
#[tokio::test]
async fn a_part_of_the_log_names_its_streams_and_the_version_of_each() {
    let database = TestDatabase::create().await;
    three_appends(&database).await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let kind = stream("a").kind().to_owned();
    for (after, up_to, names) in [
        (0, 4, vec!["a"]),
        (3, 6, vec!["a", "b"]),
        (4, 8, vec!["b"]),
        (12, 20, vec![]),
    ] {
        let (after, up_to) = (Position::new(after), Position::new(up_to));
        let mut found = streams_between(&mut connection, &kind, after, up_to)
            .await
            .unwrap();
        found.sort_unstable();
        assert_eq!(found, names);
    }
    let none = streams_between(&mut connection, "none", Position::START, Position::new(12)).await;
    assert_eq!(none.unwrap(), [""; 0]);
    for (position, version) in [(0, 0), (3, 3), (7, 4), (8, 4), (9, 5), (90, 8)] {
        let found = version_at(&mut connection, &stream("a"), Position::new(position)).await;
        assert_eq!(found.unwrap().get(), version, "at {position}");
    }

    sqlx::raw_sql("SET plan_cache_mode = force_generic_plan")
        .execute(&mut *connection)
        .await
        .unwrap();
    let prepared: Vec<(String, i32)> = sqlx::query_as(
        "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements
         WHERE statement LIKE '%FROM store.events%'
           AND statement NOT LIKE '%pg_prepared_statements%'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    assert!(prepared.len() >= 2);
    for (name, parameters) in prepared {
        let nulls = vec!["NULL"; usize::try_from(parameters).unwrap()].join(", ");
        let explain = format!("EXPLAIN (COSTS OFF) EXECUTE {name} ({nulls})");
        let lines: Vec<String> = sqlx::query_scalar(&explain)
            .persistent(false)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let plan = lines.join("\n");
        assert!(
            plan.contains("Index") && !plan.contains("Seq Scan"),
            "{plan}"
        );
    }
}
