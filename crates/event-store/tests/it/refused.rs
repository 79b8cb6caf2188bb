//! What is refused for good, by the tables or by what is sent to: found by halving, parked alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use event_store::{Sent, Sink, SinkError, StoredEvent, Version};
use sqlx::PgConnection;
use test_support::eventually;
use tokio_util::sync::CancellationToken;

use crate::parked::{Notes, Scene};

const BOUND: Duration = Duration::from_secs(20);

async fn as_owner(scene: &Scene, statement: &str) {
    let owner = scene.database.pool_owner().await;
    sqlx::raw_sql(statement).execute(&owner).await.unwrap();
}

#[tokio::test]
async fn a_row_that_the_tables_refuse_parks_its_stream_alone() {
    let scene = Scene::that_does_not_know([]).await;
    as_owner(
        &scene,
        "ALTER TABLE public.notes ADD CONSTRAINT no_third CHECK (stream <> 'b' OR version <> 3)",
    )
    .await;
    for turn in 0..4 {
        for name in ["a", "b", "c"] {
            scene.append(name, turn * 2, 2).await;
        }
    }
    scene.catch_up().await;
    for (name, noted) in [("a", 8), ("b", 2), ("c", 8)] {
        assert_eq!(scene.noted(name).await, noted, "{name}");
    }
    let parked = scene.parked("b").await.unwrap();
    assert_eq!(parked.version, Version::new(3));
    assert!(parked.reason.contains("no_third"), "{}", parked.reason);
    assert!(scene.lags().await);

    // Refused again, it goes on waiting.
    scene.append("a", 8, 1).await;
    scene.catch_up().await;
    assert_eq!((scene.noted("a").await, scene.noted("b").await), (9, 2));
    as_owner(&scene, "ALTER TABLE public.notes DROP CONSTRAINT no_third").await;
    scene.catch_up().await;
    assert_eq!((scene.noted("b").await, scene.parked("b").await), (8, None));
}

#[tokio::test]
async fn two_that_are_refused_each_park_their_own() {
    let scene = Scene::that_does_not_know([]).await;
    as_owner(
        &scene,
        "ALTER TABLE public.notes ADD CONSTRAINT odd CHECK (
             (stream, version) <> ('b', 3) AND (stream, version) <> ('c', 1)
             AND (stream, version) <> ('b', 6))",
    )
    .await;
    for name in ["a", "b", "c"] {
        scene.append(name, 0, 7).await;
    }
    scene.catch_up().await;
    for (name, noted) in [("a", 7), ("b", 2), ("c", 0)] {
        assert_eq!(scene.noted(name).await, noted, "{name}");
    }
    // Allowed as far as the next that is refused, it goes on to there.
    as_owner(
        &scene,
        "ALTER TABLE public.notes DROP CONSTRAINT odd, ADD CONSTRAINT even CHECK (
             (stream, version) <> ('b', 6))",
    )
    .await;
    scene.catch_up().await;
    for (name, noted) in [("b", 5), ("c", 7)] {
        assert_eq!(scene.noted(name).await, noted, "{name}");
    }
    assert_eq!(scene.parked("b").await.unwrap().version, Version::new(6));
    assert_eq!(scene.parked("c").await, None);
}

/// Sends events in order, up to one that is refused, and takes notes of what it has sent.
struct Fussy {
    notes: Notes,
    refuses: Arc<AtomicBool>,
    tried: Arc<AtomicUsize>,
}

#[async_trait]
impl Sink for Fussy {
    async fn send(&mut self, events: &[StoredEvent], _: &CancellationToken) -> Sent {
        let refused = |event: &StoredEvent| {
            self.refuses.load(Ordering::Relaxed)
                && event.stream.key() == "b"
                && event.version == Version::new(2)
        };
        match events.iter().position(refused) {
            None => Sent::all(events),
            Some(done) => {
                self.tried.fetch_add(1, Ordering::Relaxed);
                Sent {
                    done,
                    error: Some(SinkError::Refused("too large".into())),
                }
            }
        }
    }

    async fn apply(
        &mut self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), SinkError> {
        self.notes.apply(transaction, events).await
    }
}

/// Looked at again and again, it neither goes round at full speed nor stops anything.
#[tokio::test]
async fn what_is_refused_again_and_again_lets_everything_else_flow() {
    const TIMES: usize = 10;
    let scene = Scene::that_does_not_know([]).await;
    for name in ["a", "b", "c"] {
        scene.append(name, 0, 5).await;
    }
    let (refuses, tried) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (reader, stop) = (scene.reader(), CancellationToken::new());
    let mut sink = Fussy {
        notes: scene.notes(),
        refuses: Arc::clone(&refuses),
        tried: Arc::clone(&tried),
    };
    let told = stop.clone();
    let running = tokio::spawn(async move { reader.drive(&mut sink, &told).await });
    eventually("the stream to be parked", BOUND, async || {
        scene.parked("b").await.map(drop).ok_or("it is not")
    })
    .await;

    let (since, before) = (Instant::now(), tried.load(Ordering::Relaxed));
    for version in 5..15 {
        scene.append("a", version, 1).await;
        eventually("the others to flow", BOUND, async || {
            let noted = scene.noted("a").await;
            (noted == version + 1).then_some(()).ok_or(noted)
        })
        .await;
    }
    eventually("some looks", BOUND, async || {
        let tried = tried.load(Ordering::Relaxed) - before;
        (tried >= TIMES).then_some(()).ok_or(tried)
    })
    .await;
    // A look is three attempts, with four events, with two and with one, and there is a look every
    // twentieth of a second at most.
    let looks = since.elapsed().as_millis() / 50 + 1;
    let tries = tried.load(Ordering::Relaxed) - before;
    assert!(tries as u128 <= 3 * looks, "{tries} in {looks} looks");
    assert_eq!(scene.noted("b").await, 1);
    assert_eq!(scene.parked("b").await.unwrap().reason, "too large");

    refuses.store(false, Ordering::Relaxed);
    eventually("the stream to flow again", BOUND, async || {
        scene
            .parked("b")
            .await
            .map_or(Ok(()), |parked| Err(parked.to_string()))
    })
    .await;
    assert_eq!(scene.noted("b").await, 5);
    stop.cancel();
    running.await.unwrap();
}
