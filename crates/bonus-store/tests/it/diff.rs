//! The difference of two policies, read from the whole ledger, is what the recompute then does.

use std::collections::BTreeMap;

use bonus_domain::{
    Account, Assessment, Beneficiary, Fact, Movement, Policies, Policy, Report, diff, explain,
};
use bonus_store::{AccountAt, Delivery, LedgerState, account_facts, vip_at, whole_ledger};
use chrono::{DateTime, TimeDelta, Utc};
use event_store::Version;

use crate::fixtures::{BonusStore, ada, commissioner, instant, of, told, workshop};

const DAY: i64 = 86_400;

fn policy(number: u16) -> &'static Policy {
    let mut policies = Policies::compiled().iter();
    policies
        .find(|policy| policy.version().get() == number)
        .unwrap()
}

/// Facts of thirty people and ten workshops over sixty days; every third order is called off.
fn facts() -> Vec<Delivery> {
    let mut facts = Vec::new();
    for order in 1..=240_u128 {
        let who = commissioner(1 + order % 30);
        let at = i64::try_from(order * 5_417 % 60).unwrap() * DAY;
        let mut tell = |step: u128, event: &str, who: Beneficiary| {
            let told = of(who, told(order * 10 + step, event, order));
            let fact = Fact {
                occurred_at: instant(at + i64::try_from(step).unwrap()),
                ..told.fact
            };
            facts.push(Delivery { fact, ..told });
        };
        tell(1, "OrderPlaced", who);
        tell(2, "OfferConfirmed", who);
        if order % 3 == 0 {
            tell(3, "OrderCancelled", who);
        } else {
            tell(3, "OrderCompleted", who);
            tell(4, "WorkshopCredited", workshop(1 + order % 10));
        }
    }
    facts
}

/// What the difference of policies 1 and 2 says of each beneficiary, and of all.
async fn compare(
    store: &BonusStore,
    at: DateTime<Utc>,
) -> (LedgerState, BTreeMap<Beneficiary, Movement>, Report) {
    let mut connection = store.pool.acquire().await.unwrap();
    let mut movements = BTreeMap::new();
    let mut report = Report::default();
    let state = whole_ledger(&mut connection, |beneficiary, of| {
        let movement = diff(policy(1), policy(2), of, at)?;
        movements.insert(beneficiary, movement);
        report.add(beneficiary, movement)
    })
    .await
    .unwrap();
    (state, movements, report)
}

fn assessed(account: Account) -> Option<Assessment> {
    match account {
        Account::Unopened => None,
        Account::Open(standing) => Some(Assessment {
            lifetime_points: standing.lifetime_points,
            grade: standing.grade,
            vip: standing.vip,
        }),
    }
}

#[tokio::test]
async fn the_recompute_does_what_the_difference_said_account_by_account() {
    let store = BonusStore::started().await;
    store.clock.set(60 * DAY);
    for batch in facts().chunks(100) {
        store.ingest.run(batch).await.unwrap();
    }
    let (state, movements, report) = compare(&store, instant(60 * DAY)).await;
    assert_eq!((state.facts, state.deferred), (880, 0));
    assert_eq!((state.beneficiaries, report.seen), (40, 40));
    for (beneficiary, movement) in &movements {
        let account = store.account(*beneficiary).await;
        assert_eq!(assessed(account), movement.before, "{beneficiary}");
    }
    assert_eq!(
        report.opened, 10,
        "workshops have no account under policy 1"
    );

    store.activate(2).await;
    let done = store.recompute_all().await;
    for (beneficiary, movement) in &movements {
        let account = store.account(*beneficiary).await;
        assert_eq!(assessed(account), movement.after, "{beneficiary}");
    }
    assert_eq!((done.seen, done.changed), (report.seen, report.changed));
    assert_eq!(done.opened, report.opened);
    let points = (done.points_gained, done.points_lost);
    assert_eq!(points, (report.gained.get(), report.lost.get()));
    assert_eq!(
        (done.vip_gained, done.vip_lost),
        (report.vip.gained, report.vip.lost)
    );
    let up = report.grades().filter(|flow| flow.to > flow.from);
    assert_eq!(done.grades_up, up.map(|flow| flow.accounts).sum::<u64>());
    let down = report.grades().filter(|flow| flow.to < flow.from);
    assert_eq!(
        done.grades_down,
        down.map(|flow| flow.accounts).sum::<u64>()
    );

    // The same facts have the same digest, whatever was made of them.
    let (again, _, _) = compare(&store, instant(60 * DAY)).await;
    assert_eq!(again, state);
}

