//! The same account in whatever time zone, also where the clock changed within the window: a window is
//! thirty times twenty-four hours.

use bonus_domain::{Beneficiary, Fact, Policies, PolicyVersion};
use bonus_store::{AccountAt, Delivery, vip_at};
use chrono::{DateTime, TimeDelta, Utc};
use event_store::Version;
use sqlx::postgres::PgPoolOptions;

use crate::fixtures::{BonusStore, commissioner, nobody, of, told};
use crate::oracle;

/// There the clock went back on 25 October 2026, at 01:00 of UTC.
const ZONE: &str = "Europe/Berlin";
const PEOPLE: u128 = 12;

fn change() -> DateTime<Utc> {
    "2026-10-25T01:00:00Z".parse().unwrap()
}

/// A store of which database, role and every session are in that zone.
async fn store_there() -> BonusStore {
    let store = BonusStore::started().await;
    let superuser = store.database.pool_superuser().await;
    sqlx::raw_sql(&format!(
        "DO $$ BEGIN
             EXECUTE format('ALTER DATABASE %I SET timezone = ''{ZONE}''', current_database());
             EXECUTE format('ALTER ROLE atlas_app IN DATABASE %I SET timezone = ''{ZONE}''',
                            current_database());
         END $$"
    ))
    .execute(&superuser)
    .await
    .unwrap();
    let there = PgPoolOptions::new().after_connect(|connection, _| {
        Box::pin(async move {
            // The driver asks for UTC, which comes before what database and role say.
            let set = format!("SET timezone = '{ZONE}'");
            sqlx::Executor::execute(connection, set.as_str())
                .await
                .map(drop)
        })
    });
    let pool = store.database.pool_app_with(there).await;
    let offsets: Vec<f64> = sqlx::query_scalar(
        "SELECT extract(timezone FROM at)::double precision
         FROM unnest(ARRAY[$1, $1 - interval '1 second']) at",
    )
    .bind(change())
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(offsets, [3_600.0, 7_200.0], "the clock changes there");
    store.over(pool)
}

/// Facts around the change, some at the very edges of windows that it lies in: orders of four steps,
/// every second of which ends in a cancellation.
fn facts() -> Vec<Delivery> {
    (0..240_u128)
        .map(|number| {
            let (person, step) = (number % PEOPLE, number / PEOPLE);
            let (order, cancelled) = (step / 4, step / 4 % 2 == 0);
            let name = match step % 4 {
                0 => "OrderPlaced",
                1 => "OfferConfirmed",
                2 => "OrderCompleted",
                _ if cancelled => "OrderCancelled",
                _ => "OrderPlaced",
            };
            let told = of(
                commissioner(1 + person),
                told(1 + number, name, order * PEOPLE + person),
            );
            let halves = i64::try_from(number * 5_417 % 97).unwrap() - 60;
            let occurred_at = change() + TimeDelta::hours(halves * 12);
            let fact = Fact {
                occurred_at,
                ..told.fact
            };
            Delivery { fact, ..told }
        })
        .collect()
}

/// Every account is what the oracle says of its facts, at the store's now.
async fn agree(store: &BonusStore, facts: &[Delivery], number: u16, now: DateTime<Utc>) {
    type Head = (Option<String>, i64, bool, Option<DateTime<Utc>>);
    let policy = Policies::compiled()
        .get(PolicyVersion::new(number).unwrap())
        .unwrap();
    for person in 1..=PEOPLE {
        let beneficiary: Beneficiary = commissioner(person);
        let facts = facts.iter().map(|it| it.fact);
        let facts: Vec<Fact> = facts.filter(|it| it.beneficiary == beneficiary).collect();
        let (grade, points, vip, changes): Head = sqlx::query_as(
            "SELECT grade, lifetime_points, is_vip, vip_changes_at FROM bonus.accounts
             WHERE beneficiary_id = $1",
        )
        .bind(beneficiary.id)
        .fetch_one(&store.pool)
        .await
        .unwrap();
        let total = oracle::total(number, &facts);
        assert_eq!(points, total, "{beneficiary} at {now}");
        assert_eq!(grade, Some(oracle::grade(number, total).to_string()));
        assert_eq!(
            vip,
            oracle::vip(number, &facts, now),
            "{beneficiary} at {now}"
        );
        let next = oracle::next_change(number, &facts, now);
        assert_eq!(changes, next, "{beneficiary} at {now}");
        let account = AccountAt {
            beneficiary,
            version: Version::new(1_000),
            policy,
        };
        let mut connection = store.pool.acquire().await.unwrap();
        let shown = vip_at(&mut connection, account, now).await.unwrap();
        assert_eq!((shown.active, shown.until), (vip, next.filter(|_| vip)));
        assert_eq!(
            shown.window_points.get(),
            oracle::window(number, &facts, now)
        );
    }
}

#[tokio::test]
async fn accounts_are_what_their_facts_say_where_the_clock_changed_within_the_window() {
    let all = facts();
    let at = |days: i64| change() + TimeDelta::days(days);
    // In two orders, the second with every third fact told again.
    for (order, repeated) in [(77, 0), (101, 3)] {
        let store = store_there().await;
        store.clock.set(at(20).timestamp());
        let mut told: Vec<Delivery> = (0..all.len())
            .map(|it| all[it * order % all.len()].clone())
            .collect();
        if repeated > 0 {
            told.extend(all.iter().step_by(repeated).cloned());
        }
        let (first, rest) = told.split_at(all.len() * 2 / 3);
        for batch in first.chunks(17) {
            store.ingest.run(batch).await.unwrap();
        }
        agree(&store, first, 1, at(20)).await;
        // To the very hour at which windows end that the change lies in, and on.
        for hours in [29 * 24 + 23, 30 * 24, 30 * 24 + 1, 34 * 24] {
            let now = change() + TimeDelta::hours(hours);
            store.clock.set(now.timestamp());
            while store.vip_clock().turn(&nobody()).await.unwrap().seen > 0 {}
            agree(&store, first, 1, now).await;
        }
        store.activate(2).await;
        for batch in rest.chunks(17) {
            store.ingest.run(batch).await.unwrap();
        }
        store.recompute_all().await;
        agree(&store, &all, 2, at(34)).await;
        for person in 1..=PEOPLE {
            store.account(commissioner(person)).await;
        }
    }
}
