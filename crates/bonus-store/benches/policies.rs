//! How long the difference of two policies takes beside a plain ordered export of the ledger, and a
//! full recompute, while a consumer runs, beside one that is nothing but SQL and the writing of the
//! same events.
//!
//! Run by `cargo xtask bench`, in release, on a private Postgres: 2 000 000 facts of 100 000
//! accounts.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bonus_domain::{
    AccountEvent, Beneficiary, Fact, Policies, Policy, PolicyVersion, Report, SourceType, diff,
    stored,
};
use bonus_store::{
    ConflictMode, Delivery, Ingest, PassedOver, Recompute, activate, check_policies, mark_whole,
    missing_types, whole_ledger,
};
use event_store::{Append, NewEvent, StreamAppend, StreamId, Version, append};
use futures::TryStreamExt as _;
use kernel::{Clock as _, EventId, IdSource as _, Metadata, OrderId, RandomIds, Role, SystemClock};
use sqlx::PgPool;
use test_support::TestDatabase;
use uuid::Uuid;

const ROUNDS: usize = 3;
/// As many as the projector recomputes at once.
const AT_ONCE: i64 = 1_000;
/// What the consumer takes in every fifth of a second, beside the recompute.
const CONSUMED: usize = 100;

/// Four facts an order, five orders a beneficiary; one order in five is called off. The heads are of
/// policy 2, so that a first recompute makes the accounts of policy 1, as after a long time under it.
const FILL: &str = "
    INSERT INTO bonus.accounts (beneficiary_role, beneficiary_id, policy_version)
    SELECT 'commissioner', md5(n::text)::uuid, 2 FROM generate_series(1, 100000) n;
    INSERT INTO bonus.ledger (source_event_id, event_type, beneficiary_role, beneficiary_id,
                              order_id, by_dispute, occurred_at, account_version)
    SELECT gen_random_uuid(),
           CASE step WHEN 1 THEN 'OrderPlaced' WHEN 2 THEN 'OfferConfirmed'
                     WHEN 3 THEN 'OrderPlaced'
                     ELSE CASE WHEN o % 7 = 0 THEN 'OrderCancelled' ELSE 'OrderCompleted' END END,
           'commissioner', md5((1 + o % 100000)::text)::uuid, md5('order' || o)::uuid, false,
           clock_timestamp() - make_interval(days => (o::bigint * 7919 % 400)::integer) , 0
    FROM generate_series(1, 500000) o, generate_series(1, 4) step;";
const VACUUM: &str = "VACUUM ANALYZE bonus.accounts, bonus.ledger";

const EXPORT: &str = "
    COPY (SELECT beneficiary_role, beneficiary_id, occurred_at, source_event_id, event_type,
                 order_id, by_dispute, account_version IS NULL
          FROM bonus.ledger
          ORDER BY beneficiary_role, beneficiary_id, occurred_at, source_event_id)
    TO STDOUT (FORMAT binary)";

