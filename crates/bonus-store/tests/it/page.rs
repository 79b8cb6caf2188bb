//! The ledger as its owner reads it.

use bonus_domain::{Fact, Policies, Policy};
use bonus_store::{AccountAt, Delivery, LedgerItem, LedgerKey, ledger_page};
use event_store::Version;
use serde_json::json;
use uuid::Uuid;

use crate::fixtures::{BonusStore, ada, commissioner, instant, of, told, whole_order};

fn policy(number: u16) -> &'static Policy {
    let mut policies = Policies::compiled().iter();
    policies
        .find(|policy| policy.version().get() == number)
        .unwrap()
}

fn adas(version: i64, number: u16) -> AccountAt<'static> {
    AccountAt {
        beneficiary: ada(),
        version: Version::new(version),
        policy: policy(number),
    }
}

/// Reads page after page to the end, and checks that none but the last is short.
async fn read_all(store: &BonusStore, account: AccountAt<'_>, limit: i64) -> Vec<LedgerItem> {
    let mut connection = store.pool.acquire().await.unwrap();
    let mut items = Vec::new();
    let mut after: Option<LedgerKey> = None;
    loop {
        let page = ledger_page(&mut connection, account, after, limit)
            .await
            .unwrap();
        let read = i64::try_from(page.items.len()).unwrap();
        items.extend(page.items);
        if page.next.is_none() {
            return items;
        }
        assert_eq!(read, limit, "a short page before the end");
        after = page.next;
    }
}

fn ids(items: &[LedgerItem]) -> Vec<u128> {
    items
        .iter()
        .map(|item| item.event_id.as_uuid().as_u128())
        .collect()
}

fn points(items: &[LedgerItem]) -> Vec<i64> {
    items.iter().map(|item| item.points).collect()
}

#[tokio::test]
async fn awards_come_newest_first_and_facts_worth_nothing_not_at_all() {
    let store = BonusStore::started().await;
    let mut batch = [whole_order(1, 7), whole_order(11, 8)].concat();
    // Late, and of another's.
    batch.push(told(5, "OrderPlaced", 9));
    batch.push(of(commissioner(1), told(6, "OrderPlaced", 9)));
    store.ingest.run(&batch).await.unwrap();
    let version = i64::try_from(store.stream(ada()).await.len()).unwrap();
    for limit in [1, 2, 3, 50] {
        let items = read_all(&store, adas(version, 1), limit).await;
        assert_eq!(ids(&items), [13, 11, 5, 3, 1], "{limit}");
        assert_eq!(points(&items), [100, 40, 40, 100, 40], "{limit}");
    }
}

#[tokio::test]
async fn events_of_one_instant_are_neither_lost_nor_doubled_between_pages() {
    let store = BonusStore::started().await;
    let batch: Vec<Delivery> = (1..=7)
        .map(|id| {
            let delivery = told(id, "OrderPlaced", id);
            Delivery {
                fact: Fact {
                    occurred_at: instant(9),
                    ..delivery.fact
                },
                ..delivery
            }
        })
        .collect();
    store.ingest.run(&batch).await.unwrap();
    for limit in [1, 2, 3, 6, 7] {
        let items = read_all(&store, adas(8, 1), limit).await;
        assert_eq!(ids(&items), [7, 6, 5, 4, 3, 2, 1], "{limit}");
    }
}

#[tokio::test]
async fn the_ledger_is_shown_as_of_the_version_asked_for() {
    let store = BonusStore::started().await;
    store.ingest.run(&whole_order(1, 7)).await.unwrap();
    for (version, shown) in [(0, vec![]), (1, vec![1]), (2, vec![3, 1]), (3, vec![3, 1])] {
        let items = read_all(&store, adas(version, 1), 50).await;
        assert_eq!(ids(&items), shown, "{version}");
    }
}

#[tokio::test]
async fn points_are_those_of_the_policy_asked_for_and_reversed_facts_are_not_shown() {
    let store = BonusStore::started().await;
    store.activate(2).await;
    let mut batch = whole_order(1, 7);
    // More reversed facts in a row than a page is long.
    for order in 20..30 {
        batch.push(told(order * 10, "OrderPlaced", order));
        batch.push(told(order * 10 + 1, "OfferConfirmed", order));
        batch.push(told(order * 10 + 2, "OrderCancelled", order));
    }
    batch.push(told(900, "OrderPlaced", 90));
    store.ingest.run(&batch).await.unwrap();
    let version = i64::try_from(store.stream(ada()).await.len()).unwrap();
    for limit in [1, 2, 4, 50] {
        let items = read_all(&store, adas(version, 2), limit).await;
        assert_eq!(ids(&items), [900, 3, 2, 1], "{limit}");
        assert_eq!(points(&items), [10, 120, 30, 10], "{limit}");
    }

    // Policy 1 knows no reversal, and the same facts are worth something else.
    let items = read_all(&store, adas(version, 1), 50).await;
    assert_eq!(items.iter().map(|item| item.points).sum::<i64>(), 580);

    // Before the cancellation was taken in, its order counted.
    let items = read_all(&store, adas(5, 2), 50).await;
    assert_eq!(ids(&items), [200, 3, 2, 1]);
}

#[tokio::test]
async fn an_award_looks_as_the_contract_says() {
    let store = BonusStore::started().await;
    store.ingest.run(&whole_order(1, 7)).await.unwrap();
    let items = read_all(&store, adas(1, 1), 50).await;
    let mut item = serde_json::to_value(&items[0]).unwrap();
    let recorded_at = item["recordedAt"].take();
    assert!(recorded_at.is_string(), "{recorded_at}");
    assert_eq!(
        item,
        json!({
            "eventId": Uuid::from_u128(1),
            "event": "OrderPlaced",
            "orderId": Uuid::from_u128(7),
            "points": 40,
            "policyVersion": 1,
            "occurredAt": "1970-01-01T00:00:01Z",
            "recordedAt": null,
        })
    );
}
