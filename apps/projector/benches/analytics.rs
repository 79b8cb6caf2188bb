//! How long each query of `docs/analytics.md` takes over a million events of orders, beside what it
//! may take. It fails where one takes longer.
//!
//! Run by `cargo xtask bench analytics`, in release, on a private Postgres.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

#[path = "../tests/it/analytics/questions.rs"]
#[expect(dead_code, reason = "where the answers stand is for the page's test")]
mod questions;

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, PgPool};
use test_support::TestDatabase;

const MILLION: &str = include_str!("analytics/million.sql");
const BOUND: Duration = Duration::from_secs(2);
/// These are asked all day long.
const FUNNEL: (&str, Duration) = (
    "SELECT * FROM order_funnel_daily ORDER BY day",
    Duration::from_millis(300),
);
const FRESHNESS: (&str, Duration) = ("SELECT * FROM freshness", Duration::from_millis(100));
/// The best of these: the machine has other things to do.
const ROUNDS: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let database = TestDatabase::create().await;
    fill(&database).await;
    let options = database.options("atlas_analyst");
    let mut analyst = PgConnection::connect_with(&options).await.unwrap();
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM order_events")
        .fetch_one(&mut analyst)
        .await
        .unwrap();
    println!("over {events} events of orders");

    let page = std::fs::read_to_string(questions::docs().join("analytics.md")).unwrap();
    let mut late = Vec::new();
    let asked = questions::questions(&page)
        .into_iter()
        .map(|question| (question.query, BOUND))
        .chain([FUNNEL, FRESHNESS].map(|(query, bound)| (query.to_owned(), bound)));
    for (number, (query, bound)) in (1..).zip(asked) {
        let (best, rows) = best(&mut analyst, &query).await;
        let what = query.lines().find(|line| !line.starts_with("--"));
        let what = what.unwrap_or_default();
        println!("{number:>3}. {best:>9.1?} of {bound:?}, {rows:>6} rows: {what}");
        if best > bound {
            late.push(number);
        }
    }
    assert!(late.is_empty(), "too slow: {late:?}");
}

async fn best(analyst: &mut PgConnection, query: &str) -> (Duration, usize) {
    let mut best = (Duration::MAX, 0);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let rows = sqlx::raw_sql(query).fetch_all(&mut *analyst).await;
        let rows = rows.unwrap_or_else(|error| panic!("{error}: {query}"));
        best = best.min((began.elapsed(), rows.len()));
    }
    best
}

/// What `projector migrate` and a first start write, and the million.
async fn fill(database: &TestDatabase) {
    bonus_store::check_policies(&database.pool_app().await)
        .await
        .unwrap();
    let superuser: PgPool = database.pool_superuser().await;
    let mut connection = superuser.acquire().await.unwrap();
    bonus_store::write_policies(&mut connection).await.unwrap();
    let began = Instant::now();
    sqlx::raw_sql(MILLION)
        .execute(&mut *connection)
        .await
        .unwrap();
    sqlx::raw_sql("VACUUM")
        .execute(&mut *connection)
        .await
        .unwrap();
    println!("written in {:.1?}", began.elapsed());
}
