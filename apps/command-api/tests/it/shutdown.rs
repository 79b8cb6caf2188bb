//! The end of the process: what it took is finished, and nothing new is taken.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;
use test_support::eventually;

use crate::people::{COMMISSIONER, OAK, OPERATOR, SECRET, token};
use crate::running::Running;
use crate::scene::{Scene, request};

const BOUND: Duration = Duration::from_secs(10);

#[tokio::test]
async fn commands_under_way_are_finished_and_no_others_taken() {
    let scene = Scene::set().await;
    let secret = ("ATLAS_JWT_SECRET", SECRET);
    let process = Running::start(&scene.database.url_app(), &[secret]).await;
    process.is_ready().await;
    let client = Client::new();
    let url = process.url.clone();
    // A connection that is kept and unused.
    let workshop = format!("{url}/v1/workshops/{}", OAK.id);
    let entry = json!({"name": "Oak", "acceptsCommissions": true});
    let unused = Client::new();
    let put = unused.put(workshop).bearer_auth(token(OPERATOR));
    assert_eq!(put.json(&entry).send().await.unwrap().status(), 200);

    let owner = scene.database.pool_owner().await;
    let mut lock = owner.begin().await.unwrap();
    // Readers pass, writers wait.
    sqlx::query!("LOCK TABLE store.events IN SHARE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let place = |body| {
        let request = client.post(format!("{url}/v1/orders"));
        request.bearer_auth(token(COMMISSIONER)).json(&body).send()
    };
    // Only who may read all statistics sees what others wait for.
    let watcher = scene.database.pool_app().await;
    let mut under_way = Vec::new();
    for expected in 1..=4 {
        under_way.push(tokio::spawn(place(request(&[OAK]))));
        let waiting = || async {
            let waiting = sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'"#
            );
            let count = waiting.fetch_one(&watcher).await.unwrap();
            if count == expected {
                Ok(())
            } else {
                Err(count)
            }
        };
        eventually("it to wait for the lock", BOUND, waiting).await;
    }

    process.terminate();
    eventually("nobody to listen", BOUND, || async {
        match Client::new().get(&url).send().await {
            Err(error) if error.is_connect() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    lock.rollback().await.unwrap();
    for answer in under_way {
        assert_eq!(answer.await.unwrap().unwrap().status(), 201);
    }
    let began = Instant::now();
    assert!(process.ended().await.success());
    assert!(began.elapsed() < Duration::from_secs(5));
    let placed = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM store.events WHERE event_type = 'OrderPlaced'"#
    );
    assert_eq!(placed.fetch_one(&owner).await.unwrap(), 4);
}
