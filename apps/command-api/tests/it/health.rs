//! What the process says of itself, and how it ends, while what it depends on misbehaves.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Client;
use serde_json::json;
use test_support::{TestDatabase, TestRedis, TestServer, eventually};
use tokio::net::TcpListener;

use crate::people::{COMMISSIONER, ELM, OAK, SECRET, token};
use crate::running::Running;
use crate::scene::{Scene, request};

const SECRET_VARIABLE: (&str, &str) = ("ATLAS_JWT_SECRET", SECRET);

/// How long a request to one of the process's own routes takes, and what it is answered.
async fn timed(client: &Client, process: &Running, path: &str) -> (Duration, u16) {
    let began = Instant::now();
    let answer = client.get(format!("{}{path}", process.url)).send();
    let answer = answer.await.unwrap();
    (began.elapsed(), answer.status().as_u16())
}

#[tokio::test]
async fn a_redis_that_is_away_degrades_the_process_and_fails_nothing() {
    let scene = Scene::set().await;
    let redis = TestRedis::start().await;
    redis.kill().await;
    let url = redis.url();
    let variables = [SECRET_VARIABLE, ("ATLAS_REDIS_URL", url.as_str())];
    let process = Running::start(&scene.database.url_app(), &variables).await;
    process.redis_is(false).await;
    let client = Client::new();
    assert_eq!(timed(&client, &process, "/health/ready").await.1, 200);
    let place = client.post(format!("{}/v1/orders", process.url));
    let place = place
        .bearer_auth(token(COMMISSIONER))
        .json(&request(&[OAK]));
    assert_eq!(place.send().await.unwrap().status(), 201);
    redis.restart().await;
    process.redis_is(true).await;
    assert!(process.stop().await.success());
}

#[tokio::test]
async fn a_pool_that_is_lent_out_is_no_server_that_is_down() {
    let scene = Scene::set().await;
    let variables = [SECRET_VARIABLE, ("ATLAS_RATE_PLACE_PER_MINUTE", "0")];
    let process = Running::start(&scene.database.url_app(), &variables).await;
    process.is_ready().await;
    let owner = scene.database.pool_owner().await;
    let mut held = owner.begin().await.unwrap();
    // Readers pass, writers wait.
    sqlx::query!("LOCK TABLE store.events IN SHARE MODE")
        .execute(&mut *held)
        .await
        .unwrap();
    let client = Client::new();
    let place = |workshop| {
        let place = client.post(format!("{}/v1/orders", process.url));
        let place = place
            .bearer_auth(token(COMMISSIONER))
            .json(&request(&[workshop]));
        tokio::spawn(place.send())
    };
    let watcher = scene.database.pool_app().await;
    let waiting_are = async |expected: i64| {
        eventually("all to wait", Duration::from_secs(10), || async {
            let waiting = sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'"#
            );
            let waiting = waiting.fetch_one(&watcher).await.unwrap();
            if waiting == expected {
                Ok(())
            } else {
                Err(waiting)
            }
        })
        .await;
    };
    // One after the other, or they would go together: twelve of the seventeen connections append,
    // and then four of them load what the process does not remember, behind one who wants the table
    // for itself.
    let mut commands = Vec::new();
    for appending in 1..=12 {
        commands.push(place(OAK));
        waiting_are(appending).await;
    }
    let alone = tokio::spawn({
        let owner = owner.clone();
        async move {
            let mut lock = owner.begin().await.unwrap();
            sqlx::query!("LOCK TABLE store.events IN ACCESS EXCLUSIVE MODE")
                .execute(&mut *lock)
                .await
                .unwrap();
            lock.rollback().await.unwrap();
        }
    });
    waiting_are(13).await;
    for loading in 14..=17 {
        commands.push(place(ELM));
        waiting_are(loading).await;
    }
    let behind_them_all = place(ELM);
    for _ in 0..20 {
        let (took, status) = timed(&client, &process, "/health/live").await;
        assert!(
            status == 200 && took < Duration::from_millis(100),
            "{status} in {took:?}"
        );
        let (took, status) = timed(&client, &process, "/health/ready").await;
        assert!(
            status == 200 && took < Duration::from_secs(1),
            "{status} in {took:?}"
        );
    }
    held.rollback().await.unwrap();
    alone.await.unwrap();
    commands.push(behind_them_all);
    for answer in join_all(commands).await {
        assert_eq!(answer.unwrap().unwrap().status(), 201);
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_noticed_and_so_is_its_return() {
    let server = TestServer::start().await;
    let database = TestDatabase::create_on(&server).await;
    let process = Running::start(&database.url_app(), &[SECRET_VARIABLE]).await;
    process.is_ready().await;
    let client = Client::new();
    let becomes = async |expected| {
        eventually("the process to notice", Duration::from_secs(5), || async {
            let (_, status) = timed(&client, &process, "/health/ready").await;
            if status == expected {
                Ok(())
            } else {
                Err(status)
            }
        })
        .await;
    };
    server.stop_immediate().await;
    becomes(503).await;
    assert_eq!(timed(&client, &process, "/health/live").await.1, 200);
    server.restart().await;
    becomes(200).await;
}

#[tokio::test]
async fn a_collector_that_never_answers_delays_neither_requests_nor_the_end() {
    let database = TestDatabase::create().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let collector = tokio::spawn(async move {
        let mut connections = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            connections.push(stream);
        }
    });
    let collecting = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
    let process = Running::start(&database.url_app(), &[SECRET_VARIABLE, collecting]).await;
    process.is_ready().await;
    let client = Client::new();
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let began = Instant::now();
        let place = client.post(format!("{}/v1/orders", process.url));
        let place = place.bearer_auth(token(COMMISSIONER)).json(&json!({}));
        assert_eq!(place.send().await.unwrap().status(), 422);
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let began = Instant::now();
    assert!(process.stop().await.success());
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    collector.abort();
}
