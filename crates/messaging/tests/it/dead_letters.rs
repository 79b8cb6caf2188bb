//! Messages that are given up: their row, their place on the dead-letter topic, and the offset that
//! moves after both; and what closes a row.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use contracts::topics::dead_letters_of;
use dead_letters::{DeadLetter, Selection, State, Summary};
use sqlx::{Connection as _, PgConnection, PgPool};
use test_support::{TestDatabase, eventually};
use uuid::Uuid;

use crate::broker::{Broker, Endpoint, Record};
use crate::consumer::{Notebook, PATIENCE, Running, TOPIC};

/// What is open, newest first.
pub(crate) async fn open(pool: &PgPool) -> Vec<Summary> {
    let mut connection = pool.acquire().await.unwrap();
    let all = Selection::default();
    let page = dead_letters::page(&mut connection, &all, Some(State::Open), None, 1000)
        .await
        .unwrap();
    page.into_iter().map(|row| row.summary).collect()
}

/// Waits until so many rows are open.
pub(crate) async fn until_open(pool: &PgPool, count: usize) -> Vec<Summary> {
    eventually("the open dead letters", PATIENCE, || async {
        let open = open(pool).await;
        if open.len() == count {
            Ok(open)
        } else {
            Err(format!("{open:?}"))
        }
    })
    .await
}

pub(crate) async fn find(pool: &PgPool, id: Uuid) -> DeadLetter {
    let mut connection = pool.acquire().await.unwrap();
    dead_letters::find(&mut connection, id)
        .await
        .unwrap()
        .unwrap()
}

/// Waits until a message was handled.
pub(crate) async fn until_handled(notebook: &Notebook, value: &str) {
    eventually("a message to be handled", PATIENCE, || async {
        let values = notebook.values();
        if values.iter().any(|handled| handled == value) {
            Ok(())
        } else {
            Err(format!("{values:?}"))
        }
    })
    .await;
}

/// The headers of a record by name, each of which must be there once.
pub(crate) fn once(record: &Record) -> BTreeMap<&str, &str> {
    let mut headers = BTreeMap::new();
    for (name, value) in &record.headers {
        let before = headers.insert(name.as_str(), value.as_str());
        assert_eq!(before, None, "{name} is there twice: {record:?}");
    }
    headers
}

pub(crate) fn broker() -> Broker {
    Broker::with_topics(&[TOPIC, &dead_letters_of(TOPIC)])
}

pub(crate) fn event(number: u128) -> String {
    Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0000_0000_0000 + number).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_handled_is_given_up_and_its_partition_goes_on() {
    gives_up_poison_and_goes_on(&broker(), TOPIC).await;
}

