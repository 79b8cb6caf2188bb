//! Every instant that an answer bears, sent back as it stands as `at`, gives the newest version that
//! bears it.

use std::collections::BTreeMap;

use reqwest::Client;
use serde_json::{Value, json};

use crate::commission::{Party, offer};
use crate::system::System;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
/// The members of answers that say when something happened to the order.
const WHEN: [&str; 6] = [
    "completedAt",
    "createdAt",
    "invitedAt",
    "occurredAt",
    "openedAt",
    "since",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instant_of_an_answer_names_the_newest_version_that_bears_it() {
    let system = System::start(NO_KAFKA).await;
    let app = &system.commands[0];
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = [Party::new("workshop", &client)];
    let [maker] = &workshops;
    operator.register(app, &workshops).await;
    let order = commissioner.place(app, &workshops).await;
    let path = |tail: &str| format!("/v1/orders/{order}{tail}");
    let (nothing, reason) = (json!({}), json!({ "reason": "It is late." }));
    let offers = format!("/offers/{}", maker.id);
    maker.put(app, &path(&offers), &offer()).await.ok();
    let confirm = path(&format!("{offers}/confirm"));
    commissioner.post(app, &confirm, &nothing).await.ok();
    let complete = path("/stages/1/complete");
    maker.post(app, &complete, &nothing).await.ok();
    let approve = path("/stages/1/approve");
    commissioner.post(app, &approve, &nothing).await.ok();
    let last = commissioner.post(app, &path("/cancel"), &reason).await.ok();

    let least = [("atlas-min-position", last["position"].as_str().unwrap())];
    let read = async |path: String| commissioner.get(&system.query, &path, &least).await.ok();
    let timeline = read(path("/timeline")).await;
    let mut newest = BTreeMap::new();
    for fact in timeline["items"].as_array().unwrap() {
        let at = fact["occurredAt"].as_str().unwrap().to_owned();
        newest.insert(at, fact["version"].clone());
    }
    assert!(newest.len() >= 5, "{newest:?}");
    let mut instants = Vec::new();
    for answer in [
        timeline,
        read(path("")).await,
        read(path("/situation")).await,
        read("/v1/orders".to_owned()).await,
        read(path("/as-of?version=2")).await,
    ] {
        collect(&answer, &mut instants);
    }
    for (name, instant) in &instants {
        let then = read(path(&format!("/as-of?at={instant}"))).await;
        assert_eq!(
            Some(&then["version"]),
            newest.get(instant),
            "{name} {instant}"
        );
        assert_eq!(then["asOf"]["at"], *instant, "as it was asked for");
    }
    let names = |wanted: &str| instants.iter().any(|(name, _)| name == wanted);
    assert!(WHEN.iter().all(|name| names(name)), "{instants:?}");
}

/// Every instant of an answer, by the name that it has there.
fn collect(answer: &Value, instants: &mut Vec<(String, String)>) {
    match answer {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(instant) if WHEN.contains(&name.as_str()) || name == "updatedAt" => {
                        instants.push((name.clone(), instant.to_owned()));
                    }
                    _ => collect(value, instants),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, instants)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
