//! Serving, and the end that a signal brings.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rustix::process::{Signal, getpid, kill_process};
use service_runtime::{Health, Lifecycle, Metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

const BOUND: Duration = Duration::from_secs(10);

async fn request(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The only test of this binary that sends a signal, for it reaches the whole process.
#[tokio::test]
async fn a_signal_lets_requests_under_way_be_answered_and_takes_no_new_ones() {
    let lifecycle = Lifecycle::start().unwrap();
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        async move || {
            entered.notify_one();
            leave.notified().await;
            "answered"
        }
    };
    let mut health = Health::default();
    health.require("postgres").up();
    let metrics = Metrics::install().unwrap();
    metrics::histogram!("atlas_test_seconds").record(0.2);
    let router = Router::new()
        .route("/slow", get(slow))
        .merge(health.router(metrics));
    let any = ([127, 0, 0, 1], 0).into();
    let address = lifecycle.tasks().serve("http", any, router).await.unwrap();
    let finish = lifecycle.tasks().finish();
    let run = tokio::spawn(lifecycle.run());

    assert!(
        request(address, "/health/live")
            .await
            .starts_with("HTTP/1.1 200")
    );
    let ready = request(address, "/health/ready").await;
    assert!(ready.contains(r#""status":"ready""#), "{ready}");
    let metrics = request(address, "/metrics").await;
    let bucket = r#"atlas_test_seconds_bucket{le="0.27"} 1"#;
    assert!(
        metrics.contains(bucket) && metrics.contains("text/plain"),
        "{metrics}"
    );

    let under_way = tokio::spawn(request(address, "/slow"));
    entered.notified().await;
    kill_process(getpid(), Signal::TERM).unwrap();
    finish.cancelled().await;
    leave.notify_one();
    assert!(under_way.await.unwrap().ends_with("answered"));
    let code = tokio::time::timeout(BOUND, run).await.unwrap().unwrap();
    assert_eq!(code, ExitCode::SUCCESS);
    TcpStream::connect(address)
        .await
        .expect_err("nobody listens any more");
}
