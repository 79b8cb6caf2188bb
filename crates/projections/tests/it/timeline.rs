//! The timeline: every event, to whom it may be told, page by page.

use event_store::Version;
use kernel::{Actor, OrderId};
use projections::orders::{TimelineEntry, read_timeline};
use projections::redaction::Viewer;
use uuid::Uuid;

use crate::histories::{History, commissioner, commissioner_id, operator, workshop, workshop_id};
use crate::store::Store;

/// A commission from placement to accepted stages, one stage by an operator in the workshop's
/// place; the second workshop loses, the third declines.
async fn one_order() -> (Store, History) {
    let store = Store::create().await;
    let [winner, loser, decliner] = [1, 2, 3].map(workshop_id);
    let mut order = History::place(1, commissioner_id(1), vec![winner, loser, decliner]);
    assert!(order.offer(winner, &[true, false], "2029-01-01T00:00:00Z"));
    assert!(order.offer(loser, &[], "2029-01-01T00:00:00Z"));
    assert!(order.decline(decliner));
    assert!(order.confirm(winner));
    assert!(order.complete_stage(operator(), 1));
    assert!(order.approve_stage(1));
    assert!(order.complete_stage(workshop(winner), 2));
    store.append_order(order.order_id, 0, &order.happened).await;
    store.catch_up().await;
    (store, order)
}

async fn told(store: &Store, viewer: Actor, order_id: OrderId, limit: i64) -> Vec<TimelineEntry> {
    let mut connection = store.pool.acquire().await.unwrap();
    let mut entries = Vec::new();
    let mut after = Version::NONE;
    loop {
        let page = read_timeline(&mut connection, viewer.into(), order_id, after, limit).await;
        let page = page.unwrap().unwrap();
        let next = page.next;
        assert_eq!(
            next.is_some(),
            page.items.len() == usize::try_from(limit).unwrap() && {
                // A next page is promised only where there is something on it.
                let last = Version::new(page.items.last().unwrap().version);
                let rest = read_timeline(&mut connection, viewer.into(), order_id, last, 1).await;
                !rest.unwrap().unwrap().items.is_empty()
            }
        );
        entries.extend(page.items);
        let Some(next) = next else {
            return entries;
        };
        after = next;
    }
}

#[tokio::test]
async fn tells_every_event_with_who_did_it() {
    let (store, order) = one_order().await;
    let entries = told(
        &store,
        commissioner(order.commissioner_id),
        order.order_id,
        100,
    )
    .await;
    assert_eq!(entries.len(), order.happened.len());
    for ((version, happened), entry) in (1..).zip(&order.happened).zip(&entries) {
        assert_eq!(entry.version, version);
        assert_eq!(entry.event, happened.event.fact.event_type());
        assert_eq!(entry.occurred_at, happened.event.occurred_at);
        assert_eq!(entry.actor, happened.actor.into());
        assert_eq!(entry.on_behalf_of, happened.on_behalf_of.map(Into::into));
    }
    let sentences: Vec<_> = entries.iter().map(|entry| entry.summary.as_str()).collect();
    assert_eq!(
        sentences,
        [
            "A commission was placed: “Piece 1”, for 1001.00 EUR by 2028-01-01, with 3 workshops \
             invited.",
            "An offer was made: 900.00 EUR by 2029-01-01, in 2 stages.",
            "An offer was made: 900.00 EUR by 2029-01-01, in one stage.",
            "An invitation was declined: Fully booked.",
            "Every invited workshop has answered; 2 offers stand.",
            "An offer was confirmed: 900.00 EUR by 2029-01-01, in 2 stages.",
            "Stage 1, “Stage 0”, was marked as done and waits for approval.",
            "Stage 1, “Stage 0”, was approved.",
            "Stage 2, “Stage 1”, was completed.",
            "The last stage is completed.",
        ]
    );
}

