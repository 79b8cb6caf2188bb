//! What the buckets of durations say is what a client measures.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use futures::future::join_all;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::app::{edge, with_state};

/// What is off by less is as good as the buckets are.
const TOLERANCE: f64 = 0.4;
/// A machine with other things to do may hold the client up, and not the server, now and again.
const ROUNDS: usize = 5;

/// Somebody who answers after 3 ms and after 400.
struct Server {
    url: String,
    recorded: PrometheusHandle,
    thread: std::thread::JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Server {
    /// It has a thread to itself, and what is recorded there.
    async fn start() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets(instruments::DURATIONS)
            .unwrap()
            .build_recorder();
        let recorded = recorder.handle();
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let after = |millis| {
                move || async move { tokio::time::sleep(Duration::from_millis(millis)).await }
            };
            let routes = Router::new()
                .route("/quick", get(after(3)))
                .route("/slow", get(after(400)));
            let app = edge().around(with_state(routes), Router::new());
            metrics::with_local_recorder(&recorder, || {
                runtime.block_on(async move {
                    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    tell.send(listener.local_addr().unwrap()).unwrap();
                    let stopped = async move { stopped.await.unwrap() };
                    let serving = axum::serve(listener, app).with_graceful_shutdown(stopped);
                    serving.await.unwrap();
                });
            });
        });
        Self {
            url: format!("http://{}", told.await.unwrap()),
            recorded,
            thread,
            stop,
        }
    }

    /// The upper bound of each bucket of a route, with how many lay at or below it.
    fn buckets(&self, route: &str) -> Vec<(f64, f64)> {
        let series = format!("route=\"{route}\"");
        let text = self.recorded.render();
        let lines = text.lines().filter(|line| {
            line.starts_with("atlas_http_request_seconds_bucket{") && line.contains(&series)
        });
        lines
            .map(|line| {
                let (series, count) = line.rsplit_once(' ').unwrap();
                let (_, bound) = series.rsplit_once("le=\"").unwrap();
                let bound = bound.trim_end_matches("\"}").replace("+Inf", "inf");
                (bound.parse().unwrap(), count.parse().unwrap())
            })
            .collect()
    }

    fn end(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

/// As Prometheus estimates it: evenly within the bucket.
fn estimated(quantile: f64, before: &[(f64, f64)], after: &[(f64, f64)]) -> f64 {
    let earlier = |index: usize| before.get(index).map_or(0.0, |(_, count)| *count);
    let counts: Vec<(f64, f64)> = after
        .iter()
        .enumerate()
        .map(|(index, (bound, count))| (*bound, count - earlier(index)))
        .collect();
    let rank = quantile * counts.last().unwrap().1;
    let (mut low, mut below) = (0.0, 0.0);
    for (bound, count) in counts {
        if count >= rank {
            return low + (bound - low) * (rank - below) / (count - below);
        }
        (low, below) = (bound, count);
    }
    low
}

fn measured(quantile: f64, times: &[Duration]) -> f64 {
    let mut seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    seconds.sort_by(f64::total_cmp);
    let rank = (quantile * seconds.len() as f64).ceil() as usize;
    seconds[rank - 1]
}

/// Asks so often, so many at once, and returns how long each took.
async fn ask(url: &str, times: usize, at_once: usize) -> Vec<Duration> {
    let client = reqwest::Client::new();
    let mut took = Vec::new();
    for _ in 0..times / at_once {
        let asked = (0..at_once).map(async |_| {
            let started = Instant::now();
            let answer = client.get(url).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            started.elapsed()
        });
        took.extend(join_all(asked).await);
    }
    took
}

#[tokio::test]
async fn p50_and_p99_are_what_a_client_measures_at_3_and_at_400_milliseconds() {
    let server = Server::start().await;
    for (route, times, at_once) in [("/quick", 200, 1), ("/slow", 40, 20)] {
        let url = format!("{}{route}", server.url);
        // Its connections are made.
        ask(&url, at_once, at_once).await;
        let mut seen = Vec::new();
        let agree = async {
            for _ in 0..ROUNDS {
                let before = server.buckets(route);
                let took = ask(&url, times, at_once).await;
                let after = server.buckets(route);
                let off = [0.5, 0.99].map(|quantile| {
                    let (ours, theirs) = (
                        estimated(quantile, &before, &after),
                        measured(quantile, &took),
                    );
                    seen.push(format!("p{quantile}: {ours:.4} s, client {theirs:.4} s"));
                    (ours - theirs).abs() / theirs
                });
                if off.iter().all(|off| *off < TOLERANCE) {
                    return true;
                }
            }
            false
        };
        assert!(agree.await, "{route}: {seen:?}");
        println!("{route}: {seen:?}");
    }
    server.end();
}
