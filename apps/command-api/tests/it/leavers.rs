//! Clients that leave before they are answered, in numbers, over a slow store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_store::{BatchBound, Feed, Position, Selection};
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use reqwest::Client;
use serde_json::Value;
use sqlx::PgPool;
use test_support::{Proxy, eventually};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::api::Reply;
use crate::people::{COMMISSIONER, OAK, SECRET, STRANGER, token};
use crate::running::Running;
use crate::scene::{Scene, request};

const LEAVERS: u64 = 3000;
const STEADY: usize = 8;
const BOUND: Duration = Duration::from_secs(30);

/// Sends a command, and closes the socket when it is answered or some milliseconds have passed.
async fn leaves(address: &str, number: u64, body: &str) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /v1/orders HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
         Idempotency-Key: leaver-{number}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        token(COMMISSIONER),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let patience = Duration::from_millis(number * 7 % 61);
    timeout(patience, stream.readable()).await.ok();
}

/// Places one order after another until it is told to stop; the statuses of the answers.
async fn stays(client: &Client, url: &str, body: &Value, stop: &AtomicBool) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let place = client.post(format!("{url}/v1/orders"));
        let place = place.bearer_auth(token(STRANGER)).json(body);
        statuses.push(place.send().await.unwrap().status().as_u16());
    }
    statuses
}

async fn placed_by_leavers(pool: &PgPool) -> i64 {
    let placed = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM store.events
           WHERE event_type = 'OrderPlaced' AND metadata ->> 'idempotencyKey' LIKE 'leaver-%'"#
    );
    placed.fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_harms_nobody_and_loses_nothing() {
    let scene = Scene::set().await;
    let port = scene.database.options("atlas_app").get_port();
    let proxy = Proxy::to(port).await;
    let url = scene.database.url_app();
    let url = url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port()));
    let variables = [
        ("ATLAS_JWT_SECRET", SECRET),
        ("ATLAS_RATE_PLACE_BURST", "0"),
        ("ATLAS_RATE_ALL_PER_MINUTE", "0"),
    ];
    let process = Running::start(&url, &variables).await;
    process.is_ready().await;
    proxy.slow_by(Duration::from_millis(5));

    let body = request(&[OAK]);
    let (stop, client) = (AtomicBool::new(false), Client::new());
    let steady = join_all((0..STEADY).map(|_| stays(&client, &process.url, &body, &stop)));
    let leaving = async {
        let address = process.url.strip_prefix("http://").unwrap();
        let text = body.to_string();
        let leavers = (0..LEAVERS).map(|number| leaves(address, number, &text));
        stream::iter(leavers)
            .buffer_unordered(16)
            .for_each(async |()| {})
            .await;
        stop.store(true, Ordering::SeqCst);
    };
    let (statuses, ()) = tokio::join!(steady, leaving);
    for statuses in statuses {
        assert!(statuses.len() > 10, "{statuses:?}");
        assert!(statuses.iter().all(|status| *status == 201), "{statuses:?}");
    }

    let watcher = scene.database.pool_app().await;
    eventually("nothing to be left in a transaction", BOUND, || async {
        let open = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()
                 AND state <> 'idle'"#
        );
        let open = open.fetch_one(&watcher).await.unwrap();
        if open == 0 { Ok(()) } else { Err(open) }
    })
    .await;
    assert!(
        placed_by_leavers(&watcher).await > 0,
        "some were carried out"
    );

    // Each of them asks again, elsewhere.
    let again = (0..LEAVERS).map(|number| {
        let call = scene.api.post("/v1/orders").by(COMMISSIONER);
        call.key(&format!("leaver-{number}")).json(&body).send()
    });
    let replies: Vec<Reply> = stream::iter(again).buffer_unordered(16).collect().await;
    assert!(replies.iter().all(|reply| reply.status == 201));
    let replayed = |reply: &&Reply| reply.header("idempotency-replayed").is_some();
    assert!(replies.iter().filter(replayed).count() > 0);
    assert_eq!(
        placed_by_leavers(&watcher).await,
        i64::try_from(LEAVERS).unwrap()
    );

    // No reader of the feed is held back.
    let mut feed = Feed::connect(&scene.database.options("atlas_app"))
        .await
        .unwrap();
    let batch = feed
        .next_batch(
            Position::START,
            &Selection::default(),
            BatchBound::default(),
        )
        .await
        .unwrap();
    let last = sqlx::query_scalar!(r#"SELECT max(position) AS "last!" FROM store.events"#);
    assert_eq!(
        batch.watermark.get(),
        last.fetch_one(&watcher).await.unwrap()
    );
    assert!(process.stop().await.success());
}
