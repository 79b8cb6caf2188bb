//! A workshop walks its inbox and answers what it finds, while others invite it, invite it again and
//! edit what they ask for: what was pending throughout comes exactly once.

use std::collections::BTreeMap;

use reqwest::Client;
use serde_json::{Value, json};

use crate::commission::{Party, offer};
use crate::system::System;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
const PENDING: usize = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pending_throughout_a_walk_comes_exactly_once() {
    let system = System::start(NO_KAFKA).await;
    let [app, other] = &system.commands;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = [Party::new("workshop", &client)];
    let [maker] = &workshops;
    operator.register(app, &workshops).await;
    let nothing = json!({});

    let mut pending = Vec::new();
    // Each of these was declined, and is invited to again during the walk.
    let mut declined = Vec::new();
    let mut last = Value::Null;
    for number in 0..PENDING {
        pending.push(commissioner.place(app, &workshops).await);
        let order = commissioner.place(app, &workshops).await;
        let decline = format!("/v1/orders/{order}/invitations/{}/decline", maker.id);
        last = maker.post(app, &decline, &nothing).await.ok();
        if number % 2 == 0 {
            declined.push(order);
        }
    }

    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut cursor = String::new();
    for turn in 0_usize.. {
        let page = format!("/v1/invitations?status=pending&limit=2{cursor}");
        let least = [("atlas-min-position", last["position"].as_str().unwrap())];
        let page = maker.get(&system.query, &page, &least).await.ok();
        for item in page["items"].as_array().unwrap() {
            let order = item["orderId"].as_str().unwrap();
            *seen.entry(order.to_owned()).or_default() += 1;
            let (answer, body) = match turn % 2 {
                0 => (format!("offers/{}", maker.id), offer()),
                _ => (format!("invitations/{}/decline", maker.id), nothing.clone()),
            };
            let path = format!("/v1/orders/{order}/{answer}");
            last = match turn % 2 {
                0 => maker.put(other, &path, &body).await.ok(),
                _ => maker.post(other, &path, &body).await.ok(),
            };
        }
        let Some(next) = page["nextCursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        commissioner.place(app, &workshops).await;
        if let Some(again) = declined.pop() {
            let path = format!("/v1/orders/{again}/invitations");
            let invited = json!({ "workshops": [maker.id] });
            last = commissioner.post(app, &path, &invited).await.ok();
        }
        let edited = pending.iter().find(|order| !seen.contains_key(*order));
        if let Some(edited) = edited {
            let path = format!("/v1/orders/{edited}/request");
            let title = json!({ "title": format!("A desk, thought of {turn} times") });
            last = commissioner.patch(other, &path, &title).await.ok();
        }
    }
    for order in &pending {
        assert_eq!(seen.get(order), Some(&1), "{order} in {seen:?}");
    }
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}
