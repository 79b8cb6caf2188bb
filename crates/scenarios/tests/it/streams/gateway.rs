//! Behind nginx as it is shipped, with gzip on, which holds back what it likes unless it is told not to.

use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use serde_json::json;
use test_support::TestGateway;

use super::follower::Connection;
use crate::commission::Party;
use crate::system::System;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
const EDITS: usize = 20;
const LONGEST: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_frame_is_there_within_a_second() {
    let system = System::start(NO_KAFKA).await;
    let port = Url::parse(&system.query.url("/")).unwrap().port().unwrap();
    let gateway = TestGateway::as_shipped(&[port]).await;
    let plain = Client::new();
    let operator = Party::new("operator", &plain);
    let commissioner = Party::new("commissioner", &plain);
    let workshops = [Party::new("workshop", &plain)];
    let app = &system.commands[0];
    operator.register(app, &workshops).await;
    let order = commissioner.place(app, &workshops).await;

    let url = format!("{}/v1/orders/{order}/timeline", gateway.urls()[0]);
    let since = format!("{url}?since=2000-01-01T00:00:00Z");
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("accept-encoding", "gzip".parse().unwrap());
    let client = Client::builder().default_headers(headers).build().unwrap();
    let mut stream = Connection::open(&client, &since, &commissioner.token, None)
        .await
        .unwrap();
    assert_eq!(stream.until_caught_up().await.len(), 1);
    let mut slowest = Duration::ZERO;
    for edit in 0..EDITS {
        let title = json!({ "title": format!("A desk, thought of {edit} times") });
        let path = format!("/v1/orders/{order}/request");
        commissioner.patch(app, &path, &title).await.ok();
        let committed = Instant::now();
        let told = stream.until_caught_up().await;
        slowest = slowest.max(committed.elapsed());
        assert_eq!(told[0]["data"]["request"]["title"], title["title"]);
    }
    println!("the slowest of {EDITS} frames after {slowest:?}");
    assert!(slowest < LONGEST, "{slowest:?}");
}
