//! More facts than one statement could read at once, of beneficiaries that have no account.

use bonus_store::Delivery;
use kernel::EventId;
use uuid::Uuid;

use crate::fixtures::{BonusStore, of, told, workshop};

const WORKSHOPS: u128 = 50;
const FACTS: u128 = 1_001;
/// What a partition hands over at once.
const BATCH: usize = 500;

#[tokio::test]
async fn no_award_reads_a_whole_ledger_opened_or_not() {
    let store = BonusStore::started().await;
    let all: Vec<Delivery> = (0..WORKSHOPS * FACTS)
        .map(|number| {
            let mut delivery = of(
                workshop(1 + number % WORKSHOPS),
                told(1, "WorkshopCredited", 1_000 + number),
            );
            delivery.fact.source_event_id = EventId::from_uuid(Uuid::from_u128(1_000 + number));
            delivery
        })
        .collect();
    let mut kept = 0;
    for batch in all.chunks(BATCH) {
        kept += store.ingest.run(batch).await.unwrap().kept;
    }
    assert_eq!(kept, all.len());
    // And so it goes on, with all of that behind it.
    store.activate(2).await;
    let done = store.recompute_all().await;
    assert_eq!((done.seen, done.opened), (50, 50));
    let credited: Vec<Delivery> = (0..WORKSHOPS)
        .map(|number| {
            let mut delivery = of(workshop(1 + number), told(2, "WorkshopCredited", number));
            delivery.fact.source_event_id = EventId::from_uuid(Uuid::from_u128(900_000 + number));
            delivery
        })
        .collect();
    assert_eq!(store.ingest.run(&credited).await.unwrap().awarded, 50);
    let (points, _) = store.standing(workshop(1)).await;
    assert_eq!(points, 50 * i64::try_from(FACTS + 1).unwrap());
}
