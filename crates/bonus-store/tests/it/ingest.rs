//! What becomes of facts.

use bonus_domain::{Account, AccountFact, Beneficiary, Conflict, Facts, Grade, Policies};
use bonus_store::{Delivery, IngestError, Ingested, Rejection};
use event_store::StreamId;
use kernel::Role;
use uuid::Uuid;

use crate::fixtures::{BonusStore, ada, commissioner, fold, instant, of, read, told, whole_order};

fn ingested(awarded: usize, kept: usize, repeated: usize) -> Ingested {
    Ingested {
        awarded,
        kept,
        repeated,
        deferred: 0,
    }
}

#[tokio::test]
async fn a_completed_order_makes_140_points_and_silver() {
    let store = BonusStore::started().await;
    store.clock.set(100);
    let done = store.ingest.run(&whole_order(1, 7)).await.unwrap();
    assert_eq!(done, ingested(2, 1, 0));
    assert_eq!(store.standing(ada()).await, (140, Grade::Silver));

    let events = store.stream(ada()).await;
    let names: Vec<_> = events.iter().map(|e| e.event_type.as_str()).collect();
    assert_eq!(names, ["PointsAwarded", "PointsAwarded", "GradeChanged"]);
    let last = read(&events[2]);
    assert_eq!(last.beneficiary(), ada());
    assert_eq!(last.occurred_at, instant(100));
    assert_eq!(
        last.fact,
        AccountFact::GradeChanged {
            from: Grade::Bronze,
            to: Grade::Silver
        }
    );
}

#[tokio::test]
async fn account_events_say_what_they_follow_from() {
    let store = BonusStore::started().await;
    let placed = told(1, "OrderPlaced", 7);
    store
        .ingest
        .run(std::slice::from_ref(&placed))
        .await
        .unwrap();
    let metadata = store.stream(ada()).await[0].metadata().unwrap();
    assert_eq!(metadata.actor, None);
    assert_eq!(metadata.correlation_id, placed.correlation_id);
    assert_eq!(
        metadata.causation_id,
        Some(placed.fact.source_event_id.as_uuid())
    );
    assert_eq!(metadata.traceparent, placed.traceparent);
}

#[tokio::test]
async fn each_award_continues_the_trace_of_its_own_fact() {
    let store = BonusStore::started().await;
    let batch: Vec<Delivery> = whole_order(1, 7)
        .into_iter()
        .map(|delivery| Delivery {
            traceparent: Some(format!(
                "00-{:032x}-b7ad6b7169203331-01",
                delivery.fact.source_event_id.as_uuid().as_u128()
            )),
            ..delivery
        })
        .collect();
    store.ingest.run(&batch).await.unwrap();
    for event in store.stream(ada()).await {
        let metadata = event.metadata().unwrap();
        let cause = metadata.causation_id.unwrap().as_u128();
        let trace = metadata.traceparent.unwrap();
        assert!(trace.contains(&format!("{cause:032x}")), "{trace}");
    }
}

#[tokio::test]
async fn what_is_told_again_does_nothing() {
    let store = BonusStore::started().await;
    let order = whole_order(1, 7);
    let twice = [order.clone(), order.clone()].concat();
    assert_eq!(store.ingest.run(&twice).await.unwrap(), ingested(2, 1, 3));
    let ledger = store.ledger().await;
    assert_eq!(store.ingest.run(&order).await.unwrap(), ingested(0, 0, 3));
    assert_eq!(store.ingest.run(&[]).await.unwrap(), ingested(0, 0, 0));
    assert_eq!(store.standing(ada()).await, (140, Grade::Silver));
    assert_eq!(store.ledger().await, ledger);
}

#[tokio::test]
async fn an_event_is_counted_once_whomever_it_names() {
    let store = BonusStore::started().await;
    let placed = told(1, "OrderPlaced", 7);
    store
        .ingest
        .run(std::slice::from_ref(&placed))
        .await
        .unwrap();
    let stolen = of(commissioner(2), placed);
    assert_eq!(
        store.ingest.run(&[stolen]).await.unwrap(),
        ingested(0, 0, 1)
    );
    assert_eq!(store.account(commissioner(2)).await, Account::Unopened);
}

#[tokio::test]
async fn a_fact_worth_nothing_is_kept_and_makes_no_account() {
    let store = BonusStore::started().await;
    let confirmed = told(1, "OfferConfirmed", 7);
    let done = store.ingest.run(&[confirmed]).await.unwrap();
    assert_eq!(done, ingested(0, 1, 0));
    assert_eq!(store.ledger().await, [(Uuid::from_u128(1), 0)]);
    assert_eq!(store.account(ada()).await, Account::Unopened);
    assert_eq!(store.events().await, 0);
}

#[tokio::test]
async fn accounts_of_a_batch_do_not_mix() {
    let store = BonusStore::started().await;
    // The same id in another role is another beneficiary.
    let others = [commissioner(1), Beneficiary::new(Role::Workshop, ada().id)];
    let batch = vec![
        told(1, "OrderPlaced", 7),
        of(others[0], told(2, "OrderPlaced", 8)),
        of(others[1], told(3, "OrderPlaced", 7)),
        told(4, "OrderCompleted", 7),
        of(others[0], told(5, "OrderPlaced", 9)),
    ];
    assert_eq!(store.ingest.run(&batch).await.unwrap(), ingested(4, 1, 0));
    assert_eq!(store.standing(ada()).await, (140, Grade::Silver));
    assert_eq!(store.standing(others[0]).await, (80, Grade::Bronze));
    assert_eq!(store.account(others[1]).await, Account::Unopened);
}

