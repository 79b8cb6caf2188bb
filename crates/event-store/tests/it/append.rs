//! Appends: versions, atomicity, keys, and what the application's role may not do.

use event_store::{
    Append, AppendError, Appended, ClaimedAnswer, NewEvent, Position, StreamAppend, Version,
    append, load,
};
use sqlx::Connection as _;
use test_support::TestDatabase;

use crate::fixtures::{claim, counted, event, stored, stream, until_blocked};

fn with_key(mut append: Append, key: &str, body: u8) -> Append {
    append.claim = Some(ClaimedAnswer {
        claim: claim(key, body),
        status: 201,
        state: Some("counting".to_owned()),
    });
    append
}

async fn positions_drawn(database: &TestDatabase) -> i64 {
    sqlx::query_scalar!(r#"SELECT store.last_drawn() AS "drawn!""#)
        .fetch_one(&database.pool_app().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn events_get_the_next_versions_and_ascending_positions() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let first = stored(append(&mut connection, &counted("a", 0, 2)).await.unwrap());
    let second = stored(append(&mut connection, &counted("a", 2, 1)).await.unwrap());
    assert_eq!(
        (first.version, second.version),
        (Version::new(2), Version::new(3))
    );
    assert!(first.token.position < second.token.position);

    let loaded = load(&mut connection, &[stream("a"), stream("none")])
        .await
        .unwrap();
    let numbers: Vec<_> = loaded[0]
        .events
        .iter()
        .map(|e| e.payload.value().unwrap()["number"].clone())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(loaded[0].events.is_sorted_by_key(|e| e.position));
    assert_eq!(loaded[0].events[2].position, second.token.position);
    assert_eq!(loaded[1].version(), Version::NONE);
}

#[tokio::test]
async fn a_stale_version_is_refused_before_a_position_is_drawn() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 2)).await.unwrap());
    let drawn = positions_drawn(&database).await;
    for expected in [0, 1, 3] {
        let refused = append(&mut connection, &counted("a", expected, 1)).await;
        assert!(
            matches!(refused, Err(AppendError::Conflict)),
            "{expected}: {refused:?}"
        );
    }
    assert_eq!(positions_drawn(&database).await, drawn);
}

#[tokio::test]
async fn of_two_appends_that_race_past_the_look_one_is_a_conflict() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let mut first = pool.begin().await.unwrap();
    stored(append(&mut first, &counted("a", 0, 1)).await.unwrap());
    let rival = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut second = pool.acquire().await.unwrap();
            append(&mut second, &counted("a", 0, 1)).await
        }
    });
    // The rival has looked, seen nothing, and waits at the unique key.
    until_blocked(&database).await;
    first.commit().await.unwrap();
    assert!(matches!(rival.await.unwrap(), Err(AppendError::Conflict)));
}

#[tokio::test]
async fn several_streams_are_appended_to_all_or_nothing() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("b", 0, 1)).await.unwrap());
    let part = |name: &str, expected: i64, events: Vec<NewEvent>| StreamAppend {
        stream: stream(name),
        expected: Version::new(expected),
        events,
    };
    let stale = Append {
        streams: vec![part("c", 0, vec![event(1)]), part("b", 0, vec![event(1)])],
        claim: None,
    };
    assert!(matches!(
        append(&mut connection, &stale).await,
        Err(AppendError::Conflict)
    ));

    let good = Append {
        streams: vec![
            part("c", 0, vec![event(1), event(2)]),
            part("b", 1, vec![event(2)]),
            part("a", 0, Vec::new()),
        ],
        claim: None,
    };
    let answer = stored(append(&mut connection, &good).await.unwrap());
    assert_eq!(
        (answer.stream, answer.version),
        (stream("c"), Version::new(2))
    );
    let loaded = load(&mut connection, &[stream("a"), stream("b"), stream("c")])
        .await
        .unwrap();
    let versions: Vec<_> = loaded.iter().map(|s| s.version().get()).collect();
    assert_eq!(versions, [0, 2, 2]);
}

#[tokio::test]
async fn a_key_gives_the_first_answer_again_and_refuses_another_request() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let request = with_key(counted("a", 0, 1), "k", 1);
    let first = stored(append(&mut connection, &request).await.unwrap());
    assert_eq!(
        (first.status, first.state.as_deref()),
        (201, Some("counting"))
    );
    stored(append(&mut connection, &counted("a", 1, 4)).await.unwrap());

    let again = append(&mut connection, &request).await.unwrap();
    assert_eq!(again, Appended::Before(first));
    let other = with_key(counted("a", 5, 1), "k", 2);
    assert_eq!(
        append(&mut connection, &other).await.unwrap(),
        Appended::KeyReused
    );
    assert_eq!(
        load(&mut connection, &[stream("a")]).await.unwrap()[0]
            .version()
            .get(),
        5
    );
}

#[tokio::test]
async fn a_key_that_arrives_twice_at_once_has_one_effect() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let request = with_key(counted("a", 0, 1), "k", 1);
    let mut first = pool.begin().await.unwrap();
    let answer = stored(append(&mut first, &request).await.unwrap());
    let twin = tokio::spawn({
        let (pool, request) = (pool.clone(), request.clone());
        async move { append(&mut pool.acquire().await.unwrap(), &request).await }
    });
    until_blocked(&database).await;
    first.commit().await.unwrap();
    assert_eq!(twin.await.unwrap().unwrap(), Appended::Before(answer));
}

