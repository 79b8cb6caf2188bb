//! Counts that processes share through Redis, and what becomes of requests when Redis is troubled.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use futures::future::join_all;
use http_edge::{Limits, Quota, SharedBuckets};
use metrics_exporter_prometheus::PrometheusBuilder;
use test_support::{Proxy, TestRedis, eventually};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::app::{get, send};
use crate::limits::{KNOWN, by, marketplace, place};

const BOUND: Duration = Duration::from_secs(20);
/// Where it is counted what the analyst asked for, and what the commissioner placed.
const ASKED: &str = "atlas:rate:requests:{analyst:01890000-0000-7000-8000-000000000001}";
/// See [`ASKED`].
const PLACED: &str = "atlas:rate:placing:{commissioner:01890000-0000-7000-8000-000000000001}";

/// A process of its own, as far as counts are concerned.
struct Instance {
    app: Router,
    fit: watch::Receiver<bool>,
}

impl Instance {
    fn start(url: &str, requests: u32, burst: u32) -> Self {
        let buckets = SharedBuckets::at(url).unwrap();
        let (sender, fit) = watch::channel(false);
        let sender = Arc::new(sender);
        tokio::spawn(buckets.clone().keep(move |found| {
            sender.send_replace(found.is_ok());
        }));
        // One a minute comes back: nothing does while a test runs.
        let limits = Limits::new(
            Quota::new(requests, requests),
            Quota::new(burst, 1),
            Some(buckets),
        );
        let app = marketplace(limits);
        Self { app, fit }
    }

    async fn is_fit(&self, expected: bool) {
        let mut fit = self.fit.clone();
        let found = tokio::time::timeout(BOUND, fit.wait_for(|fit| *fit == expected));
        found.await.unwrap().unwrap();
    }

    async fn places(&self) -> u16 {
        place(&self.app, None).await.status.as_u16()
    }
}

#[tokio::test]
async fn processes_share_what_they_count() {
    let redis = TestRedis::start().await;
    let instances = [(); 2].map(|()| Instance::start(&redis.url(), 0, 3));
    for instance in &instances {
        instance.is_fit(true).await;
    }
    let [here, there] = &instances;
    let answer = place(&here.app, None).await;
    assert_eq!(answer.header("ratelimit"), Some("\"placing\";r=2;t=60"));
    let answer = place(&there.app, None).await;
    assert_eq!(answer.header("ratelimit"), Some("\"placing\";r=1;t=120"));
    assert_eq!(here.places().await, 200);
    for instance in &instances {
        let refused = place(&instance.app, None).await;
        assert_eq!(refused.problem().0, 429);
        assert_eq!(refused.header("retry-after"), Some("60"));
        assert_eq!(refused.header("ratelimit"), Some("\"placing\";r=0;t=180"));
    }
}

#[tokio::test]
async fn twins_on_their_way_through_two_processes_spend_one_together() {
    let redis = TestRedis::start().await;
    let instances = [(); 2].map(|()| Instance::start(&redis.url(), 0, 2));
    for instance in &instances {
        instance.is_fit(true).await;
    }
    let twins = (0..12).zip(instances.iter().cycle());
    let twins = twins.map(|(_, instance)| place(&instance.app, Some("one-key")));
    for answer in join_all(twins).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(instances[0].places().await, 200);
    assert_eq!(instances[1].places().await, 429);
}

#[tokio::test]
async fn what_one_process_gives_back_another_may_spend() {
    let redis = TestRedis::start().await;
    let instances = [(); 2].map(|()| Instance::start(&redis.url(), 0, 2));
    for instance in &instances {
        instance.is_fit(true).await;
    }
    let [here, there] = &instances;
    let answer = place(&here.app, Some(KNOWN)).await;
    assert_eq!(answer.header("ratelimit"), None);
    assert_eq!(here.places().await, 200);
    assert_eq!(there.places().await, 200);
    assert_eq!(there.places().await, 429);
}

/// How late this test's own runtime wakes who only waits for a moment, added up.
///
/// On two busy cores a request may take long through no fault of anybody: its thread is not run, or
/// runs others. What it took beyond that it waited for Redis, and only that is compared. So the
/// bound is one of the code, and holds on a machine of any speed.
struct Lateness {
    /// Until the wait that is under way began.
    before: Cell<Duration>,
    began: Cell<Instant>,
}

impl Lateness {
    const MOMENT: Duration = Duration::from_millis(1);

    fn new() -> Self {
        Self {
            before: Cell::default(),
            began: Cell::new(Instant::now()),
        }
    }

    async fn watch(&self) {
        let mut moments = tokio::time::interval(Self::MOMENT);
        moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.began.set(Instant::now());
            moments.tick().await;
            self.before.set(self.until_now());
        }
    }

    /// A timer's moment may be up to one longer.
    fn until_now(&self) -> Duration {
        let late = self.began.get().elapsed().saturating_sub(2 * Self::MOMENT);
        self.before.get() + late
    }

    /// How long this takes beyond what the runtime is late meanwhile, and what comes of it.
    async fn without<T>(&self, work: impl Future<Output = T>) -> (Duration, T) {
        let (began, late) = (Instant::now(), self.until_now());
        let outcome = work.await;
        let late = self.until_now().saturating_sub(late);
        (began.elapsed().saturating_sub(late), outcome)
    }
}