#[tokio::test]
async fn facts_that_wait_are_in_what_follows_and_not_in_what_is() {
    let store = BonusStore::started().await;
    store
        .ingest
        .run(&[told(1, "OrderPlaced", 1)])
        .await
        .unwrap();
    store.activate(2).await;
    store
        .ingest
        .run(&[told(2, "OfferConfirmed", 1)])
        .await
        .unwrap();
    let (state, movements, _) = compare(&store, instant(9)).await;
    assert_eq!((state.facts, state.deferred), (2, 1));
    let movement = movements[&ada()];
    assert_eq!(movement.before().lifetime_points.get(), 40);
    assert_eq!(movement.after().lifetime_points.get(), 40);
    let mut connection = store.pool.acquire().await.unwrap();
    let facts = account_facts(&mut connection, ada(), Version::new(9))
        .await
        .unwrap();
    assert_eq!((facts.counted.len(), facts.deferred.len()), (1, 1));
}

#[tokio::test]
async fn vip_is_what_the_facts_say_at_every_instant() {
    let store = BonusStore::started().await;
    store.clock.set(60 * DAY);
    for batch in facts().chunks(100) {
        store.ingest.run(batch).await.unwrap();
    }
    store.activate(2).await;
    store.recompute_all().await;
    let mut connection = store.pool.acquire().await.unwrap();
    for beneficiary in [commissioner(3), commissioner(4), workshop(5)] {
        let version = Version::new(1_000);
        let account = AccountAt {
            beneficiary,
            version,
            policy: policy(2),
        };
        let facts = account_facts(&mut connection, beneficiary, version)
            .await
            .unwrap();
        for day in 0..95 {
            let at = instant(day * DAY) + TimeDelta::hours(5);
            let shown = vip_at(&mut connection, account, at).await.unwrap();
            let why = explain(policy(2), &facts.counted, &facts.deferred, at).unwrap();
            assert_eq!(
                (shown.window_points, shown.active, shown.until),
                (
                    why.window_points,
                    why.is_vip(),
                    why.next_vip_change.filter(|_| why.is_vip())
                ),
                "{beneficiary} on day {day}"
            );
        }
    }
}

/// An account that came to nothing is an account: a recompute under which it is worth something does
/// not make it. Who has no facts is seen, and has none.
#[tokio::test]
async fn an_account_of_no_points_is_not_taken_for_none() {
    let store = BonusStore::started().await;
    store.activate(2).await;
    store.clock.set(100);
    let placed = told(1, "OrderPlaced", 7);
    let cancelled = told(2, "OrderCancelled", 7);
    store
        .ingest
        .run(&[placed.clone(), cancelled])
        .await
        .unwrap();
    let confirmed = of(commissioner(2), told(3, "OrderCancelled", 8));
    let repeated = of(commissioner(3), placed);
    store.ingest.run(&[confirmed, repeated]).await.unwrap();

    let mut connection = store.pool.acquire().await.unwrap();
    let mut report = Report::default();
    let state = whole_ledger(&mut connection, |beneficiary, of| {
        let movement = diff(policy(2), policy(1), of, instant(100))?;
        assert!(!movement.opens(), "{beneficiary}");
        report.add(beneficiary, movement)
    })
    .await
    .unwrap();
    assert_eq!((state.beneficiaries, report.seen), (3, 3));
    assert_eq!((report.changed, report.opened), (1, 0));
    store.activate(1).await;
    let done = store.recompute_all().await;
    let did = (done.seen, done.changed, done.opened, done.points_gained);
    assert_eq!(did, (3, 1, 0, 40));
}

/// Of whoever is of another policy than the one that is left it says what would be if they were of
/// it: who would have an account then, has one before.
#[tokio::test]
async fn who_is_of_another_policy_is_compared_as_if_of_the_one_that_is_left() {
    let store = BonusStore::started().await;
    let credited = |id| of(workshop(1), told(id, "WorkshopCredited", id));
    store.ingest.run(&[credited(1)]).await.unwrap();
    let movement = async |from, to| {
        let mut connection = store.pool.acquire().await.unwrap();
        let mut found = None;
        whole_ledger(&mut connection, |_, of| {
            found = Some(diff(policy(from), policy(to), of, instant(9))?);
            Ok(())
        })
        .await
        .unwrap();
        found.unwrap()
    };
    assert!(movement(1, 2).await.opens());
    let back = movement(2, 1).await;
    assert_eq!(back.before().lifetime_points.get(), 50);
    assert_eq!(back.points().unwrap().get(), -50);
}
