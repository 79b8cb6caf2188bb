//! VIP on stored accounts: the clock, and what stands still meanwhile.

use bonus_domain::AccountFact;
use bonus_store::Delivery;
use kernel::EventId;
use uuid::Uuid;

use crate::fixtures::{BonusStore, ada, commissioner, instant, nobody, of, read, told};

const DAY: i64 = 86_400;
const WINDOW: i64 = 30 * DAY;

/// So many placed orders that occurred at an instant, in seconds; their ids begin there.
fn placed(first: u128, count: u128, at: i64) -> Vec<Delivery> {
    (first..first + count)
        .map(|number| {
            let mut delivery = told(1, "OrderPlaced", number);
            delivery.fact.source_event_id = EventId::from_uuid(Uuid::from_u128(number));
            delivery.fact.occurred_at = instant(at);
            delivery
        })
        .collect()
}

/// The flips of an account: whether it became VIP, and when, in seconds.
async fn flips(store: &BonusStore) -> Vec<(bool, i64)> {
    let events = store.stream(ada()).await;
    let facts = events.iter().map(read);
    facts
        .filter_map(|event| {
            let at = event.occurred_at.timestamp();
            match event.fact {
                AccountFact::VipAcquired { .. } => Some((true, at)),
                AccountFact::VipLost => Some((false, at)),
                AccountFact::PointsAwarded { .. }
                | AccountFact::GradeChanged { .. }
                | AccountFact::AwardDeferred { .. }
                | AccountFact::PolicyRecomputed { .. } => None,
            }
        })
        .collect()
}

#[tokio::test]
async fn vip_ends_at_its_instant_however_late_the_clock_comes() {
    let store = BonusStore::started().await;
    store.clock.set(1_000);
    store.ingest.run(&placed(1, 5, 900)).await.unwrap();
    assert_eq!(flips(&store).await, [(true, 1_000)]);
    let clock = store.vip_clock();
    store.clock.set(900 + WINDOW - 1);
    assert_eq!(clock.turn(&nobody()).await.unwrap().seen, 0);
    store.clock.set(900 + WINDOW + 5 * DAY);
    let turned = clock.turn(&nobody()).await.unwrap();
    assert_eq!((turned.seen, turned.told), (1, 1));
    assert_eq!(flips(&store).await, [(true, 1_000), (false, 900 + WINDOW)]);
    assert_eq!(clock.turn(&nobody()).await.unwrap().seen, 0);
    store.account(ada()).await;
}

#[tokio::test]
async fn whoever_flips_twice_during_a_stop_gets_both_in_order() {
    let store = BonusStore::started().await;
    let now = 100 * DAY;
    store.clock.set(now);
    let mut facts = placed(1, 5, now - WINDOW + 100);
    facts.extend(placed(10, 5, now + 500));
    store.ingest.run(&facts).await.unwrap();
    assert_eq!(flips(&store).await, [(true, now)]);
    store.clock.set(now + 60 * DAY);
    store.vip_clock().turn(&nobody()).await.unwrap();
    let expected = [
        (true, now),
        (false, now + 100),
        (true, now + 500),
        (false, now + 500 + WINDOW),
    ];
    assert_eq!(flips(&store).await, expected);
}

#[tokio::test]
async fn an_award_settles_first_what_fell_due() {
    let store = BonusStore::started().await;
    store.clock.set(1_000);
    store.ingest.run(&placed(1, 5, 900)).await.unwrap();
    store.clock.set(2 * WINDOW);
    store.ingest.run(&placed(10, 5, 2 * WINDOW)).await.unwrap();
    let expected = [(true, 1_000), (false, 900 + WINDOW), (true, 2 * WINDOW)];
    assert_eq!(flips(&store).await, expected);
    assert_eq!(store.vip_clock().turn(&nobody()).await.unwrap().seen, 0);
    // What came with time follows from no fact.
    for event in store.stream(ada()).await {
        let causes = event.metadata().unwrap().causation_id;
        assert_eq!(causes.is_none(), event.event_type == "VipLost");
    }
}

#[tokio::test]
async fn a_statement_that_fails_costs_no_flip() {
    let store = BonusStore::started().await;
    store.clock.set(1_000);
    store.ingest.run(&placed(1, 5, 900)).await.unwrap();
    let owner = store.database.pool_owner().await;
    sqlx::raw_sql(
        "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN RAISE EXCEPTION 'told to'; END $$;",
    )
    .execute(&owner)
    .await
    .unwrap();
    store.clock.set(2 * WINDOW);
    let clock = store.vip_clock();
    for (table, moment) in [
        ("bonus.accounts", "BEFORE UPDATE"),
        ("store.events", "BEFORE INSERT"),
        ("store.events", "AFTER INSERT"),
    ] {
        let create = format!(
            "CREATE TRIGGER fail {moment} ON {table}
             FOR EACH STATEMENT EXECUTE FUNCTION public.fail()"
        );
        sqlx::raw_sql(&create).execute(&owner).await.unwrap();
        clock.turn(&nobody()).await.expect_err(moment);
        sqlx::raw_sql(&format!("DROP TRIGGER fail ON {table}"))
            .execute(&owner)
            .await
            .unwrap();
    }
    assert_eq!(flips(&store).await, [(true, 1_000)]);
    clock.turn(&nobody()).await.unwrap();
    assert_eq!(flips(&store).await, [(true, 1_000), (false, 900 + WINDOW)]);
}

