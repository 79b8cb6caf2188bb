//! What must hold once everything has caught up: rows, topics and accounts all say what the store
//! says.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use event_store::{StreamId, load};
use kernel::{Clock as _, OrderId, SystemClock};
use order_domain::order::{OrderEvent, fold, stored};
use projections::orders::{OrderDetail, read_order};
use projections::redaction::Viewer;
use projections::{Model, Snapshot};
use serde_json::{Value, json};
use sqlx::PgPool;
use test_support::{TestDatabase, eventually};
use uuid::Uuid;

use crate::kafka::messages;

const BOUND: Duration = Duration::from_secs(120);
const TOPICS: [(&str, &str); 2] = [
    ("order", "atlas.order-events.v1"),
    ("account", "atlas.bonus-events.v1"),
];

/// Event ids by key, in order.
type ByKey = BTreeMap<String, Vec<Uuid>>;

/// Whether the topics may tell what the store does not hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    Nothing,
    /// What was told before a restore, or by others.
    Something,
}

/// Waits until everything has caught up with the store, and audits it.
pub(crate) async fn everything(database: &TestDatabase, brokers: &str) {
    audit(database, brokers, Lost::Nothing).await;
}

/// The same where the topics tell more than the store holds: after a restore, or by others.
pub(crate) async fn everything_restored(database: &TestDatabase, brokers: &str) {
    audit(database, brokers, Lost::Something).await;
}

async fn audit(database: &TestDatabase, brokers: &str, lost: Lost) {
    let pool = database.pool_app().await;
    eventually("accounts as the store says", BOUND, || async {
        let (told, kept) = (accounts_by_events(&pool).await, accounts(&pool).await);
        if told == kept {
            Ok(())
        } else {
            let missing = told.iter().filter(|entry| !kept.contains(entry)).count();
            Err(format!("{missing} of {} accounts differ", told.len()))
        }
    })
    .await;
    for (kind, topic) in TOPICS {
        eventually(&format!("{topic} as the store says"), BOUND, || async {
            let told = streams(&pool, kind).await;
            let mut sent = first_told(brokers, topic).await;
            if lost == Lost::Something {
                let stored: HashSet<Uuid> = told.values().flatten().copied().collect();
                for ids in sent.values_mut() {
                    ids.retain(|id| stored.contains(id));
                }
            }
            differences(&told, &sent)
        })
        .await;
    }
    rows_equal_a_fold(&pool).await;
}

/// Points by the events of the store alone: what policy 1 says of them.
async fn accounts_by_events(pool: &PgPool) -> Vec<(String, i64)> {
    sqlx::query_as(
        "SELECT payload->>'commissionerId' AS id,
                sum(CASE event_type WHEN 'OrderPlaced' THEN 40 ELSE 100 END)::bigint
         FROM store.events
         WHERE aggregate_type = 'order' AND event_type IN ('OrderPlaced', 'OrderCompleted')
         GROUP BY id ORDER BY id",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn accounts(pool: &PgPool) -> Vec<(String, i64)> {
    let served = "SELECT name FROM read.served WHERE model = 'bonus'";
    let served: String = sqlx::query_scalar(served).fetch_one(pool).await.unwrap();
    let accounts = format!(
        "SELECT beneficiary_id::text, lifetime_points FROM \"{served}\".bonus_accounts
         WHERE beneficiary_role = 'commissioner' ORDER BY 1"
    );
    sqlx::query_as(&accounts).fetch_all(pool).await.unwrap()
}

/// What is told of streams of this kind, by the key that they have on Kafka: their events, and the
/// credit of the workshop after the completion of its order.
async fn streams(pool: &PgPool, kind: &str) -> ByKey {
    let events: Vec<(String, Uuid, Option<String>)> = sqlx::query_as(
        "SELECT split_part(aggregate_id, ':', CASE aggregate_type WHEN 'account' THEN 2 ELSE 1 END),
                event_id,
                CASE event_type WHEN 'OrderCompleted' THEN payload->>'workshopId' END
         FROM store.events WHERE aggregate_type = $1 ORDER BY position",
    )
    .bind(kind)
    .fetch_all(pool)
    .await
    .unwrap();
    by_key(events.into_iter().flat_map(|(key, id, completed_by)| {
        let credit = completed_by.map(|workshop| {
            let name = format!("WorkshopCredited:{workshop}");
            (key.clone(), Uuid::new_v5(&id, name.as_bytes()))
        });
        [(key, id)].into_iter().chain(credit)
    }))
}

/// What a topic tells, each event where it is told first.
async fn first_told(brokers: &str, topic: &str) -> ByKey {
    let mut seen = HashSet::new();
    let messages = messages(brokers, topic).await;
    let told = messages.iter().map(|message| {
        let id: Uuid = text(&message["headers"]["ce_id"]).parse().unwrap();
        assert_eq!(
            message["headers"]["ce_subject"], message["key"],
            "{message}"
        );
        (text(&message["key"]).to_owned(), id)
    });
    by_key(told.filter(|(_, id)| seen.insert(*id)))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn by_key(events: impl IntoIterator<Item = (String, Uuid)>) -> ByKey {
    let mut keys = ByKey::new();
    for (key, id) in events {
        keys.entry(key).or_default().push(id);
    }
    keys
}

/// Nothing, once both are the same. What is wrong for good is a panic, not a wait.
fn differences(stored: &ByKey, sent: &ByKey) -> Result<(), String> {
    let mut missing = 0;
    for (key, sent) in sent {
        let stored = stored.get(key).map_or(&[][..], Vec::as_slice);
        assert!(
            stored.starts_with(sent),
            "key {key}: {sent:?} sent, {stored:?} stored"
        );
    }
    for (key, stored) in stored {
        missing += stored.len() - sent.get(key).map_or(0, Vec::len);
    }
    if missing == 0 {
        Ok(())
    } else {
        Err(format!("{missing} events not sent yet"))
    }
}

/// Every order as the read model has it and as its events say.
pub(crate) async fn rows_equal_a_fold(pool: &PgPool) {
    let orders: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT aggregate_id FROM store.events WHERE aggregate_type = 'order'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let now = SystemClock.now();
    let mut snapshot = Snapshot::open(pool, Model::Orders).await.unwrap();
    for id in &orders {
        let id: OrderId = id.parse().unwrap();
        let stream = load(&mut snapshot, &[StreamId::order(id)])
            .await
            .unwrap()
            .remove(0);
        let events: Vec<OrderEvent> = stream
            .events
            .iter()
            .flat_map(|e| stored::decode(&e.event_type, &e.event_version, &e.payload).unwrap())
            .collect();
        let order = fold(&events).unwrap();
        let folded = OrderDetail::from_order(&order, stream.version(), now).unwrap();
        let row = read_order(&mut snapshot, Viewer::Operator, id, now)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(json!(row), json!(folded));
    }
    snapshot.close().await.unwrap();
    println!(
        "{} orders: every row equals the fold of its events",
        orders.len()
    );
}
