//! An account with a hundred thousand awards is handled like one with ten: as many rows are read for an
//! award, a repetition, a page and a turn of the clock.

use bonus_domain::{Beneficiary, Policies, PolicyVersion};
use bonus_store::{AccountAt, Delivery, PassedOver, ledger_page};
use event_store::Version;
use kernel::EventId;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::fixtures::{BonusStore, commissioner, instant, of, told};

const GIANT: i32 = 100_000;
const SMALL: i32 = 10;
/// So many more rows may be read of the giant: its pages are full.
const MORE: i64 = 150;
/// An award each hour up to here.
const NOW: i64 = 600_000_000;

/// Lets a beneficiary have so many awards, one each hour, each of an order of its own.
async fn awarded(store: &BonusStore, who: Beneficiary, awards: i32) {
    sqlx::query(
        "INSERT INTO bonus.accounts (beneficiary_role, beneficiary_id, policy_version)
         VALUES ('commissioner', $1, 2)",
    )
    .bind(who.id)
    .execute(&store.pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO bonus.ledger (source_event_id, event_type, beneficiary_role, beneficiary_id,
                                   order_id, by_dispute, occurred_at, account_version)
         SELECT md5($1::text || 'fact' || n)::uuid, 'OrderPlaced', 'commissioner', $1,
                md5($1::text || 'order' || n)::uuid, false,
                to_timestamp($3 - n * 3600.0), 0
         FROM generate_series(1, $2) n",
    )
    .bind(who.id)
    .bind(awards)
    .bind(NOW as f64)
    .execute(&store.pool)
    .await
    .unwrap();
}

/// The rows that were read of our tables until now.
async fn rows_read(pool: &PgPool) -> i64 {
    sqlx::query("SELECT pg_stat_force_next_flush()")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query_scalar(
        "SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)::bigint
         FROM pg_stat_user_tables WHERE schemaname IN ('bonus', 'store')",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

fn fact(who: Beneficiary, number: u128, event: &str, order: u128) -> Delivery {
    let mut delivery = of(who, told(1, event, order));
    let id = Uuid::from_u64_pair(0xfac7, u64::try_from(number).unwrap());
    delivery.fact.source_event_id = EventId::from_uuid(id);
    delivery.fact.occurred_at = instant(NOW);
    delivery
}

/// The rows that each way of handling an account reads.
async fn read_for(
    store: &BonusStore,
    [who, other]: [Beneficiary; 2],
    first: u128,
) -> Vec<(&'static str, i64)> {
    let mut read = Vec::new();
    let mut before = rows_read(&store.pool).await;
    let mut told = async |what| {
        let now = rows_read(&store.pool).await;
        read.push((what, now - before));
        before = now;
    };
    store.clock.set(NOW + 1);
    let placed = [fact(who, first, "OrderPlaced", first)];
    for (what, awarded) in [("an award", 1), ("a repetition", 0)] {
        assert_eq!(store.ingest.run(&placed).await.unwrap().awarded, awarded);
        told(what).await;
    }
    let account = AccountAt {
        beneficiary: who,
        version: Version::new(1_000_000),
        policy: Policies::compiled().get(PolicyVersion::FIRST).unwrap(),
    };
    let mut connection = store.pool.acquire().await.unwrap();
    let page = ledger_page(&mut connection, account, None, 50).await;
    assert!(page.unwrap().items.len() > 10);
    drop(connection);
    told("a page").await;
    store.clock.set(NOW + 40 * 86_400);
    let clock = store.vip_clock();
    let turned = clock.turn(&PassedOver::from([other])).await.unwrap();
    assert_eq!(turned.told, 1);
    told("a turn of the clock").await;
    read
}

#[tokio::test]
async fn an_account_with_a_hundred_thousand_awards_is_handled_like_one_with_ten() {
    let store = BonusStore::started().await;
    // One connection, so that nobody else counts what was read.
    let one = PgPoolOptions::new().max_connections(1);
    let pool = store.database.pool_app_with(one).await;
    let store = store.over(pool);
    store.clock.set(NOW);
    let (small, giant) = (commissioner(1), commissioner(2));
    awarded(&store, small, SMALL).await;
    awarded(&store, giant, GIANT).await;
    sqlx::raw_sql("ANALYZE bonus.ledger, bonus.accounts")
        .execute(&store.database.pool_owner().await)
        .await
        .unwrap();
    assert_eq!(store.recompute_all().await.opened, 2);

    let small_reads = read_for(&store, [small, giant], 1).await;
    let giant_reads = read_for(&store, [giant, small], 2).await;
    for ((what, small), (_, giant)) in small_reads.into_iter().zip(giant_reads) {
        assert!(small > 0, "{what} reads nothing?");
        assert!(giant <= small + MORE, "{what}: {giant} rows, and {small}");
    }
}