#[tokio::test]
async fn every_turn_of_an_order_is_a_sentence() {
    let store = Store::create().await;
    let [maker, rival] = [1, 2].map(workshop_id);
    let late = "2029-01-01T00:00:00Z";
    let mut order = History::place(1, commissioner_id(1), vec![maker, rival]);
    assert!(order.offer(maker, &[], late));
    assert!(order.offer(rival, &[], late));
    assert!(order.edit(2000));
    assert!(order.withdraw(rival));
    assert!(order.invite(rival));
    assert!(order.offer(maker, &[true], late));
    assert!(order.confirm(maker));
    assert!(order.complete_stage(workshop(maker), 1));
    assert!(order.request_changes(1));
    assert!(order.cancel(workshop(maker)));
    assert!(order.resolve("resume"));
    assert!(order.cancel(workshop(maker)));
    assert!(order.resolve("cancel"));
    store.append_order(order.order_id, 0, &order.happened).await;
    store.catch_up().await;
    let entries = told(&store, operator(), order.order_id, 100).await;
    let sentences: Vec<_> = entries.iter().map(|entry| entry.summary.as_str()).collect();
    assert_eq!(
        sentences[4..],
        [
            "The request was changed: the budget to 2000.00 EUR; it is at revision 2 now.",
            "An offer was withdrawn: No oak left.",
            "One workshop was invited.",
            "An offer was revised: 900.00 EUR by 2029-01-01, in one stage.",
            "An offer was confirmed: 900.00 EUR by 2029-01-01, in one stage.",
            "Stage 1, “Stage 0”, was marked as done and waits for approval.",
            "Changes to stage 1, “Stage 0”, were requested: Rounder corners.",
            "It was asked to cancel agreed work, and an operator has to decide: Too late.",
            "A dispute was resolved, and the commission goes on where it was: As agreed.",
            "It was asked to cancel agreed work, and an operator has to decide: Too late.",
            "A dispute was resolved, and the commission is cancelled: As agreed.",
            "The commission was cancelled: Too late.",
        ]
    );
}

#[tokio::test]
async fn pages_are_full_for_every_viewer() {
    let (store, order) = one_order().await;
    let viewers = [
        operator(),
        workshop(workshop_id(1)),
        workshop(workshop_id(2)),
    ];
    for (viewer, expected) in viewers.into_iter().zip([10, 7, 3]) {
        let whole = told(&store, viewer, order.order_id, 100).await;
        assert_eq!(whole.len(), expected);
        for limit in 1..=11 {
            assert_eq!(told(&store, viewer, order.order_id, limit).await, whole);
        }
    }
}

#[tokio::test]
async fn who_is_no_party_finds_nothing() {
    let (store, order) = one_order().await;
    let mut connection = store.pool.acquire().await.unwrap();
    let strangers = [commissioner(commissioner_id(9)), workshop(workshop_id(9))];
    for viewer in strangers.map(Viewer::from) {
        let read = read_timeline(&mut connection, viewer, order.order_id, Version::NONE, 10);
        assert_eq!(read.await.unwrap(), None);
    }
    let nowhere = OrderId::from_uuid(Uuid::nil());
    let read = read_timeline(
        &mut connection,
        operator().into(),
        nowhere,
        Version::NONE,
        10,
    )
    .await;
    assert_eq!(read.unwrap(), None);
}

/// As an old release may find it, beside a new projector: who sees everything is told its name, and
/// no workshop anything.
#[tokio::test]
async fn a_fact_of_a_later_release_is_told_by_its_name() {
    let (store, order) = one_order().await;
    sqlx::query("UPDATE timeline SET event = 'OrderTeleported' WHERE version = 4")
        .execute(&store.pool)
        .await
        .unwrap();
    let whole = told(&store, operator(), order.order_id, 100).await;
    assert_eq!(whole.len(), order.happened.len());
    assert_eq!(
        (&*whole[3].event, &*whole[3].summary),
        ("OrderTeleported", "OrderTeleported.")
    );
    for workshop in [1, 2, 3].map(|number| workshop(workshop_id(number))) {
        let entries = told(&store, workshop, order.order_id, 100).await;
        assert!(entries.iter().all(|entry| entry.version != 4), "{workshop}");
    }
}
