//! Dead letters that are sent again: each once, oldest first in order per key, stopped by the first
//! that comes back, and taken up again after a stop or a kill.

use std::collections::BTreeMap;

use contracts::topics::dead_letters_of;
use dead_letters::{Selected, Selection, Summary};
use messaging::{Redrive, Tally};
use sqlx::PgPool;
use test_support::{TestDatabase, eventually};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::broker::{Broker, Endpoint};
use crate::consumer::{Notebook, PATIENCE, Running, TOPIC};
use crate::dead_letters::{broker, event, find, once, open, until_open};

async fn selected(pool: &PgPool) -> Vec<Selected> {
    let mut connection = pool.acquire().await.unwrap();
    let all = Selection::default();
    dead_letters::select(&mut connection, &all).await.unwrap()
}

async fn redrive(pool: &PgPool, endpoint: &Endpoint, run: u128) -> Tally {
    let redrive = Redrive::new(pool.clone(), endpoint.kafka(), Uuid::from_u128(run));
    let letters = selected(pool).await;
    let stop = CancellationToken::new();
    let running = redrive.run(letters, &stop, |_| {});
    let ended = tokio::time::timeout(2 * PATIENCE, running).await;
    ended.expect("a redrive ends").unwrap()
}

/// Writes `count` messages of poison, each of an event and with one of seven keys.
fn poison(endpoint: &Endpoint, topic: &str, count: u128) {
    for number in 0..count {
        let id = event(number);
        let headers = [("ce_id", Some(id.as_str())), ("foreign", None)];
        let key = format!("key {}", number % 7);
        endpoint.write_with(topic, &key, &headers, &format!("poison {number}"));
    }
}

/// Dead letters of a consumer that runs, on a broker of its own.
struct Given {
    database: TestDatabase,
    pool: PgPool,
    broker: Broker,
    notebook: Notebook,
    consumer: Option<Running>,
    rows: Vec<Summary>,
}

impl Given {
    /// So many, none of which can be handled yet.
    async fn poison(count: u128) -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool_app().await;
        let broker = broker();
        poison(&broker, TOPIC, count);
        let notebook = Notebook::default();
        let mut given = Self {
            database,
            pool,
            broker,
            notebook,
            consumer: None,
            rows: Vec::new(),
        };
        given.consumer_comes();
        given.rows = until_open(&given.pool, usize::try_from(count).unwrap()).await;
        given
    }

    fn consumer_comes(&mut self) {
        let running = Running::start_with(&self.broker, &self.pool, &[TOPIC], &self.notebook);
        self.consumer = Some(running);
    }

    async fn consumer_leaves(&mut self) {
        self.consumer.take().unwrap().stop().await;
    }

    /// Sends the first again, and is killed while it waits for a consumer that is not there.
    async fn redrive_that_is_killed(&self) {
        let letters = selected(&self.pool).await;
        let redrive = Redrive::new(self.pool.clone(), self.broker.kafka(), Uuid::from_u128(1));
        let killed = tokio::spawn(async move {
            let stop = CancellationToken::new();
            redrive.run(letters, &stop, |_| {}).await
        });
        eventually("the first to be sent", PATIENCE, || async {
            let sent = sent_again(&self.broker, TOPIC);
            if sent.len() == 1 {
                Ok(())
            } else {
                Err(format!("{sent:?}"))
            }
        })
        .await;
        killed.abort();
    }

    /// Puts every row in the hand of this claim.
    async fn claim_all(&self, claim: &str) {
        let owner = self.database.pool_owner().await;
        let claim = format!("UPDATE ops.dead_letters SET (claimed_by, claimed_until) = ({claim})");
        sqlx::raw_sql(&claim).execute(&owner).await.unwrap();
    }

    /// As if the lease of each claim had run out.
    async fn claims_have_ended(&self) {
        let owner = self.database.pool_owner().await;
        sqlx::raw_sql(
            "UPDATE ops.dead_letters SET claimed_until = now() WHERE claimed_by IS NOT NULL",
        )
        .execute(&owner)
        .await
        .unwrap();
    }

    /// Everything was sent again, and once.
    async fn each_was_sent_once(&self) {
        let sent = sent_again(&self.broker, TOPIC);
        assert_eq!(sent.len(), self.rows.len(), "{sent:?}");
        assert!(sent.values().all(|times| *times == 1), "{sent:?}");
        assert_eq!(open(&self.pool).await, []);
    }
}

