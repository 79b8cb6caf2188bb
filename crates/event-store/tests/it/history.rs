//! Checkpoints and generations: which hold after a restore, and what it costs to find out.

use std::time::Duration;

use event_store::checkpoint::Reached;
use event_store::{
    Checkpoint, Condition, Position, Reader, ReaderError, ReaderOptions, Sink, append, checkpoint,
    freshness, reader_statuses,
};
use sqlx::PgConnection;
use test_support::TestDatabase;

use crate::fixtures::{counted, stored, stream};

/// Takes everything, and does nothing with it.
struct Sieve;

impl Sink for Sieve {}

fn reader(database: &TestDatabase, name: &str) -> Reader {
    let options = ReaderOptions::new(name, "test", Duration::from_secs(10));
    Reader::new(database.options("atlas_app"), options)
}

async fn catch_up(database: &TestDatabase) -> Result<(), ReaderError> {
    reader(database, "counter").catch_up(&mut Sieve).await
}

/// Makes the server look as if the last generation had been another history.
async fn change_history(database: &TestDatabase) {
    as_owner(
        database,
        "UPDATE store.generation SET timeline = '0000FFFF'",
    )
    .await;
}

async fn as_owner(database: &TestDatabase, statements: &str) {
    let owner = database.pool_owner().await;
    sqlx::raw_sql(statements).execute(&owner).await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_that_still_matches_is_taken_into_the_new_generation() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 7)).await.unwrap());
    catch_up(&database).await.unwrap();
    change_history(&database).await;
    catch_up(&database).await.unwrap();
    let fresh = freshness(&mut connection, "counter")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(fresh.token.generation.number, 2);
}

#[tokio::test]
async fn a_checkpoint_of_another_history_halts_its_reader_and_names_the_cure() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 7)).await.unwrap());
    catch_up(&database).await.unwrap();
    change_history(&database).await;
    as_owner(&database, "DELETE FROM store.events WHERE position = 3").await;
    let halted = catch_up(&database).await.unwrap_err();
    assert!(
        matches!(halted, ReaderError::ForeignCheckpoint { .. }),
        "{halted:?}"
    );
    let told = "checkpoint counter of generation 1 does not hold in generation 2: \
                run `projector store adopt`";
    assert_eq!(halted.to_string(), told);

    let statuses = reader_statuses(&mut connection, &["counter".to_owned()]).await;
    let status = statuses.unwrap().pop().unwrap();
    let condition = Condition::Halted {
        reason: told.to_owned(),
        event_id: None,
    };
    assert_eq!((status.condition, status.owner), (condition, None));
}

/// Its checkpoint counts what it was brought, and nothing else.
#[tokio::test]
async fn a_checkpoint_of_one_stream_holds_by_that_stream() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    for name in ["a", "b"] {
        stored(append(&mut connection, &counted(name, 0, 7)).await.unwrap());
    }
    let options = ReaderOptions {
        stream: Some(stream("b")),
        ..ReaderOptions::new("counter", "test", Duration::from_secs(10))
    };
    let reader = Reader::new(database.options("atlas_app"), options);
    reader.catch_up(&mut Sieve).await.unwrap();
    change_history(&database).await;
    as_owner(&database, "DELETE FROM store.events WHERE position = 3").await;
    reader.catch_up(&mut Sieve).await.unwrap();
    let fresh = freshness(&mut connection, "counter")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(fresh.token.generation.number, 2);
    as_owner(
        &database,
        "UPDATE store.generation SET timeline = '0000FFFE' WHERE number = 2;
         DELETE FROM store.events WHERE position = 12",
    )
    .await;
    let halted = reader.catch_up(&mut Sieve).await.unwrap_err();
    assert!(
        matches!(halted, ReaderError::ForeignCheckpoint { .. }),
        "{halted:?}"
    );
}

