//! VIP by time alone: it comes and goes without anybody doing anything, also while something is
//! away.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use kernel::{Clock as _, SystemClock};
use sqlx::PgPool;
use test_support::eventually;
use uuid::Uuid;

use crate::kafka;
use crate::producer::{Producer, Told};
use crate::system::System;

const BOUND: Duration = Duration::from_secs(30);

/// Five placed orders of one commissioner: 200 points, in the window until `end`.
fn until(commissioner: Uuid, end: DateTime<Utc>) -> Vec<Told> {
    (0..5)
        .map(|number| Told {
            id: Uuid::from_u128(commissioner.as_u128() + number),
            event: "OrderPlaced",
            commissioner,
            order: Uuid::from_u128(commissioner.as_u128() + 100 + number),
            at: end - TimeDelta::days(30),
        })
        .collect()
}

/// The flips of an account: what they are called, and when they occurred and were recorded.
async fn flips(pool: &PgPool, commissioner: Uuid) -> Vec<(String, DateTime<Utc>, DateTime<Utc>)> {
    sqlx::query_as(
        "SELECT event_type, (payload->>'occurredAt')::timestamptz, recorded_at
         FROM store.events
         WHERE aggregate_type = 'account' AND aggregate_id = 'commissioner:' || $1::text
           AND event_type IN ('VipAcquired', 'VipLost')
         ORDER BY sequence",
    )
    .bind(commissioner)
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn until_flips(pool: &PgPool, commissioner: Uuid, count: usize) {
    let what = format!("{count} flips of {commissioner}");
    eventually(&what, BOUND, || async {
        let flips = flips(pool, commissioner).await;
        if flips.len() == count {
            Ok(())
        } else {
            Err(format!("{flips:?}"))
        }
    })
    .await;
}

/// Waits until an instant of the clock has passed.
async fn pass(end: DateTime<Utc>) {
    eventually("an instant to pass", BOUND, || async {
        let left = end - SystemClock.now();
        if left < TimeDelta::zero() {
            Ok(())
        } else {
            Err(left)
        }
    })
    .await;
}

/// One VipAcquired, and one VipLost at the due instant; how long after it that was told.
async fn lost(pool: &PgPool, commissioner: Uuid, end: DateTime<Utc>) -> TimeDelta {
    until_flips(pool, commissioner, 2).await;
    let flips = flips(pool, commissioner).await;
    assert_eq!(flips[0].0, "VipAcquired");
    assert_eq!((flips[1].0.as_str(), flips[1].1), ("VipLost", end));
    flips[1].2 - end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vip_goes_within_two_seconds_of_its_instant_and_once_also_after_a_stop() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start(&brokers).await;
    let mut second = system.another_projector();
    second.start();
    second.until(true).await;
    let pool = system.database.pool_owner().await;
    let producer = Producer::of(&brokers);

    // Two projectors run: one of them lets it go.
    let ada = Uuid::from_u128(0xada_0000);
    let end = SystemClock.now() + TimeDelta::seconds(8);
    producer.tell(&until(ada, end)).await;
    until_flips(&pool, ada, 1).await;
    assert!(SystemClock.now() < end, "this machine is too slow for it");
    let late = lost(&pool, ada, end).await;
    assert!(late < TimeDelta::seconds(2), "{late}");

    // Nobody runs when it ends, and an award after it does not hide that it had ended.
    let ben = Uuid::from_u128(0xbe_0000);
    let end = SystemClock.now() + TimeDelta::seconds(5);
    producer.tell(&until(ben, end)).await;
    until_flips(&pool, ben, 1).await;
    system.projector.kill();
    second.kill();
    pass(end).await;
    let now = SystemClock.now();
    let mut again = until(ben, now + TimeDelta::days(30));
    for told in &mut again {
        told.id = Uuid::from_u128(told.id.as_u128() + 0x1000);
    }
    producer.tell(&again).await;
    system.projector.start();
    system.projector.until(true).await;
    let able = SystemClock.now();
    until_flips(&pool, ben, 3).await;
    let flips = flips(&pool, ben).await;
    let names: Vec<&str> = flips.iter().map(|(name, _, _)| name.as_str()).collect();
    assert_eq!(names, ["VipAcquired", "VipLost", "VipAcquired"]);
    assert_eq!(flips[1].1, end);
    assert!(
        flips[1].2 < able + TimeDelta::seconds(2),
        "{flips:?}, able at {able}"
    );
    assert!(flips.is_sorted_by_key(|(_, at, _)| *at), "{flips:?}");

    // Postgres is away when it ends.
    let eve = Uuid::from_u128(0xe7e_0000);
    let end = SystemClock.now() + TimeDelta::seconds(3);
    producer.tell(&until(eve, end)).await;
    until_flips(&pool, eve, 1).await;
    system.crash_postgres().await;
    let back = SystemClock.now();
    pass(end).await;
    let pool = system.database.pool_owner().await;
    let late = lost(&pool, eve, end).await;
    let able = (back - end).max(TimeDelta::zero());
    assert!(
        late < able + TimeDelta::seconds(2),
        "{late}, able after {able}"
    );
}

/// A zone whose clock went back fifteen days ago, whenever that is, in the form that Postgres and libc
/// read.
fn zone_that_changed(now: DateTime<Utc>) -> String {
    let back = (now - TimeDelta::days(15)).ordinal().clamp(1, 365);
    let forth = 1 + (back + 299) % 365;
    format!("EARLY-1LATE,J{forth}/2,J{back}/3")
}

/// Database, role and processes live where the clock changed within the window: it is thirty times
/// twenty-four hours long all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vip_goes_at_its_instant_where_the_clock_changed_within_the_window() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let zone = zone_that_changed(SystemClock.now());
    let mut system = System::start_with(&brokers, &[("TZ", &zone)]).await;
    let superuser = system.database.pool_superuser().await;
    sqlx::raw_sql(&format!(
        "DO $$ BEGIN
             EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), '{zone}');
             EXECUTE format('ALTER ROLE atlas_app SET timezone = %L', '{zone}');
             EXECUTE format('ALTER ROLE atlas_owner SET timezone = %L', '{zone}');
         END $$"
    ))
    .execute(&superuser)
    .await
    .unwrap();
    let changed: bool = sqlx::query_scalar(
        "SELECT extract(timezone FROM now()) <> extract(timezone FROM now() - interval '600 h')
         FROM set_config('timezone', $1, false)",
    )
    .bind(&zone)
    .fetch_one(&superuser)
    .await
    .unwrap();
    assert!(changed, "{zone}");
    system.projector.kill();
    system.projector.start();
    system.projector.until(true).await;

    let pool = system.database.pool_owner().await;
    let zoe = Uuid::from_u128(0x20e_0000);
    let end = SystemClock.now() + TimeDelta::seconds(8);
    Producer::of(&brokers).tell(&until(zoe, end)).await;
    until_flips(&pool, zoe, 1).await;
    assert!(SystemClock.now() < end, "this machine is too slow for it");
    let late = lost(&pool, zoe, end).await;
    assert!(late < TimeDelta::seconds(2), "{late}");
}
