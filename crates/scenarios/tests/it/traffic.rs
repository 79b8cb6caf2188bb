//! Requests at a steady rate, whatever becomes of those before them: orders that are placed, and lists
//! that are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::Value;
use test_support::eventually;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::commission::{Party, placement};
use crate::system::App;

const BOUND: Duration = Duration::from_secs(120);

/// How much there is of it.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) interval: Duration,
    /// One of so many requests is a command.
    pub(crate) one_command_of: usize,
}

/// The requests.
pub(crate) struct Traffic {
    sent: Arc<AtomicUsize>,
    stop: CancellationToken,
    task: JoinHandle<Told>,
}

/// What the clients were told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) requests: usize,
    pub(crate) placed: usize,
    pub(crate) lost: Vec<String>,
}

/// Who asks, and where.
#[derive(Clone)]
pub(crate) struct Asking {
    pub(crate) commissioner: Party,
    pub(crate) workshop: Party,
    commands: Arc<App>,
    queries: Arc<App>,
}

impl Asking {
    /// Somebody who asks these, and a workshop that takes commissions.
    pub(crate) async fn of(client: Client, commands: App, queries: App) -> Self {
        let asking = Self {
            commissioner: Party::new("commissioner", &client),
            workshop: Party::new("workshop", &client),
            commands: Arc::new(commands),
            queries: Arc::new(queries),
        };
        let operator = Party::new("operator", &client);
        let workshops = [asking.workshop.clone()];
        operator.register(&asking.commands, &workshops).await;
        asking
    }

    /// One request; whether it placed an order, or what was lost.
    async fn ask(self, number: usize, places: bool) -> Result<bool, String> {
        let sent = if places {
            let body = placement(&[self.workshop.id]);
            let party = &self.commissioner;
            party
                .send(&self.commands, Method::POST, "/v1/orders", &[], &body)
                .await
        } else {
            let party = &self.commissioner;
            let path = "/v1/orders?limit=1";
            party
                .send(&self.queries, Method::GET, path, &[], &Value::Null)
                .await
        };
        match sent {
            Ok(answer) if answer.status.is_success() => Ok(places),
            Ok(answer) => Err(format!("{number}: {answer:?}")),
            Err(error) => Err(format!("{number}: {error:?}")),
        }
    }
}

impl Traffic {
    pub(crate) fn start(asking: Asking, rate: Rate) -> Self {
        let (sent, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let (counter, stopped) = (Arc::clone(&sent), stop.clone());
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(rate.interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut under_way = JoinSet::new();
            while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
                let number = counter.fetch_add(1, Ordering::Relaxed);
                let places = number.is_multiple_of(rate.one_command_of);
                under_way.spawn(asking.clone().ask(number, places));
            }
            let mut told = Told::default();
            while let Some(answered) = under_way.join_next().await {
                told.requests += 1;
                match answered.unwrap() {
                    Ok(placed) => told.placed += usize::from(placed),
                    Err(lost) => told.lost.push(lost),
                }
            }
            told
        });
        Self { sent, stop, task }
    }

    /// Waits until so many more have been sent.
    pub(crate) async fn goes_on_for(&self, requests: usize) {
        let end = self.sent.load(Ordering::Relaxed) + requests;
        eventually("more requests", BOUND, || async {
            match self.sent.load(Ordering::Relaxed) {
                sent if sent >= end => Ok(()),
                sent => Err(sent),
            }
        })
        .await;
    }

    /// Ends after the requests under way.
    pub(crate) async fn stop(self) -> Told {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}