/// One more than a page of events, and readers that have passed them all.
#[tokio::test]
async fn history_is_verified_once_for_all_readers() {
    const EVENTS: i64 = 100_010;
    let database = TestDatabase::create().await;
    let fill = format!(
        "INSERT INTO store.events
         SELECT n, 'counter', n % 100, n / 100 + 1, 'Counted', '1.0', '{{}}', '{{}}',
                gen_random_uuid(), now()
         FROM generate_series(1, {EVENTS}) n;
         SELECT setval('store.position', {EVENTS});"
    );
    as_owner(&database, &fill).await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let end = Position::new(EVENTS);
    let found = checkpoint::recompute(&mut connection, Position::START, end).await;
    let found: Checkpoint = found.unwrap();
    assert_eq!(found.delivered, EVENTS);
    sqlx::query(
        "INSERT INTO store.checkpoints (name, generation, position, delivered, digest)
         SELECT name, 1, $1, $2, $3 FROM unnest(ARRAY['one', 'two', 'three', 'four']) AS name",
    )
    .bind(found.position.get())
    .bind(found.delivered)
    .bind(found.digest)
    .execute(&mut *connection)
    .await
    .unwrap();

    change_history(&database).await;
    let [one, two, three] = ["one", "two", "three"].map(|name| reader(&database, name));
    let (mut a, mut b, mut c) = (Sieve, Sieve, Sieve);
    let all = tokio::join!(
        one.catch_up(&mut a),
        two.catch_up(&mut b),
        three.catch_up(&mut c)
    );
    all.0.and(all.1).and(all.2).unwrap();
    let marks: Vec<(i64, i64, i64)> =
        sqlx::query_as("SELECT generation, position, delivered FROM store.marks")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    assert_eq!(marks, [(2, 100_000, 100_000)]);

    // What lies before a mark is not read again: not even that an event is missing is seen.
    as_owner(&database, "DELETE FROM store.events WHERE position = 5").await;
    reader(&database, "four")
        .catch_up(&mut Sieve)
        .await
        .unwrap();
    let entered: Vec<i64> =
        sqlx::query_scalar("SELECT generation FROM store.checkpoints WHERE name <> 'verification'")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    assert_eq!(entered, [2; 4]);
}

/// What the reader `counter` says of itself.
async fn reached(connection: &mut PgConnection) -> Reached {
    let reached = checkpoint::reached(connection, "counter").await.unwrap();
    reached.unwrap()
}

/// The last two of seven events are lost, and two others have their positions.
#[tokio::test]
async fn a_reader_is_put_where_the_common_history_ends() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 7)).await.unwrap());
    catch_up(&database).await.unwrap();
    change_history(&database).await;
    as_owner(
        &database,
        "DELETE FROM store.events WHERE position > 5;
         SELECT setval('store.position', 5);
         INSERT INTO store.parked (reader, aggregate_type, aggregate_id, sequence, event_id,
                                   position, event, reason, recorded_at)
         SELECT 'counter', 'counter', id, 4, gen_random_uuid(), position, 'Counted', 'x', now()
         FROM (VALUES ('a', 4), ('gone', 7)) AS parked (id, position)",
    )
    .await;
    catch_up(&database).await.unwrap_err();
    let from = reached(&mut connection).await;
    let beyond = from.checkpoint.position;
    assert!(
        checkpoint::is_beyond(&mut connection, beyond)
            .await
            .unwrap()
    );
    stored(append(&mut connection, &counted("b", 0, 2)).await.unwrap());
    assert!(
        !checkpoint::is_beyond(&mut connection, beyond)
            .await
            .unwrap()
    );

    let certain = checkpoint::certain(&mut connection, &from).await.unwrap();
    let end = Position::new(5);
    let stored = checkpoint::recompute(&mut connection, Position::START, end).await;
    assert_eq!((certain, certain.delivered), (stored.unwrap(), 5));
    let to = Reached {
        generation: 2,
        since: Position::START,
        checkpoint: certain,
    };
    let mut put = async || checkpoint::put_at(&mut connection, "counter", &from, &to).await;
    assert!(put().await.unwrap());
    assert!(!put().await.unwrap(), "it is not there any more");
    let parked: Vec<String> = sqlx::query_scalar("SELECT aggregate_id FROM store.parked")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    assert_eq!(parked, ["a"]);

    catch_up(&database).await.unwrap();
    let found = reached(&mut connection).await.checkpoint;
    let all = checkpoint::recompute(&mut connection, Position::START, beyond).await;
    assert_eq!((found, found.delivered), (all.unwrap(), 7));
}

/// An event in the middle is lost: whatever else is, nobody can say.
#[tokio::test]
async fn where_histories_part_before_the_checkpoint_nothing_is_certain() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 7)).await.unwrap());
    catch_up(&database).await.unwrap();
    change_history(&database).await;
    as_owner(&database, "DELETE FROM store.events WHERE position = 3").await;
    catch_up(&database).await.unwrap_err();
    let from = reached(&mut connection).await;
    let certain = checkpoint::certain(&mut connection, &from).await.unwrap();
    assert_eq!(certain, Checkpoint::default());
}
