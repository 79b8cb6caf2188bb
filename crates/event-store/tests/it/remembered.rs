//! Commands that begin a stream, on what the process remembers of another: what they may rest on
//! it, and what they may not.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use event_store::{
    Accepted, Answer, Decision, DecisionError, ExecuteError, Executor, Loaded, StreamId, append,
};
use futures::future::join_all;
use test_support::TestDatabase;

use crate::executor::{executor, with_key};
use crate::fixtures::{counted, event, patient, stream};

/// Begins a stream while the door is open: while its stream has an odd number of events.
struct Enter {
    name: String,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The versions of the door that were decided on, in order.
    doors: Mutex<Vec<i64>>,
    /// What was charged, and not given back.
    charged: AtomicI64,
}

#[derive(Debug, PartialEq)]
struct Closed;

impl Decision for Enter {
    type Rejection = Closed;

    fn target(&self) -> StreamId {
        stream(&self.name)
    }

    fn beside(&self) -> Vec<StreamId> {
        vec![stream("door")]
    }

    fn begins(&self) -> bool {
        true
    }

    fn admit(&mut self, loaded: &Loaded) -> Result<(), DecisionError<Closed>> {
        let door = loaded.beside[0].version().get();
        self.seen.doors.lock().unwrap().push(door);
        Ok(())
    }

    async fn charge(&mut self) -> Result<(), DecisionError<Closed>> {
        self.seen.charged.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn give_back(&mut self) {
        self.seen.charged.fetch_sub(1, Ordering::SeqCst);
    }

    fn decide(&mut self, loaded: &Loaded) -> Result<Accepted, DecisionError<Closed>> {
        if loaded.beside[0].version().get() % 2 == 0 {
            return Err(DecisionError::Rejected(Closed));
        }
        Ok(Accepted {
            events: vec![event(1)],
            status: 201,
            state: Some("counting"),
        })
    }
}

/// A process, and another one that moves the door.
struct House {
    executor: Executor,
    other: sqlx::PgPool,
    seen: Arc<Seen>,
    _database: TestDatabase,
}

impl House {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        Self {
            executor: executor(&database).await,
            other: database.pool_app().await,
            seen: Arc::default(),
            _database: database,
        }
    }

    async fn move_door_from(&self, version: i64) {
        let mut connection = self.other.acquire().await.unwrap();
        let moved = append(&mut connection, &counted("door", version, 1)).await;
        moved.unwrap();
    }

    fn enter(&self, name: impl Into<String>) -> Enter {
        Enter {
            name: name.into(),
            seen: Arc::clone(&self.seen),
        }
    }

    async fn enters(&self, name: &str) -> Result<Answer, ExecuteError<Closed>> {
        self.executor.execute(self.enter(name), patient()).await
    }

    /// The versions of the door that were decided on since the last question.
    fn doors(&self) -> Vec<i64> {
        std::mem::take(&mut *self.seen.doors.lock().unwrap())
    }
}

#[tokio::test]
async fn what_is_remembered_is_accepted_on_and_proved_by_the_append() {
    let house = House::new().await;
    house.move_door_from(0).await;
    house.enters("a").await.unwrap();
    house.move_door_from(1).await;
    house.move_door_from(2).await;
    assert_eq!(house.doors(), [1], "nothing was remembered");

    house.enters("b").await.unwrap();
    assert_eq!(house.doors(), [1, 3], "it had moved, which the append saw");
    house.enters("c").await.unwrap();
    assert_eq!(house.doors(), [3], "it was as remembered");
}

#[tokio::test]
async fn a_refusal_never_rests_on_what_is_remembered() {
    let house = House::new().await;
    house.move_door_from(0).await;
    house.enters("a").await.unwrap();
    house.move_door_from(1).await;
    let refused = house.enters("b").await.unwrap_err();
    assert!(
        matches!(refused, ExecuteError::Rejected(Closed)),
        "{refused:?}"
    );
    assert_eq!(house.doors(), [1, 1, 2], "it was open when last seen");

    house.move_door_from(2).await;
    house.enters("b").await.unwrap();
    assert_eq!(house.doors(), [2, 3], "it was closed when last seen");
}

#[tokio::test]
async fn many_at_once_rest_on_one_stream() {
    let house = House::new().await;
    house.move_door_from(0).await;
    house.enters("first").await.unwrap();
    house.doors();
    let entering = (0..64).map(|number| {
        let decision = house.enter(format!("e{number}"));
        house.executor.execute(decision, patient())
    });
    for answer in join_all(entering).await {
        assert_eq!(answer.unwrap().version.get(), 1);
    }
    assert_eq!(house.doors(), [1; 64], "each of them was decided on once");
}

#[tokio::test]
async fn after_the_door_is_closed_nobody_enters_on_what_was_remembered() {
    let house = House::new().await;
    house.move_door_from(0).await;
    for round in 0..20 {
        house.enters(&format!("first {round}")).await.unwrap();
        let entering = (0..16).map(|number| {
            let decision = house.enter(format!("{round} {number}"));
            house.executor.execute(decision, patient())
        });
        let closing = async {
            house.move_door_from(2 * round + 1).await;
            house.enters(&format!("late {round}")).await.unwrap_err()
        };
        let (entered, late) = tokio::join!(join_all(entering), closing);
        assert!(matches!(late, ExecuteError::Rejected(Closed)), "{late:?}");
        for answer in entered {
            let refused = matches!(answer, Err(ExecuteError::Rejected(Closed)));
            assert!(refused || answer.is_ok(), "{answer:?}");
        }
        house.move_door_from(2 * round + 2).await;
    }
}

#[tokio::test]
async fn a_repeat_is_answered_as_before_and_what_it_cost_is_given_back() {
    let house = House::new().await;
    house.move_door_from(0).await;
    let charged = || house.seen.charged.load(Ordering::SeqCst);
    let with = |name: &str, body| {
        let decision = house.enter(name);
        house.executor.execute(decision, with_key("k", body))
    };
    let first = with("a", 1).await.unwrap();
    let again = with("b", 1).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!((&first.key, first.token), (&again.key, again.token));
    assert_eq!(charged(), 1);

    let reused = with("c", 2).await.unwrap_err();
    assert!(matches!(reused, ExecuteError::KeyReused), "{reused:?}");
    assert_eq!(charged(), 1);

    // Its twin was on its way at the same time, and may have gone free for it.
    let twins = [house.enter("d"), house.enter("e")]
        .map(|decision| house.executor.execute(decision, with_key("l", 1)));
    let twins = join_all(twins).await;
    assert!(twins.iter().all(Result::is_ok), "{twins:?}");
    assert!((2..=3).contains(&charged()), "{}", charged());
}
