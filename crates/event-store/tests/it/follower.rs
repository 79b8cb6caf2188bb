//! Read models behind a follower: rows and checkpoint together, leases, generations.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use event_store::{
    ApplyError, FeedReader, FollowError, Follower, Opened, ReadModel, ReaderError, ReaderOptions,
    StoredEvent, append, freshness,
};
use sqlx::PgConnection;
use test_support::TestDatabase;

use crate::fixtures::{counted, stored, until_lease_ends};

/// Counts events of each stream in a table of its own, and fails when told to.
struct Counter {
    fails_on: Option<i64>,
}

#[async_trait]
impl ReadModel for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    async fn apply(
        &self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), ApplyError> {
        for event in events {
            if event.payload["number"].as_i64() == self.fails_on {
                return Err(sqlx::Error::Protocol("told to".to_owned()).into());
            }
            sqlx::query("INSERT INTO public.counted VALUES ($1)")
                .bind(event.position.get())
                .execute(&mut *transaction)
                .await?;
        }
        Ok(())
    }
}

async fn database() -> TestDatabase {
    let database = TestDatabase::create().await;
    sqlx::raw_sql(
        "CREATE TABLE public.counted (position bigint PRIMARY KEY);
         GRANT USAGE ON SCHEMA public TO atlas_app;
         GRANT SELECT, INSERT ON public.counted TO atlas_app;",
    )
    .execute(&database.pool_owner().await)
    .await
    .unwrap();
    database
}

fn follower(database: &TestDatabase, fails_on: Option<i64>) -> Follower {
    Follower::new(
        Arc::new(Counter { fails_on }),
        database.options("atlas_app"),
        "test".to_owned(),
        Duration::from_secs(10),
    )
}

async fn counted_rows(database: &TestDatabase) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM public.counted")
        .fetch_one(&database.pool_app().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn rows_and_checkpoint_move_together_or_not_at_all() {
    let database = database().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let answer = stored(append(&mut connection, &counted("a", 0, 7)).await.unwrap());

    let failed = follower(&database, Some(5)).catch_up().await.unwrap_err();
    assert!(
        matches!(failed, FollowError::Apply(ApplyError::Database(_))),
        "{failed:?}"
    );
    assert_eq!(counted_rows(&database).await, 0);
    until_lease_ends(&database, "counter").await;

    follower(&database, None).catch_up().await.unwrap();
    assert_eq!(counted_rows(&database).await, 7);
    let fresh = freshness(&mut connection, "counter")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((fresh.token, fresh.lag_seconds), (answer.token, 0.0));
    stored(append(&mut connection, &counted("a", 7, 1)).await.unwrap());
    let fresh = freshness(&mut connection, "counter")
        .await
        .unwrap()
        .unwrap();
    assert!(fresh.lag_seconds > 0.0);
}

async fn open(database: &TestDatabase, owner: &str, lease: Duration) -> Opened {
    let options = ReaderOptions {
        name: "reader".to_owned(),
        owner: owner.to_owned(),
        lease,
    };
    FeedReader::open(&database.options("atlas_app"), &options)
        .await
        .unwrap()
}

fn reader(opened: Opened) -> FeedReader {
    match opened {
        Opened::Reader(reader) => *reader,
        Opened::Held { owner, remaining } => panic!("held by {owner} for {remaining:?}"),
    }
}

#[tokio::test]
async fn one_owner_reads_and_another_waits_until_it_is_given_back() {
    let database = database().await;
    let first = reader(open(&database, "first", Duration::from_secs(30)).await);
    let Opened::Held { owner, remaining } =
        open(&database, "second", Duration::from_secs(30)).await
    else {
        panic!("two owners at once");
    };
    assert_eq!(owner, "first");
    assert!(remaining > Duration::from_secs(20));
    first.close().await.unwrap();
    reader(open(&database, "second", Duration::from_secs(30)).await);
}

#[tokio::test]
async fn an_owner_that_slept_past_its_lease_moves_nothing() {
    let database = database().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 3)).await.unwrap());

    let mut slept = reader(open(&database, "slept", Duration::from_millis(1)).await);
    let batch = slept.next_batch(10).await.unwrap();
    until_lease_ends(&database, "reader").await;
    let mut awake = reader(open(&database, "awake", Duration::from_secs(30)).await);
    let lost = slept.pass(&batch.events).await.unwrap_err();
    assert!(matches!(lost, ReaderError::LeaseLost), "{lost:?}");

    let batch = awake.next_batch(10).await.unwrap();
    assert_eq!(batch.events.len(), 3);
    awake.pass(&batch.events).await.unwrap();
    assert_eq!(awake.checkpoint().delivered, 3);
}

/// Makes the server look as if the last generation had been another history.
async fn change_history(database: &TestDatabase) {
    sqlx::query("UPDATE store.generation SET timeline = '0000FFFF'")
        .execute(&database.pool_owner().await)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_checkpoint_that_still_matches_is_taken_into_the_new_generation() {
    let database = database().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 7)).await.unwrap());
    follower(&database, None).catch_up().await.unwrap();
    change_history(&database).await;
    follower(&database, None).catch_up().await.unwrap();
    let fresh = freshness(&mut connection, "counter")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(fresh.token.generation.number, 2);
}

#[tokio::test]
async fn a_checkpoint_of_another_history_stops_its_reader_and_names_the_cure() {
    let database = database().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 7)).await.unwrap());
    follower(&database, None).catch_up().await.unwrap();
    change_history(&database).await;
    sqlx::query("DELETE FROM store.events WHERE position = 3")
        .execute(&database.pool_owner().await)
        .await
        .unwrap();
    let stopped = follower(&database, None).catch_up().await.unwrap_err();
    let FollowError::Reader(foreign @ ReaderError::ForeignCheckpoint { .. }) = stopped else {
        panic!("{stopped:?}");
    };
    assert_eq!(
        foreign.to_string(),
        "checkpoint counter of generation 1 does not hold in generation 2: \
         run `projector store adopt`"
    );
}

#[tokio::test]
async fn an_owner_whose_connection_broke_has_its_own_lease_again_at_once() {
    let database = database().await;
    drop(reader(
        open(&database, "same", Duration::from_secs(30)).await,
    ));
    reader(open(&database, "same", Duration::from_secs(30)).await);
}
