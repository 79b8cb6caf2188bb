//! Two command APIs behind a balancer, restarted one after the other under load.

use std::time::{Duration, Instant};

use dev_servers::Signal;
use test_support::TestGateway;

use crate::load::Load;
use crate::system::System;

/// Nobody listens there: commands need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_no_request_and_sends_none_twice() {
    let mut system = System::start_with(NO_KAFKA, &[("ATLAS_DRAIN_MS", "1000")]).await;
    let ports: Vec<u16> = system.commands.iter().map(|app| app.port()).collect();
    let gateway = TestGateway::balancing(&ports).await;
    let door = system.commands[0].behind(&gateway.urls()[0]);
    // Whatever is answered but success, and every connection that fails, ends the load by a panic.
    let load = Load::start(&[door], None, Duration::from_millis(100)).await;
    load.until(100).await;
    let (before, started) = (load.commands(), Instant::now());
    for app in &mut system.commands {
        app.signal(Signal::TERM);
        app.until(false).await;
        app.ended().await;
        app.start();
        app.until(true).await;
    }
    let (commands, took) = (load.commands() - before, started.elapsed());
    println!("{commands} commands during a rolling restart of {took:?}");
    assert!(commands > 100, "{commands}");
    let commissions = load.stop().await;
    let pool = system.database.pool_app().await;
    // None was placed but by somebody who was told so.
    let placed: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT aggregate_id) FROM store.events WHERE aggregate_type = 'order'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(usize::try_from(placed).unwrap(), commissions);
}
