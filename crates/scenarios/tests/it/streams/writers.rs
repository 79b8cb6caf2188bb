//! Twelve writers: one moves one order on and on, the others place orders and edit them, and all of
//! them begin appends that come to nothing, which leave holes in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use event_store::{Append, NewEvent, StreamId, Version, append};
use kernel::{EventId, IdSource as _, Metadata, RandomIds};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sqlx::PgPool;
use test_support::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::commission::{Party, offer, placement};
use crate::system::{App, System};

const WRITERS: usize = 12;
/// Each gives a command in so long a time: a hundred a second in all.
const PACE: Duration = Duration::from_millis(120);
const BOUND: Duration = Duration::from_secs(120);

/// All of them.
pub(super) struct Writers {
    /// The order that one of them moves on.
    pub(super) busy: String,
    commissioner: Party,
    maker: Party,
    done: Arc<AtomicUsize>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

struct Writer {
    app: App,
    commissioner: Party,
    maker: Party,
    /// The order that this one moves on; the others place their own.
    busy: Option<String>,
    pool: PgPool,
    done: Arc<AtomicUsize>,
}

impl Writers {
    /// An order whose stage can be worked on and on, and those who do.
    pub(super) async fn prepare(system: &System, client: &Client) -> Self {
        let app = &system.commands[0];
        let operator = Party::new("operator", client);
        let commissioner = Party::new("commissioner", client);
        let workshops = [Party::new("workshop", client)];
        operator.register(app, &workshops).await;
        let [maker] = workshops;
        let busy = commissioner.place(app, std::slice::from_ref(&maker)).await;
        let offers = format!("/v1/orders/{busy}/offers/{}", maker.id);
        let mut terms = offer();
        terms["stages"] = json!([{
            "name": "All of it", "description": "As told.", "requiresApproval": true,
        }]);
        maker.put(app, &offers, &terms).await.ok();
        let confirm = format!("{offers}/confirm");
        commissioner.post(app, &confirm, &json!({})).await.ok();
        Self {
            busy,
            commissioner,
            maker,
            done: Arc::default(),
            stop: CancellationToken::new(),
            tasks: Vec::new(),
        }
    }

    /// Lets them begin.
    pub(super) async fn begin(&mut self, system: &System) {
        let pool = system.database.pool_app().await;
        for number in 0..WRITERS {
            let writer = Writer {
                app: system.commands[number % 2].at_same_address(),
                commissioner: self.commissioner.clone(),
                maker: self.maker.clone(),
                busy: (number == 0).then(|| self.busy.clone()),
                pool: pool.clone(),
                done: Arc::clone(&self.done),
            };
            self.tasks.push(tokio::spawn(writer.run(self.stop.clone())));
        }
    }

    /// Waits until so many commands have been taken.
    pub(super) async fn until(&self, commands: usize) {
        eventually("the writers to go on", BOUND, || async {
            match self.done.load(Ordering::Relaxed) {
                done if done >= commands => Ok(()),
                done => Err(done),
            }
        })
        .await;
    }

    /// Ends them, and gives one more command, after all others; its position.
    pub(super) async fn finish(self, system: &System) -> String {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        let path = format!("/v1/orders/{}/cancel", self.busy);
        let reason = json!({ "reason": "Enough." });
        let app = &system.commands[0];
        let last = self.commissioner.post(app, &path, &reason).await.ok();
        last["position"].as_str().unwrap().to_owned()
    }
}

impl Writer {
    async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(PACE);
        let mut order = None;
        for turn in 0_usize.. {
            if stop.run_until_cancelled(ticks.tick()).await.is_none() {
                return;
            }
            if turn % 3 == 2 {
                self.in_vain().await;
            }
            // While the store is away commands are refused, and that is that.
            let given = match &self.busy {
                Some(busy) => self.work_on(busy, turn).await,
                None => self.edit(&mut order, turn).await,
            };
            self.done
                .fetch_add(usize::from(given.is_some()), Ordering::Relaxed);
        }
    }

    /// Marks the stage complete, and wants it changed, in turn.
    async fn work_on(&self, busy: &str, turn: usize) -> Option<Value> {
        let stage = format!("/v1/orders/{busy}/stages/1");
        let (who, path, body) = match turn % 2 {
            0 => (&self.maker, format!("{stage}/complete"), json!({})),
            _ => {
                let path = format!("{stage}/request-changes");
                (&self.commissioner, path, json!({ "note": "Rounder." }))
            }
        };
        self.give(who, Method::POST, &path, &body).await
    }

    /// Places an order, and edits it a few times.
    async fn edit(&self, order: &mut Option<String>, turn: usize) -> Option<Value> {
        let commissioner = &self.commissioner;
        if turn.is_multiple_of(8) || order.is_none() {
            let body = placement(&[self.maker.id]);
            let placed = self
                .give(commissioner, Method::POST, "/v1/orders", &body)
                .await?;
            *order = placed["orderId"].as_str().map(str::to_owned);
            return Some(placed);
        }
        let path = format!("/v1/orders/{}/request", order.as_deref().unwrap());
        let body = json!({ "title": format!("A desk, thought of {turn} times") });
        self.give(commissioner, Method::PATCH, &path, &body).await
    }

    /// The answer to a command that was taken.
    async fn give(&self, who: &Party, method: Method, path: &str, body: &Value) -> Option<Value> {
        let answer = who.send(&self.app, method, path, &[], body).await.ok()?;
        answer.status.is_success().then_some(answer.body)
    }

    /// An append that is rolled back.
    async fn in_vain(&self) {
        let Ok(mut transaction) = self.pool.begin().await else {
            return;
        };
        let stream = StreamId::from_parts("counter", RandomIds.next().to_string());
        let event = NewEvent {
            event_id: EventId::from_uuid(RandomIds.next()),
            event_type: "Counted",
            event_version: "1.0",
            payload: json!({}),
            metadata: Metadata {
                actor: None,
                on_behalf_of: None,
                correlation_id: Uuid::nil(),
                causation_id: None,
                traceparent: None,
                idempotency_key: None,
            },
        };
        let append_one = Append::to(stream, Version::NONE, vec![event]);
        if append(&mut transaction, &append_one).await.is_ok() {
            transaction.rollback().await.ok();
        }
    }
}
