//! Another policy comes into force: who is recomputed, and what becomes of facts meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use bonus_domain::{Account, AccountFact, Beneficiary, Grade, PolicyVersion};
use bonus_store::{
    ActivateError, Delivery, Queue, activate, is_queued, mark_whole, missing_types, queue_under,
};
use kernel::Role;
use test_support::eventually;
use uuid::Uuid;

use crate::fixtures::{
    BonusStore, ada, commissioner, nobody, of, read, told, whole_order, workshop,
};

const BOUND: Duration = Duration::from_secs(30);

fn version(number: u16) -> PolicyVersion {
    PolicyVersion::new(number).unwrap()
}

async fn activate_by(store: &BonusStore, number: u16) -> Result<(), ActivateError> {
    let mut transaction = store.pool.begin().await.unwrap();
    activate(&mut transaction, version(number), Uuid::from_u128(0xf1)).await?;
    transaction.commit().await.unwrap();
    Ok(())
}

async fn queued(store: &BonusStore) -> bool {
    is_queued(&mut store.pool.acquire().await.unwrap(), &nobody())
        .await
        .unwrap()
}

#[tokio::test]
async fn facts_of_an_account_of_another_policy_wait_and_count_after_the_recompute() {
    let store = BonusStore::started().await;
    let [placed, confirmed, completed] = <[_; 3]>::try_from(whole_order(1, 7)).unwrap();
    store.ingest.run(&[placed]).await.unwrap();
    activate_by(&store, 2).await.unwrap();
    assert!(queued(&store).await);
    let deferred = store.ingest.run(&[confirmed, completed]).await.unwrap();
    assert_eq!(deferred.deferred, 2);
    let Account::Open(standing) = store.account(ada()).await else {
        panic!("it was open before");
    };
    assert_eq!(standing.lifetime_points.get(), 40);
    assert!(standing.deferred);
    let ids = |versions: [i64; 3]| {
        let ids = [1, 2, 3].map(Uuid::from_u128);
        ids.into_iter().zip(versions).collect::<Vec<_>>()
    };
    assert_eq!(store.ledger().await, ids([1, -1, -1]));

    let done = store.recompute_all().await;
    assert_eq!((done.seen, done.changed, done.grades_up), (1, 1, 1));
    assert_eq!(done.points_gained, 120);
    assert_eq!(store.standing(ada()).await, (160, Grade::Silver));
    assert_eq!(
        store.names(ada()).await,
        [
            "PointsAwarded",
            "AwardDeferred",
            "AwardDeferred",
            "PolicyRecomputed",
            "GradeChanged"
        ]
    );
    assert_eq!(store.ledger().await, ids([1, 4, 4]));
    assert!(!queued(&store).await);
    assert_eq!(store.recompute_all().await.seen, 0);
}

#[tokio::test]
async fn what_was_deferred_is_not_forgotten_when_the_policy_before_comes_back() {
    let store = BonusStore::started().await;
    let [placed, _, completed] = <[_; 3]>::try_from(whole_order(1, 7)).unwrap();
    let other = of(commissioner(2), told(9, "OrderPlaced", 8));
    store.ingest.run(&[placed]).await.unwrap();
    activate_by(&store, 2).await.unwrap();
    store.ingest.run(&[completed]).await.unwrap();
    activate_by(&store, 1).await.unwrap();
    // Nobody is of another policy now, and one is not done.
    let queue = queue_under(&mut store.pool.acquire().await.unwrap(), version(1))
        .await
        .unwrap();
    let expected = Queue {
        accounts: 1,
        without_account: 0,
    };
    assert_eq!(queue, expected);
    store.ingest.run(&[other]).await.unwrap();
    assert_eq!(store.recompute_all().await.seen, 1);
    assert_eq!(store.standing(ada()).await, (140, Grade::Silver));
    assert_eq!(store.standing(commissioner(2)).await, (40, Grade::Bronze));
}

