//! Accounts that cannot be recomputed, and accounts of a policy that this release does not know: nobody
//! else waits for them.

use bonus_domain::{Account, AccountEvent, AccountFact, Beneficiary, Grade, PolicyVersion, stored};
use bonus_store::{Delivery, is_queued};
use event_store::{Append, NewEvent, StreamAppend, StreamId, append};
use kernel::{EventId, Metadata};
use uuid::Uuid;

use crate::fixtures::{
    BonusStore, ada, commissioner, instant, nobody, of, read, told, whole_order,
};

/// Whether the queue holds anybody else.
async fn queued(store: &BonusStore, passed_over: &bonus_store::PassedOver) -> bool {
    let mut connection = store.pool.acquire().await.unwrap();
    is_queued(&mut connection, passed_over).await.unwrap()
}

/// The heads of these accounts are not where their streams are: nothing can be appended to them.
async fn leave_behind(store: &BonusStore, people: &[u128]) {
    let ids: Vec<Uuid> = people.iter().map(|id| Uuid::from_u128(*id)).collect();
    sqlx::query("UPDATE bonus.accounts SET version = version + 7 WHERE beneficiary_id = ANY ($1)")
        .bind(ids)
        .execute(&store.database.pool_owner().await)
        .await
        .unwrap();
}

#[tokio::test]
async fn accounts_that_cannot_be_recomputed_are_named_and_nobody_waits_for_them() {
    let store = BonusStore::started().await;
    store.clock.set(100);
    for person in 1..=20_u128 {
        let facts = whole_order(person * 10, person).into_iter();
        let facts: Vec<Delivery> = facts.map(|it| of(commissioner(person), it)).collect();
        store.ingest.run(&facts).await.unwrap();
    }
    store.activate(2).await;
    leave_behind(&store, &[1, 2, 3, 11]).await;
    // Who is of the policy in force and has deferred facts comes last of all.
    store
        .ingest
        .run(&[of(commissioner(20), told(900, "OrderPlaced", 90))])
        .await
        .unwrap();
    sqlx::raw_sql(
        "UPDATE bonus.accounts SET policy_version = 2
         WHERE beneficiary_id = '00000000-0000-0000-0000-000000000014'",
    )
    .execute(&store.database.pool_owner().await)
    .await
    .unwrap();

    let (recompute, mut passed_over, mut done) = (store.recompute(), nobody(), 0);
    // Of ever so few at once, all of whom are stuck, the first ones too.
    loop {
        let step = recompute.step(2, &passed_over).await.unwrap();
        if step.done.seen == 0 {
            break;
        }
        done += step.done.seen - step.stuck.len() as u64;
        for (beneficiary, why) in step.stuck {
            assert!(
                passed_over.insert(beneficiary),
                "{beneficiary} twice: {why}"
            );
        }
    }
    let stuck = [1, 2, 3, 11].map(commissioner);
    assert_eq!(passed_over, stuck.into());
    assert_eq!(done, 16);
    assert!(!queued(&store, &passed_over).await);
    assert!(queued(&store, &nobody()).await);
    for person in (4..=19).filter(|person| *person != 11) {
        assert_eq!(
            store.standing(commissioner(person)).await,
            (160, Grade::Silver)
        );
    }
}

/// One batch of all of them fails, and goes on by halves.
#[tokio::test]
async fn a_batch_that_fails_for_one_account_recomputes_all_others_at_once() {
    let store = BonusStore::started().await;
    store.clock.set(100);
    for person in 1..=20_u128 {
        let placed = of(commissioner(person), told(person, "OrderPlaced", person));
        store.ingest.run(&[placed]).await.unwrap();
    }
    store.activate(2).await;
    leave_behind(&store, &[7]).await;
    let step = store.recompute().step(1_000, &nobody()).await.unwrap();
    assert_eq!((step.done.seen, step.done.changed), (20, 19));
    let stuck: Vec<Beneficiary> = step
        .stuck
        .iter()
        .map(|(beneficiary, _)| *beneficiary)
        .collect();
    assert_eq!(stuck, [commissioner(7)]);
    assert_eq!(step.stuck[0].1.to_string(), "its events cannot be appended");
}

