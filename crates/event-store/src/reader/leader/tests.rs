//! What a leader remembers of a checkpoint that does not hold.

use test_support::TestDatabase;
use uuid::Uuid;

use super::*;

const EVENTS: i64 = 10;

/// A store whose reader `counter` has passed every event, in a generation that is over.
async fn restored() -> TestDatabase {
    let database = TestDatabase::create().await;
    let owner = database.pool_owner().await;
    let mut connection = owner.acquire().await.unwrap();
    for number in 1..=EVENTS {
        put_back(&mut connection, number).await;
    }
    let end = Position::new(EVENTS);
    let found = checkpoint::recompute(&mut connection, Position::START, end).await;
    let found = found.unwrap();
    sqlx::query(
        "INSERT INTO store.checkpoints (name, generation, position, delivered, digest)
         VALUES ('counter', 1, $1, $2, $3)",
    )
    .bind(found.position.get())
    .bind(found.delivered)
    .bind(found.digest)
    .execute(&mut *connection)
    .await
    .unwrap();
    sqlx::query("UPDATE store.generation SET timeline = '0000FFFF'")
        .execute(&mut *connection)
        .await
        .unwrap();
    database
}

/// Stores the event of a number, the same each time.
async fn put_back(connection: &mut PgConnection, number: i64) {
    sqlx::query(
        "INSERT INTO store.events VALUES ($1, 'counter', 'a', $1, 'Counted', '1.0', '{}', '{}', $2,
                                          now())",
    )
    .bind(number)
    .bind(Uuid::from_u128(number.unsigned_abs().into()))
    .execute(connection)
    .await
    .unwrap();
}

/// Whether the checkpoint is found to hold.
async fn holds(database: &TestDatabase, verdict: &mut Option<Verdict>) -> bool {
    let options = ReaderOptions::new("counter", "test", Duration::from_secs(10));
    let connect = database.options("atlas_app");
    let stop = CancellationToken::new();
    match Leader::elect(&connect, &options, verdict, &stop, drop).await {
        Ok(leader) => {
            let leader = leader.unwrap();
            leader.resign(&Condition::Idle).await.unwrap();
            true
        }
        Err(ReaderError::ForeignCheckpoint { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

/// What would hold by now is not looked into until the checkpoint or the generation is another.
#[tokio::test]
async fn history_is_not_read_again_for_a_checkpoint_that_was_found_foreign() {
    let database = restored().await;
    let owner = database.pool_owner().await;
    let mut connection = owner.acquire().await.unwrap();
    sqlx::query("DELETE FROM store.events WHERE position = 3")
        .execute(&mut *connection)
        .await
        .unwrap();
    let mut verdict = None;
    assert!(!holds(&database, &mut verdict).await);
    let remembered = verdict;
    assert!(remembered.is_some());

    put_back(&mut connection, 3).await;
    assert!(
        !holds(&database, &mut verdict).await,
        "it was looked into again"
    );
    assert_eq!(verdict, remembered);

    // Adopted: another checkpoint, which is looked into, and holds.
    sqlx::query("UPDATE store.checkpoints SET position = 0, delivered = 0, digest = 0")
        .execute(&mut *connection)
        .await
        .unwrap();
    assert!(holds(&database, &mut verdict).await);
}

#[tokio::test]
async fn another_generation_is_looked_into() {
    let database = restored().await;
    let owner = database.pool_owner().await;
    let mut connection = owner.acquire().await.unwrap();
    sqlx::query("DELETE FROM store.events WHERE position = 3")
        .execute(&mut *connection)
        .await
        .unwrap();
    let mut verdict = None;
    assert!(!holds(&database, &mut verdict).await);

    put_back(&mut connection, 3).await;
    sqlx::query("UPDATE store.generation SET timeline = '0000FFFE' WHERE number = 2")
        .execute(&mut *connection)
        .await
        .unwrap();
    assert!(holds(&database, &mut verdict).await);
}
