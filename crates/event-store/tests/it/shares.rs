//! Shares: leases move to who waits for them until each process owns about as many, and one that is
//! handed over to nobody is soon taken again.

use std::time::Duration;

use event_store::{Reader, ReaderOptions, Shares, Sink};
use sqlx::PgPool;
use test_support::{TestDatabase, eventually};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const BOUND: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(10);
const NAMES: [&str; 3] = ["a", "b", "c"];

struct Sieve;

impl Sink for Sieve {}

/// A process with these readers, until it is told to stop.
struct Running {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Running {
    async fn start(database: &TestDatabase, owner: &str, names: &[&str]) -> Self {
        let (shares, stop) = (Shares::of(owner), CancellationToken::new());
        let mut tasks = JoinSet::new();
        for name in names {
            let options = ReaderOptions {
                shares: Some(shares.clone()),
                ..ReaderOptions::new(name, owner, LEASE)
            };
            let reader = Reader::new(database.options("atlas_app"), options);
            let told = stop.clone();
            tasks.spawn(async move {
                reader.drive(&mut Sieve, &told).await;
            });
        }
        tasks.spawn(shares.keep(database.pool_app().await, stop.clone()));
        Self { tasks, stop }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.join_all().await;
    }
}

/// The owners of `a`, `b` and `c`, by what the leases say.
async fn owners(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT coalesce(owner, '') FROM store.checkpoints
         WHERE expires_at > clock_timestamp() ORDER BY name",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn owned_by(pool: &PgPool, wanted: &[&str]) {
    eventually("the leases to be owned so", BOUND, || async {
        let mut found = owners(pool).await;
        found.sort();
        if found == wanted {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn a_process_that_joins_is_handed_its_share_and_one_of_some_roles_no_other() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let first = Running::start(&database, "first", &NAMES).await;
    owned_by(&pool, &["first", "first", "first"]).await;
    let some = Running::start(&database, "some", &["c"]).await;
    eventually("the one role that it runs", BOUND, || async {
        let found = owners(&pool).await;
        if found == ["first", "first", "some"] {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    let full = Running::start(&database, "full", &NAMES).await;
    owned_by(&pool, &["first", "full", "some"]).await;
    first.stop().await;
    let gone: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM ops.processes WHERE owner = 'first')")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(gone, "it says that it has ended");
    owned_by(&pool, &["full", "full", "some"]).await;
    some.stop().await;
    full.stop().await;
}

#[tokio::test]
async fn a_lease_for_a_process_that_does_not_come_is_taken_again_and_offered_once() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let first = Running::start(&database, "first", &NAMES).await;
    owned_by(&pool, &["first", "first", "first"]).await;
    // It was seen, and is never heard of again.
    sqlx::query(
        "INSERT INTO ops.processes VALUES
             ('sleeper', $1, clock_timestamp() + interval '1 hour')",
    )
    .bind(NAMES)
    .execute(&pool)
    .await
    .unwrap();
    let epochs = "SELECT array_agg(epoch ORDER BY name) FROM store.checkpoints
                  WHERE owner = 'first' AND expires_at > clock_timestamp()";
    eventually("each to have come back once", BOUND, || async {
        let found: Option<Vec<i64>> = sqlx::query_scalar(epochs).fetch_one(&pool).await.unwrap();
        if found == Some(vec![2, 2, 2]) {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    // Beyond the pause between two hand-overs, by the process's own beats.
    let beaten = "SELECT extract(epoch FROM seen_at)::float8 FROM ops.processes
                  WHERE owner = 'first'";
    let now: f64 = sqlx::query_scalar(beaten).fetch_one(&pool).await.unwrap();
    eventually("four beats", BOUND, || async {
        let seen: f64 = sqlx::query_scalar(beaten).fetch_one(&pool).await.unwrap();
        if seen >= now + 4.0 { Ok(()) } else { Err(seen) }
    })
    .await;
    let found: Option<Vec<i64>> = sqlx::query_scalar(epochs).fetch_one(&pool).await.unwrap();
    assert_eq!(found, Some(vec![2, 2, 2]));
    first.stop().await;
}