#[tokio::test]
async fn facts_that_were_worth_nothing_make_accounts_under_a_policy_that_rewards_them() {
    let store = BonusStore::started().await;
    let credited: Vec<Delivery> = (1..=40)
        .map(|number| of(workshop(number), told(number, "WorkshopCredited", number)))
        .collect();
    assert_eq!(store.ingest.run(&credited).await.unwrap().kept, 40);
    assert_eq!(store.events().await, 0);
    activate_by(&store, 2).await.unwrap();
    // In the mode that refuses conflicts, too: there is no account that could refuse.
    let one_more = of(workshop(1), told(100, "WorkshopCredited", 100));
    let refusing = store.refusing();
    assert_eq!(refusing.run(&[one_more]).await.unwrap().deferred, 1);

    let done = store.recompute_all().await;
    assert_eq!((done.seen, done.opened, done.changed), (40, 40, 40));
    assert_eq!(done.points_gained, 50 * 41);
    assert_eq!(store.standing(workshop(1)).await, (100, Grade::Bronze));
    assert_eq!(store.names(workshop(2)).await, ["PolicyRecomputed"]);
    let made = read(&store.stream(workshop(2)).await[0]).fact;
    let AccountFact::PolicyRecomputed { from_version, .. } = made else {
        panic!("{made:?}");
    };
    assert_eq!(from_version, None);
}

#[tokio::test]
async fn movements_say_what_a_recompute_moved() {
    let store = BonusStore::started().await;
    store.ingest.run(&whole_order(1, 7)).await.unwrap();
    activate_by(&store, 2).await.unwrap();
    store.recompute_all().await;
    type Movement = (i64, i64, Option<i32>, i32, i64, i64, String, String);
    let moved: Vec<Movement> = sqlx::query_as(
        "SELECT activation, account_version, from_policy, to_policy, points_before, points_after,
                grade_before, grade_after
         FROM bonus.policy_movements",
    )
    .fetch_all(&store.pool)
    .await
    .unwrap();
    let silver = "Silver".to_owned();
    let expected = (2, 4, Some(1), 2, 140, 160, silver.clone(), silver);
    assert_eq!(moved, [expected]);
}

