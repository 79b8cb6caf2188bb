//! Orders as they were: folded from the store, and equal to the rows of that time.

use chrono::{DateTime, TimeDelta, Utc};
use event_store::{Sink as _, StoredEvent, Version};
use kernel::Actor;
use order_domain::order::OrderState;
use projections::orders::{AsOf, OrderAsOf, OrderDetail, Orders, read_as_of, read_order};
use serde_json::json;
use sqlx::PgConnection;

use crate::histories::{
    Chance, History, commissioner, commissioner_id, operator, workshop, workshop_id,
};
use crate::store::Store;

async fn as_of(
    connection: &mut PgConnection,
    viewer: Actor,
    order: &History,
    moment: AsOf,
) -> Option<OrderAsOf> {
    read_as_of(connection, viewer.into(), order.order_id, moment)
        .await
        .unwrap()
}

/// A life with all kinds of turns; its events are stored, and no row is written.
async fn a_life(store: &Store, number: usize, chance: &mut Chance) -> History {
    let workshops = (0..=chance.below(3)).map(workshop_id).collect();
    let mut life = History::place(number, commissioner_id(1), workshops);
    for _ in 0..60 {
        life.step(chance);
    }
    store.append_order(life.order_id, 0, &life.happened).await;
    life
}

fn occurred_at(life: &History, version: Version) -> DateTime<Utc> {
    let index = usize::try_from(version.get()).unwrap() - 1;
    life.happened[index].event.occurred_at
}

/// The versions at which a command of the life had ended: its events share one instant.
fn ends_of_commits(life: &History) -> Vec<Version> {
    let all = (1..).map(Version::new).take(life.happened.len());
    all.filter(|version| {
        let next = life.happened.get(usize::try_from(version.get()).unwrap());
        next.is_none_or(|next| next.event.occurred_at != occurred_at(life, *version))
    })
    .collect()
}

/// Applies the events up to a version, as the projector would have by then.
async fn apply_up_to(connection: &mut PgConnection, events: &[StoredEvent], version: Version) {
    let known: Vec<_> = events
        .iter()
        .filter(|event| event.version <= version)
        .cloned()
        .collect();
    let mut orders = Orders::default();
    orders.apply(connection, &known).await.unwrap();
    orders.flush(connection).await.unwrap();
}

#[tokio::test]
async fn at_the_end_of_each_commit_it_is_what_the_rows_said() {
    let store = Store::create().await;
    let mut connection = store.pool.acquire().await.unwrap();
    let mut chance = Chance::new(11);
    let (mut commits, mut ended) = (0, Vec::new());
    for number in 1..=25 {
        let life = a_life(&store, number, &mut chance).await;
        let events = store.events(&[life.order_id]).await;
        let mut viewers = vec![operator(), commissioner(life.commissioner_id)];
        viewers.extend(life.workshops.iter().copied().map(workshop));
        for version in ends_of_commits(&life) {
            apply_up_to(&mut connection, &events, version).await;
            let at = occurred_at(&life, version);
            for viewer in &viewers {
                let row = read_order(&mut connection, (*viewer).into(), life.order_id, at)
                    .await
                    .unwrap();
                for moment in [AsOf::Version(version), AsOf::At(at)] {
                    let past = as_of(&mut connection, *viewer, &life, moment).await;
                    assert_is(&row, past, version, at);
                }
            }
            commits += 1;
        }
        ended.extend(life.order.state());
    }
    assert!(commits > 200, "only {commits} commits");
    for state in [
        OrderState::Disputed,
        OrderState::Completed,
        OrderState::Cancelled,
    ] {
        assert!(ended.contains(&state), "no life ended {state}");
    }
}

/// Who has been invited since then sees the order of then, without a seat of its own.
fn assert_is(
    row: &Option<OrderDetail>,
    past: Option<OrderAsOf>,
    version: Version,
    at: DateTime<Utc>,
) {
    let past = past.unwrap();
    assert_eq!((past.as_of.version, past.as_of.at), (version.get(), at));
    match row {
        Some(row) => assert_eq!(&past.detail, row),
        None => assert_eq!(past.detail.invitations, []),
    }
}

