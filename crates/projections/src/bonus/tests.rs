//! Accounts on a real Postgres: what the events make of rows, and what rows look like.

use bonus_domain::{
    AccountEvent, AccountFact, Beneficiary, Fact, Grade, Head, KnownFacts, Points, Policies,
    PolicyVersion, SourceType, Taken, VipAt, settle, stored,
};
use chrono::{DateTime, TimeDelta, Utc};
use event_store::{Position, Sink, SinkError, StoredEvent, StoredJson, StreamId, Version};
use kernel::{EventId, OrderId, Role};
use serde_json::json;
use sqlx::PgPool;
use test_support::TestDatabase;
use uuid::Uuid;

use super::{AccountRow, Bonus, read_account};
use crate::{Model, Version as ModelVersion};

fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn no_vip() -> VipAt {
    VipAt {
        window_points: Points::ZERO,
        active: false,
        until: None,
    }
}

fn commissioner(id: u128) -> Beneficiary {
    Beneficiary::new(Role::Commissioner, Uuid::from_u128(id))
}

/// The events of an account that is told of these, one after the other, under policy 1.
fn told(beneficiary: Beneficiary, sources: &[&str]) -> Vec<AccountEvent> {
    let policy = Policies::compiled().get(PolicyVersion::FIRST).unwrap();
    let mut head = Head::new(policy);
    let mut known = KnownFacts::default();
    let mut events = Vec::new();
    for (id, source) in (1..).zip(sources) {
        let fact = Fact {
            source_event_id: EventId::from_uuid(Uuid::from_u128(id)),
            source_type: SourceType::known(source).expect("a rewarded event"),
            beneficiary,
            order_id: Some(OrderId::from_uuid(Uuid::from_u128(7))),
            by_dispute: false,
            occurred_at: instant(1),
        };
        let settled = settle(head, beneficiary, &known, policy, instant(2)).unwrap();
        if let Taken::Awarded { moved, .. } = settled.award(&known, &fact, policy).unwrap() {
            head = moved.head;
            events.extend(moved.events);
        }
        known.insert(fact);
    }
    events
}

/// The events of one account as the feed delivers them, at every second position from `position`.
fn delivered(position: i64, events: &[AccountEvent]) -> Vec<StoredEvent> {
    (1..)
        .zip(events)
        .map(|(version, event)| {
            let (event_type, event_version, payload) = stored::encode(event);
            StoredEvent {
                position: Position::new(position + 2 * (version - 1)),
                event_id: EventId::from_uuid(Uuid::from_u128(0xe)),
                stream: StreamId::account(event.beneficiary_role, event.beneficiary_id),
                version: Version::new(version),
                event_type: event_type.to_owned(),
                event_version: event_version.to_owned(),
                payload: StoredJson::of(&payload),
                raw_metadata: StoredJson::default(),
                recorded_at: instant(3),
                bytes: 0,
            }
        })
        .collect()
}

struct Rows {
    _database: TestDatabase,
    pool: PgPool,
}

impl Rows {
    async fn empty() -> Self {
        let database = TestDatabase::create().await;
        let served = ModelVersion {
            model: Model::Bonus,
            version: 1,
        };
        let connect = served.connect(database.options("atlas_app"));
        let pool = PgPool::connect_with(connect).await.unwrap();
        Self {
            _database: database,
            pool,
        }
    }

    async fn apply(&self, events: &[StoredEvent]) -> Result<(), SinkError> {
        let mut transaction = self.pool.begin().await?;
        Bonus.apply(&mut transaction, events).await?;
        Ok(transaction.commit().await?)
    }

    async fn row(&self, beneficiary: Beneficiary) -> Option<AccountRow> {
        let mut connection = self.pool.acquire().await.unwrap();
        read_account(&mut connection, beneficiary).await.unwrap()
    }
}

#[tokio::test]
async fn a_row_is_what_its_events_come_to() {
    let rows = Rows::empty().await;
    let ada = delivered(
        1,
        &told(commissioner(1), &["OrderPlaced", "OrderCompleted"]),
    );
    let bob = delivered(2, &told(commissioner(2), &["OrderPlaced", "OrderPlaced"]));
    let mut feed = [ada, bob].concat();
    feed.sort_by_key(|event| event.position);
    let mut other = feed[0].clone();
    other.stream = StreamId::order(OrderId::from_uuid(Uuid::from_u128(1)));
    feed.push(other);
    rows.apply(&feed).await.unwrap();

    let ada = rows.row(commissioner(1)).await.unwrap();
    assert_eq!(ada.version, Version::new(3));
    assert_eq!(ada.standing.lifetime_points.get(), 140);
    assert_eq!(ada.standing.grade, Grade::Silver);
    assert_eq!(ada.standing.changed_at, instant(2));
    assert_eq!((ada.first_position.get(), ada.last_position.get()), (1, 5));
    let bob = rows.row(commissioner(2)).await.unwrap();
    assert_eq!(
        (bob.version.get(), bob.standing.lifetime_points.get()),
        (2, 80)
    );
    assert_eq!(rows.row(commissioner(3)).await, None);
}

