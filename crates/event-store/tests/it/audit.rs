//! Audits of checkpoints and streams: what is wrong is named, and nothing else.

use std::time::Duration;

use event_store::audit::{
    BrokenStream, CheckpointAudit, CheckpointFinding, SkippedEvent, StreamAudit,
};
use event_store::{
    Checkpoint, Position, Reader, ReaderOptions, Sink, StreamId, Version, append, load,
};
use sqlx::PgConnection;
use test_support::TestDatabase;

use crate::fixtures::{counted, stored, stream};

struct Sieve;

impl Sink for Sieve {}

/// Streams `a` and `b` of five events each, passed by one reader; then `c`, passed by nobody, and a
/// reader that begins there.
async fn scene() -> (TestDatabase, sqlx::pool::PoolConnection<sqlx::Postgres>) {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    for name in ["a", "b"] {
        stored(append(&mut connection, &counted(name, 0, 5)).await.unwrap());
    }
    catch_up(&database, "early", Position::START).await;
    stored(append(&mut connection, &counted("c", 0, 5)).await.unwrap());
    catch_up(&database, "late", Position::new(7)).await;
    (database, connection)
}

async fn catch_up(database: &TestDatabase, name: &str, after: Position) {
    let options = ReaderOptions {
        after,
        ..ReaderOptions::new(name, "test", Duration::from_secs(10))
    };
    let reader = Reader::new(database.options("atlas_app"), options);
    reader.catch_up(&mut Sieve).await.unwrap();
}

async fn as_owner(database: &TestDatabase, statement: &str) {
    let owner = database.pool_owner().await;
    sqlx::raw_sql(statement).execute(&owner).await.unwrap();
}

async fn checkpoints(connection: &mut PgConnection) -> Vec<CheckpointFinding> {
    let mut audit = CheckpointAudit::begin(connection).await.unwrap();
    while audit.step(connection).await.unwrap() {}
    audit.end(connection).await.unwrap()
}

async fn broken(connection: &mut PgConnection) -> Vec<BrokenStream> {
    let mut audit = StreamAudit::begin();
    while audit.step(connection).await.unwrap() {}
    audit.broken().to_vec()
}

#[tokio::test]
async fn what_is_right_holds_wherever_its_reader_began() {
    let (_database, mut connection) = scene().await;
    let found = checkpoints(&mut connection).await;
    let told: Vec<_> = found
        .iter()
        .map(|one| (one.name.as_str(), one.claimed.delivered, one.holds()))
        .collect();
    assert_eq!(told, [("early", 10, true), ("late", 8, true)]);
    assert_eq!(broken(&mut connection).await, []);
}

#[tokio::test]
async fn the_one_event_that_a_checkpoint_was_moved_past_is_named() {
    let (database, mut connection) = scene().await;
    as_owner(
        &database,
        "UPDATE store.checkpoints SET position = 11 WHERE name = 'early'",
    )
    .await;
    let found = checkpoints(&mut connection).await;
    let streams = load(&mut connection, &[stream("c")]).await.unwrap();
    let expected = SkippedEvent {
        event_id: streams[0].events[0].event_id,
        position: Position::new(11),
        stream: stream("c"),
        version: Version::new(1),
    };
    assert_eq!((found[0].missing(), found[0].same_digest()), (1, false));
    assert_eq!(found[0].skipped, Some(expected));
    assert!(found[1].holds());

    as_owner(
        &database,
        "UPDATE store.checkpoints SET position = 13 WHERE name = 'early'",
    )
    .await;
    let found = checkpoints(&mut connection).await;
    assert_eq!((found[0].missing(), &found[0].skipped), (3, &None));
}

#[tokio::test]
async fn another_event_in_the_place_of_one_is_seen_by_the_digest() {
    let (database, mut connection) = scene().await;
    as_owner(
        &database,
        "UPDATE store.events SET event_id = gen_random_uuid() WHERE position = 9",
    )
    .await;
    for found in checkpoints(&mut connection).await {
        assert_eq!((found.missing(), found.same_digest()), (0, false));
    }
}

#[tokio::test]
async fn a_hole_in_a_stream_is_named_and_a_count_that_is_too_great() {
    let (database, mut connection) = scene().await;
    as_owner(
        &database,
        "DELETE FROM store.events WHERE aggregate_id = 'a' AND sequence = 3
            OR aggregate_id = 'b' AND sequence = 1",
    )
    .await;
    let hole = |name: &str, before, after| BrokenStream {
        stream: StreamId::from_parts("counter", name.to_owned()),
        before: Version::new(before),
        after: Version::new(after),
    };
    assert_eq!(
        broken(&mut connection).await,
        [hole("a", 2, 4), hole("b", 0, 2)]
    );
    let found = checkpoints(&mut connection).await;
    let missing: Vec<_> = found.iter().map(CheckpointFinding::missing).collect();
    assert_eq!(missing, [-2, 0]);
}

/// Pages end in the middle of a stream.
#[tokio::test]
async fn pages_are_joined_without_a_seam() {
    const EVENTS: i64 = 100_010;
    let database = TestDatabase::create().await;
    let fill = format!(
        "INSERT INTO store.events
         SELECT n, 'counter', (n - 1) / 70000, (n - 1) % 70000 + 1, 'Counted', '1.0', '{{}}', '{{}}',
                gen_random_uuid(), now()
         FROM generate_series(1, {EVENTS}) n;
         SELECT setval('store.position', {EVENTS});"
    );
    as_owner(&database, &fill).await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    assert_eq!(broken(&mut connection).await, []);
    catch_up(&database, "all", Position::START).await;
    let mut audit = CheckpointAudit::begin(&mut connection).await.unwrap();
    let mut steps = 0;
    while audit.step(&mut connection).await.unwrap() {
        steps += 1;
    }
    assert!(steps > 1);
    assert_eq!(audit.total(), EVENTS);
    let found = audit.end(&mut connection).await.unwrap();
    assert!(found[0].holds(), "{found:?}");
    let Checkpoint { delivered, .. } = found[0].stored;
    assert_eq!(delivered, EVENTS);
}
