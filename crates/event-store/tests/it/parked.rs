//! An event that a release cannot read: its stream is parked, nothing else is, nothing is skipped.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use event_store::{
    Parked, Position, Reader, ReaderOptions, Sent, Sink, SinkError, StoredEvent, Version, append,
    freshness, parked, parked_at, reader_statuses,
};
use sqlx::{PgConnection, PgPool};
use test_support::{TestDatabase, eventually};
use tokio_util::sync::CancellationToken;

use crate::fixtures::{counted, stored, stream};

/// The streams and numbers of the events that a release cannot read.
type Unknown = BTreeSet<(&'static str, i64)>;

/// Notes every event that it is given, in order; some it cannot read.
pub(crate) struct Notes {
    unknown: Arc<Mutex<Unknown>>,
}

#[async_trait]
impl Sink for Notes {
    async fn apply(
        &mut self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), SinkError> {
        for event in events {
            let (key, version) = (event.stream.key(), event.version.get());
            if self
                .unknown
                .lock()
                .unwrap()
                .iter()
                .any(|u| *u == (key, version))
            {
                return Err(SinkError::unreadable(event, "of another release"));
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
pub(crate) struct Scene {
    pub(crate) database: TestDatabase,
    pub(crate) pool: PgPool,
    unknown: Arc<Mutex<Unknown>>,
}

impl Scene {
    pub(crate) async fn that_does_not_know<const N: usize>(
        unknown: [(&'static str, i64); N],
    ) -> Self {
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

    pub(crate) async fn append(&self, name: &str, expected: i64, count: i64) {
        let mut connection = self.pool.acquire().await.unwrap();
        let events = counted(name, expected, count);
        stored(append(&mut connection, &events).await.unwrap());
    }

    pub(crate) fn notes(&self) -> Notes {
        Notes {
            unknown: Arc::clone(&self.unknown),
        }
    }

    /// A reader that looks again every twentieth of a second.
    pub(crate) fn reader(&self) -> Reader {
        let options = ReaderOptions {
            look_again_every: Duration::from_millis(50),
            ..ReaderOptions::new("notes", "test", Duration::from_secs(10))
        };
        Reader::new(self.database.options("atlas_app"), options)
    }

    pub(crate) async fn catch_up(&self) {
        self.reader().catch_up(&mut self.notes()).await.unwrap();
    }

    /// How far the stream's notes go. They have no hole: that is their key and their model's.
    pub(crate) async fn noted(&self, name: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM public.notes WHERE stream = $1")
            .bind(name)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn parked(&self, name: &str) -> Option<Parked> {
        let mut connection = self.pool.acquire().await.unwrap();
        parked(&mut connection, "notes", &stream(name))
            .await
            .unwrap()
    }

    /// Since when the stream is parked, as the database prints it; empty if it is not.
    async fn since(&self, name: &str) -> String {
        sqlx::query_scalar("SELECT since::text FROM store.parked WHERE aggregate_id = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .unwrap()
            .unwrap_or_default()
    }

    async fn all_noted(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM public.notes")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn lags(&self) -> bool {
        let mut connection = self.pool.acquire().await.unwrap();
        let fresh = freshness(&mut connection, "notes").await.unwrap();
        fresh.unwrap().lag_seconds > 0.0
    }
}

fn version(parked: Option<Parked>) -> Option<Version> {
    parked.map(|parked| parked.version)
}

#[tokio::test]
async fn its_stream_waits_and_nothing_else_does() {
    let scene = Scene::that_does_not_know([("a", 3)]).await;
    scene.append("a", 0, 2).await;
    scene.append("b", 0, 2).await;
    scene.append("a", 2, 2).await;
    scene.append("b", 2, 2).await;
    scene.catch_up().await;
    assert_eq!((scene.noted("a").await, scene.noted("b").await), (2, 4));
    assert!(
        scene.lags().await,
        "what waits counts, though the checkpoint goes on"
    );

    let found = scene.parked("a").await.unwrap();
    assert_eq!(
        (&found.stream, found.version),
        (&stream("a"), Version::new(3))
    );
    assert_eq!(
        (&*found.event, &*found.reason),
        ("Counted 1.0", "of another release")
    );
    assert_eq!(found.position, Position::new(5));
    assert_eq!(scene.parked("b").await, None);
    let mut connection = scene.pool.acquire().await.unwrap();
    let other = parked(&mut connection, "other", &stream("a")).await;
    assert_eq!(other.unwrap(), None, "of another reader");
    // Of twelve positions those two wait that are the stream's from the event on.
    for (position, waits) in (0..12).map(|n| (n, [5, 6].contains(&n))) {
        let at = parked_at(&mut connection, "notes", Position::new(position)).await;
        assert_eq!(at.unwrap(), waits.then(|| found.clone()), "{position}");
    }
    let statuses = reader_statuses(&mut connection, &["notes".to_owned()]).await;
    assert_eq!(statuses.unwrap()[0].parked, 1);

    // What comes later of it waits too, however well it could be read.
    scene.append("a", 4, 1).await;
    scene.append("b", 4, 1).await;
    scene.catch_up().await;
    assert_eq!((scene.noted("a").await, scene.noted("b").await), (2, 5));

    scene.learns(("a", 3));
    scene.append("b", 5, 1).await;
    scene.catch_up().await;
    assert_eq!((scene.noted("a").await, scene.noted("b").await), (5, 6));
    assert_eq!(scene.parked("a").await, None);
    assert!(!scene.lags().await);
    scene.append("a", 5, 1).await;
    scene.catch_up().await;
    assert_eq!(scene.noted("a").await, 6);
}

#[tokio::test]
async fn several_wait_each_for_its_own_event() {
    let scene = Scene::that_does_not_know([("a", 1), ("b", 2), ("b", 4), ("c", 2)]).await;
    for name in ["a", "b", "c", "d"] {
        scene.append(name, 0, 5).await;
    }
    scene.catch_up().await;
    assert_eq!(version(scene.parked("a").await), Some(Version::new(1)));
    assert_eq!(version(scene.parked("b").await), Some(Version::new(2)));
    assert_eq!(version(scene.parked("c").await), Some(Version::new(2)));
    let noted = [("a", 0), ("b", 1), ("c", 1), ("d", 5)];
    for (name, count) in noted {
        assert_eq!(scene.noted(name).await, count, "{name}");
    }

    // A release that knows one more of its events takes the stream on to the next.
    let since = scene.since("b").await;
    scene.learns(("b", 2));
    scene.learns(("c", 2));
    scene.catch_up().await;
    assert_eq!(version(scene.parked("b").await), Some(Version::new(4)));
    assert_eq!(scene.since("b").await, since);
    assert_eq!(scene.parked("c").await, None);
    for (name, count) in [("a", 0), ("b", 3), ("c", 5), ("d", 5)] {
        assert_eq!(scene.noted(name).await, count, "{name}");
    }
}

/// More than one page of them, so that looking again comes past the first.
#[tokio::test]
async fn all_are_looked_at_again() {
    let names: Vec<String> = (0..130).map(|n| format!("s{n}")).collect();
    let names: Vec<&'static str> = names.into_iter().map(|n| &*n.leak()).collect();
    let scene = Scene::that_does_not_know([]).await;
    scene
        .unknown
        .lock()
        .unwrap()
        .extend(names.iter().map(|name| (*name, 1)));
    for name in &names {
        scene.append(name, 0, 2).await;
    }
    scene.catch_up().await;
    assert_eq!(scene.all_noted().await, 0);
    scene.unknown.lock().unwrap().clear();
    scene.catch_up().await;
    assert_eq!(scene.all_noted().await, 260);
}

#[tokio::test]
async fn a_reader_that_runs_looks_again_by_itself() {
    let scene = Scene::that_does_not_know([("a", 2)]).await;
    scene.append("a", 0, 3).await;
    let stop = CancellationToken::new();
    let (reader, mut notes, told) = (scene.reader(), scene.notes(), stop.clone());
    let running = tokio::spawn(async move { reader.drive(&mut notes, &told).await });
    let bound = Duration::from_secs(10);
    eventually("the stream to be parked", bound, || async {
        scene.parked("a").await.map(drop).ok_or("it is not")
    })
    .await;
    scene.learns(("a", 2));
    eventually("the stream to flow again", bound, || async {
        scene
            .parked("a")
            .await
            .map_or(Ok(()), |parked| Err(parked.to_string()))
    })
    .await;
    assert_eq!(scene.noted("a").await, 3);
    stop.cancel();
    running.await.unwrap();
}

/// Sends at most so many events at once, as when it is told to hurry; some it cannot read.
struct Sender {
    unknown: BTreeSet<i64>,
    most: usize,
    sent: Vec<i64>,
}

#[async_trait]
impl Sink for Sender {
    async fn send(&mut self, events: &[StoredEvent], _: &CancellationToken) -> Sent {
        let versions: Vec<i64> = events.iter().map(|event| event.version.get()).collect();
        let unknown = versions.iter().position(|v| self.unknown.contains(v));
        if let Some(index) = unknown {
            let source = "of another release";
            return Sent::nothing(SinkError::unreadable(&events[index], source));
        }
        let done = versions.len().min(self.most);
        self.sent.extend(&versions[..done]);
        Sent { done, error: None }
    }
}

#[tokio::test]
async fn what_was_not_sent_before_the_end_still_waits() {
    let scene = Scene::that_does_not_know([]).await;
    scene.append("a", 0, 5).await;
    let mut sender = Sender {
        unknown: [2].into(),
        most: usize::MAX,
        sent: Vec::new(),
    };
    scene.reader().catch_up(&mut sender).await.unwrap();
    assert_eq!(version(scene.parked("a").await), Some(Version::new(2)));

    // Now it knows the second, not the fifth, and of those between it sends but one.
    (sender.unknown, sender.most) = ([5].into(), 1);
    scene.reader().catch_up(&mut sender).await.unwrap();
    assert_eq!(version(scene.parked("a").await), Some(Version::new(3)));

    (sender.unknown, sender.most) = (BTreeSet::new(), usize::MAX);
    scene.reader().catch_up(&mut sender).await.unwrap();
    assert_eq!(scene.parked("a").await, None);
    assert_eq!(sender.sent, [1, 2, 3, 4, 5]);
}
