//! Facts in the ledger, told as `docs/analytics.md` tells them: days before now, a role, who, what
//! happened, and to which order. They are taken in, and recomputed, as the projector does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bonus_domain::{Beneficiary, Fact, PolicyVersion, SourceType};
use bonus_store::{ConflictMode, Delivery, Ingest, PassedOver, Recompute};
use chrono::{DateTime, TimeDelta, Utc};
use kernel::{Clock, EventId, OrderId, RandomIds, SystemClock};
use uuid::Uuid;

use super::page;
use super::story::{Told, id};
use crate::program::projector;

/// Microseconds after the epoch, as the teller sets them.
#[derive(Debug)]
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// Keeps the facts, oldest first, each at its instant.
pub(crate) async fn keep(told: &Told, facts: &str) {
    let migrated = projector(&told.database.url("atlas_owner"), &["migrate"]);
    assert_eq!(migrated.code, 0, "{migrated:?}");
    let pool = told.database.pool_app().await;
    bonus_store::check_policies(&pool).await.unwrap();
    let now = SystemClock.now().timestamp_micros();
    let clock = Arc::new(HandClock(AtomicI64::new(now)));
    let ingest = Ingest::new(
        pool,
        ConflictMode::Ingest,
        clock.clone(),
        Arc::new(RandomIds),
    );
    for line in facts.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [days, role, who, event, order] = words[..] else {
            panic!("no fact: {line}");
        };
        let ago = TimeDelta::days(days.parse().unwrap());
        clock
            .0
            .store(now - ago.num_microseconds().unwrap(), Ordering::SeqCst);
        let fact = Fact {
            source_event_id: EventId::from_uuid(id(line)),
            source_type: SourceType::known(event).unwrap(),
            beneficiary: Beneficiary::new(role.parse().unwrap(), id(who)),
            order_id: Some(OrderId::from_uuid(id(order))),
            by_dispute: false,
            occurred_at: clock.now(),
        };
        let delivery = Delivery {
            fact,
            correlation_id: Uuid::from_u128(7),
            traceparent: None,
        };
        ingest.run(&[delivery]).await.unwrap();
    }
}

/// Puts policy 2 in force.
pub(crate) async fn activate(told: &Told) {
    let pool = told.database.pool_app().await;
    let mut transaction = pool.begin().await.unwrap();
    let (second, operator) = (PolicyVersion::new(2).unwrap(), Uuid::from_u128(0x0e));
    sqlx::query("UPDATE bonus.kept_types SET whole_since = clock_timestamp()")
        .execute(&mut *transaction)
        .await
        .unwrap();
    bonus_store::activate(&mut transaction, second, operator)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

/// Puts policy 2 in force, and recomputes whoever is of another.
pub(crate) async fn recompute(told: &Told) {
    activate(told).await;
    let pool = told.database.pool_app().await;
    let clock = Arc::new(SystemClock);
    let recompute = Recompute::new(pool, clock, Arc::new(RandomIds));
    let nobody = PassedOver::new();
    while recompute.step(100, &nobody).await.unwrap().done.seen > 0 {}
    told.catch_up().await;
}

/// The diff by SQL says who moves from what to what; the recompute then does exactly that.
#[tokio::test]
async fn a_recompute_moves_what_the_diff_by_sql_says() {
    let told = page::told().await;
    let accounts = "SELECT beneficiary_role, beneficiary_id, lifetime_points, grade, is_vip::text
                    FROM bonus_accounts ORDER BY 1, 2";
    let moved = "SELECT beneficiary_role, beneficiary_id, points_before, points_after,
                        grade_before, grade_after, vip_before::text, vip_after::text
                 FROM policy_movements
                 WHERE (points_before, grade_before, vip_before)
                       <> (points_after, grade_after, vip_after)
                 ORDER BY 1, 2";
    let diff = std::fs::read_to_string(page::docs().join("sql/policy-diff.sql")).unwrap();
    let before = told.ask(&diff).await;
    assert_eq!(before.len(), 3);
    recompute(&told).await;
    assert_eq!(told.ask(moved).await, before);
    let after: Vec<Vec<String>> = before
        .iter()
        .map(|row| [0, 1, 3, 5, 7].map(|column| row[column].clone()).to_vec())
        .collect();
    assert_eq!(told.ask(accounts).await, after);
    // Nothing is left to say of the policy in force.
    let active = "SELECT policy_version FROM policy_vip WHERE is_active";
    assert_eq!(told.ask(active).await, [["2"]]);
    let awards =
        "SELECT beneficiary_id, sum(points) FROM bonus_ledger GROUP BY 1 HAVING sum(points)
                  <> (SELECT lifetime_points FROM bonus_accounts a
                      WHERE a.beneficiary_id = bonus_ledger.beneficiary_id)";
    assert_eq!(told.ask(awards).await, Vec::<Vec<String>>::new());
}

/// A replay and a redrive send a fact again, and so does a consumer that another takes over from.
#[tokio::test]
async fn facts_that_come_again_move_nothing() {
    let told = page::told().await;
    let shown = async || {
        let mut shown = Vec::new();
        for view in [
            "bonus_facts",
            "bonus_ledger",
            "bonus_accounts",
            "grade_history",
            "vip_history",
        ] {
            shown.push(
                told.ask(&format!("SELECT * FROM {view} ORDER BY 1, 2"))
                    .await,
            );
        }
        shown
    };
    let before = shown().await;
    assert!(before.iter().all(|view| !view.is_empty()), "{before:?}");
    for _ in 0..2 {
        keep(&told, &page::facts()).await;
        told.catch_up().await;
    }
    assert_eq!(shown().await, before);
}
