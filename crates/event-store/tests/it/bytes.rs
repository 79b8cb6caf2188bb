//! What is read at once is bounded in bytes: long streams come in pages, and hold up nobody else.

use event_store::{Append, NewEvent, Version, append, load, load_page};
use futures::future::join_all;
use serde_json::json;
use test_support::TestDatabase;

use crate::executor::{add_one, executor};
use crate::fixtures::{counted, event, patient, stored, stream};

const MEBIBYTE: usize = 1 << 20;

/// A stream of so many events, each of about so many bytes.
async fn grow(database: &TestDatabase, name: &str, events: i64, bytes: usize) {
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    for number in 0..events {
        let large = NewEvent {
            payload: json!({ "number": number + 1, "text": "x".repeat(bytes) }),
            ..event(number)
        };
        let one = Append::to(stream(name), Version::new(number), vec![large]);
        stored(append(&mut connection, &one).await.unwrap());
    }
}

#[tokio::test]
async fn a_stream_comes_in_pages_of_a_mebibyte() {
    let database = TestDatabase::create().await;
    grow(&database, "large", 20, 300_000).await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let whole = load(&mut connection, &[stream("large"), stream("none")])
        .await
        .unwrap();
    assert!(whole[0].bytes() > 5 * MEBIBYTE);

    let (mut after, mut pages, mut read) = (Version::NONE, 0, Vec::new());
    loop {
        let page = load_page(&mut connection, &stream("large"), after)
            .await
            .unwrap();
        let before_the_last = page.events.iter().rev().skip(1);
        assert!(before_the_last.map(|it| it.bytes).sum::<usize>() < MEBIBYTE);
        pages += 1;
        after = page.events.last().map_or(after, |last| last.version);
        read.extend(page.events);
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, 6, "of four events each, and the end");
    assert_eq!(read, whole[0].events);
    let end = load_page(&mut connection, &stream("large"), after).await;
    assert!(end.unwrap().events.is_empty());
}

#[tokio::test]
async fn a_stream_of_many_small_events_comes_in_pages_too() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    stored(
        append(&mut connection, &counted("long", 0, 2_500))
            .await
            .unwrap(),
    );
    let page = load_page(&mut connection, &stream("long"), Version::new(100))
        .await
        .unwrap();
    assert!(page.more);
    assert_eq!(page.events[0].version, Version::new(101));
    let whole = load(&mut connection, &[stream("long")]).await.unwrap();
    assert_eq!(whole[0].version(), Version::new(2_500));
}

#[tokio::test]
async fn commands_on_large_streams_go_with_those_on_small_ones() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    for name in ["l0", "l1", "l2"] {
        grow(&database, name, 6, 900_000).await;
    }
    let names = (0..3).flat_map(|n| [format!("l{n}"), format!("s{n}")]);
    let given = names.map(|name| {
        let executor = executor.clone();
        async move { executor.execute(add_one(name), patient()).await.unwrap() }
    });
    let answers = join_all(given.collect::<Vec<_>>()).await;
    let versions: Vec<_> = answers.iter().map(|answer| answer.version.get()).collect();
    assert_eq!(versions, [7, 1, 7, 1, 7, 1]);
}