/// Policy 2 in SQL: totals, grades, VIP, the heads, and what moved.
const IN_SQL: &str = "
    WITH totals AS (
        SELECT beneficiary_role, beneficiary_id, sum(points) AS points,
               coalesce(sum(points) FILTER (
                   WHERE occurred_at > now() - interval '720 hours' AND occurred_at <= now()), 0)
                   >= 250 AS vip
        FROM (
            SELECT l.beneficiary_role, l.beneficiary_id, l.occurred_at,
                   CASE l.event_type WHEN 'OrderCompleted' THEN 120
                       WHEN 'OrderPlaced' THEN CASE WHEN c.order_id IS NULL THEN 10 ELSE 0 END
                       WHEN 'OfferConfirmed' THEN CASE WHEN c.order_id IS NULL THEN 30 ELSE 0 END
                       ELSE 0 END AS points
            FROM bonus.ledger l
            LEFT JOIN (SELECT DISTINCT beneficiary_role, beneficiary_id, order_id FROM bonus.ledger
                       WHERE event_type = 'OrderCancelled' AND NOT by_dispute) c
                USING (beneficiary_role, beneficiary_id, order_id)
        ) worths
        GROUP BY beneficiary_role, beneficiary_id
    ), graded AS (
        SELECT *, CASE WHEN points >= 1200 THEN 'Platinum' WHEN points >= 400 THEN 'Gold'
                       WHEN points >= 120 THEN 'Silver' ELSE 'Bronze' END AS grade
        FROM totals
    ), moved AS (
        INSERT INTO bonus.policy_movements
            (activation, beneficiary_role, beneficiary_id, account_version, from_policy, to_policy,
             points_before, points_after, grade_before, grade_after, vip_before, vip_after, moved_at)
        SELECT 1, a.beneficiary_role, a.beneficiary_id, a.version + 1, a.policy_version, 2,
               a.lifetime_points, g.points, a.grade, g.grade, a.is_vip, g.vip, now()
        FROM bonus.accounts a JOIN graded g USING (beneficiary_role, beneficiary_id)
    )
    UPDATE bonus.accounts a
    SET lifetime_points = g.points, grade = g.grade, is_vip = g.vip, policy_version = 2,
        version = a.version + 1, vip_version = a.version + 1, changed_at = now()
    FROM graded g
    WHERE a.beneficiary_role = g.beneficiary_role AND a.beneficiary_id = g.beneficiary_id";

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
    let state = whole_ledger(&mut connection, |beneficiary, of| {
        report.add(beneficiary, diff(policy(1), policy(2), of, at)?)
    })
    .await
    .unwrap();
    let took = begun.elapsed();
    assert_eq!((state.facts, report.seen), (2_000_000, 100_000));
    assert_eq!(report.opened, 0);
    took
}

async fn in_sql(pool: &PgPool) -> Duration {
    let mut transaction = pool.begin().await.unwrap();
    let begun = Instant::now();
    sqlx::query(IN_SQL)
        .execute(&mut *transaction)
        .await
        .unwrap();
    let took = begun.elapsed();
    transaction.rollback().await.unwrap();
    took
}

async fn put_in_force(pool: &PgPool, number: u16) {
    let mut transaction = pool.begin().await.unwrap();
    let policy = policy(number);
    let missing = missing_types(&mut transaction, policy).await.unwrap();
    mark_whole(&mut transaction, &missing).await.unwrap();
    activate(&mut transaction, policy.version(), Uuid::from_u128(1))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

async fn recompute(pool: &PgPool) -> Duration {
    let recompute = Recompute::new(pool.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    let nobody = PassedOver::new();
    let begun = Instant::now();
    while recompute.step(AT_ONCE, &nobody).await.unwrap().done.seen > 0 {}
    begun.elapsed()
}

/// Takes facts in until told to stop; how many.
async fn consume(pool: PgPool, stop: Arc<AtomicBool>) -> usize {
    let people: Vec<Uuid> =
        sqlx::query_scalar("SELECT beneficiary_id FROM bonus.accounts ORDER BY 1 LIMIT 10000")
            .fetch_all(&pool)
            .await
            .unwrap();
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds));
    let ingest = Ingest::new(pool, ConflictMode::Ingest, clock, ids);
    let mut often = tokio::time::interval(Duration::from_millis(200));
    let mut told = 0;
    while !stop.load(Ordering::SeqCst) {
        often.tick().await;
        let fact = |id: Uuid, person: Uuid| Fact {
            source_event_id: EventId::from_uuid(id),
            source_type: SourceType::known("OrderPlaced").unwrap(),
            beneficiary: Beneficiary::new(Role::Commissioner, person),
            order_id: Some(OrderId::from_uuid(id)),
            by_dispute: false,
            occurred_at: SystemClock.now(),
        };
        let batch: Vec<Delivery> = (0..CONSUMED)
            .map(|number| {
                let id = RandomIds.next();
                Delivery {
                    fact: fact(id, people[(told + number) * 97 % people.len()]),
                    correlation_id: id,
                    traceparent: None,
                }
            })
            .collect();
        ingest.run(&batch).await.unwrap();
        told += batch.len();
    }
    told
}