/// Placed, two offers in the next seconds, and one confirmed.
async fn confirmed() -> (Store, History) {
    let store = Store::create().await;
    let [winner, loser] = [1, 2].map(workshop_id);
    let mut order = History::place(1, commissioner_id(1), vec![winner, loser]);
    assert!(order.offer(winner, &[true], "2027-06-01T00:00:00Z"));
    assert!(order.offer(loser, &[], "2027-06-01T00:00:00Z"));
    assert!(order.confirm(winner));
    store.append_order(order.order_id, 0, &order.happened).await;
    (store, order)
}

#[tokio::test]
async fn an_instant_includes_everything_that_had_occurred_by_then() {
    let (store, order) = confirmed().await;
    let mut connection = store.pool.acquire().await.unwrap();
    let versions: Vec<i64> = (1..=5).collect();
    for version in versions {
        let at = occurred_at(&order, Version::new(version));
        // The second offer closes the round in the same commit.
        let last = if version == 3 { 4 } else { version };
        for (moment, expected) in [
            (at, last),
            (
                at - TimeDelta::microseconds(1),
                if version == 4 { 2 } else { version - 1 },
            ),
            (at + TimeDelta::microseconds(1), last),
        ] {
            let past = as_of(&mut connection, operator(), &order, AsOf::At(moment)).await;
            let told = past.map(|past| (past.as_of.version, past.as_of.at));
            let expected = (expected > 0).then_some((expected, moment));
            assert_eq!(told, expected, "{version} {moment}");
        }
    }
}

#[tokio::test]
async fn an_offer_is_outdated_as_of_the_instant_asked_for() {
    let (store, order) = confirmed().await;
    let mut connection = store.pool.acquire().await.unwrap();
    let shown = async |connection: &mut PgConnection, moment| {
        let past = as_of(connection, operator(), &order, moment).await.unwrap();
        let offer = past.detail.invitations[0].offer.clone().unwrap();
        (past.detail.version, offer.outdated)
    };
    let version = AsOf::Version(Version::new(2));
    assert_eq!(shown(&mut connection, version).await, (2, false));
    // What was agreed is not outdated by its deadline.
    let late = AsOf::At("2027-06-02T00:00:00Z".parse().unwrap());
    assert_eq!(shown(&mut connection, late).await, (5, false));

    let mut open = History::place(2, commissioner_id(1), vec![workshop_id(1)]);
    assert!(open.offer(workshop_id(1), &[], "2027-06-01T00:00:00Z"));
    store.append_order(open.order_id, 0, &open.happened).await;
    for (at, outdated) in [
        ("2027-05-31T23:59:59.999999Z", false),
        ("2027-06-01T00:00:00Z", true),
    ] {
        let moment = AsOf::At(at.parse().unwrap());
        let past = as_of(&mut connection, operator(), &open, moment).await;
        let offer = past.unwrap().detail.invitations[0].offer.clone().unwrap();
        assert_eq!(offer.outdated, outdated, "{at}");
    }
}

#[tokio::test]
async fn what_never_was_is_not_found() {
    let (store, order) = confirmed().await;
    let mut connection = store.pool.acquire().await.unwrap();
    let before = occurred_at(&order, Version::new(1)) - TimeDelta::microseconds(1);
    for moment in [
        AsOf::Version(Version::NONE),
        AsOf::Version(Version::new(-1)),
        AsOf::Version(Version::new(6)),
        AsOf::At(before),
    ] {
        let past = as_of(&mut connection, operator(), &order, moment).await;
        assert_eq!(past, None, "{moment:?}");
    }
    let now = AsOf::Version(Version::new(5));
    for stranger in [commissioner(commissioner_id(9)), workshop(workshop_id(9))] {
        assert_eq!(as_of(&mut connection, stranger, &order, now).await, None);
    }
    let nowhere = History::place(7, commissioner_id(1), vec![workshop_id(1)]);
    assert_eq!(
        as_of(&mut connection, operator(), &nowhere, now).await,
        None
    );
}

#[tokio::test]
async fn a_rival_is_told_no_more_of_the_past_than_of_today() {
    let (store, order) = confirmed().await;
    let mut connection = store.pool.acquire().await.unwrap();
    for (me, rival) in [(1, 2), (2, 1)] {
        for version in 1..=5 {
            let moment = AsOf::Version(Version::new(version));
            let viewer = workshop(workshop_id(me));
            let past = as_of(&mut connection, viewer, &order, moment).await;
            let shown = json!(past.unwrap()).to_string();
            assert!(!shown.contains(&workshop_id(rival).to_string()), "{shown}");
        }
    }
}
