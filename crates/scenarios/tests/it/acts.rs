//! Acts that an operator asks for over HTTP: carried out by a projector that is killed on the way, to
//! their right end, each effect once.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use sqlx::PgPool;
use test_support::eventually;

use crate::commission::Party;
use crate::dead_letters::Message;
use crate::kafka;
use crate::system::System;

const BOUND: Duration = Duration::from_secs(60);
const ACTS: &str = "/v1/ops/acts";
/// Whom the messages are about.
const SOMEBODY: &str = "01938f6e-0000-7000-8000-000000000002";
/// What an order that is placed is worth, under the first policy.
const WORTH: i64 = 40;
const LETTERS: u128 = 300;
const WORKSHOPS: usize = 60;

/// An operator before a running system.
struct Console {
    system: System,
    pool: PgPool,
    operator: Party,
    client: Client,
}

impl Console {
    async fn open(brokers: &str) -> Self {
        let system = System::start(brokers).await;
        let client = Client::new();
        Self {
            pool: system.database.pool_owner().await,
            operator: Party::new("operator", &client),
            client,
            system,
        }
    }

    /// Asks for an act; its id. What is asked for twice under a key is asked for once.
    async fn ask(&self, key: &str, act: &str, arguments: Value) -> String {
        let body = json!({ "act": act, "arguments": arguments, "reason": "as it has to be" });
        let mut ids = Vec::new();
        for app in &self.system.commands {
            let headers = [("idempotency-key", key)];
            let asked = self
                .operator
                .send(app, Method::POST, ACTS, &headers, &body)
                .await;
            ids.push(asked.unwrap().ok()["actId"].as_str().unwrap().to_owned());
        }
        assert_eq!(ids[0], ids[1]);
        ids.remove(0)
    }

    async fn read(&self, id: &str) -> Value {
        let path = format!("{ACTS}/{id}");
        self.operator.get(&self.system.query, &path, &[]).await.ok()
    }

    /// Waits until an act has ended in this state.
    async fn ended(&self, id: &str, state: &str) -> Value {
        let act = eventually("the end of the act", BOUND, || async {
            let act = self.read(id).await;
            if act["request"]["endedAt"].is_string() {
                Ok(act)
            } else {
                Err(act)
            }
        })
        .await;
        assert_eq!(act["request"]["state"], state, "{act}");
        act
    }

    /// Kills the projector once the act has done some of what it has to, and starts it again.
    async fn kill_in_the_middle_of(&mut self, id: &str) {
        eventually("the act to be under way", BOUND, || async {
            let act = self.read(id).await;
            let progress = &act["request"]["progress"];
            let is_between =
                progress["done"].as_i64() > Some(0) && progress["done"] != progress["total"];
            if act["request"]["state"] == "running" && is_between {
                Ok(())
            } else {
                Err(act)
            }
        })
        .await;
        self.system.projector.kill();
        assert_eq!(self.read(id).await["request"]["state"], "running");
        self.system.projector.start();
    }

    async fn count(&self, what: &str) -> i64 {
        sqlx::query_scalar(what)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn points(&self) -> i64 {
        self.count(&format!(
            "SELECT coalesce(sum(lifetime_points), 0)::bigint FROM bonus.accounts
             WHERE beneficiary_id::text = '{SOMEBODY}'"
        ))
        .await
    }

    async fn set_up(&self, statement: &str) {
        sqlx::raw_sql(statement).execute(&self.pool).await.unwrap();
    }
}

/// The last line that the act said.
fn last_word(act: &Value) -> &str {
    let said = act["request"]["said"].as_array().unwrap();
    said.last().unwrap().as_str().unwrap()
}

fn kinds(act: &Value) -> Vec<&str> {
    let facts = act["request"]["facts"].as_array().unwrap();
    facts
        .iter()
        .map(|fact| fact["act"].as_str().unwrap())
        .collect()
}

/// One test: what takes long here is Kafka's start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_that_are_asked_for_come_to_their_end_whatever_is_killed() {
    let broker = kafka::start().await;
    let mut console = Console::open(&broker.address()).await;
    redrive(&mut console).await;
    discard(&console).await;
    rebuild(&mut console).await;
    policies(&mut console).await;
    let list = console.operator.get(&console.system.query, ACTS, &[]).await;
    let list = list.ok();
    let items = list["items"].as_array().unwrap();
    assert!(items.iter().all(|act| act["request"].is_object()), "{list}");
    assert_eq!(items.len(), 9, "{list}");
}

