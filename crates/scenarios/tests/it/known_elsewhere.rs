//! Troubles that other systems are known for, and that must not be had here: edits of different
//! fields that overwrite one another, and a step that two take at once.

use std::collections::BTreeSet;
use std::pin::Pin;

use reqwest::Client;
use serde_json::{Value, json};

use crate::commission::{Answer, Party, offer};
use crate::system::System;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
const ROUNDS: usize = 25;

type Sending<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

/// Reads what has come of everything up to the last of these answers.
async fn read_after(system: &System, reader: &Party, path: &str, answers: &[Value]) -> Value {
    let last = answers
        .iter()
        .max_by_key(|answer| answer["version"].as_i64());
    let position = last.unwrap()["position"].as_str().unwrap();
    let headers = [("atlas-min-position", position)];
    reader.get(&system.query, path, &headers).await.ok()
}

fn names(timeline: &Value) -> Vec<&str> {
    let items = timeline["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["event"].as_str().unwrap())
        .collect()
}

/// Four edits of four fields, two invitations and two offers at once, through two processes.
async fn change_everything_at_once(
    system: &System,
    commissioner: &Party,
    workshops: &[Party],
    order: &str,
) -> Vec<Value> {
    let request = format!("/v1/orders/{order}/request");
    let invitations = format!("/v1/orders/{order}/invitations");
    let edits = [
        json!({ "title": "A standing desk" }),
        json!({ "brief": "Ash, for two screens." }),
        json!({ "budget": { "amount": "2600.00", "currency": "EUR" } }),
        json!({ "deadline": "9000-06-01T00:00:00Z" }),
    ];
    let invited = [&workshops[3], &workshops[4]].map(|w| json!({ "workshops": [w.id] }));
    let mut sending: Vec<Sending<'_>> = Vec::new();
    for (number, edit) in edits.iter().enumerate() {
        let app = &system.commands[number % 2];
        sending.push(Box::pin(commissioner.patch(app, &request, edit)));
    }
    for (app, invited) in system.commands.iter().zip(&invited) {
        sending.push(Box::pin(commissioner.post(app, &invitations, invited)));
    }
    for (app, workshop) in system.commands.iter().zip(workshops) {
        sending.push(Box::pin(async move {
            let path = format!("/v1/orders/{order}/offers/{}", workshop.id);
            workshop.put(app, &path, &offer()).await
        }));
    }
    let answers = futures::future::join_all(sending).await;
    answers.into_iter().map(Answer::ok).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_of_changes_that_come_at_once() {
    let system = System::start(NO_KAFKA).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let workshops: Vec<_> = (0..5).map(|_| Party::new("workshop", &client)).collect();
    operator.register(&system.commands[0], &workshops).await;

    for _ in 0..ROUNDS {
        // The third of them never answers, so that no round is closed.
        let commissioner = Party::new("commissioner", &client);
        let order = commissioner
            .place(&system.commands[0], &workshops[..3])
            .await;
        let answers = change_everything_at_once(&system, &commissioner, &workshops, &order).await;

        let versions: BTreeSet<_> = answers.iter().map(|a| a["version"].as_i64()).collect();
        let expected: BTreeSet<_> = (2..=9).map(Some).collect();
        assert_eq!(versions, expected, "eight commands, a fact each");
        let path = format!("/v1/orders/{order}");
        let detail = read_after(&system, &commissioner, &path, &answers).await;
        assert_eq!(detail["version"], 9);
        assert_eq!(
            detail["request"],
            json!({
                "title": "A standing desk",
                "brief": "Ash, for two screens.",
                "budget": { "amount": "2600.00", "currency": "EUR" },
                "deadline": "9000-06-01T00:00:00Z",
                "revision": 5,
            })
        );
        let seats = detail["invitations"].as_array().unwrap();
        let statuses: Vec<_> = seats.iter().map(|seat| &seat["status"]).collect();
        assert_eq!(
            statuses,
            ["offered", "offered", "pending", "pending", "pending"]
        );

        let path = format!("{path}/timeline");
        let timeline = read_after(&system, &commissioner, &path, &answers).await;
        let mut names = names(&timeline);
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "OfferSubmitted",
                "OfferSubmitted",
                "OrderPlaced",
                "RequestEdited",
                "RequestEdited",
                "RequestEdited",
                "RequestEdited",
                "WorkshopsInvited",
                "WorkshopsInvited",
            ]
        );
    }
}

/// The body of an offer whose stages need approval or do not.
fn offer_in_stages(blocking: &[bool]) -> Value {
    let stages = blocking.iter().enumerate().map(|(number, blocking)| {
        json!({
            "name": format!("Stage {number}"), "description": "A part of it.",
            "requiresApproval": blocking,
        })
    });
    let mut offer = offer();
    offer["stages"] = stages.collect();
    offer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_two_complete_at_once_is_completed_once() {
    let system = System::start(NO_KAFKA).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let workshops = [Party::new("workshop", &client)];
    let maker = &workshops[0];
    operator.register(&system.commands[0], &workshops).await;

    for round in 0..ROUNDS {
        let commissioner = Party::new("commissioner", &client);
        let app = &system.commands[round % 2];
        let order = commissioner.place(app, &workshops).await;
        let path = format!("/v1/orders/{order}");
        let offers = format!("{path}/offers/{}", maker.id);
        maker
            .put(app, &offers, &offer_in_stages(&[false, true, false]))
            .await
            .ok();
        commissioner
            .post(app, &format!("{offers}/confirm"), &json!({}))
            .await
            .ok();

        let refusals = [
            ("NOT_CURRENT_STAGE", json!(2)),
            ("STAGE_AWAITING_APPROVAL", json!(2)),
            ("ILLEGAL_TRANSITION", Value::Null),
        ];
        let mut won = Vec::new();
        for (stage, (code, current)) in (1..).zip(refusals) {
            let complete = format!("{path}/stages/{stage}/complete");
            let (body, [first, second]) = (json!({}), &system.commands);
            let (first, second) = tokio::join!(
                maker.post(first, &complete, &body),
                maker.post(second, &complete, &body)
            );
            let (winner, loser) = if first.status.is_success() {
                (first, second)
            } else {
                (second, first)
            };
            assert_eq!(loser.code(), code, "stage {stage}");
            assert_eq!(loser.body["currentStage"], current);
            won.push(winner.ok());
            if code == "STAGE_AWAITING_APPROVAL" {
                let approve = format!("{path}/stages/{stage}/approve");
                commissioner.post(app, &approve, &json!({})).await.ok();
            }
        }
        let timeline = read_after(&system, &commissioner, &format!("{path}/timeline"), &won).await;
        assert_eq!(
            names(&timeline)[4..],
            [
                "StageMarkedComplete",
                "StageMarkedComplete",
                "StageApproved",
                "StageMarkedComplete",
                "OrderFinished",
            ]
        );
    }
}
