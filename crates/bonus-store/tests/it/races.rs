//! Several at once: consumers over the same accounts, and an activation among them.

use std::collections::BTreeMap;
use std::time::Duration;

use bonus_domain::{Account, Beneficiary, Grade};
use bonus_store::{Delivery, IngestError};
use event_store::AppendError;
use kernel::Role;
use test_support::eventually;

use crate::fixtures::{BonusStore, activate, ada, commissioner, of, told, whole_order};

const BOUND: Duration = Duration::from_secs(20);

/// Waits until so many sessions of the test's database wait for a lock of another.
async fn until_blocked(store: &BonusStore, sessions: i64) {
    eventually("sessions that wait for a lock", BOUND, || async {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&store.pool)
        .await
        .unwrap();
        if waiting == sessions {
            Ok(())
        } else {
            Err(waiting)
        }
    })
    .await;
}

/// Thirty orders of five commissioners; every consumer is told all of them, cut and ordered in its
/// own way, so that they meet in accounts, ledger rows and streams.
#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_meet_neither_block_one_another_nor_count_twice() {
    const CONSUMERS: usize = 6;
    let store = BonusStore::started().await;
    let all: Vec<Delivery> = (0..30_u128)
        .flat_map(|order| {
            let beneficiary = commissioner(1 + order % 5);
            whole_order(1 + order * 10, order)
                .into_iter()
                .map(move |delivery| of(beneficiary, delivery))
        })
        .collect();

    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|number| {
            let ingest = store.ingest.clone();
            let mut mine = all.clone();
            let middle = mine.len() * number / CONSUMERS;
            mine.rotate_left(middle);
            if number % 2 == 1 {
                mine.reverse();
            }
            tokio::spawn(async move {
                let mut awarded = 0;
                for batch in mine.chunks(5 + number) {
                    awarded += ingest.run(batch).await.unwrap().awarded;
                }
                awarded
            })
        })
        .collect();
    let mut awarded = 0;
    for consumer in consumers {
        awarded += consumer.await.unwrap();
    }

    assert_eq!(awarded, 60);
    assert_eq!(store.ledger().await.len(), all.len());
    let points: BTreeMap<Beneficiary, i64> = (1..=5).map(|id| (commissioner(id), 840)).collect();
    for (beneficiary, points) in points {
        assert_eq!(store.standing(beneficiary).await, (points, Grade::Gold));
    }
}

/// Two facts of one order, told to two consumers at once, before there is an account: the later one
/// has to see the earlier one, though neither it nor the account has an event yet.
#[tokio::test]
async fn facts_without_an_account_are_taken_in_one_after_the_other() {
    let store = BonusStore::started().await;
    store.activate(2).await;
    store
        .ingest
        .run(&[told(1, "OrderCancelled", 6)])
        .await
        .unwrap();

    let mut holder = store.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM bonus.accounts FOR UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    let tellers: Vec<_> = [told(2, "OrderCancelled", 7), told(3, "OrderPlaced", 7)]
        .into_iter()
        .map(|delivery| {
            let ingest = store.ingest.clone();
            tokio::spawn(async move { ingest.run(&[delivery]).await.unwrap().awarded })
        })
        .collect();
    until_blocked(&store, 2).await;
    holder.rollback().await.unwrap();
    for teller in tellers {
        teller.await.unwrap();
    }
    let total = match store.account(ada()).await {
        Account::Unopened => 0,
        Account::Open(standing) => standing.lifetime_points.get(),
    };
    assert_eq!(total, 0);
}

/// Nothing of ours tells one event for two beneficiaries; who does meets the ledger's key, and is
/// taken in again after the other.
#[tokio::test]
async fn an_event_told_at_once_for_two_is_counted_for_the_first() {
    let store = BonusStore::started().await;
    let mut first = store.pool.begin().await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO bonus.accounts (beneficiary_role, beneficiary_id)
         VALUES ('commissioner', '00000000-0000-0000-0000-000000000001');
         INSERT INTO bonus.ledger
             (source_event_id, event_type, beneficiary_role, beneficiary_id, by_dispute,
              occurred_at, account_version)
         VALUES ('00000000-0000-0000-0000-000000000002', 'OfferConfirmed', 'commissioner',
                 '00000000-0000-0000-0000-000000000001', false, clock_timestamp(), 0)",
    )
    .execute(&mut *first)
    .await
    .unwrap();
    let second = tokio::spawn({
        let ingest = store.ingest.clone();
        async move { ingest.run(&[told(2, "OrderPlaced", 7)]).await }
    });
    until_blocked(&store, 1).await;
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap().unwrap().repeated, 1);
    assert_eq!(store.account(ada()).await, Account::Unopened);
}

#[tokio::test]
async fn an_activation_waits_for_the_awards_under_way() {
    let store = BonusStore::started().await;
    store
        .ingest
        .run(&[told(1, "OrderPlaced", 7)])
        .await
        .unwrap();

    let mut holder = store.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM bonus.accounts FOR UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    let award = tokio::spawn({
        let ingest = store.ingest.clone();
        async move { ingest.run(&[told(2, "OrderCompleted", 7)]).await }
    });
    until_blocked(&store, 1).await;
    let activation = tokio::spawn({
        let pool = store.pool.clone();
        async move {
            let mut transaction = pool.begin().await.unwrap();
            activate(&mut transaction, 2).await;
            transaction.commit().await.unwrap();
        }
    });
    until_blocked(&store, 2).await;
    holder.rollback().await.unwrap();

    award.await.unwrap().unwrap();
    activation.await.unwrap();
    assert_eq!(store.standing(ada()).await, (140, Grade::Silver));
}

#[tokio::test]
async fn an_award_that_waited_for_an_activation_is_made_under_the_new_policy() {
    let store = BonusStore::started().await;
    let mut activation = store.pool.begin().await.unwrap();
    activate(&mut activation, 2).await;
    let award = tokio::spawn({
        let ingest = store.ingest.clone();
        async move { ingest.run(&[told(1, "OrderPlaced", 7)]).await }
    });
    until_blocked(&store, 1).await;
    activation.commit().await.unwrap();
    award.await.unwrap().unwrap();
    assert_eq!(store.standing(ada()).await, (10, Grade::Bronze));
}

/// An append from elsewhere to the account's stream makes the head stale: an error, never a
/// second version of the truth.
#[tokio::test]
async fn a_head_that_its_stream_has_left_behind_awards_nothing() {
    let store = BonusStore::started().await;
    store
        .ingest
        .run(&[told(1, "OrderPlaced", 7)])
        .await
        .unwrap();
    sqlx::query("UPDATE bonus.accounts SET version = 2")
        .execute(&store.pool)
        .await
        .unwrap();
    let workshop = Beneficiary::new(Role::Workshop, ada().id);
    let batch = [
        told(2, "OrderPlaced", 8),
        of(workshop, told(3, "OrderPlaced", 8)),
    ];
    let error = store.ingest.run(&batch).await.unwrap_err();
    assert!(
        matches!(error, IngestError::Append(AppendError::Conflict)),
        "{error:?}"
    );
    assert_eq!(store.ledger().await.len(), 1);
}