/// Requests follow one another while something is done to Redis: none fails or is told that it
/// comes too often, and none waits 100 ms for Redis.
async fn under_load(instance: &Instance, trouble: impl Future<Output = ()>) {
    let (lateness, done) = (Lateness::new(), Cell::new(false));
    let client = async || {
        let (mut slowest, mut requests) = (Duration::ZERO, 0);
        while !done.get() {
            let ask = send(&instance.app, by(get("/who"), "analyst"));
            let (took, answer) = lateness.without(ask).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            slowest = took.max(slowest);
            requests += 1;
            tokio::task::yield_now().await;
        }
        (slowest, requests)
    };
    let clients = join_all((0..8).map(|_| client()));
    let troubled = async {
        trouble.await;
        done.set(true);
    };
    let (clients, ()) = tokio::select! {
        both = async { tokio::join!(clients, troubled) } => both,
        () = lateness.watch() => unreachable!("it goes on for ever"),
    };
    let slowest = clients.iter().map(|(slowest, _)| *slowest).max().unwrap();
    let requests: usize = clients.iter().map(|(_, requests)| requests).sum();
    println!("{requests} requests; the slowest waited {slowest:?}");
    assert!(requests > 200, "{requests} requests are no load");
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
}

#[tokio::test]
async fn a_redis_that_crashes_and_comes_back_fails_no_request() {
    let redis = TestRedis::start().await;
    let instance = Instance::start(&redis.url(), 1_000_000, 2);
    instance.is_fit(true).await;
    under_load(&instance, async {
        redis.kill().await;
        instance.is_fit(false).await;
        // The process's own budget is untouched until now.
        assert_eq!(instance.places().await, 200);
        redis.restart().await;
        instance.is_fit(true).await;
    })
    .await;
    // What came back is empty, and counts again.
    assert_eq!(instance.places().await, 200);
    assert_eq!(instance.places().await, 200);
    assert_eq!(instance.places().await, 429);
}

#[tokio::test]
async fn a_redis_that_becomes_slow_is_not_waited_for() {
    let redis = TestRedis::start().await;
    let proxy = Proxy::to(redis.port()).await;
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let instance = Instance::start(&url, 1_000_000, 2);
    instance.is_fit(true).await;
    under_load(&instance, async {
        // A little, on the way to it.
        proxy.slow_by(Duration::from_millis(60));
        instance.is_fit(false).await;
        assert_eq!(instance.places().await, 200);
        proxy.slow_by(Duration::ZERO);
        instance.is_fit(true).await;
        // And so much that it might as well be away.
        redis.say(&["CLIENT", "PAUSE", "1500", "ALL"]).await;
        instance.is_fit(false).await;
        instance.is_fit(true).await;
        proxy.sever();
        instance.is_fit(false).await;
        instance.is_fit(true).await;
    })
    .await;
}

/// The address leads to another server, which has every count of the first.
#[tokio::test]
async fn a_redis_that_fails_over_fails_no_request_and_forgets_nothing() {
    let (first, second) = (TestRedis::start().await, TestRedis::start().await);
    second.follow(&first).await;
    let proxy = Proxy::to(first.port()).await;
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let instance = Instance::start(&url, 1_000_000, 2);
    instance.is_fit(true).await;
    let counts = async |redis: &TestRedis| redis.say(&["EXISTS", PLACED]).await == "1";
    assert_eq!(instance.places().await, 200);
    eventually("the count to be copied", BOUND, || async {
        let copied = counts(&second).await;
        copied.then_some(()).ok_or("not yet")
    })
    .await;
    under_load(&instance, async {
        // In order: the replica leads, the first one follows it, and connections stay there.
        second.lead().await;
        first.follow(&second).await;
        instance.is_fit(false).await;
        proxy.lead_to(second.port());
        instance.is_fit(true).await;
        assert!(counts(&second).await, "the count came along");
        // And after a crash.
        second.kill().await;
        instance.is_fit(false).await;
        first.lead().await;
        proxy.lead_to(first.port());
        instance.is_fit(true).await;
        assert!(counts(&first).await, "the count came back");
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_becomes_a_replica_is_emptied_or_loses_its_clients_fails_no_request() {
    let redis = TestRedis::start().await;
    let instance = Instance::start(&redis.url(), 1_000_000, 2);
    instance.is_fit(true).await;
    under_load(&instance, async {
        redis.say(&["REPLICAOF", "127.0.0.1", "1"]).await;
        instance.is_fit(false).await;
        assert_eq!(instance.places().await, 200);
        redis.say(&["REPLICAOF", "NO", "ONE"]).await;
        instance.is_fit(true).await;

        redis.say(&["FLUSHALL"]).await;
        redis.say(&["SCRIPT", "FLUSH"]).await;
        redis.say(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        // What was cut off is connected again.
        eventually("a shared count", BOUND, async || {
            match redis.say(&["EXISTS", ASKED]).await.as_str() {
                "1" => Ok(()),
                other => Err(other.to_owned()),
            }
        })
        .await;
        instance.is_fit(true).await;
    })
    .await;
}

#[tokio::test]
async fn a_count_that_is_no_number_is_not_taken_for_one() {
    let redis = TestRedis::start().await;
    let instance = Instance::start(&redis.url(), 0, 1);
    instance.is_fit(true).await;
    redis.say(&["SET", PLACED, "odd"]).await;
    assert_eq!(instance.places().await, 200);
}

#[test]
fn what_the_process_decides_though_it_should_not_is_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let instance = Instance::start("redis://127.0.0.1:1", 0, 2);
            assert_eq!(instance.places().await, 200);
            assert_eq!(instance.places().await, 200);
            assert_eq!(instance.places().await, 429);
        });
    });
    let text = recorder.handle().render();
    for line in [
        r#"atlas_rate_limit_fallbacks_total{reason="away"} 3"#,
        r#"atlas_rate_limited_total{policy="placing"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}

#[test]
fn only_a_url_of_redis_is_one() {
    for url in ["", "127.0.0.1:6379", "http://127.0.0.1", "redis://"] {
        assert!(SharedBuckets::at(url).is_err(), "{url}");
    }
}
