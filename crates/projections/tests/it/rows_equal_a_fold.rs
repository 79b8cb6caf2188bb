//! Whatever happens to orders, and however it is delivered: the rows say what a fold says.

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use event_store::{Sink as _, SinkError, StoredEvent, Version};
use kernel::OrderId;
use order_domain::order::OrderState;
use projections::orders::{OrderDetail, Orders, read_order};
use projections::redaction::Viewer;

use test_support::eventually;

use crate::histories::{Chance, History, commissioner_id, workshop_id};
use crate::store::Store;

/// Between the two deadlines that offers have.
pub(crate) fn now() -> DateTime<Utc> {
    "2027-07-01T00:00:00Z".parse().unwrap()
}

/// Orders that have come to all kinds of ends, appended all mixed up.
pub(crate) async fn lives(store: &Store, orders: usize, steps: usize) -> Vec<History> {
    let mut chance = Chance::new(42);
    let mut lives: Vec<History> = (1..=orders)
        .map(|number| {
            let workshops = (0..=chance.below(4)).map(workshop_id).collect();
            History::place(number, commissioner_id(number % 7), workshops)
        })
        .collect();
    let mut stored = vec![0; orders];
    for turn in 0..orders * steps {
        // First everybody is placed, then anything happens to anyone.
        let index = if turn < orders {
            turn
        } else {
            chance.below(orders)
        };
        let life = &mut lives[index];
        if turn >= orders {
            life.step(&mut chance);
        }
        let fresh = &life.happened[stored[index]..];
        if !fresh.is_empty() {
            let expected = i64::try_from(stored[index]).unwrap();
            store.append_order(life.order_id, expected, fresh).await;
            stored[index] = life.happened.len();
        }
    }
    lives
}

fn ids(lives: &[History]) -> Vec<OrderId> {
    lives.iter().map(|life| life.order_id).collect()
}

pub(crate) async fn assert_rows_equal_the_fold(store: &Store, lives: &[History]) {
    let mut connection = store.pool.acquire().await.unwrap();
    for life in lives {
        let version = Version::new(life.happened.len().try_into().unwrap());
        let folded = OrderDetail::from_order(&life.order, version, now());
        let read = read_order(&mut connection, Viewer::Operator, life.order_id, now())
            .await
            .unwrap();
        assert_eq!(read, folded, "{:#?}", life.happened);
        assert!(read.is_some());
    }
}

/// Applies events as a reader that has just started.
async fn apply(store: &Store, events: &[StoredEvent]) -> Result<(), SinkError> {
    apply_by(&mut Orders::default(), store, events).await
}

async fn apply_by(
    orders: &mut Orders,
    store: &Store,
    events: &[StoredEvent],
) -> Result<(), SinkError> {
    let mut transaction = store.pool.begin().await.unwrap();
    orders.apply(&mut transaction, events).await?;
    orders.flush(&mut transaction).await?;
    transaction.commit().await.unwrap();
    Ok(())
}

#[tokio::test]
async fn as_the_projector_drives_it() {
    let store = Store::create().await;
    let lives = lives(&store, 60, 40).await;
    for state in [
        OrderState::Negotiating,
        OrderState::InProgress,
        OrderState::Finished,
        OrderState::Disputed,
        OrderState::Completed,
        OrderState::Cancelled,
    ] {
        let ended_so = lives
            .iter()
            .filter(|life| life.order.state() == Some(state));
        assert!(
            ended_so.count() > 0,
            "no order came to be {state}: the chances are bad"
        );
    }
    store.catch_up().await;
    assert_rows_equal_the_fold(&store, &lives).await;
}

#[tokio::test]
async fn in_batches_of_any_size_each_delivered_again() {
    // One reader that remembers what it has folded, and one that begins anew each time.
    in_batches_of_any_size(true).await;
    in_batches_of_any_size(false).await;
}

async fn in_batches_of_any_size(remembers: bool) {
    let store = Store::create().await;
    let lives = lives(&store, 20, 40).await;
    let events = store.events(&ids(&lives)).await;
    let mut chance = Chance::new(7);
    let mut orders = Orders::default();
    let mut next = 0;
    while next < events.len() {
        let end = events.len().min(next + 1 + chance.below(9));
        let again = next.saturating_sub(chance.below(9));
        for batch in [next..end, again..end] {
            if !remembers {
                orders = Orders::default();
            }
            let applied = apply_by(&mut orders, &store, &events[batch]).await;
            applied.unwrap();
        }
        next = end;
    }
    assert_rows_equal_the_fold(&store, &lives).await;
}

#[tokio::test]
async fn a_hole_is_refused_and_nothing_of_its_batch_is_kept() {
    let store = Store::create().await;
    let lives = lives(&store, 1, 60).await;
    let mut events = store.events(&ids(&lives)).await;
    assert!(events.len() > 3);
    let missing = events.remove(1);
    let refused = apply(&store, &events).await;
    let Err(SinkError::Unreadable {
        event_id, source, ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(event_id, events[1].event_id);
    assert_eq!(
        source.to_string(),
        "the row is at version 1, and the event is version 3"
    );

    let mut connection = store.pool.acquire().await.unwrap();
    let order_id = lives[0].order_id;
    let read = read_order(&mut connection, Viewer::Operator, order_id, now()).await;
    assert_eq!(read.unwrap(), None);
    drop(connection);

    events.insert(1, missing);
    apply(&store, &events).await.unwrap();
    assert_rows_equal_the_fold(&store, &lives).await;
}

#[tokio::test]
async fn an_event_that_this_release_does_not_know_is_named() {
    let store = Store::create().await;
    let lives = lives(&store, 1, 60).await;
    let mut events = store.events(&ids(&lives)).await;
    "OrderTeleported".clone_into(&mut events[1].event_type);
    let refused = apply(&store, &events).await.unwrap_err();
    let expected = format!(
        "event {} (OrderTeleported 1.0) cannot be read",
        events[1].event_id
    );
    assert_eq!(refused.to_string(), expected);
}

/// Two owners at once, as when one was stalled and woke up: the lease fences the checkpoint, and
/// this the rows.
#[tokio::test]
async fn a_row_that_somebody_else_has_moved_is_not_moved_again() {
    let store = Store::create().await;
    let lives = lives(&store, 1, 60).await;
    let events = store.events(&ids(&lives)).await;
    apply(&store, &events[..1]).await.unwrap();

    let mut first = store.pool.begin().await.unwrap();
    let mut stalled = Orders::default();
    stalled.apply(&mut first, &events[..3]).await.unwrap();
    stalled.flush(&mut first).await.unwrap();
    let (second, ()) = tokio::join!(apply(&store, &events[..2]), async {
        // It has read its rows, and waits for the first one's.
        eventually("a waiting writer", Duration::from_secs(5), || {
            is_waiting(&store)
        })
        .await;
        first.commit().await.unwrap();
    });
    let refused = chain(&second.unwrap_err());
    assert!(refused.contains("timeline_pkey"), "{refused}");

    apply(&store, &events).await.unwrap();
    assert_rows_equal_the_fold(&store, &lives).await;
}

async fn is_waiting(store: &Store) -> Result<(), &'static str> {
    let waiting: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock')",
    )
    .fetch_one(&store.pool)
    .await
    .unwrap();
    waiting.then_some(()).ok_or("nobody waits")
}

fn chain(error: &dyn Error) -> String {
    let source = error.source().map(|source| format!(": {}", chain(source)));
    format!("{error}{}", source.unwrap_or_default())
}
