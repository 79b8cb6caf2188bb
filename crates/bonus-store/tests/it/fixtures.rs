//! A bonus store of one test, a clock driven by hand, and facts of a few beneficiaries.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bonus_domain::{
    Account, AccountEvent, Beneficiary, Fact, Grade, PolicyVersion, SourceType, evolve, stored,
};
use bonus_store::{
    ConflictMode, Delivery, Ingest, PassedOver, Recompute, Recomputed, VipClock, check_policies,
};
use chrono::{DateTime, TimeDelta, Utc};
use event_store::{StoredEvent, StreamId, load};
use kernel::{Clock, EventId, OrderId, RandomIds, Role};
use sqlx::PgPool;
use test_support::TestDatabase;
use uuid::Uuid;

/// Seconds after the epoch, set by the test.
#[derive(Debug, Default)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        instant(self.0.load(Ordering::SeqCst))
    }
}

/// Who passes over nobody.
pub(crate) fn nobody() -> PassedOver {
    PassedOver::new()
}

pub(crate) fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// The bonus side of one test.
pub(crate) struct BonusStore {
    pub(crate) database: TestDatabase,
    pub(crate) pool: PgPool,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) ingest: Ingest,
}

impl BonusStore {
    /// After the first start.
    pub(crate) async fn started() -> Self {
        let store = Self::empty().await;
        check_policies(&store.pool).await.unwrap();
        store
    }

