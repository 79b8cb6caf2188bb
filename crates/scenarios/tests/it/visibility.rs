//! A workshop that was not chosen, or not yet, sees an order as if it were the only one invited:
//! whatever its rivals do between two of its reads, it reads the same.

use std::collections::BTreeMap;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::commission::{Party, offer};
use crate::system::System;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
/// What only rivals and those who deal with them write, in texts and in an amount.
const MARK: &str = "not-for-rivals";
const RIVALS_PRICE: &str = "1987.65";

/// What an order's parties do, and the last position that they were told of.
struct Play<'a> {
    system: &'a System,
    operator: &'a Party,
    commissioner: Party,
    order: String,
    position: String,
    acts: usize,
}

impl Play<'_> {
    async fn act(&mut self, by: &Party, method: Method, rest: &str, body: Value) {
        // One after another, through one process and the other.
        let app = &self.system.commands[self.acts % 2];
        let path = format!("/v1/orders/{}/{rest}", self.order);
        let done = by.send(app, method, &path, &[], &body).await.unwrap().ok();
        done["position"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.position);
        self.acts += 1;
    }

    async fn offers(&mut self, by: &Party, workshop: &Party, text: &str) {
        let mut body = offer();
        body["description"] = text.into();
        if text.contains(MARK) {
            body["budget"]["amount"] = RIVALS_PRICE.into();
            body["stages"][0]["name"] = MARK.into();
        }
        self.act(by, Method::PUT, &format!("offers/{}", workshop.id), body)
            .await;
    }

    async fn posts(&mut self, by: &Party, rest: &str, body: Value) {
        self.act(by, Method::POST, rest, body).await;
    }

    async fn invites(&mut self, workshop: &Party) {
        let commissioner = self.commissioner.clone();
        let body = json!({ "workshops": [workshop.id] });
        self.posts(&commissioner, "invitations", body).await;
    }
}

/// Everything that a token can be used to read of the order, without what may tell *that* it
/// moved: its version, its last instant. `state` is left out where rivals may move that, too.
async fn read_everything(
    play: &Play<'_>,
    viewer: &Party,
    with_state: bool,
) -> BTreeMap<String, Value> {
    let order = format!("/v1/orders/{}", play.order);
    let mut open = vec![
        "/v1/orders?limit=1".to_owned(),
        format!("/v1/orders?workshopId={}", viewer.id),
        order.clone(),
        format!("{order}/as-of?version=1"),
        format!("{order}/as-of?at=8000-01-01T00:00:00Z"),
        format!("{order}/timeline"),
        format!("{order}/timeline?limit=1"),
        "/v1/invitations".to_owned(),
        "/v1/invitations?limit=1".to_owned(),
    ];
    let mut read = BTreeMap::new();
    while let Some(path) = open.pop() {
        let headers = [("atlas-min-position", play.position.as_str())];
        let mut body = viewer.get(&play.system.query, &path, &headers).await.ok();
        if let (Some(cursor), Some((list, _))) =
            (body["nextCursor"].as_str(), path.split_once("?limit=1"))
        {
            open.push(format!("{list}?limit=1&cursor={cursor}"));
        }
        leave_out_movement(&mut body, with_state);
        let mut items = body["items"].as_array_mut().into_iter().flatten();
        if !path.contains("timeline") {
            items
                .by_ref()
                .for_each(|item| leave_out_movement(item, with_state));
        }
        read.insert(path, body);
    }
    read
}

fn leave_out_movement(shown: &mut Value, with_state: bool) {
    let Some(fields) = shown.as_object_mut() else {
        return;
    };
    fields.remove("version");
    fields.remove("updatedAt");
    if let Some(moment) = fields.get_mut("asOf") {
        moment["version"] = Value::Null;
    }
    if !with_state {
        fields.remove("state");
    }
}

fn assert_nothing_of(rivals: &[&Party], read: &BTreeMap<String, Value>) {
    let shown = format!("{read:?}");
    for secret in [MARK, RIVALS_PRICE] {
        assert!(!shown.contains(secret), "{secret}: {read:#?}");
    }
    for rival in rivals {
        assert!(!shown.contains(&rival.id.to_string()), "{read:#?}");
    }
}

