//! Many at once: on one order, and for one version.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::commission::{Party, offer};
use crate::system::System;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
const SEATS: usize = 20;
const RACES: usize = 300;

fn parties(role: &str, count: usize, client: &Client) -> Vec<Party> {
    (0..count).map(|_| Party::new(role, client)).collect()
}

/// All workshops answer at once, every other one through the other process.
async fn answer_all_at_once(system: &System, order: &str, workshops: &[Party]) -> Vec<Value> {
    let answers = workshops.iter().enumerate().map(|(number, workshop)| {
        let app = &system.commands[number % 2];
        let (id, order) = (workshop.id, order.to_owned());
        async move {
            if number % 3 == 0 {
                let path = format!("/v1/orders/{order}/invitations/{id}/decline");
                workshop.post(app, &path, &json!({})).await.ok()
            } else {
                let path = format!("/v1/orders/{order}/offers/{id}");
                workshop.put(app, &path, &offer()).await.ok()
            }
        }
    });
    futures::future::join_all(answers).await
}

/// What a race for one version came to.
struct Race<'a> {
    /// The winner's position.
    position: String,
    loser: &'a Party,
}

/// Two workshops, through two processes, want the same version: one gets it.
async fn race<'a>(system: &System, order: &str, pair: [&'a Party; 2], version: i64) -> Race<'a> {
    let tag = format!("\"{version}\"");
    let runs = pair.iter().zip(&system.commands).map(|(workshop, app)| {
        let path = format!("/v1/orders/{order}/invitations/{}/decline", workshop.id);
        let tag = tag.clone();
        async move {
            let headers = [("if-match", tag.as_str())];
            workshop
                .send(app, Method::POST, &path, &headers, &json!({}))
                .await
                .unwrap()
        }
    });
    let [first, second] = <[_; 2]>::try_from(futures::future::join_all(runs).await).unwrap();
    let (won, lost, loser) = if first.status.is_success() {
        (first, second, pair[1])
    } else {
        (second, first, pair[0])
    };
    assert_eq!(lost.status, StatusCode::PRECONDITION_FAILED, "{lost:?}");
    Race {
        position: won.ok()["position"].as_str().unwrap().to_owned(),
        loser,
    }
}

/// A read that waits for `position` is answered in under two seconds, and nothing lags.
async fn read_at(system: &System, reader: &Party, order: &str, position: &str) -> Value {
    let started = Instant::now();
    let headers = [("atlas-min-position", position)];
    let answer = reader
        .get(&system.query, &format!("/v1/orders/{order}"), &headers)
        .await;
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(answer.lag.as_deref(), Some("0"), "{answer:?}");
    answer.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_workshops_answer_at_once_and_races_leave_no_lag() {
    let system = System::start(NO_KAFKA).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = parties("workshop", SEATS, &client);
    operator.register(&system.commands[0], &workshops).await;

    let order = commissioner.place(&system.commands[0], &workshops).await;
    let answers = answer_all_at_once(&system, &order, &workshops).await;
    let mut versions: Vec<_> = answers
        .iter()
        .map(|a| a["version"].as_i64().unwrap())
        .collect();
    versions.sort_unstable();
    // The last answer closes the round, with a fact of its own.
    let mut expected: Vec<i64> = (2..=20).collect();
    expected.push(22);
    assert_eq!(versions, expected);

    let (mut races, mut position) = (0, String::new());
    let mut last = order;
    while races < RACES {
        last = commissioner
            .place(&system.commands[races % 2], &workshops)
            .await;
        let mut contender = &workshops[0];
        for (version, next) in (1..).zip(&workshops[1..]) {
            let race = race(&system, &last, [contender, next], version).await;
            (position, contender) = (race.position, race.loser);
            races += 1;
        }
    }
    let detail = read_at(&system, &commissioner, &last, &position).await;
    assert_eq!(detail["version"], json!(SEATS));

    system.crash_postgres().await;
    let read = read_at(&system, &commissioner, &last, &position).await;
    assert_eq!(read["version"], json!(SEATS));
    let next = commissioner.place(&system.commands[0], &workshops).await;
    let answered = answer_all_at_once(&system, &next, &workshops).await;
    let last_position = answered
        .iter()
        .max_by_key(|a| a["version"].as_i64())
        .unwrap();
    let position = last_position["position"].as_str().unwrap();
    read_at(&system, &commissioner, &next, position).await;
}