    /// Before the first start.
    pub(crate) async fn empty() -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool_app().await;
        Self::of(database, pool)
    }

    /// The same, over other connections.
    pub(crate) fn over(self, pool: PgPool) -> Self {
        Self::of(self.database, pool)
    }

    fn of(database: TestDatabase, pool: PgPool) -> Self {
        let clock = Arc::new(HandClock::default());
        let ids = Arc::new(RandomIds);
        let ingest = Ingest::new(pool.clone(), ConflictMode::Ingest, clock.clone(), ids);
        Self {
            database,
            pool,
            clock,
            ingest,
        }
    }

    /// Takes facts in as a process that refuses those of accounts of another policy.
    pub(crate) fn refusing(&self) -> Ingest {
        let ids = Arc::new(RandomIds);
        Ingest::new(
            self.pool.clone(),
            ConflictMode::Refuse,
            self.clock.clone(),
            ids,
        )
    }

    /// What recomputes accounts.
    pub(crate) fn recompute(&self) -> Recompute {
        Recompute::new(self.pool.clone(), self.clock.clone(), Arc::new(RandomIds))
    }

    /// Recomputes until nothing is left.
    pub(crate) async fn recompute_all(&self) -> Recomputed {
        let recompute = self.recompute();
        let mut done = Recomputed::default();
        loop {
            let step = recompute.step(100, &nobody()).await.unwrap();
            assert!(step.stuck.is_empty(), "{:?}", step.stuck);
            if step.done.seen == 0 {
                return done;
            }
            done.add(step.done);
        }
    }

    /// The VIP clock.
    pub(crate) fn vip_clock(&self) -> VipClock {
        VipClock::new(self.pool.clone(), self.clock.clone(), Arc::new(RandomIds))
    }

    /// The names of the account's events.
    pub(crate) async fn names(&self, beneficiary: Beneficiary) -> Vec<String> {
        let events = self.stream(beneficiary).await.into_iter();
        events.map(|event| event.event_type).collect()
    }

    /// Puts a policy in force as an operator's command will.
    pub(crate) async fn activate(&self, version: i32) {
        let mut transaction = self.pool.begin().await.unwrap();
        activate(&mut transaction, version).await;
        transaction.commit().await.unwrap();
    }

    /// The account's events.
    pub(crate) async fn stream(&self, beneficiary: Beneficiary) -> Vec<StoredEvent> {
        let mut connection = self.pool.acquire().await.unwrap();
        let stream = StreamId::account(beneficiary.role, beneficiary.id);
        let mut loaded = load(&mut connection, &[stream]).await.unwrap();
        loaded.remove(0).events
    }

    /// What the account's events come to. The head that the next award rests on has to say the
    /// same.
    pub(crate) async fn account(&self, beneficiary: Beneficiary) -> Account {
        let events = self.stream(beneficiary).await;
        let account = fold(&events);
        let head = sqlx::query_as::<_, (i64, Option<i32>, Option<i64>, Option<String>)>(
            "SELECT version, policy_version, lifetime_points, grade FROM bonus.accounts
             WHERE beneficiary_role = $1 AND beneficiary_id = $2",
        )
        .bind(beneficiary.role.as_str())
        .bind(beneficiary.id)
        .fetch_optional(&self.pool)
        .await
        .unwrap();
        let expected = match account {
            // The sum of nothing, under whatever policy.
            Account::Unopened => (0, head.as_ref().and_then(|it| it.1), Some(0), None),
            Account::Open(standing) => (
                i64::try_from(events.len()).unwrap(),
                Some(i32::from(standing.policy_version)),
                Some(standing.lifetime_points.get()),
                Some(standing.grade.to_string()),
            ),
        };
        let head = head.unwrap_or((0, None, Some(0), None));
        assert_eq!(head, expected, "{beneficiary}");
        account
    }

    /// Lifetime points and grade of an account that must be open.
    pub(crate) async fn standing(&self, beneficiary: Beneficiary) -> (i64, Grade) {
        match self.account(beneficiary).await {
            Account::Open(standing) => (standing.lifetime_points.get(), standing.grade),
            Account::Unopened => panic!("{beneficiary} has no account"),
        }
    }

    /// Source event ids and account versions of the ledger, by id; -1 for a fact that is deferred.
    pub(crate) async fn ledger(&self) -> Vec<(Uuid, i64)> {
        sqlx::query_as(
            "SELECT source_event_id, coalesce(account_version, -1) FROM bonus.ledger
             ORDER BY source_event_id",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    /// The number of events of all streams.
    pub(crate) async fn events(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM store.events")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

/// Ends the policy in force and begins another, in the caller's transaction.
pub(crate) async fn activate(connection: &mut sqlx::PgConnection, version: i32) {
    sqlx::query(
        "UPDATE bonus.policy_activations SET replaced_at = clock_timestamp()
         WHERE replaced_at IS NULL",
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    let hash = u16::try_from(version)
        .ok()
        .and_then(PolicyVersion::new)
        .and_then(|version| bonus_domain::Policies::compiled().get(version))
        .map_or([0; 32], |policy| *policy.hash().as_bytes());
    sqlx::query("INSERT INTO bonus.policy_activations (version, hash) VALUES ($1, $2)")
        .bind(version)
        .bind(hash)
        .execute(connection)
        .await
        .unwrap();
}

pub(crate) fn read(event: &StoredEvent) -> AccountEvent {
    stored::decode(&event.event_type, &event.event_version, &event.payload).unwrap()
}

pub(crate) fn fold(events: &[StoredEvent]) -> Account {
    events.iter().fold(Account::Unopened, |account, event| {
        evolve(account, &read(event)).unwrap()
    })
}

pub(crate) fn workshop(id: u128) -> Beneficiary {
    Beneficiary::new(Role::Workshop, Uuid::from_u128(id))
}

pub(crate) fn commissioner(id: u128) -> Beneficiary {
    Beneficiary::new(Role::Commissioner, Uuid::from_u128(id))
}

pub(crate) fn ada() -> Beneficiary {
    commissioner(0xada)
}

/// A fact of Ada's; it occurred as many seconds after the epoch as its id says.
pub(crate) fn told(id: u128, event: &str, order: u128) -> Delivery {
    Delivery {
        fact: Fact {
            source_event_id: EventId::from_uuid(Uuid::from_u128(id)),
            source_type: SourceType::known(event).unwrap(),
            beneficiary: ada(),
            order_id: Some(OrderId::from_uuid(Uuid::from_u128(order))),
            by_dispute: false,
            occurred_at: instant(i64::try_from(id).unwrap()),
        },
        correlation_id: Uuid::from_u128(0xc0),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    }
}

/// The same of another beneficiary.
pub(crate) fn of(beneficiary: Beneficiary, delivery: Delivery) -> Delivery {
    Delivery {
        fact: Fact {
            beneficiary,
            ..delivery.fact
        },
        ..delivery
    }
}

/// An order from placement to its end.
pub(crate) fn whole_order(first_id: u128, order: u128) -> Vec<Delivery> {
    vec![
        told(first_id, "OrderPlaced", order),
        told(first_id + 1, "OfferConfirmed", order),
        told(first_id + 2, "OrderCompleted", order),
    ]
}