/// While the cause is there a letter comes back; once it is gone all are handled, each once.
async fn redrive(console: &mut Console) {
    console
        .set_up("ALTER TABLE bonus.ledger ADD CONSTRAINT refused CHECK (false) NOT VALID")
        .await;
    for number in 0..LETTERS {
        let message = Message::good(number);
        message.lie_in(&console.pool, "of another release").await;
    }
    let arguments = json!({ "code": "INVALID_JSON", "failedBefore": "2999-01-01T00:00:00Z" });
    let first = console.ask("first", "redrive", arguments.clone()).await;
    let act = console.ended(&first, "failed").await;
    assert_eq!(act["request"]["exitCode"], 1);
    let returned = act["result"]["returned"].as_array().unwrap();
    assert_eq!(returned.len(), 1, "{act}");
    let told = format!("stopped: {} came back with", returned[0].as_str().unwrap());
    assert!(last_word(&act).starts_with(&told), "{act}");
    assert_eq!(console.points().await, 0);

    console
        .set_up("ALTER TABLE bonus.ledger DROP CONSTRAINT refused")
        .await;
    let preview = console.ask("preview", "redrivePreview", json!({})).await;
    let act = console.ended(&preview, "done").await;
    let letters = i64::try_from(LETTERS).unwrap();
    assert_eq!(
        (&act["result"]["letters"], &act["result"]["shown"]),
        (&json!(letters), &json!(100))
    );
    let changes = act["result"]["changes"].as_array().unwrap();
    let ledger = changes.iter().filter(|it| it["table"] == "bonus.ledger");
    assert_eq!(ledger.count(), 100, "{act}");
    assert_eq!(console.points().await, 0, "a preview changes nothing");

    let again = console.ask("again", "redrive", json!({})).await;
    console.kill_in_the_middle_of(&again).await;
    let act = console.ended(&again, "done").await;
    assert_eq!(act["result"]["closed"], letters, "{act}");
    assert_eq!(last_word(&act), format!("{letters} were handled"));
    assert_eq!(kinds(&act), ["redrive"]);
    assert_eq!(console.points().await, letters * WORTH);
    let open = "SELECT count(*) FROM ops.dead_letters WHERE closed_at IS NULL";
    assert_eq!(console.count(open).await, 0);
}

async fn discard(console: &Console) {
    let message = Message::good(LETTERS);
    message.lie_in(&console.pool, "of another release").await;
    let arguments = json!({ "ids": [message.id] });
    let discard = console.ask("discard", "discard", arguments).await;
    let act = console.ended(&discard, "done").await;
    assert_eq!(act["result"], json!({ "discarded": 1 }));
    assert_eq!(act["request"]["facts"][0]["subject"]["count"], 1);
}

/// A rebuild that is killed goes on, and is one rebuild; a rule refuses in the command's words.
async fn rebuild(console: &mut Console) {
    let workshops: Vec<Party> = (0..WORKSHOPS)
        .map(|_| Party::new("workshop", &console.client))
        .collect();
    let app = &console.system.commands[0];
    console.operator.register(app, &workshops).await;
    // As many events a second as make it last.
    let events = console.count("SELECT count(*) FROM store.events").await;
    let arguments = json!({ "model": "workshops", "maxRate": events / 4 + 1 });
    let rebuild = console.ask("rebuild", "rebuild", arguments).await;
    console.kill_in_the_middle_of(&rebuild).await;
    let act = console.ended(&rebuild, "done").await;
    assert_eq!(last_word(&act), "workshops@1 is dropped", "{act}");
    let said = &act["request"]["said"];
    let served = json!("workshops@2 is served");
    assert!(said.as_array().unwrap().contains(&served), "{said}");
    assert_eq!(act["result"]["to"], "workshops@2");
    assert_eq!(act["result"]["differing"], 0);
    assert_eq!(kinds(&act), ["rebuild", "rebuild", "swap"]);
    let facts = &act["request"]["facts"];
    assert_eq!(facts[1]["subject"]["takenUp"], true);
    let rebuilds = "SELECT count(*) FROM read.rebuilds";
    assert_eq!(console.count(rebuilds).await, 1);

    let arguments = json!({ "model": "workshops" });
    let back = console.ask("back", "rebuildBack", arguments).await;
    let act = console.ended(&back, "refused").await;
    assert_eq!(act["request"]["exitCode"], 3);
    assert_eq!(
        last_word(&act),
        "no other version of workshops is kept: workshops@2 is served"
    );
    assert_eq!(kinds(&act), [""; 0]);
}

/// Both are asked for, and the projector dies at once.
async fn policies(console: &mut Console) {
    let arguments = json!({ "version": 2 });
    let activate = console.ask("activate", "activate", arguments.clone()).await;
    let recompute = console.ask("recompute", "recompute", json!({})).await;
    console.system.projector.kill();
    console.system.projector.start();
    let act = console.ended(&activate, "done").await;
    assert!(
        last_word(&act).starts_with("policy 2 is in force;"),
        "{act}"
    );
    assert_eq!(kinds(&act), ["activate"]);
    let act = console.ended(&recompute, "done").await;
    assert_eq!(kinds(&act), ["recompute"]);
    let left = "SELECT count(*) FROM bonus.accounts WHERE policy_version <> 2";
    assert_eq!(console.count(left).await, 0);
    let again = console.ask("activate-again", "activate", arguments).await;
    let act = console.ended(&again, "refused").await;
    assert_eq!(last_word(&act), "policy 2 is in force already");
}