#[tokio::test]
async fn a_cancellation_reverses_its_order_whenever_it_comes() {
    let store = BonusStore::started().await;
    store.activate(2).await;
    let steps = [
        told(1, "OrderPlaced", 7),
        told(2, "OfferConfirmed", 7),
        told(3, "OrderPlaced", 8),
        told(4, "OrderCancelled", 7),
        told(5, "OrderCancelled", 9),
        told(6, "OrderPlaced", 9),
    ];
    for step in &steps {
        store.ingest.run(std::slice::from_ref(step)).await.unwrap();
    }
    assert_eq!(store.standing(ada()).await, (10, Grade::Bronze));

    let late = BonusStore::started().await;
    late.activate(2).await;
    let mut backwards = steps;
    backwards.reverse();
    late.ingest.run(&backwards).await.unwrap();
    assert_eq!(late.standing(ada()).await, (10, Grade::Bronze));
}

#[tokio::test]
async fn what_was_kept_counts_when_a_later_policy_opens_the_account() {
    let store = BonusStore::started().await;
    let [placed, confirmed, completed] = <[_; 3]>::try_from(whole_order(1, 7)).unwrap();
    store.ingest.run(&[confirmed]).await.unwrap();
    store.activate(2).await;
    let deferred = store.ingest.run(&[completed]).await.unwrap();
    assert_eq!(deferred.deferred, 1);
    assert_eq!(store.account(ada()).await, Account::Unopened);
    assert_eq!(store.recompute_all().await.opened, 1);
    assert_eq!(store.standing(ada()).await, (150, Grade::Silver));
    store.ingest.run(&[placed]).await.unwrap();
    assert_eq!(store.standing(ada()).await, (160, Grade::Silver));
}

#[tokio::test]
async fn an_account_of_another_policy_refuses_and_nothing_of_the_batch_is_kept() {
    let store = BonusStore::started().await;
    store
        .ingest
        .run(&[told(1, "OrderPlaced", 7)])
        .await
        .unwrap();
    store.activate(2).await;
    let ledger = store.ledger().await;
    let batch = [
        of(commissioner(1), told(2, "OrderPlaced", 8)),
        told(3, "OfferConfirmed", 7),
    ];
    let error = store.refusing().run(&batch).await.unwrap_err();
    let IngestError::Rejected {
        source_event_id,
        beneficiary,
        source: Rejection::Conflict(Conflict::Account { account, active }),
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(source_event_id, batch[1].fact.source_event_id);
    assert_eq!(beneficiary, ada());
    assert_eq!((account.get(), active.get()), (1, 2));
    assert_eq!(store.ledger().await, ledger);
    assert_eq!(store.account(commissioner(1)).await, Account::Unopened);
}

/// Whoever shows an account as of a version takes the rows up to it: at every version, also between
/// an award and its new grade, they have to make the total of that version.
#[tokio::test]
async fn at_every_version_the_rows_make_the_total() {
    for policy in [1, 2] {
        let store = BonusStore::started().await;
        store.activate(policy).await;
        let mut batch = [
            whole_order(1, 7),
            vec![told(10, "OrderCancelled", 8)],
            whole_order(20, 8),
            whole_order(30, 9),
        ]
        .concat();
        store.ingest.run(&batch).await.unwrap();
        batch.push(told(40, "OrderCancelled", 9));
        store.ingest.run(&batch).await.unwrap();

        let ledger = store.ledger().await;
        assert_eq!(ledger.len(), batch.len());
        let rules = Policies::compiled()
            .iter()
            .find(|rules| i32::from(rules.version()) == policy)
            .unwrap();
        let events = store.stream(ada()).await;
        for version in 1..=events.len() {
            let Account::Open(standing) = fold(&events[..version]) else {
                panic!("not open");
            };
            let rows: Facts = batch
                .iter()
                .map(|delivery| delivery.fact)
                .filter(|fact| {
                    let id = fact.source_event_id.as_uuid();
                    let row = ledger.iter().find(|(row, _)| *row == id);
                    row.is_some_and(|(_, from)| *from <= i64::try_from(version).unwrap())
                })
                .collect();
            assert_eq!(
                rules.total(&rows),
                Ok(standing.lifetime_points),
                "policy {policy}, version {version}"
            );
        }
    }
}

/// Each write fails once: nothing is kept, and the same batch then has its whole effect.
#[tokio::test]
async fn a_step_that_fails_leaves_nothing_behind() {
    let store = BonusStore::started().await;
    let owner = store.database.pool_owner().await;
    sqlx::raw_sql(
        "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN RAISE EXCEPTION 'told to'; END $$;",
    )
    .execute(&owner)
    .await
    .unwrap();
    let order = whole_order(1, 7);
    for (table, moment) in [
        ("bonus.accounts", "BEFORE INSERT"),
        ("bonus.ledger", "BEFORE INSERT"),
        ("bonus.accounts", "BEFORE UPDATE"),
        ("store.events", "BEFORE INSERT"),
        ("store.events", "AFTER INSERT"),
    ] {
        let create = format!(
            "CREATE TRIGGER fail {moment} ON {table}
             FOR EACH STATEMENT EXECUTE FUNCTION public.fail()"
        );
        sqlx::raw_sql(&create).execute(&owner).await.unwrap();
        store.ingest.run(&order).await.expect_err(moment);
        assert_eq!(store.ledger().await, [], "{moment} {table}");
        assert_eq!(store.events().await, 0, "{moment} {table}");
        sqlx::raw_sql(&format!("DROP TRIGGER fail ON {table}"))
            .execute(&owner)
            .await
            .unwrap();
    }
    store.ingest.run(&order).await.unwrap();
    assert_eq!(store.standing(ada()).await, (140, Grade::Silver));
    let stream = StreamId::account(ada().role, ada().id);
    assert!(store.stream(ada()).await.iter().all(|e| e.stream == stream));
}