#[tokio::test]
async fn a_rolled_back_append_leaves_neither_events_nor_key() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let request = with_key(counted("a", 0, 1), "k", 1);
    let mut first = pool.begin().await.unwrap();
    stored(append(&mut first, &request).await.unwrap());
    first.rollback().await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let answer = stored(append(&mut connection, &request).await.unwrap());
    assert_eq!(answer.version, Version::new(1));
}

#[tokio::test]
async fn an_append_of_nothing_under_a_key_keeps_the_answer() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let last = stored(append(&mut connection, &counted("a", 0, 3)).await.unwrap());
    let drawn = positions_drawn(&database).await;
    let nothing = with_key(counted("a", 3, 0), "k", 1);
    let answer = stored(append(&mut connection, &nothing).await.unwrap());
    assert_eq!((answer.version, answer.token), (last.version, last.token));
    assert_eq!(
        append(&mut connection, &nothing).await.unwrap(),
        Appended::Before(answer)
    );
    assert_eq!(positions_drawn(&database).await, drawn);
}

#[tokio::test]
async fn appends_and_watermarks_above_read_committed_are_refused() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let refused = append(&mut transaction, &counted("a", 0, 1))
        .await
        .unwrap_err();
    let AppendError::Database(sqlx::Error::Database(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.code().as_deref(), Some("AT002"));
    transaction.rollback().await.unwrap();

    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let refused = sqlx::query("SELECT store.watermark()")
        .execute(&mut *transaction)
        .await;
    let code = refused
        .unwrap_err()
        .into_database_error()
        .unwrap()
        .code()
        .unwrap()
        .into_owned();
    assert_eq!(code, "AT002");
}

#[tokio::test]
async fn the_application_can_neither_write_events_itself_nor_hold_back_the_feed() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let forbidden = [
        "INSERT INTO store.events (position) SELECT position FROM store.events",
        "UPDATE store.events SET payload = '{}'",
        "DELETE FROM store.events",
        "TRUNCATE store.events",
        "INSERT INTO store.idempotency_keys SELECT * FROM store.idempotency_keys",
        "INSERT INTO store.generation SELECT * FROM store.generation",
        "INSERT INTO store.identity SELECT * FROM store.identity",
        "UPDATE store.identity SET store_id = gen_random_uuid()",
        "SELECT nextval('store.position')",
        "SELECT setval('store.position', 1)",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_advisory_xact_lock_shared(1)",
        "CREATE TABLE public.mine ()",
        "CREATE TEMPORARY TABLE mine ()",
    ];
    for statement in forbidden {
        let refused = sqlx::query(statement).execute(&pool).await.unwrap_err();
        let code = refused
            .into_database_error()
            .unwrap()
            .code()
            .unwrap()
            .into_owned();
        assert_eq!(code, "42501", "{statement}");
    }
}

#[tokio::test]
async fn the_same_event_id_is_never_stored_twice() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let once = event(1);
    let request = |name: &str| Append::to(stream(name), Version::NONE, vec![once.clone()]);
    let answer = stored(append(&mut connection, &request("a")).await.unwrap());
    assert!(answer.token.position > Position::START);
    let refused = append(&mut connection, &request("b")).await;
    assert!(
        matches!(refused, Err(AppendError::Database(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn positions_end_where_the_lock_key_does() {
    const LAST: i64 = (1 << 48) - 1;
    let database = TestDatabase::create().await;
    let owner = database.pool_owner().await;
    sqlx::query("SELECT setval('store.position', $1)")
        .bind(LAST - 1)
        .execute(&owner)
        .await
        .unwrap();
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let last = stored(append(&mut connection, &counted("a", 0, 1)).await.unwrap());
    assert_eq!(last.token.position, Position::new(LAST));
    let watermark: i64 = sqlx::query_scalar("SELECT store.watermark()")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    assert_eq!(watermark, LAST);
    let refused = append(&mut connection, &counted("a", 1, 1)).await;
    assert!(
        matches!(refused, Err(AppendError::Database(_))),
        "{refused:?}"
    );
    let beyond = "INSERT INTO store.events VALUES \
                  ($1, 'counter', 'b', 1, 'E', '1.0', '{}', '{}', gen_random_uuid(), now())";
    let refused = sqlx::query(beyond).bind(LAST + 1).execute(&owner).await;
    let code = refused.unwrap_err().into_database_error().unwrap();
    assert_eq!(code.code().as_deref(), Some("23514"));
}

#[tokio::test]
async fn a_stream_knows_what_it_measures() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 3)).await.unwrap());
    let measured: i64 = sqlx::query_scalar(
        "SELECT sum(octet_length(payload::text) + octet_length(metadata::text))
         FROM store.events",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    let loaded = load(&mut connection, &[stream("a"), stream("none")])
        .await
        .unwrap();
    assert_eq!(i64::try_from(loaded[0].bytes()).unwrap(), measured);
    assert_eq!(loaded[1].bytes(), 0);
}