/// What was told of accounts after a position, each account's together.
async fn told_after(pool: &PgPool, position: i64) -> Vec<Vec<AccountEvent>> {
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT aggregate_id, event_type, event_version, payload::text FROM store.events
         WHERE aggregate_type = 'account' AND position > $1 ORDER BY position",
    )
    .bind(position)
    .fetch_all(pool)
    .await
    .unwrap();
    let mut told: BTreeMap<String, Vec<AccountEvent>> = BTreeMap::new();
    for (account, name, version, payload) in rows {
        let event = stored::decode(&name, &version, &payload).unwrap();
        told.entry(account).or_default().push(event);
    }
    told.into_values().collect()
}

/// The writing of these events alone: the same ones of other accounts, as many at once.
async fn writing(pool: &PgPool, told: &[Vec<AccountEvent>]) -> Duration {
    let new_event = |event: &AccountEvent| {
        let (event_type, event_version, payload) = stored::encode(event);
        let id: Uuid = RandomIds.next();
        NewEvent {
            event_id: EventId::from_uuid(id),
            event_type,
            event_version,
            payload,
            metadata: Metadata {
                actor: None,
                on_behalf_of: None,
                correlation_id: id,
                causation_id: None,
                traceparent: None,
                idempotency_key: None,
            },
        }
    };
    let mut took = Duration::ZERO;
    for batch in told.chunks(usize::try_from(AT_ONCE).unwrap()) {
        let streams = batch.iter().map(|events| StreamAppend {
            stream: StreamId::account(Role::Workshop, RandomIds.next()),
            expected: Version::new(0),
            events: events.iter().map(new_event).collect(),
        });
        let request = Append {
            streams: streams.collect(),
            claim: None,
        };
        let begun = Instant::now();
        let mut transaction = pool.begin().await.unwrap();
        append(&mut transaction, &request).await.unwrap();
        transaction.commit().await.unwrap();
        took += begun.elapsed();
    }
    took
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    check_policies(&pool).await.unwrap();
    let owner = PgPool::connect(&database.url("atlas_owner")).await.unwrap();
    sqlx::raw_sql(FILL).execute(&owner).await.unwrap();
    sqlx::raw_sql(VACUUM).execute(&owner).await.unwrap();
    recompute(&pool).await;
    sqlx::raw_sql(VACUUM).execute(&owner).await.unwrap();

    let (mut exports, mut differences) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        exports.push(export(&owner).await);
        differences.push(difference(&owner).await);
    }
    let (base, time) = (median(&mut exports), median(&mut differences));
    let ratio = time.as_secs_f64() / base.as_secs_f64();
    println!("plain ordered export: {base:.2?} = 1.00; difference: {time:.2?} = {ratio:.2}");

    let mut statements = Vec::new();
    for _ in 0..ROUNDS {
        statements.push(in_sql(&owner).await);
        sqlx::raw_sql(VACUUM).execute(&owner).await.unwrap();
    }
    let position: i64 = sqlx::query_scalar("SELECT max(position) FROM store.events")
        .fetch_one(&owner)
        .await
        .unwrap();
    put_in_force(&pool, 2).await;
    let stop = Arc::new(AtomicBool::new(false));
    let consumer = tokio::spawn(consume(pool.clone(), Arc::clone(&stop)));
    let whole = recompute(&pool).await;
    stop.store(true, Ordering::SeqCst);
    let consumed = consumer.await.unwrap();
    let told = told_after(&owner, position).await;
    let events: usize = told.iter().map(Vec::len).sum();
    let written = writing(&pool, &told).await;
    let base = median(&mut statements);
    let ratio = whole.saturating_sub(written).as_secs_f64() / base.as_secs_f64();
    println!(
        "recompute in one statement: {base:.2?} = 1.00; recompute: {whole:.2?}, while {consumed} facts \
         were taken in; the writing of its {events} events: {written:.2?}; the rest = {ratio:.2}"
    );
}
