//! Readers are woken up after appends, and less often than there are appends.

use std::time::{Duration, Instant};

use event_store::wake::EVENTS;
use futures::future::join_all;
use sqlx::postgres::PgListener;
use test_support::TestDatabase;
use tokio::time::timeout;

use crate::executor::{add_one, executor};
use crate::fixtures::patient;

#[tokio::test]
async fn appends_wake_up_who_listens_at_most_every_few_milliseconds() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    let pool = database.pool_app().await;
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen(EVENTS).await.unwrap();

    executor.execute(add_one("a"), patient()).await.unwrap();
    let woken = timeout(Duration::from_secs(5), listener.recv()).await;
    assert_eq!(woken.unwrap().unwrap().channel(), EVENTS);

    let began = Instant::now();
    let given = (0..300).map(|number| {
        let executor = executor.clone();
        let command = add_one(format!("c{number}"));
        async move { executor.execute(command, patient()).await.unwrap() }
    });
    join_all(given).await;
    let mut times = 0;
    while timeout(Duration::from_millis(500), listener.recv())
        .await
        .is_ok()
    {
        times += 1;
    }
    let most = began.elapsed().as_millis() / 5 + 1;
    assert!((1..=most).contains(&times), "{times} of at most {most}");
    assert!(times < 300, "{times}");
}
