//! Commands at a steady rate: each worker gives one every 200 ms, however long those before took,
//! and leads one order after the other from its placement to its acceptance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use event_store::PositionToken;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Interval, interval_at};
use tokio_util::sync::CancellationToken;

use crate::commission::{Party, offer};
use crate::system::{App, System};

/// How often a worker gives a command.
const EVERY: Duration = Duration::from_millis(200);
/// One in so many commands is followed by a read, where any is.
const READS: usize = 4;

/// A command that was accepted.
pub(crate) struct Given {
    pub(crate) position: i64,
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
}

/// What was given, and read after it.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) given: Vec<Given>,
    /// From a command's answer to the answer of the read that asked for no less.
    pub(crate) read: Vec<Duration>,
}

/// Commands under way.
pub(crate) struct Pace {
    stop: CancellationToken,
    orders: Arc<AtomicU32>,
    workers: Vec<JoinHandle<Done>>,
}

struct Worker {
    command: App,
    /// Where it reads after commands, if it does.
    query: Option<App>,
    commissioner: Party,
    maker: Party,
    rival: Party,
    orders: Arc<AtomicU32>,
    done: Done,
}

impl Pace {
    /// Starts so many commands a second, spread over the command APIs.
    pub(crate) async fn start(system: &System, rate: u32, reads: bool) -> Self {
        let client = Client::new();
        let operator = Party::new("operator", &client);
        let (stop, orders) = (CancellationToken::new(), Arc::<AtomicU32>::default());
        let mut ready = Vec::new();
        for (number, command) in (0..rate / 5).zip(system.commands.iter().cycle()) {
            let worker = Worker {
                command: command.at_same_address(),
                query: reads.then(|| system.query.at_same_address()),
                commissioner: Party::new("commissioner", &client),
                maker: Party::new("workshop", &client),
                rival: Party::new("workshop", &client),
                orders: Arc::clone(&orders),
                done: Done::default(),
            };
            let workshops = [worker.maker.clone(), worker.rival.clone()];
            operator.register(&worker.command, &workshops).await;
            ready.push((number, worker));
        }
        let start = tokio::time::Instant::now();
        let begin = |(number, worker): (u32, Worker)| {
            let first = start + EVERY * number * 5 / rate;
            tokio::spawn(worker.run(stop.clone(), interval_at(first, EVERY)))
        };
        Self {
            workers: ready.into_iter().map(begin).collect(),
            stop,
            orders,
        }
    }

    /// Orders placed so far.
    pub(crate) fn orders(&self) -> u32 {
        self.orders.load(Ordering::Relaxed)
    }

    /// Ends after the orders under way.
    pub(crate) async fn stop(self) -> Done {
        self.stop.cancel();
        let mut all = Done::default();
        for worker in self.workers {
            let done = worker.await.unwrap();
            all.given.extend(done.given);
            all.read.extend(done.read);
        }
        all
    }
}

impl Worker {
    async fn run(mut self, stop: CancellationToken, mut ticks: Interval) -> Done {
        while !stop.is_cancelled() {
            self.commission(&mut ticks).await;
        }
        self.done
    }

    async fn commission(&mut self, ticks: &mut Interval) {
        let (commissioner, maker, rival) = (
            self.commissioner.clone(),
            self.maker.clone(),
            self.rival.clone(),
        );
        let workshops: Vec<_> = [&maker, &rival].iter().map(|party| party.id).collect();
        let placement = crate::commission::placement(&workshops);
        let placed = self
            .give(ticks, &commissioner, "", "/v1/orders", &placement)
            .await;
        self.orders.fetch_add(1, Ordering::Relaxed);
        let order = placed["orderId"].as_str().unwrap().to_owned();
        let path = |tail: &str| format!("/v1/orders/{order}/{tail}");
        let offers = path(&format!("offers/{}", maker.id));
        self.give(ticks, &maker, &order, &offers, &offer()).await;
        let nothing = json!({});
        for (party, path) in [
            (&rival, path(&format!("invitations/{}/decline", rival.id))),
            (&commissioner, path(&format!("offers/{}/confirm", maker.id))),
            (&maker, path("stages/1/complete")),
            (&commissioner, path("stages/1/approve")),
            (&maker, path("stages/2/complete")),
            (&commissioner, path("accept")),
        ] {
            self.give(ticks, party, &order, &path, &nothing).await;
        }
    }

    /// Gives a command when it is time; an offer is put, anything else posted.
    async fn give(
        &mut self,
        ticks: &mut Interval,
        party: &Party,
        order: &str,
        path: &str,
        body: &Value,
    ) -> Value {
        ticks.tick().await;
        let asked = Instant::now();
        let answer = if path.ends_with(&format!("offers/{}", party.id)) {
            party.put(&self.command, path, body).await
        } else {
            party.post(&self.command, path, body).await
        };
        let answered = Instant::now();
        let body = answer.ok();
        let token = body["position"].as_str().unwrap();
        self.done.given.push(Given {
            position: PositionToken::decode(token).unwrap().position.get(),
            asked,
            answered,
        });
        if !order.is_empty() && self.done.given.len().is_multiple_of(READS) {
            self.read(order, token, answered).await;
        }
        body
    }

    /// Reads the order no older than the command has left it.
    async fn read(&mut self, order: &str, token: &str, answered: Instant) {
        if let Some(query) = &self.query {
            let path = format!("/v1/orders/{order}");
            let least = [("atlas-min-position", token)];
            self.commissioner.get(query, &path, &least).await.ok();
            self.done.read.push(answered.elapsed());
        }
    }
}