/// A command route with a rival in its path is refused as with a workshop that nobody invited, and
/// as where nothing of the kind has happened.
async fn assert_commands_tell_nothing(play: &Play<'_>, viewer: &Party, rivals: &[&Party]) {
    let ask = async |method: Method, rest: String, body: &Value| {
        let path = format!("/v1/orders/{}/{rest}", play.order);
        let app = &play.system.commands[0];
        let answer = viewer.send(app, method, &path, &[], body).await.unwrap();
        assert_eq!(answer.status, 403, "{path} {answer:?}");
        let mut problem = answer.body;
        problem["instance"] = Value::Null;
        problem["requestId"] = Value::Null;
        problem
    };
    let nobody = Uuid::nil();
    for rival in rivals {
        for (method, template, body) in [
            (Method::PUT, "offers/{W}", offer()),
            (Method::POST, "offers/{W}/withdraw", json!({})),
            (Method::POST, "offers/{W}/confirm", json!({})),
            (Method::POST, "invitations/{W}/decline", json!({})),
        ] {
            let of = |id: Uuid| template.replace("{W}", &id.to_string());
            let told = ask(method.clone(), of(rival.id), &body).await;
            assert_eq!(told, ask(method, of(nobody), &body).await);
        }
    }
    for (method, rest, body) in [
        (Method::PATCH, "request", json!({ "title": "Mine" })),
        (
            Method::POST,
            "invitations",
            json!({ "workshops": [nobody] }),
        ),
        (Method::POST, "stages/1/approve", json!({})),
        (
            Method::POST,
            "stages/1/request-changes",
            json!({ "note": "No." }),
        ),
        (Method::POST, "accept", json!({})),
        (Method::POST, "cancel", json!({ "reason": "No." })),
        (
            Method::POST,
            "dispute/resolve",
            json!({ "resolution": "resume", "note": "No." }),
        ),
    ] {
        ask(method, rest.to_owned(), &body).await;
    }
}

/// Where the workshop stands that looks on.
#[derive(Debug, Clone, Copy)]
enum Standing {
    Pending,
    Offered,
    Declined,
    Withdrawn,
    /// It has offered, and is the one that is confirmed in the end.
    Chosen,
}

async fn take_standing(play: &mut Play<'_>, viewer: &Party, standing: Standing) {
    match standing {
        Standing::Pending => {}
        Standing::Offered | Standing::Chosen => play.offers(viewer, viewer, "Mine.").await,
        Standing::Declined => {
            let rest = format!("invitations/{}/decline", viewer.id);
            play.posts(viewer, &rest, json!({})).await;
        }
        Standing::Withdrawn => {
            play.offers(viewer, viewer, "Mine.").await;
            let rest = format!("offers/{}/withdraw", viewer.id);
            play.posts(viewer, &rest, json!({})).await;
        }
    }
}

/// The rivals act five times between the reads, alone and by an operator in their place.
async fn negotiate(play: &mut Play<'_>, viewer: &Party, rivals: [&Party; 2]) {
    let [first, second] = rivals;
    let (operator, reason) = (play.operator, json!({ "reason": MARK }));
    let before = read_everything(play, viewer, true).await;
    assert_nothing_of(&rivals, &before);

    play.offers(first, first, &format!("One {MARK}")).await;
    play.offers(first, first, &format!("Two {MARK}")).await;
    let withdraw = format!("offers/{}/withdraw", first.id);
    play.posts(first, &withdraw, reason.clone()).await;
    play.invites(first).await;
    play.offers(first, first, &format!("Three {MARK}")).await;
    play.offers(first, first, &format!("Four {MARK}")).await;
    assert_eq!(read_everything(play, viewer, true).await, before);

    let decline = format!("invitations/{}/decline", second.id);
    play.posts(second, &decline, reason).await;
    play.invites(second).await;
    play.offers(operator, second, &format!("Five {MARK}")).await;
    let withdraw = format!("offers/{}/withdraw", second.id);
    play.posts(operator, &withdraw, json!({})).await;
    play.offers(operator, first, &format!("Six {MARK}")).await;
    play.offers(first, first, &format!("Seven {MARK}")).await;
    assert_eq!(read_everything(play, viewer, true).await, before);
    assert_commands_tell_nothing(play, viewer, &rivals).await;
}

