//! The situation of an order, proved by doing over HTTP: in every state of some lives, whatever
//! everybody is told to be refused is refused with that code, and what they may do is done.

use std::collections::BTreeSet;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::commission::{Party, offer, placement};
use crate::system::System;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
/// How many lives are led, and how long one is at most.
const LIVES: u64 = 6;
const STEPS: u64 = 14;

#[tokio::test(flavor = "multi_thread")]
async fn what_everybody_is_told_of_a_command_is_what_becomes_of_it() {
    let system = System::start(NO_KAFKA).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops: Vec<_> = (0..2 + LIVES + STEPS)
        .map(|_| Party::new("workshop", &client))
        .collect();
    let app = &system.commands[0];
    operator.register(app, &workshops).await;
    let parties = [&commissioner, &workshops[0], &workshops[1], &operator];
    let mut done = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for life in 0..LIVES {
        let invited = [workshops[0].id, workshops[1].id];
        let answer = commissioner
            .post(app, "/v1/orders", &placement(&invited))
            .await;
        let mut order = answer.ok();
        let placed = order["orderId"].as_str().unwrap().to_owned();
        let mut position = order["position"].as_str().unwrap().to_owned();
        for step in 0..STEPS {
            let mut possible = Vec::new();
            for party in parties {
                let least = [("atlas-min-position", position.as_str())];
                let path = format!("/v1/orders/{placed}/situation");
                let situation = party.get(&system.query, &path, &least).await.ok();
                for command in situation["commands"].as_array().unwrap() {
                    if command["allowed"] == true {
                        possible.push((party, command.clone()));
                        continue;
                    }
                    let answer = send(party, &system, command, life + step, &workshops).await;
                    assert_eq!(answer["code"], command["code"], "{command}: {answer}");
                    assert_eq!(answer["detail"], command["detail"], "{command}: {answer}");
                    let name = command["command"].as_str().unwrap();
                    refused.insert((name.to_owned(), answer["code"].to_string()));
                }
            }
            // Another choice in each life; an end is put off while there are others.
            let ends = |it: &Value| it["command"] == "CancelOrder" && life % 3 != 0;
            let pick = |all: &[(&Party, Value)]| {
                let number = usize::try_from(life * 5 + step * 3).unwrap();
                let others = all.iter().filter(|(_, it)| !ends(it)).count();
                let chosen = all.iter().filter(|(_, it)| others == 0 || !ends(it));
                chosen
                    .cycle()
                    .nth(number)
                    .map(|(party, it)| ((*party).clone(), it.clone()))
            };
            let Some((party, command)) = pick(&possible) else {
                break;
            };
            let answer = send(&party, &system, &command, life + step, &workshops).await;
            assert!(answer["code"].is_null(), "{command}: {answer}");
            done.insert(command["command"].as_str().unwrap().to_owned());
            position = answer["position"].as_str().unwrap().to_owned();
            order = answer;
        }
        assert!(order["version"].as_i64() > Some(2), "{order}");
    }
    assert!(done.len() >= 6, "{done:?}");
    assert!(refused.len() >= 15, "{refused:?}");
}

/// Gives a command as its situation says, with words that are legal.
async fn send(
    party: &Party,
    system: &System,
    command: &Value,
    number: u64,
    workshops: &[Party],
) -> Value {
    let mut terms = offer();
    terms["description"] = json!(format!("Solid oak, oiled {number} times."));
    let body = match command["command"].as_str().unwrap() {
        "EditRequest" => json!({ "title": format!("A desk, thought of {number} times") }),
        "InviteWorkshops" => {
            // One that has no seat yet: each step of a life has a number of its own.
            let fresh = usize::try_from(2 + number).unwrap();
            json!({ "workshops": [workshops[fresh].id] })
        }
        "SubmitOffer" | "ReviseOffer" => terms,
        "RequestStageChanges" => json!({ "note": "Rounder." }),
        "CancelOrder" => json!({ "reason": "Moved." }),
        "ResolveDispute" => json!({ "resolution": "resume", "note": "Both were heard." }),
        _ => json!({}),
    };
    let method = Method::from_bytes(command["method"].as_str().unwrap().as_bytes()).unwrap();
    let path = command["path"].as_str().unwrap();
    let answer = party
        .send(&system.commands[1], method, path, &[], &body)
        .await;
    answer.unwrap().body
}