pub(crate) async fn gives_up_poison_and_goes_on(broker: &Endpoint, topic: &str) {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let id = event(1);
    let headers = [
        ("ce_id", Some(id.as_str())),
        ("ce_type", Some("some\u{0}thing")),
        ("foreign", None),
        ("foreign", Some("twice")),
        ("dlq-code", Some("FROM_ELSEWHERE")),
        ("dlq-first-failed-at", Some("2026-01-02T03:04:05.678Z")),
    ];
    broker.write(topic, "a", &["1", "2"]);
    broker.write_with(topic, "a", &headers, "poison");
    broker.write(topic, "a", &["4"]);
    let notebook = Notebook::default();
    let consumer = Running::start_with(broker, &pool, &[topic], &notebook);
    until_handled(&notebook, "4").await;
    assert_eq!(notebook.values(), ["1", "2", "4"]);

    let rows = open(&pool).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = find(&pool, rows[0].id).await;
    assert_eq!((row.summary.topic.as_str(), row.summary.offset), (topic, 2));
    assert_eq!(row.summary.ce_type.as_deref(), Some("some\u{fffd}thing"));
    assert_eq!(row.summary.ce_id, Some(id.parse().unwrap()));
    assert_eq!(
        (row.key, row.value),
        (Some(b"a".to_vec()), Some(b"poison".to_vec()))
    );
    let kept: Vec<_> = row
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref()))
        .collect();
    let sent: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.map(str::as_bytes)))
        .collect();
    assert_eq!(kept, sent, "the row has the message as it came");

    let mut records = broker.read(&dead_letters_of(topic));
    assert_eq!(records.len(), 1, "{records:?}");
    let record = records.remove(0);
    assert_eq!(
        (record.key.as_str(), record.value.as_str()),
        ("a", "poison")
    );
    let offset = "2";
    let partition = row.summary.partition.to_string();
    let expected = [
        ("ce_id", id.as_str()),
        ("ce_type", "some\u{0}thing"),
        ("foreign", "none"),
        ("foreign", "twice"),
        ("dlq-code", "INVALID_JSON"),
        ("dlq-kind", "malformed"),
        ("dlq-detail", "poison is no JSON at column 7"),
        ("dlq-topic", topic),
        ("dlq-partition", &partition),
        ("dlq-offset", offset),
        ("dlq-attempts", "1"),
        ("dlq-first-failed-at", "2026-01-02T03:04:05.678000Z"),
        ("dlq-consumer", topic),
    ];
    let found: Vec<_> = record
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(found, expected);
    consumer.stop().await;
    assert_eq!(broker.committed(topic)[&row.summary.partition], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_dead_letter_topic_nothing_is_given_up_and_other_partitions_go_on() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let broker = broker();
    let letters = dead_letters_of(TOPIC);
    broker.hide(&letters, true);
    broker.write(TOPIC, "a", &["1", "poison", "3"]);
    let notebook = Notebook::default();
    let mut consumer = Running::start_with(&broker, &pool, &[TOPIC], &notebook);
    consumer
        .becomes("waiting", |state| state.waiting == 1)
        .await;
    for key in ["b", "c", "d", "e", "f"] {
        broker.write(TOPIC, key, &[key]);
    }
    let waits = broker.read(TOPIC);
    let waits = waits
        .iter()
        .find(|record| record.value == "poison")
        .unwrap();
    let others = broker.read(TOPIC);
    for other in others
        .iter()
        .filter(|record| record.partition != waits.partition)
    {
        until_handled(&notebook, &other.value).await;
    }
    assert_eq!(broker.committed(TOPIC)[&waits.partition], 1);
    assert!(!notebook.values().contains(&"3".to_owned()));

    broker.hide(&letters, false);
    until_handled(&notebook, "3").await;
    consumer.becomes("well", |state| state.waiting == 0).await;
    consumer.stop().await;
    assert_eq!(open(&pool).await.len(), 1, "however often it was tried");
    assert!(!broker.read(&dead_letters_of(TOPIC)).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_row_nothing_goes_to_the_topic_and_no_offset_moves() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let mut owner = PgConnection::connect(&database.url("atlas_owner"))
        .await
        .unwrap();
    sqlx::raw_sql("REVOKE INSERT ON ops.dead_letters FROM atlas_app")
        .execute(&mut owner)
        .await
        .unwrap();
    let broker = broker();
    broker.write(TOPIC, "a", &["poison", "2"]);
    let notebook = Notebook::default();
    let mut consumer = Running::start_with(&broker, &pool, &[TOPIC], &notebook);
    consumer
        .becomes("waiting", |state| state.waiting == 1)
        .await;
    assert_eq!(broker.read(&dead_letters_of(TOPIC)), []);
    assert_eq!(broker.committed(TOPIC), BTreeMap::new());

    sqlx::raw_sql("GRANT INSERT ON ops.dead_letters TO atlas_app")
        .execute(&mut owner)
        .await
        .unwrap();
    until_handled(&notebook, "2").await;
    consumer.stop().await;
    assert_eq!(broker.read(&dead_letters_of(TOPIC)).len(), 1);
    assert_eq!(open(&pool).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_closes_when_its_producer_sends_the_event_rightly_and_not_by_a_stranger() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let broker = broker();
    let (ours, theirs) = (event(1), event(2));
    broker.write_with(TOPIC, "a", &[("ce_id", Some(&ours))], "poison");
    let notebook = Notebook::default();
    let consumer = Running::start_with(&broker, &pool, &[TOPIC], &notebook);
    let row = until_open(&pool, 1).await.remove(0);
    let id = row.id.to_string();

    // One that is handled, one that fails, one without any id; none is of this event.
    let stranger = [
        ("ce_id", Some(theirs.as_str())),
        ("redrive-of", Some(id.as_str())),
    ];
    broker.write_with(TOPIC, "a", &stranger, "stranger");
    broker.write_with(TOPIC, "a", &stranger[1..], "nameless");
    until_handled(&notebook, "nameless").await;
    assert_eq!(open(&pool).await.len(), 1);
    let third = event(3);
    let failing = [
        ("ce_id", Some(third.as_str())),
        ("redrive-of", Some(id.as_str())),
    ];
    broker.write_with(TOPIC, "a", &failing, "poison");
    let rows = until_open(&pool, 2).await;
    assert_eq!(find(&pool, rows[0].id).await.redrive_of, Some(row.id));
    assert_eq!(find(&pool, row.id).await.returned, 0);

    broker.write_with(TOPIC, "b", &[("ce_id", Some(&ours))], "right");
    until_open(&pool, 1).await;
    let closed = find(&pool, row.id).await.closed.unwrap();
    assert_eq!(closed.0, "handled");

    // Its effect is there: what comes later of the event is closed at once.
    broker.write_with(TOPIC, "a", &[("ce_id", Some(&ours))], "poison");
    broker.write(TOPIC, "a", &["last"]);
    until_handled(&notebook, "last").await;
    assert_eq!(open(&pool).await.len(), 1);
    assert_eq!(broker.read(&dead_letters_of(TOPIC)).len(), 3);
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_comes_again_from_its_place_is_the_same() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let broker = broker();
    let letters = dead_letters_of(TOPIC);
    broker.hide(&letters, true);
    broker.write(TOPIC, "a", &["poison"]);
    let notebook = Notebook::default();
    // Ends between the row and the offset.
    let consumer = Running::start_with(&broker, &pool, &[TOPIC], &notebook);
    let row = until_open(&pool, 1).await.remove(0);
    consumer.stop().await;
    broker.hide(&letters, false);

    broker.write(TOPIC, "a", &["2"]);
    let consumer = Running::start_with(&broker, &pool, &[TOPIC], &notebook);
    until_handled(&notebook, "2").await;
    consumer.stop().await;
    let rows = open(&pool).await;
    assert_eq!((rows.len(), rows[0].id, rows[0].attempts), (1, row.id, 1));
}

/// Makes so many rows that are open, in 40 groups, the last of them of one key.
async fn fill(database: &TestDatabase, count: i32) {
    let mut owner = PgConnection::connect(&database.url("atlas_owner"))
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO ops.dead_letters
             (id, consumer, topic, topic_id, partition, \"offset\", key, value, header_names,
              header_values, ce_id, ce_type, code, kind, detail, cause, attempts,
              first_failed_at, last_failed_at, last_partition, last_offset, closed_as, closed_at)
         SELECT gen_random_uuid(), 'group', 'facts', 'id', n % 6, n, n::text::bytea,
                convert_to(repeat('x', 500), 'UTF8'), '{ce_id}', ARRAY['x'::bytea],
                gen_random_uuid(), 'type ' || n % 20, 'INVALID_JSON', 'malformed', 'detail ' || n,
                'cause ' || n / 20 % 2, 1, now() - n * interval '1 s', now(), n % 6, n,
                CASE WHEN n > $1 THEN 'handled' END, CASE WHEN n > $1 THEN now() END
         FROM generate_series(1, $1 + $1 / 10) n",
    )
    .bind(count)
    .execute(&mut owner)
    .await
    .unwrap();
    sqlx::raw_sql("VACUUM ANALYZE ops.dead_letters")
        .execute(&mut owner)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_hundred_thousand_rows_it_stays_quick() {
    const MANY: i32 = 100_000;
    let database = TestDatabase::create().await;
    fill(&database, MANY).await;
    let pool = database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    let all = Selection::default();
    let mut times = Vec::new();
    let mut took = |what, started: Instant| times.push((what, started.elapsed()));

    let started = Instant::now();
    let page = dead_letters::page(&mut connection, &all, Some(State::Open), None, 51)
        .await
        .unwrap();
    took("page", started);
    let started = Instant::now();
    let groups = dead_letters::groups(&mut connection, &all, None, 200)
        .await
        .unwrap();
    took("groups", started);
    let of_group = Selection {
        group: Some(groups[0].id.clone()),
        ..Selection::default()
    };
    let started = Instant::now();
    let selected = dead_letters::select(&mut connection, &of_group)
        .await
        .unwrap();
    took("select of a group", started);
    let started = Instant::now();
    let whole = dead_letters::select(&mut connection, &all).await.unwrap();
    took("select of all", started);
    let started = Instant::now();
    dead_letters::find(&mut connection, page[0].summary.id)
        .await
        .unwrap();
    took("find", started);

    assert_eq!((page.len(), groups.len()), (51, 40));
    let counted: i64 = groups.iter().map(|group| group.count).sum();
    assert_eq!(counted, i64::from(MANY));
    assert_eq!(whole.len(), usize::try_from(MANY).unwrap());
    assert_eq!(i64::try_from(selected.len()).unwrap(), groups[0].count);
    for (what, took) in times {
        assert!(took < Duration::from_secs(3), "{what} took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_for_each_batch_or_window_is_served_by_indexes() {
    let database = TestDatabase::create().await;
    let pool = database
        .pool_app_with(sqlx::postgres::PgPoolOptions::new().max_connections(1))
        .await;
    let broker = broker();
    let id = event(1);
    broker.write_with(TOPIC, "a", &[("ce_id", Some(&id))], "poison");
    let notebook = Notebook::default();
    let consumer = Running::start_with(&broker, &pool, &[TOPIC], &notebook);
    until_open(&pool, 1).await;
    broker.write_with(TOPIC, "a", &[("ce_id", Some(&id))], "right");
    until_open(&pool, 0).await;
    consumer.stop().await;
    let mut connection = pool.acquire().await.unwrap();
    dead_letters::open_events(&mut connection, "g", Uuid::nil(), 10)
        .await
        .unwrap();
    dead_letters::forget(&mut connection, 10).await.unwrap();
    dead_letters::discard(&mut connection, &[Uuid::nil()])
        .await
        .unwrap();
    fill(&database, 20_000).await;
    let statements: Vec<(String, String, i32)> = sqlx::query_as(
        "SELECT name, statement, coalesce(cardinality(parameter_types), 0)
         FROM pg_prepared_statements WHERE statement LIKE '%ops.dead_letters%'
           AND statement NOT LIKE '%pg_prepared_statements%'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    assert!(statements.len() >= 5, "{statements:?}");
    sqlx::raw_sql("SET plan_cache_mode = force_generic_plan")
        .execute(&mut *connection)
        .await
        .unwrap();
    for (name, statement, parameters) in statements {
        let nulls = vec!["NULL"; usize::try_from(parameters).unwrap()].join(", ");
        let arguments = match parameters {
            0 => String::new(),
            _ => format!("({nulls})"),
        };
        let lines: Vec<String> = sqlx::query_scalar(&format!("EXPLAIN EXECUTE {name} {arguments}"))
            .persistent(false)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let plan = lines.join("\n");
        assert!(!plan.contains("Seq Scan"), "{statement}\n{plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_forgotten_ninety_days_after_a_row_was_closed() {
    let database = TestDatabase::create().await;
    fill(&database, 10).await;
    let pool = database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    assert_eq!(dead_letters::forget(&mut connection, 10).await.unwrap(), 0);
    let mut owner = PgConnection::connect(&database.url("atlas_owner"))
        .await
        .unwrap();
    sqlx::raw_sql(
        "UPDATE ops.dead_letters SET closed_at = now() - interval '90 days 1 s'
                   WHERE closed_at IS NOT NULL",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    assert_eq!(dead_letters::forget(&mut connection, 10).await.unwrap(), 1);
    assert_eq!(dead_letters::forget(&mut connection, 10).await.unwrap(), 0);
    let kept: (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE has_bytes AND value IS NOT NULL),
                count(*) FILTER (WHERE NOT has_bytes AND value IS NULL AND key IS NULL
                                   AND header_names IS NULL AND header_values IS NULL)
         FROM ops.dead_letters",
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert_eq!(kept, (10, 1));
}