/// The first rival is confirmed, and works. The viewer is told that the order goes on, and nothing
/// else.
async fn work(play: &mut Play<'_>, viewer: &Party, rivals: [&Party; 2]) {
    let [first, _] = rivals;
    let commissioner = play.commissioner.clone();
    let confirm = format!("offers/{}/confirm", first.id);
    play.posts(&commissioner, &confirm, json!({})).await;
    let before = read_everything(play, viewer, false).await;
    assert_nothing_of(&rivals, &before);

    let note = json!({ "note": MARK });
    play.posts(first, "stages/1/complete", json!({})).await;
    play.posts(&commissioner, "stages/1/request-changes", note)
        .await;
    play.posts(first, "stages/1/complete", json!({})).await;
    play.posts(&commissioner, "stages/1/approve", json!({}))
        .await;
    let operator = play.operator;
    play.posts(operator, "stages/2/complete", json!({})).await;
    play.posts(first, "cancel", json!({ "reason": MARK })).await;
    assert_eq!(read_everything(play, viewer, false).await, before);
    assert_commands_tell_nothing(play, viewer, &rivals).await;

    // How it ended is told, but not with whom, and why.
    let body = json!({ "resolution": "cancel", "note": MARK });
    play.posts(operator, "dispute/resolve", body).await;
    let after = read_everything(play, viewer, true).await;
    assert_nothing_of(&rivals, &after);
    let timeline = &after[&format!("/v1/orders/{}/timeline", play.order)];
    let items = timeline["items"].as_array().unwrap();
    let last: Vec<_> = items.iter().rev().take(2).collect();
    assert_eq!(
        (&last[0]["event"], &last[1]["event"]),
        (&json!("OrderCancelled"), &json!("DisputeResolved"),)
    );
    for told in last {
        assert_eq!(told["data"]["workshopId"], Value::Null);
    }
}

/// What the order's own routes tell, without ids and instants of this order.
async fn read_alike(play: &Play<'_>, viewer: &Party) -> [Value; 2] {
    let order = format!("/v1/orders/{}", play.order);
    let headers = [("atlas-min-position", play.position.as_str())];
    let query = &play.system.query;
    let mut detail = viewer.get(query, &order, &headers).await.ok();
    let timeline = format!("{order}/timeline");
    let mut timeline = viewer.get(query, &timeline, &headers).await.ok();
    leave_out_circumstances(&mut detail);
    leave_out_circumstances(&mut timeline);
    [detail, timeline]
}

fn leave_out_circumstances(shown: &mut Value) {
    if let Some(fields) = shown.as_object_mut() {
        for key in ["version", "orderId", "commissionerId", "id"] {
            fields.remove(key);
        }
        fields.retain(|key, _| !key.ends_with("At"));
        fields.values_mut().for_each(leave_out_circumstances);
    }
    if let Some(items) = shown.as_array_mut() {
        items.iter_mut().for_each(leave_out_circumstances);
    }
}

/// The viewer is confirmed, and still sees nothing of those that were not.
async fn win(play: &mut Play<'_>, viewer: &Party, rivals: [&Party; 2]) {
    let commissioner = play.commissioner.clone();
    let confirm = format!("offers/{}/confirm", viewer.id);
    play.posts(&commissioner, &confirm, json!({})).await;
    let read = read_everything(play, viewer, true).await;
    assert_nothing_of(&rivals, &read);
    let detail = &read[&format!("/v1/orders/{}", play.order)];
    assert_eq!(detail["workshopId"], json!(viewer.id));
}

/// An order that the viewer is invited to, first of these workshops, and has taken its standing in.
async fn begin<'a>(
    system: &'a System,
    operator: &'a Party,
    client: &Client,
    workshops: &[Party],
    standing: Standing,
) -> Play<'a> {
    let commissioner = Party::new("commissioner", client);
    let order = commissioner.place(&system.commands[0], workshops).await;
    let mut play = Play {
        system,
        operator,
        commissioner: commissioner.clone(),
        order,
        position: String::new(),
        acts: 0,
    };
    // An edit is for everybody, and gives the position of the first read.
    let edit = json!({ "title": "A standing desk" });
    play.act(&commissioner, Method::PATCH, "request", edit)
        .await;
    take_standing(&mut play, &workshops[0], standing).await;
    play
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workshop_sees_nothing_of_its_rivals() {
    let system = System::start(NO_KAFKA).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    for standing in [
        Standing::Pending,
        Standing::Offered,
        Standing::Declined,
        Standing::Withdrawn,
        Standing::Chosen,
    ] {
        let workshops: Vec<_> = (0..3).map(|_| Party::new("workshop", &client)).collect();
        operator.register(&system.commands[0], &workshops).await;
        let (viewer, rivals) = (&workshops[0], [&workshops[1], &workshops[2]]);
        let mut play = begin(&system, &operator, &client, &workshops, standing).await;
        negotiate(&mut play, viewer, rivals).await;
        let alone = begin(&system, &operator, &client, &workshops[..1], standing).await;
        let as_if_alone = read_alike(&alone, viewer).await;
        assert_eq!(read_alike(&play, viewer).await, as_if_alone, "{standing:?}");
        match standing {
            Standing::Chosen => win(&mut play, viewer, rivals).await,
            Standing::Pending | Standing::Offered | Standing::Declined | Standing::Withdrawn => {
                work(&mut play, viewer, rivals).await;
            }
        }
    }
}
