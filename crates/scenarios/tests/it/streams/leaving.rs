//! A server with many streams and many idle connections is told to leave: it is gone in time, and
//! every stream goes on elsewhere without a loss.

use std::time::{Duration, Instant};

use dev_servers::Signal;
use futures::future::join_all;
use reqwest::{Client, Url};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::follower::Connection;
use crate::commission::Party;
use crate::system::System;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
const STREAMS: usize = 500;
const IDLE: usize = 500;
/// As many as one principal may have.
const OF_ONE: usize = 8;
/// For how long it drains, and how much longer it may take.
const DRAIN_MS: &str = "1000";
const DRAIN: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_leaves_is_gone_in_time_and_its_streams_go_on_elsewhere() {
    let mut system = System::start_with(NO_KAFKA, &[("ATLAS_DRAIN_MS", DRAIN_MS)]).await;
    let mut other = system.another_query();
    other.start();
    other.until(true).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = [Party::new("workshop", &client)];
    operator.register(&system.commands[0], &workshops).await;
    let place = async |system: &System| commissioner.place(&system.commands[0], &workshops).await;
    place(&system).await;

    let idle = join_all((0..IDLE).map(|_| idle_connection(&system))).await;
    let people: Vec<_> = (0..STREAMS.div_ceil(OF_ONE))
        .map(|_| Party::new("operator", &client))
        .collect();
    let url = system.query.url("/v1/orders");
    let since = format!("{url}?since=2000-01-01T00:00:00Z");
    let open = (0..STREAMS).map(|number| {
        let token = &people[number / OF_ONE].token;
        Connection::open(&client, &since, token, None)
    });
    let opened = join_all(open).await.into_iter();
    let mut streams: Vec<_> = opened.map(Result::unwrap).collect();
    for stream in &mut streams {
        assert_eq!(stream.until_caught_up().await.len(), 1);
    }

    let told = Instant::now();
    system.query.signal(Signal::TERM);
    // While it leaves somebody writes.
    let during = place(&system).await;
    let ends = streams.iter_mut().map(until_moved);
    let (before_end, ()) = tokio::join!(join_all(ends), system.query.ended());
    let took = told.elapsed();
    println!("gone after {took:?}");
    assert!(took < DRAIN + LATEST, "{took:?}");
    drop(idle);

    let after = place(&system).await;
    let url = other.url("/v1/orders");
    let resume = streams.iter().enumerate().map(|(number, stream)| {
        let token = &people[number / OF_ONE].token;
        let last_id = stream.last_id();
        let (client, url) = (&client, &url);
        async move { Connection::open(client, url, token, last_id.as_deref()).await }
    });
    let resumed = join_all(resume).await;
    for (mut stream, mut told) in resumed.into_iter().map(Result::unwrap).zip(before_end) {
        while told.len() < 2 {
            told.extend(stream.until_caught_up().await);
        }
        let orders: Vec<_> = told.iter().map(|item| &item["orderId"]).collect();
        assert_eq!(orders, [&during, &after]);
    }
}

/// A connection that is kept after a request.
async fn idle_connection(system: &System) -> TcpStream {
    let url = Url::parse(&system.query.url("/")).unwrap();
    let mut connection = TcpStream::connect(("127.0.0.1", url.port().unwrap()))
        .await
        .unwrap();
    let request = b"GET /health/live HTTP/1.1\r\nhost: test\r\n\r\n";
    connection.write_all(request).await.unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    connection
}

/// The items up to where the server says that it leaves.
async fn until_moved(stream: &mut Connection) -> Vec<Value> {
    let mut items = Vec::new();
    loop {
        let frame = stream.next().await.unwrap();
        match frame.event.as_str() {
            "message" => items.push(frame.data["item"].clone()),
            "caught-up" => {}
            "moved" => return items,
            other => panic!("{other}"),
        }
    }
}
