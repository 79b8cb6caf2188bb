//! Twenty clients that read one order again and again, by itself and in their list, each no older
//! than what it has seen: whatever happens behind the query API, none of them may notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use event_store::PositionToken;
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::commission::{Party, offer};
use crate::system::System;

const READERS: usize = 20;
const INTERVAL: Duration = Duration::from_millis(250);

/// Clients that read.
pub(crate) struct Readers {
    stop: CancellationToken,
    answers: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

/// One of them.
struct Reader {
    client: Client,
    token: String,
    order: String,
    /// The addresses of the order and of the list that it is in.
    urls: [String; 2],
    /// The latest position that it was answered from.
    least: String,
    answers: Arc<AtomicUsize>,
}

impl Readers {
    /// Places an order with one offer, and begins.
    pub(crate) async fn start(system: &System) -> Self {
        let client = Client::new();
        let operator = Party::new("operator", &client);
        let commissioner = Party::new("commissioner", &client);
        let workshops = [Party::new("workshop", &client)];
        let commands = &system.commands[0];
        operator.register(commands, &workshops).await;
        let order = commissioner.place(commands, &workshops).await;
        let path = format!("/v1/orders/{order}/offers/{}", workshops[0].id);
        let offered = workshops[0].put(commands, &path, &offer()).await.ok();
        let (stop, answers) = (CancellationToken::new(), Arc::<AtomicUsize>::default());
        let tasks = (0..READERS).map(|_| {
            let reader = Reader {
                client: client.clone(),
                token: commissioner.token.clone(),
                order: order.clone(),
                urls: [
                    system.query.url(&format!("/v1/orders/{order}")),
                    system.query.url("/v1/orders"),
                ],
                least: offered["position"].as_str().unwrap().to_owned(),
                answers: Arc::clone(&answers),
            };
            tokio::spawn(reader.run(stop.clone()))
        });
        Self {
            tasks: tasks.collect(),
            stop,
            answers,
        }
    }

    /// Ends; how many answers there were, each whole and none older than the one before.
    pub(crate) async fn stop(self) -> usize {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        self.answers.load(Ordering::Relaxed)
    }
}

impl Reader {
    async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let [order, list] = self.urls.clone();
            let order = self.read(&order).await;
            assert_eq!(order["version"], 3, "{order}");
            let list = self.read(&list).await;
            let items = list["items"].as_array().unwrap();
            assert_eq!(items.len(), 1, "{list}");
            assert_eq!(items[0]["orderId"], self.order.as_str(), "{list}");
            self.answers.fetch_add(2, Ordering::Relaxed);
        }
    }

    async fn read(&mut self, url: &str) -> Value {
        let request = self.client.get(url).bearer_auth(&self.token);
        let least = request.header("atlas-min-position", &self.least);
        let answer = least.send().await.unwrap();
        let (status, now) = (answer.status(), position(&answer));
        let body: Value = answer.json().await.unwrap();
        assert_eq!(status, 200, "{body}");
        let now = now.unwrap();
        assert!(
            at(&now) >= at(&self.least),
            "back from {} to {now}",
            self.least
        );
        self.least = now;
        body
    }
}

fn position(answer: &Response) -> Option<String> {
    let position = answer.headers().get("atlas-position")?;
    Some(position.to_str().unwrap().to_owned())
}

fn at(token: &str) -> i64 {
    PositionToken::decode(token).unwrap().position.get()
}