#[tokio::test]
async fn however_the_feed_is_cut_and_repeated_the_row_is_the_same() {
    let events = told(
        commissioner(1),
        &[
            "OrderPlaced",
            "OrderCompleted",
            "OrderCompleted",
            "OrderCompleted",
        ],
    );
    let feed = delivered(1, &events);
    let whole = Rows::empty().await;
    whole.apply(&feed).await.unwrap();
    let expected = whole.row(commissioner(1)).await;
    for size in 1..feed.len() {
        let rows = Rows::empty().await;
        for (number, batch) in feed.chunks(size).enumerate() {
            rows.apply(batch).await.unwrap();
            // A crash repeats from the last checkpoint.
            rows.apply(&feed[number * size..(number * size + batch.len())])
                .await
                .unwrap();
            let last = batch.last().unwrap().version;
            assert_eq!(rows.row(commissioner(1)).await.unwrap().version, last);
        }
        assert_eq!(rows.row(commissioner(1)).await, expected, "{size}");
    }
}

#[tokio::test]
async fn between_an_award_and_its_grade_the_view_shows_what_the_points_reach() {
    let rows = Rows::empty().await;
    let feed = delivered(
        1,
        &told(commissioner(1), &["OrderPlaced", "OrderCompleted"]),
    );
    rows.apply(&feed[..2]).await.unwrap();
    let row = rows.row(commissioner(1)).await.unwrap();
    assert_eq!(row.standing.grade, Grade::Bronze);
    assert_eq!(
        serde_json::to_value(row.view(instant(9), no_vip()).unwrap()).unwrap(),
        json!({
            "id": Uuid::from_u128(1),
            "role": "commissioner",
            "lifetimePoints": 140,
            "grade": "Silver",
            "nextGrade": { "name": "Gold", "pointsToGo": 160 },
            "vip": {
                "active": false,
                "windowPoints": 0,
                "threshold": 200,
                "until": null,
            },
            "policyVersion": 1,
            "asOf": "1970-01-01T00:00:09Z",
        })
    );
}

#[tokio::test]
async fn at_the_highest_grade_there_is_no_next_one() {
    let rows = Rows::empty().await;
    let feed = delivered(1, &told(commissioner(1), &["OrderCompleted"; 10]));
    rows.apply(&feed).await.unwrap();
    let view = rows
        .row(commissioner(1))
        .await
        .unwrap()
        .view(instant(9), no_vip())
        .unwrap();
    let view = serde_json::to_value(view).unwrap();
    assert_eq!(
        (&view["grade"], &view["nextGrade"]),
        (&json!("Platinum"), &json!(null))
    );
}

#[tokio::test]
async fn what_cannot_follow_is_refused_and_names_the_event() {
    let feed = delivered(
        1,
        &told(commissioner(1), &["OrderPlaced", "OrderCompleted"]),
    );
    let with = |number: usize, change: fn(&mut StoredEvent)| {
        let mut feed = feed.clone();
        change(&mut feed[number]);
        feed
    };
    let cases = [
        // A hole in the stream.
        vec![feed[0].clone(), feed[2].clone()],
        // Nothing opened the account.
        with(2, |event| event.version = Version::new(1))[2..].to_vec(),
        // A later release wrote it.
        with(1, |event| event.event_type = "VipAcquired".to_owned()),
        with(1, |event| event.event_version = "2.0".to_owned()),
        // Its total is another.
        with(1, |event| {
            let mut payload = event.payload.value().unwrap();
            payload["lifetimePoints"] = json!(141);
            event.payload = StoredJson::of(&payload);
        }),
    ];
    for case in cases {
        let rows = Rows::empty().await;
        let error = rows.apply(&case).await.unwrap_err();
        let SinkError::Unreadable { event_id, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(event_id, feed[0].event_id);
        assert_eq!(rows.row(commissioner(1)).await, None);
    }
}

#[tokio::test]
async fn an_account_of_a_later_policy_is_not_shown_with_the_rules_of_another() {
    let rows = Rows::empty().await;
    let mut events = told(commissioner(1), &["OrderPlaced"]);
    events[0].policy_version = PolicyVersion::new(9).unwrap();
    assert!(matches!(events[0].fact, AccountFact::PointsAwarded { .. }));
    rows.apply(&delivered(1, &events)).await.unwrap();
    let row = rows.row(commissioner(1)).await.unwrap();
    let error = row.view(instant(9), no_vip()).unwrap_err();
    assert_eq!(error.version.get(), 9);
}