/// A batch that the server gives up on is too much at once: its halves are not.
#[tokio::test]
async fn a_batch_that_takes_too_long_is_done_in_halves() {
    let store = BonusStore::started().await;
    store.clock.set(100);
    for person in 1..=8_u128 {
        let placed = of(commissioner(person), told(person, "OrderPlaced", person));
        store.ingest.run(&[placed]).await.unwrap();
    }
    store.activate(2).await;
    // As if the statement's time were over.
    sqlx::raw_sql(
        "CREATE FUNCTION public.give_up() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF (SELECT count(*) FROM changed) > 4 THEN
                 RAISE 'too much at once' USING ERRCODE = 'query_canceled';
             END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER give_up AFTER UPDATE ON bonus.accounts REFERENCING NEW TABLE AS changed
         FOR EACH STATEMENT EXECUTE FUNCTION public.give_up()",
    )
    .execute(&store.database.pool_owner().await)
    .await
    .unwrap();
    let recompute = store.recompute();
    let step = recompute.step(100, &nobody()).await.unwrap();
    assert_eq!((step.done.seen, step.stuck.len()), (8, 0), "{step:?}");
}

/// Lets Ada's account be of policy 9, as a later release has left it.
async fn recomputed_by_a_later_release(store: &BonusStore) {
    let later = PolicyVersion::new(9).unwrap();
    let Account::Open(standing) = store.account(ada()).await else {
        panic!("no account");
    };
    let event = AccountEvent {
        beneficiary_id: ada().id,
        beneficiary_role: ada().role,
        policy_version: later,
        occurred_at: standing.changed_at,
        fact: AccountFact::PolicyRecomputed {
            from_version: Some(standing.policy_version),
            to_version: later,
            points_before: standing.lifetime_points,
            points_after: standing.lifetime_points,
        },
    };
    let (event_type, event_version, payload) = stored::encode(&event);
    let id = Uuid::from_u128(0x99);
    let version = i64::try_from(store.stream(ada()).await.len()).unwrap();
    let request = Append {
        streams: vec![StreamAppend {
            stream: StreamId::account(ada().role, ada().id),
            expected: event_store::Version::new(version),
            events: vec![NewEvent {
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
            }],
        }],
        claim: None,
    };
    let mut transaction = store.pool.begin().await.unwrap();
    append(&mut transaction, &request).await.unwrap();
    sqlx::query(
        "UPDATE bonus.accounts SET version = $1, vip_version = $1, policy_version = 9
         WHERE beneficiary_id = $2",
    )
    .bind(version + 1)
    .bind(ada().id)
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
}

/// A later release's policy was in force and is no more. VIP fell due meanwhile, under rules that nobody
/// here knows.
#[tokio::test]
async fn an_account_of_an_unknown_policy_defers_its_facts_and_is_recomputed() {
    let store = BonusStore::started().await;
    store.clock.set(1_000);
    let placed = |id| told(id, "OrderPlaced", id);
    let facts: Vec<Delivery> = (1..=5).map(placed).collect();
    store.ingest.run(&facts).await.unwrap();
    recomputed_by_a_later_release(&store).await;
    let window = 30 * 86_400;
    store.clock.set(2 * window);

    // What is refused may hold the head for a moment: the batch waits, the clock would not.
    store
        .refusing()
        .run(&[placed(12)])
        .await
        .expect_err("a conflict");
    // In one batch with somebody else's.
    let batch = [placed(10), of(commissioner(2), placed(11))];
    let ingested = store.ingest.run(&batch).await.unwrap();
    assert_eq!((ingested.deferred, ingested.awarded), (1, 1));
    // The clock cannot tell what fell due; it names the account, and goes on.
    let turned = store.vip_clock().turn(&nobody()).await.unwrap();
    assert_eq!((turned.seen, turned.stuck.len()), (1, 1));
    assert_eq!(
        turned.stuck[0].1.to_string(),
        "it is of policy 9, which this release does not know"
    );

    assert_eq!(store.recompute_all().await.seen, 1);
    assert_eq!(store.standing(ada()).await, (240, Grade::Silver));
    let last: Vec<_> = store.stream(ada()).await.iter().map(read).collect();
    let names = store.names(ada()).await;
    assert_eq!(
        names[names.len() - 3..],
        ["AwardDeferred", "PolicyRecomputed", "VipLost"]
    );
    assert!(last.is_sorted_by_key(|event| event.occurred_at));
    assert_eq!(last.last().unwrap().occurred_at, instant(2 * window));
}
