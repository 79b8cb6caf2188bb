//! Everything that can befall Redis, under load, as the clients of a whole process see it.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Client;
use serde_json::Value;
use test_support::{Proxy, TestRedis};

use crate::people::{COMMISSIONER, OAK, SECRET, token};
use crate::running::Running;
use crate::scene::{Scene, request};

const CLIENTS: usize = 8;
/// What no request may take more than without Redis.
const MORE: Duration = Duration::from_millis(100);
/// Budgets that are never empty, but are counted.
const VARIABLES: [(&str, &str); 4] = [
    ("ATLAS_JWT_SECRET", SECRET),
    ("ATLAS_RATE_PLACE_BURST", "100000"),
    ("ATLAS_RATE_PLACE_PER_MINUTE", "100000"),
    ("ATLAS_RATE_ALL_PER_MINUTE", "100000"),
];

/// A process that counts in Redis, and one beside it that counts by itself.
struct Pair {
    shared: Running,
    alone: Running,
}

impl Pair {
    async fn start(scene: &Scene, redis: &str) -> Self {
        let database = scene.database.url_app();
        let with_redis = [VARIABLES.as_slice(), &[("ATLAS_REDIS_URL", redis)]].concat();
        let pair = Self {
            shared: Running::start(&database, &with_redis).await,
            alone: Running::start(&database, &VARIABLES).await,
        };
        pair.shared.redis_is(true).await;
        pair.alone.is_ready().await;
        pair
    }

    async fn comes_and_goes(&self) {
        self.shared.redis_is(false).await;
        self.shared.redis_is(true).await;
    }
}

/// Places an order, which spends of both budgets; how long that takes.
async fn place(client: &Client, process: &Running, body: &Value) -> Duration {
    let began = Instant::now();
    let place = client.post(format!("{}/v1/orders", process.url));
    let place = place.bearer_auth(token(COMMISSIONER)).json(body);
    let answer = place.send().await.unwrap();
    assert_eq!(answer.status(), 201, "{:?}", answer.text().await);
    began.elapsed()
}

/// Places orders through both processes at the same time while something is done to Redis. None
/// fails, and none takes 100 ms more for it.
///
/// What else holds requests up on a busy machine holds up those of both processes alike. So many
/// are that much slower than their twins either way; what Redis causes comes on top on one side,
/// where each trouble would meet each client.
async fn under_load(pair: &Pair, trouble: impl Future<Output = ()>) {
    let (client, body, done) = (Client::new(), request(&[OAK]), Cell::new(false));
    let times = RefCell::new(Vec::new());
    let clients = join_all((0..CLIENTS).map(async |_| {
        while !done.get() {
            let twins = tokio::join!(
                place(&client, &pair.shared, &body),
                place(&client, &pair.alone, &body),
            );
            times.borrow_mut().push(twins);
        }
    }));
    tokio::join!(clients, async {
        trouble.await;
        done.set(true);
    });
    let times = times.into_inner();
    let slower = times
        .iter()
        .filter(|(shared, alone)| *shared > *alone + MORE);
    let faster = times
        .iter()
        .filter(|(shared, alone)| *alone > *shared + MORE);
    let (slower, faster, all) = (slower.count(), faster.count(), times.len());
    println!("{all} pairs; {slower} slower, {faster} faster for Redis");
    assert!(all > 100, "{all} pairs are no load");
    assert!(
        slower <= faster + 2 * CLIENTS,
        "{slower} of {all}, {faster}"
    );
}

#[tokio::test]
async fn whatever_befalls_redis_fails_no_request_and_holds_none_up() {
    let scene = Scene::set().await;
    let (first, second) = (TestRedis::start().await, TestRedis::start().await);
    let proxy = Proxy::to(first.port()).await;
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let pair = Pair::start(&scene, &url).await;
    under_load(&pair, async {
        // Killed and restarted.
        first.kill().await;
        pair.shared.redis_is(false).await;
        first.restart().await;
        pair.shared.redis_is(true).await;
        // Slow on the way, and in itself.
        proxy.slow_by(Duration::from_secs(1));
        pair.shared.redis_is(false).await;
        proxy.slow_by(Duration::ZERO);
        pair.shared.redis_is(true).await;
        first.say(&["CLIENT", "PAUSE", "1500", "ALL"]).await;
        pair.comes_and_goes().await;
        // A replica that takes no writes.
        first.say(&["REPLICAOF", "127.0.0.1", "1"]).await;
        pair.shared.redis_is(false).await;
        first.lead().await;
        pair.shared.redis_is(true).await;
        // Emptied, of counts and script, and its clients killed.
        first.say(&["FLUSHALL"]).await;
        first.say(&["SCRIPT", "FLUSH"]).await;
        first.say(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        // Failed over in order, and after a crash.
        second.follow(&first).await;
        second.lead().await;
        first.follow(&second).await;
        pair.shared.redis_is(false).await;
        proxy.lead_to(second.port());
        pair.shared.redis_is(true).await;
        second.kill().await;
        pair.shared.redis_is(false).await;
        first.lead().await;
        proxy.lead_to(first.port());
        pair.shared.redis_is(true).await;
    })
    .await;
    for process in [pair.shared, pair.alone] {
        assert!(process.stop().await.success());
    }
}
