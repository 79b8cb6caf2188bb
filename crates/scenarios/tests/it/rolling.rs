//! Two of each API behind a balancer that looks at readiness, restarted one after the other under load:
//! no request is lost, and none is sent twice.

use std::time::{Duration, Instant};

use dev_servers::Signal;
use reqwest::Client;
use test_support::TestGateway;

use crate::commission::Party;
use crate::system::{App, System};
use crate::traffic::{Asking, Rate, Traffic};

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
/// Longer than the balancer takes to be told.
const DRAIN_MS: &str = "2500";
/// 200 requests a second; one of four is a command.
const RATE: Rate = Rate {
    interval: Duration::from_millis(5),
    one_command_of: 4,
};

/// A stream asked of a process that is about to stop.
async fn is_refused_a_stream(app: &App, party: &Party) {
    let accepted = [("accept", "text/event-stream")];
    let refused = party.get(app, "/v1/orders", &accepted).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (503, "OVERLOADED")
    );
    let metrics = reqwest::get(app.url("/metrics")).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let counted = r#"atlas_http_failures_total{code="OVERLOADED"} 0"#;
    assert!(metrics.contains(counted), "it is no failure: {metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_no_request_and_sends_none_twice() {
    let mut system = System::start_with(NO_KAFKA, &[("ATLAS_DRAIN_MS", DRAIN_MS)]).await;
    let mut second_query = system.another_query();
    second_query.start();
    second_query.until(true).await;
    let commands: Vec<u16> = system.commands.iter().map(App::port).collect();
    let queries = vec![system.query.port(), second_query.port()];
    let all = [commands.clone(), queries.clone()];
    let mut gateway = TestGateway::sharing(all.to_vec()).await;
    let urls = gateway.urls();
    let behind = |app: &App, url: &str| app.at(url.trim_start_matches("http://"));

    // A gateway that reads its configuration again closes the connections that clients keep to it.
    let client = Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let commands_behind = behind(&system.commands[0], &urls[0]);
    let asking = Asking::of(client, commands_behind, behind(&system.query, &urls[1])).await;
    let traffic = Traffic::start(asking.clone(), RATE);
    traffic.goes_on_for(200).await;

    let started = Instant::now();
    let [first, second] = &mut system.commands;
    let apps = [first, second, &mut system.query, &mut second_query];
    for (number, app) in apps.into_iter().enumerate() {
        app.signal(Signal::TERM);
        app.until(false).await;
        let leaving = app.port();
        let others = all.clone().map(|of_api| {
            let others = of_api.into_iter().filter(|port| *port != leaving);
            others.collect::<Vec<_>>()
        });
        gateway.share_among(&others);
        if number > 1 {
            is_refused_a_stream(app, &asking.commissioner).await;
        }
        app.ended().await;
        app.start();
        app.until(true).await;
        gateway.share_among(&all);
        traffic.goes_on_for(50).await;
    }
    let took = started.elapsed();
    let told = traffic.stop().await;
    println!(
        "{} requests, {} of them orders, while four processes were restarted in {took:?}",
        told.requests, told.placed
    );
    assert_eq!(told.lost, Vec::<String>::new());

    let pool = system.database.pool_app().await;
    let placed: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM store.events WHERE aggregate_type = 'order' AND sequence = 1",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(
        usize::try_from(placed).unwrap(),
        told.placed,
        "each was placed once"
    );
}