/// How often each dead letter was sent again.
fn sent_again(endpoint: &Endpoint, topic: &str) -> BTreeMap<String, usize> {
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for record in endpoint.read(topic) {
        let headers = once(&record);
        if let Some(id) = headers.get("redrive-of") {
            *sent.entry((*id).to_owned()).or_default() += 1;
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_cause_is_gone_everything_is_sent_once_in_order_and_closed() {
    closes_once_the_cause_is_gone(&broker(), TOPIC, 60).await;
}

pub(crate) async fn closes_once_the_cause_is_gone(endpoint: &Endpoint, topic: &str, count: u128) {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    poison(endpoint, topic, count);
    let notebook = Notebook::default();
    let consumer = Running::start_with(endpoint, &pool, &[topic], &notebook);
    let rows = until_open(&pool, usize::try_from(count).unwrap()).await;
    notebook.heal();
    let tally = redrive(&pool, endpoint, 1).await;
    let all = u64::try_from(count).unwrap();
    let expected = Tally {
        sent: all,
        closed: all,
        ..Tally::default()
    };
    assert_eq!(tally, expected);
    assert_eq!(open(&pool).await, []);
    for row in &rows {
        let row = find(&pool, row.id).await;
        assert_eq!(row.closed.unwrap().0, "redriven");
        assert_eq!(row.returned, 0);
    }

    let sent = sent_again(endpoint, topic);
    assert_eq!(sent.len(), rows.len());
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
    let mut by_key: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for record in endpoint.read(topic) {
        if once(&record).contains_key("redrive-of") {
            let number = record.value.trim_start_matches("poison ").parse().unwrap();
            assert_eq!(once(&record)["foreign"], "none");
            assert!(
                !record
                    .headers
                    .iter()
                    .any(|(name, _)| name.starts_with("dlq-"))
            );
            by_key.entry(record.key).or_default().push(number);
        }
    }
    assert!(
        by_key.values().all(|numbers| numbers.is_sorted()),
        "{by_key:?}"
    );
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_after_the_first_that_comes_back() {
    let mut given = Given::poison(20).await;
    let tally = redrive(&given.pool, &given.broker, 1).await;
    let oldest = given.rows.iter().map(|row| row.id).min().unwrap();
    let expected = Tally {
        sent: 1,
        returned: vec![oldest],
        left: 19,
        ..Tally::default()
    };
    assert_eq!(tally, expected);
    assert_eq!(sent_again(&given.broker, TOPIC).len(), 1);
    let row = find(&given.pool, oldest).await;
    assert_eq!((row.returned, row.summary.attempts), (1, 2));
    assert_eq!(open(&given.pool).await.len(), 20);
    given.consumer_leaves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_poison_redriven_again_and_again_has_one_row_and_each_header_once() {
    of_one_poison_again_and_again(&broker(), TOPIC, 5).await;
}

pub(crate) async fn of_one_poison_again_and_again(endpoint: &Endpoint, topic: &str, times: i32) {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    poison(endpoint, topic, 1);
    let notebook = Notebook::default();
    let consumer = Running::start_with(endpoint, &pool, &[topic], &notebook);
    let first = until_open(&pool, 1).await.remove(0);
    for run in 0..times {
        let tally = redrive(&pool, endpoint, u128::try_from(run).unwrap() + 1).await;
        assert_eq!(tally.returned, [first.id]);
    }
    let rows = open(&pool).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].attempts, times + 1);
    assert_eq!(rows[0].first_failed_at, first.first_failed_at);
    assert!(rows[0].last_failed_at > first.last_failed_at);

    let since = first.first_failed_at.timestamp_micros();
    let wanted = usize::try_from(times).unwrap() + 1;
    eventually("the dead letters on the topic", PATIENCE, || async {
        let found = endpoint.read(&dead_letters_of(topic)).len();
        if found == wanted { Ok(()) } else { Err(found) }
    })
    .await;
    let records = endpoint.read(&dead_letters_of(topic));
    for (attempts, record) in (1..).zip(&records) {
        let headers = once(record);
        assert_eq!(headers["dlq-attempts"], attempts.to_string());
        assert_eq!(headers["foreign"], "none");
        let told: chrono::DateTime<chrono::Utc> = headers["dlq-first-failed-at"].parse().unwrap();
        assert_eq!(told.timestamp_micros(), since);
        assert_eq!(
            (record.key.as_str(), record.value.as_str()),
            ("key 0", "poison 0")
        );
    }
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_an_id_closes_when_its_own_redrive_is_handled() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let broker = broker();
    broker.write(TOPIC, "a", &["poison 1", "poison 2"]);
    let notebook = Notebook::default();
    let consumer = Running::start_with(&broker, &pool, &[TOPIC], &notebook);
    let rows = until_open(&pool, 2).await;
    let tally = redrive(&pool, &broker, 1).await;
    assert_eq!(tally.returned, [rows[1].id]);
    assert_eq!(
        open(&pool).await.len(),
        2,
        "its row was told, no other was made"
    );
    notebook.heal();
    let tally = redrive(&pool, &broker, 2).await;
    assert_eq!((tally.sent, tally.closed), (2, 2));
    assert_eq!(open(&pool).await, []);
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_redrives_at_once_send_each_once() {
    let mut given = Given::poison(80).await;
    given.notebook.heal();
    let (first, second) = tokio::join!(
        redrive(&given.pool, &given.broker, 1),
        redrive(&given.pool, &given.broker, 2)
    );
    assert_eq!(first.sent + second.sent, 80, "{first:?} {second:?}");
    for tally in [first, second] {
        assert_eq!(
            (tally.closed, tally.left),
            (80, 0),
            "each waits for what the other has"
        );
    }
    given.each_was_sent_once().await;
    given.consumer_leaves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_that_was_killed_or_stopped_is_taken_up_again() {
    let mut given = Given::poison(20).await;
    given.notebook.heal();
    given.consumer_leaves().await;
    given.redrive_that_is_killed().await;

    // Another does not send it again while the claim lasts, and is stopped.
    let stop = CancellationToken::new();
    let second = Redrive::new(given.pool.clone(), given.broker.kafka(), Uuid::from_u128(2));
    let letters = selected(&given.pool).await;
    let tally = second.run(letters, &stop, |_| stop.cancel()).await.unwrap();
    assert_eq!((tally.sent, tally.under_way, tally.closed), (1, 1, 0));
    assert_eq!(sent_again(&given.broker, TOPIC).len(), 2);

    given.consumer_comes();
    until_open(&given.pool, 18).await;
    let tally = redrive(&given.pool, &given.broker, 3).await;
    assert_eq!((tally.sent, tally.closed, tally.left), (18, 18, 0));
    given.each_was_sent_once().await;
    given.consumer_leaves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_redrive_has_sent_is_not_sent_again_however_late_it_is_handled() {
    let mut given = Given::poison(20).await;
    given.notebook.heal();
    given.consumer_leaves().await;
    given.redrive_that_is_killed().await;
    given.claims_have_ended().await;

    let (pool, kafka) = (given.pool.clone(), given.broker.kafka());
    let letters = selected(&pool).await;
    let taking_up = tokio::spawn(async move {
        let redrive = Redrive::new(pool, kafka, Uuid::from_u128(2));
        let stop = CancellationToken::new();
        redrive.run(letters, &stop, |_| {}).await.unwrap()
    });
    eventually("the claim to be taken over", PATIENCE, || async {
        let claimed: Option<Uuid> = sqlx::query_scalar(
            "SELECT claimed_by FROM ops.dead_letters WHERE claimed_by IS NOT NULL",
        )
        .fetch_one(&given.pool)
        .await
        .unwrap();
        if claimed == Some(Uuid::from_u128(2)) {
            Ok(())
        } else {
            Err(format!("{claimed:?}"))
        }
    })
    .await;
    assert_eq!(sent_again(&given.broker, TOPIC).len(), 1);
    given.consumer_comes();
    let tally = tokio::time::timeout(PATIENCE, taking_up).await.unwrap();
    let tally = tally.unwrap();
    assert_eq!((tally.sent, tally.closed, tally.left), (19, 20, 0));
    given.each_was_sent_once().await;
    given.consumer_leaves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_redrive_is_gone_ends_with_its_lease() {
    let mut given = Given::poison(3).await;
    given.notebook.heal();
    given
        .claim_all("gen_random_uuid(), now() + interval '3 s'")
        .await;
    let mut connection = given.pool.acquire().await.unwrap();
    let letters = selected(&given.pool).await;
    let ids: Vec<Uuid> = letters.iter().map(|letter| letter.id).collect();
    let discarded = dead_letters::discard(&mut connection, &ids).await.unwrap();
    assert_eq!(discarded, 0, "what a redrive has in hand is not given up");
    let tally = redrive(&given.pool, &given.broker, 1).await;
    assert_eq!((tally.sent, tally.closed), (3, 3));
    given.consumer_leaves().await;
}