#[tokio::test]
async fn a_policy_whose_facts_may_be_missing_is_not_put_in_force() {
    let store = BonusStore::started().await;
    let owner = store.database.pool_owner().await;
    sqlx::raw_sql(
        "UPDATE bonus.kept_types SET whole_since = NULL WHERE event_type = 'WorkshopCredited'",
    )
    .execute(&owner)
    .await
    .unwrap();
    let error = activate_by(&store, 2).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "facts that policy 2 rewards may be missing: WorkshopCredited (workshop)"
    );
    let mut connection = store.pool.acquire().await.unwrap();
    let policies = bonus_domain::Policies::compiled();
    let second = policies.get(version(2)).unwrap();
    let missing = missing_types(&mut connection, second).await.unwrap();
    assert_eq!(missing[0].0, Role::Workshop);
    mark_whole(&mut connection, &missing).await.unwrap();
    drop(connection);
    activate_by(&store, 2).await.unwrap();
    for (number, expected) in [
        (2, "policy 2 is in force already"),
        (9, "there is no policy 9 in this release"),
    ] {
        let error = activate_by(&store, number).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

/// Each write of a recompute fails once: nothing is done, and the next one does all of it.
#[tokio::test]
async fn a_recompute_that_fails_anywhere_leaves_nothing_behind() {
    let store = BonusStore::started().await;
    let [placed, confirmed, completed] = <[_; 3]>::try_from(whole_order(1, 7)).unwrap();
    store.ingest.run(&[placed, completed]).await.unwrap();
    activate_by(&store, 2).await.unwrap();
    store.ingest.run(&[confirmed]).await.unwrap();
    let before = store.events().await;
    let owner = store.database.pool_owner().await;
    sqlx::raw_sql(
        "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN RAISE EXCEPTION 'told to'; END $$;",
    )
    .execute(&owner)
    .await
    .unwrap();
    for (table, moment) in [
        ("bonus.accounts", "BEFORE UPDATE"),
        ("bonus.ledger", "BEFORE UPDATE"),
        ("bonus.policy_movements", "BEFORE INSERT"),
        ("store.events", "BEFORE INSERT"),
        ("store.events", "AFTER INSERT"),
    ] {
        let create = format!(
            "CREATE TRIGGER fail {moment} ON {table}
             FOR EACH STATEMENT EXECUTE FUNCTION public.fail()"
        );
        sqlx::raw_sql(&create).execute(&owner).await.unwrap();
        store
            .recompute()
            .step(10, &nobody())
            .await
            .expect_err(moment);
        assert_eq!(store.events().await, before, "{moment} {table}");
        sqlx::raw_sql(&format!("DROP TRIGGER fail ON {table}"))
            .execute(&owner)
            .await
            .unwrap();
    }
    store.recompute_all().await;
    assert_eq!(store.standing(ada()).await, (160, Grade::Silver));
}

/// Policies 2 and 1 come into force five times, while consumers take facts in and two recomputes
/// run: at rest every account is what its facts are worth, and its events are a chain. Whom the
/// first of them finds without an account is given it under the new policy at once, so all have one.
#[tokio::test(flavor = "multi_thread")]
async fn policies_that_change_under_way_leave_every_account_right() {
    const PEOPLE: u128 = 60;
    let store = BonusStore::started().await;
    store.clock.set(10_000_000);
    let orders: Vec<Vec<Delivery>> = (0..600_u128)
        .map(|order| {
            let beneficiary = commissioner(1 + order % PEOPLE);
            let mut told_of_it = whole_order(1 + order * 10, order);
            if order % 7 == 0 {
                told_of_it[2] = told(3 + order * 10, "OrderCancelled", order);
            }
            told_of_it
                .into_iter()
                .map(|it| of(beneficiary, it))
                .collect()
        })
        .collect();
    let consumers: Vec<_> = (0..3_usize)
        .map(|number| {
            let ingest = store.ingest.clone();
            let mut mine: Vec<Delivery> = orders.iter().flatten().cloned().collect();
            let middle = mine.len() * number / 3;
            mine.rotate_left(middle);
            tokio::spawn(async move {
                for batch in mine.chunks(37 + number) {
                    ingest.run(batch).await.unwrap();
                }
            })
        })
        .collect();
    let stop = tokio_stop();
    let recomputes: Vec<_> = (0..2)
        .map(|_| {
            let (recompute, stop) = (store.recompute(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    recompute.step(7, &nobody()).await.unwrap();
                }
            })
        })
        .collect();
    eventually("everybody to have an account", BOUND, || async {
        let accounts = count(&store, "SELECT count(*) FROM bonus.accounts").await;
        (u128::try_from(accounts) == Ok(PEOPLE))
            .then_some(())
            .ok_or(accounts)
    })
    .await;
    for number in [2, 1, 2, 1, 2] {
        let before = recomputed(&store).await;
        activate_by(&store, number).await.unwrap();
        // What the one before has recomputed, ten at least, this one has to recompute again.
        eventually("accounts to be recomputed", BOUND, || async {
            let more = recomputed(&store).await - before;
            (more >= 10).then_some(()).ok_or(more)
        })
        .await;
    }
    for consumer in consumers {
        consumer.await.unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    for recompute in recomputes {
        recompute.await.unwrap();
    }
    store.recompute_all().await;
    assert!(!queued(&store).await);
    let mut points: BTreeMap<Beneficiary, i64> = BTreeMap::new();
    for order in &orders {
        let cancelled = order
            .iter()
            .any(|it| it.fact.source_type.as_str() == "OrderCancelled");
        *points.entry(order[0].fact.beneficiary).or_default() += if cancelled { 0 } else { 160 };
    }
    for (beneficiary, points) in points {
        // Reading the stream proves the chain: no event follows that could not.
        let (found, _) = store.standing(beneficiary).await;
        assert_eq!(found, points, "{beneficiary}");
        let names = store.names(beneficiary).await;
        let recomputed = names.iter().filter(|it| *it == "PolicyRecomputed").count();
        assert!(recomputed >= 1, "{names:?}");
    }
    let deferred: i64 =
        sqlx::query_scalar("SELECT count(*) FROM bonus.ledger WHERE account_version IS NULL")
            .fetch_one(&store.pool)
            .await
            .unwrap();
    assert_eq!(deferred, 0);
}

fn tokio_stop() -> std::sync::Arc<std::sync::atomic::AtomicBool> {
    std::sync::Arc::default()
}

/// How many times an account was recomputed.
async fn recomputed(store: &BonusStore) -> i64 {
    count(store, "SELECT count(*) FROM bonus.policy_movements").await
}

async fn count(store: &BonusStore, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(&store.pool)
        .await
        .unwrap()
}
