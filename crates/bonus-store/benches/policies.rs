//! How long the difference of two policies takes beside a plain ordered export of the ledger, and a
//! full recompute beside one SQL statement that computes the same totals.
//!
//! Run by `cargo xtask bench`, in release, on a private Postgres: 2 000 000 facts of 100 000
//! beneficiaries.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bonus_domain::{Movement, Policies, Policy, PolicyVersion, Report, assess};
use bonus_store::{Recompute, activate, check_policies, mark_whole, missing_types, whole_ledger};
use futures::TryStreamExt as _;
use kernel::{Clock as _, RandomIds, SystemClock};
use sqlx::PgPool;
use test_support::TestDatabase;
use uuid::Uuid;

const ROUNDS: usize = 3;

/// Four facts an order, five orders a beneficiary; one order in five is called off. As after a long
/// time under policy 1.
const FILL: &str = "
    INSERT INTO bonus.accounts (beneficiary_role, beneficiary_id, policy_version)
    SELECT 'commissioner', md5(n::text)::uuid, 1 FROM generate_series(1, 100000) n;
    INSERT INTO bonus.ledger (source_event_id, event_type, beneficiary_role, beneficiary_id,
                              order_id, by_dispute, occurred_at, account_version)
    SELECT gen_random_uuid(),
           CASE step WHEN 1 THEN 'OrderPlaced' WHEN 2 THEN 'OfferConfirmed'
                     WHEN 3 THEN 'OrderPlaced'
                     ELSE CASE WHEN o % 5 = 0 THEN 'OrderCancelled' ELSE 'OrderCompleted' END END,
           'commissioner', md5((1 + o % 100000)::text)::uuid, md5('order' || o)::uuid, false,
           clock_timestamp() - make_interval(days => (o::bigint * 7919 % 400)::integer) , 0
    FROM generate_series(1, 500000) o, generate_series(1, 4) step";

const GATHER_STATISTICS: &str = "VACUUM (ANALYZE) bonus.accounts, bonus.ledger";

const EXPORT: &str = "
    COPY (SELECT beneficiary_role, beneficiary_id, occurred_at, source_event_id, event_type,
                 order_id, by_dispute, account_version IS NULL
          FROM bonus.ledger
          ORDER BY beneficiary_role, beneficiary_id, occurred_at, source_event_id)
    TO STDOUT (FORMAT binary)";

const IN_SQL: &str = "
    SELECT count(*) FROM (
        SELECT l.beneficiary_role, l.beneficiary_id,
               sum(CASE l.event_type WHEN 'OrderCompleted' THEN 120
                   WHEN 'OrderPlaced' THEN CASE WHEN c.order_id IS NULL THEN 10 ELSE 0 END
                   WHEN 'OfferConfirmed' THEN CASE WHEN c.order_id IS NULL THEN 30 ELSE 0 END
                   ELSE 0 END) AS points
        FROM bonus.ledger l
        LEFT JOIN (SELECT DISTINCT beneficiary_role, beneficiary_id, order_id FROM bonus.ledger
                   WHERE event_type = 'OrderCancelled' AND NOT by_dispute) c
            USING (beneficiary_role, beneficiary_id, order_id)
        GROUP BY l.beneficiary_role, l.beneficiary_id
    ) totals";

fn policy(number: u16) -> &'static Policy {
    let version = PolicyVersion::new(number).unwrap();
    Policies::compiled().get(version).unwrap()
}

async fn export(pool: &PgPool) -> Duration {
    let mut connection = pool.acquire().await.unwrap();
    let begun = Instant::now();
    let mut rows = connection.copy_out_raw(EXPORT).await.unwrap();
    while rows.try_next().await.unwrap().is_some() {}
    begun.elapsed()
}

async fn difference(pool: &PgPool) -> Duration {
    let mut connection = pool.acquire().await.unwrap();
    let at = SystemClock.now();
    let begun = Instant::now();
    let mut report = Report::default();
    let state = whole_ledger(&mut connection, |beneficiary, ledger| {
        let movement = Movement {
            before: assess(policy(1), &ledger.counted, at)?,
            after: assess(policy(2), ledger.all(), at)?,
        };
        report.add(beneficiary, movement)
    })
    .await
    .unwrap();
    let took = begun.elapsed();
    assert_eq!((state.facts, report.seen), (2_000_000, 100_000));
    took
}

async fn recompute(pool: &PgPool) -> Duration {
    let mut connection = pool.begin().await.unwrap();
    let missing = missing_types(&mut connection, policy(2)).await.unwrap();
    mark_whole(&mut connection, &missing).await.unwrap();
    activate(&mut connection, policy(2).version(), Uuid::from_u128(1))
        .await
        .unwrap();
    connection.commit().await.unwrap();
    let recompute = Recompute::new(pool.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    let begun = Instant::now();
    while recompute.step(500).await.unwrap().done.seen > 0 {}
    begun.elapsed()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    check_policies(&pool).await.unwrap();
    let owner = PgPool::connect(&database.url("atlas_owner")).await.unwrap();
    for statement in [FILL, GATHER_STATISTICS] {
        sqlx::raw_sql(statement).execute(&owner).await.unwrap();
    }

    let (mut exports, mut differences) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        exports.push(export(&owner).await);
        differences.push(difference(&owner).await);
    }
    say(
        "plain ordered export",
        "difference",
        &mut exports,
        &mut differences,
    );

    let mut statements = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        sqlx::query(IN_SQL).fetch_one(&owner).await.unwrap();
        statements.push(begun.elapsed());
    }
    let mut recomputes = vec![recompute(&pool).await];
    say(
        "totals in one statement",
        "recompute",
        &mut statements,
        &mut recomputes,
    );
}

/// The medians, and their ratio.
fn say(base: &str, measured: &str, bases: &mut [Duration], found: &mut [Duration]) {
    bases.sort();
    found.sort();
    let (base_time, time) = (bases[bases.len() / 2], found[found.len() / 2]);
    let ratio = time.as_secs_f64() / base_time.as_secs_f64();
    println!("{base}: {base_time:.2?} = 1.00; {measured}: {time:.2?} = {ratio:.2}");
}
