//! An event that a release cannot read: its stream waits, nothing else does, nothing is skipped.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use event_store::{
    ApplyError, Follower, HeldBack, ReadModel, StoredEvent, Version, append, freshness, held_back,
};
use sqlx::{PgConnection, PgPool};
use test_support::{TestDatabase, eventually};
use tokio_util::sync::CancellationToken;

use crate::fixtures::{counted, stored, stream};

/// The streams and numbers of the events that a release cannot read.
type Unknown = BTreeSet<(&'static str, i64)>;

/// Notes every event that it is given, in order; some it cannot read.
struct Notes {
    unknown: Arc<Mutex<Unknown>>,
}

#[async_trait]
impl ReadModel for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    async fn apply(
        &self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), ApplyError> {
        for event in events {
            let (key, version) = (event.stream.key(), event.version.get());
            if self
                .unknown
                .lock()
                .unwrap()
                .iter()
                .any(|u| *u == (key, version))
            {
                return Err(ApplyError::Unreadable {
                    event_id: event.event_id,
                    event: event.event_type.clone(),
                    source: "of another release".into(),
                });
            }
            // What a read model does with a repeat, and with a hole.
            let last: Option<i64> =
                sqlx::query_scalar("SELECT max(version) FROM public.notes WHERE stream = $1")
                    .bind(key)
                    .fetch_one(&mut *transaction)
                    .await?;
            let next = last.unwrap_or(0) + 1;
            assert!(version <= next, "{key} {version} after {last:?}");
            if version == next {
                sqlx::query("INSERT INTO public.notes (stream, version) VALUES ($1, $2)")
                    .bind(key)
                    .bind(version)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        Ok(())
    }
}

/// A store with a read model whose releases know more and more.
struct Reader {
    database: TestDatabase,
    pool: PgPool,
    unknown: Arc<Mutex<Unknown>>,
}

impl Reader {
    async fn that_does_not_know<const N: usize>(unknown: [(&'static str, i64); N]) -> Self {
        let database = TestDatabase::create().await;
        sqlx::raw_sql(
            "CREATE TABLE public.notes (stream text, version bigint, PRIMARY KEY (stream, version));
             GRANT USAGE ON SCHEMA public TO atlas_app;
             GRANT SELECT, INSERT ON public.notes TO atlas_app;",
        )
        .execute(&database.pool_owner().await)
        .await
        .unwrap();
        Self {
            pool: database.pool_app().await,
            database,
            unknown: Arc::new(Mutex::new(unknown.into())),
        }
    }

    /// The next release, which knows this event too.
    fn learns(&self, event: (&'static str, i64)) {
        assert!(self.unknown.lock().unwrap().remove(&event));
    }

    async fn append(&self, name: &str, expected: i64, count: i64) {
        let mut connection = self.pool.acquire().await.unwrap();
        let events = counted(name, expected, count);
        stored(append(&mut connection, &events).await.unwrap());
    }

    fn follower(&self) -> Follower {
        Follower::new(
            Arc::new(Notes {
                unknown: Arc::clone(&self.unknown),
            }),
            self.database.options("atlas_app"),
            "test".to_owned(),
            Duration::from_secs(10),
        )
    }

    async fn catch_up(&self) {
        self.follower().catch_up().await.unwrap();
    }

    /// How far the stream's notes go. They have no hole: that is their key and their model's.
    async fn noted(&self, name: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM public.notes WHERE stream = $1")
            .bind(name)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn held_back(&self, name: &str) -> Option<HeldBack> {
        let mut connection = self.pool.acquire().await.unwrap();
        held_back(&mut connection, "notes", &stream(name))
            .await
            .unwrap()
    }

    /// Since when the stream is held back, as the database prints it; empty if it is not.
    async fn since(&self, name: &str) -> String {
        sqlx::query_scalar("SELECT since::text FROM store.held_back WHERE aggregate_id = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .unwrap()
            .unwrap_or_default()
    }

    async fn notes(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM public.notes")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn lags(&self) -> bool {
        let mut connection = self.pool.acquire().await.unwrap();
        let fresh = freshness(&mut connection, "notes").await.unwrap();
        fresh.unwrap().lag_seconds > 0.0
    }
}

fn version(held: Option<HeldBack>) -> Option<Version> {
    held.map(|held| held.version)
}

#[tokio::test]
async fn its_stream_waits_and_nothing_else_does() {
    let reader = Reader::that_does_not_know([("a", 3)]).await;
    reader.append("a", 0, 2).await;
    reader.append("b", 0, 2).await;
    reader.append("a", 2, 2).await;
    reader.append("b", 2, 2).await;
    reader.catch_up().await;
    assert_eq!((reader.noted("a").await, reader.noted("b").await), (2, 4));
    assert!(!reader.lags().await, "the checkpoint goes on");

    let held = reader.held_back("a").await.unwrap();
    assert_eq!((held.stream, held.version), (stream("a"), Version::new(3)));
    assert_eq!(held.event, "Counted 1.0");
    assert_eq!(reader.held_back("b").await, None);
    let mut connection = reader.pool.acquire().await.unwrap();
    let other = held_back(&mut connection, "other", &stream("a")).await;
    assert_eq!(other.unwrap(), None, "of another reader");

    // What comes later of it waits too, however well it could be read.
    reader.append("a", 4, 1).await;
    reader.append("b", 4, 1).await;
    reader.catch_up().await;
    assert_eq!((reader.noted("a").await, reader.noted("b").await), (2, 5));

    reader.learns(("a", 3));
    reader.append("b", 5, 1).await;
    reader.catch_up().await;
    assert_eq!((reader.noted("a").await, reader.noted("b").await), (5, 6));
    assert_eq!(reader.held_back("a").await, None);
    reader.append("a", 5, 1).await;
    reader.catch_up().await;
    assert_eq!(reader.noted("a").await, 6);
}

#[tokio::test]
async fn several_wait_each_for_its_own_event() {
    let reader = Reader::that_does_not_know([("a", 1), ("b", 2), ("b", 4), ("c", 2)]).await;
    for name in ["a", "b", "c", "d"] {
        reader.append(name, 0, 5).await;
    }
    reader.catch_up().await;
    assert_eq!(version(reader.held_back("a").await), Some(Version::new(1)));
    assert_eq!(version(reader.held_back("b").await), Some(Version::new(2)));
    assert_eq!(version(reader.held_back("c").await), Some(Version::new(2)));
    let noted = [("a", 0), ("b", 1), ("c", 1), ("d", 5)];
    for (name, count) in noted {
        assert_eq!(reader.noted(name).await, count, "{name}");
    }

    // A release that knows one more of its events takes the stream on to the next.
    let since = reader.since("b").await;
    reader.learns(("b", 2));
    reader.learns(("c", 2));
    reader.catch_up().await;
    assert_eq!(version(reader.held_back("b").await), Some(Version::new(4)));
    assert_eq!(reader.since("b").await, since);
    assert_eq!(reader.held_back("c").await, None);
    for (name, count) in [("a", 0), ("b", 3), ("c", 5), ("d", 5)] {
        assert_eq!(reader.noted(name).await, count, "{name}");
    }
}

/// More than one page of them, so that looking again comes past the first.
#[tokio::test]
async fn all_are_looked_at_again() {
    let names: Vec<String> = (0..130).map(|n| format!("s{n}")).collect();
    let names: Vec<&'static str> = names.into_iter().map(|n| &*n.leak()).collect();
    let reader = Reader::that_does_not_know([]).await;
    reader
        .unknown
        .lock()
        .unwrap()
        .extend(names.iter().map(|name| (*name, 1)));
    for name in &names {
        reader.append(name, 0, 2).await;
    }
    reader.catch_up().await;
    assert_eq!(reader.notes().await, 0);
    reader.unknown.lock().unwrap().clear();
    reader.catch_up().await;
    assert_eq!(reader.notes().await, 260);
}

#[tokio::test]
async fn a_follower_that_runs_looks_again_by_itself() {
    let reader = Reader::that_does_not_know([("a", 2)]).await;
    reader.append("a", 0, 3).await;
    let stop = CancellationToken::new();
    let follower = reader
        .follower()
        .looking_again_every(Duration::from_millis(50));
    let running = tokio::spawn(follower.run(stop.clone()));
    let bound = Duration::from_secs(10);
    eventually("the stream to be held back", bound, || async {
        reader.held_back("a").await.map(drop).ok_or("it is not")
    })
    .await;
    reader.learns(("a", 2));
    eventually("the stream to flow again", bound, || async {
        match reader.noted("a").await {
            3 => Ok(()),
            noted => Err(noted),
        }
    })
    .await;
    assert_eq!(reader.held_back("a").await, None);
    stop.cancel();
    running.await.unwrap();
}