/// Two clocks and a consumer at once: each flip is told once.
#[tokio::test(flavor = "multi_thread")]
async fn clocks_and_consumers_that_meet_tell_each_flip_once() {
    let store = BonusStore::started().await;
    store.clock.set(1_000);
    for person in 1..=200_u128 {
        let mut facts = placed(person * 100, 5, 900);
        for fact in &mut facts {
            *fact = of(commissioner(person), fact.clone());
        }
        store.ingest.run(&facts).await.unwrap();
    }
    store.clock.set(2 * WINDOW);
    let turns = [store.vip_clock(), store.vip_clock()].map(|clock| {
        tokio::spawn(async move { while clock.turn(&nobody()).await.unwrap().seen > 0 {} })
    });
    for person in 1..=200_u128 {
        let mut facts = placed(person * 100 + 50, 1, 900);
        facts[0] = of(commissioner(person), facts[0].clone());
        store.ingest.run(&facts).await.unwrap();
    }
    for turn in turns {
        turn.await.unwrap();
    }
    let lost: Vec<i64> = sqlx::query_scalar(
        "SELECT count(*) FROM store.events WHERE event_type = 'VipLost' GROUP BY aggregate_id",
    )
    .fetch_all(&store.pool)
    .await
    .unwrap();
    assert_eq!(lost, vec![1; 200]);
    for person in 1..=200_u128 {
        store.account(commissioner(person)).await;
    }
}

/// What a release without VIP has moved is looked at by the clock: nothing else says when VIP begins.
#[tokio::test]
async fn accounts_of_an_earlier_release_become_vip() {
    let store = BonusStore::started().await;
    store.clock.set(1_000);
    store.ingest.run(&placed(1, 4, 900)).await.unwrap();
    store.ingest.run(&placed(10, 1, 5_000)).await.unwrap();
    // Its last award is of a release that does not write what VIP needs.
    let owner = store.database.pool_owner().await;
    sqlx::raw_sql("UPDATE bonus.accounts SET vip_version = 0, vip_changes_at = NULL")
        .execute(&owner)
        .await
        .unwrap();
    let clock = store.vip_clock();
    let turned = clock.turn(&nobody()).await.unwrap();
    assert_eq!((turned.seen, turned.told), (1, 0));
    assert_eq!(clock.turn(&nobody()).await.unwrap().seen, 0);
    store.clock.set(6_000);
    assert_eq!(clock.turn(&nobody()).await.unwrap().told, 1);
    assert_eq!(flips(&store).await, [(true, 5_000)]);
}

/// Whom the clock cannot settle nobody else waits for, however many they are.
#[tokio::test]
async fn accounts_that_cannot_be_settled_are_named_and_passed_over() {
    let store = BonusStore::started().await;
    store.clock.set(1_000);
    for person in 1..=9_u128 {
        let facts = placed(person * 100, 5, 800 + i64::try_from(person).unwrap());
        let facts: Vec<Delivery> = facts
            .into_iter()
            .map(|it| of(commissioner(person), it))
            .collect();
        store.ingest.run(&facts).await.unwrap();
    }
    // Their streams are not where their heads say.
    let owner = store.database.pool_owner().await;
    sqlx::raw_sql(
        "UPDATE bonus.accounts SET version = version + 7, vip_version = version + 7
         WHERE beneficiary_id IN ('00000000-0000-0000-0000-000000000001',
                                  '00000000-0000-0000-0000-000000000005')",
    )
    .execute(&owner)
    .await
    .unwrap();
    store.clock.set(2 * WINDOW);
    let (clock, mut passed_over) = (store.vip_clock(), nobody());
    let turned = clock.turn(&passed_over).await.unwrap();
    assert_eq!((turned.seen, turned.told), (9, 7));
    passed_over.extend(turned.stuck.iter().map(|(beneficiary, _)| *beneficiary));
    assert_eq!(passed_over, [commissioner(1), commissioner(5)].into());
    assert_eq!(clock.turn(&passed_over).await.unwrap().seen, 0);
    // And what comes due later is not behind them.
    store
        .ingest
        .run(&placed(2_000, 5, 2 * WINDOW))
        .await
        .unwrap();
    store.clock.set(4 * WINDOW);
    assert_eq!(clock.turn(&passed_over).await.unwrap().told, 1);
    for person in [2, 3, 4, 6, 7, 8, 9] {
        store.account(commissioner(person)).await;
    }
}
