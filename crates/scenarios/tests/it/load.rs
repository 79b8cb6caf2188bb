//! Commissions in numbers: every command must succeed, whatever else is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;
use test_support::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::commission::{Party, offer};
use crate::system::App;

const WORKERS: usize = 4;
const COMMISSIONERS: usize = 10;
const BOUND: Duration = Duration::from_secs(120);

/// Commissions under way.
pub(crate) struct Load {
    /// Commands answered so far.
    commands: Arc<AtomicUsize>,
    stop: CancellationToken,
    workers: Vec<JoinHandle<usize>>,
}

/// One worker's parties.
struct Worker {
    number: usize,
    app: App,
    commissioners: Vec<Party>,
    maker: Party,
    rival: Party,
    commands: Arc<AtomicUsize>,
}

impl Load {
    /// Starts commissions through these command APIs: `total` of them, or until told to stop; each
    /// worker begins one at most every `interval`.
    pub(crate) async fn start(apps: &[App], total: Option<usize>, interval: Duration) -> Self {
        let client = Client::new();
        let operator = Party::new("operator", &client);
        let commands = Arc::new(AtomicUsize::new(0));
        let stop = CancellationToken::new();
        let mut workers = Vec::new();
        for number in 0..WORKERS {
            let worker = Worker {
                number,
                app: apps[number % apps.len()].at_same_address(),
                commissioners: (0..COMMISSIONERS)
                    .map(|_| Party::new("commissioner", &client))
                    .collect(),
                maker: Party::new("workshop", &client),
                rival: Party::new("workshop", &client),
                commands: Arc::clone(&commands),
            };
            let workshops = [worker.maker.clone(), worker.rival.clone()];
            operator.register(&worker.app, &workshops).await;
            let share = total.map(|total| total / WORKERS);
            workers.push(tokio::spawn(worker.run(stop.clone(), share, interval)));
        }
        Self {
            commands,
            stop,
            workers,
        }
    }

    /// Waits until so many commands have been answered.
    pub(crate) async fn until(&self, commands: usize) {
        eventually("the load to go on", BOUND, || async {
            match self.commands.load(Ordering::Relaxed) {
                done if done >= commands => Ok(()),
                done => Err(done),
            }
        })
        .await;
    }

    /// Lets it go on for so long.
    pub(crate) async fn go_on_for(&self, time: Duration) {
        let start = Instant::now();
        eventually("a while under load", BOUND, || async {
            let elapsed = start.elapsed();
            if elapsed >= time {
                Ok(())
            } else {
                Err(format!("{elapsed:?}"))
            }
        })
        .await;
    }

    /// Commands answered so far.
    pub(crate) fn commands(&self) -> usize {
        self.commands.load(Ordering::Relaxed)
    }

    /// Ends after the commissions under way; returns how many there were.
    pub(crate) async fn stop(self) -> usize {
        self.stop.cancel();
        self.finish().await
    }

    /// Waits for the last commission; returns how many there were.
    pub(crate) async fn finish(self) -> usize {
        let mut commissions = 0;
        for worker in self.workers {
            commissions += worker.await.unwrap();
        }
        commissions
    }
}

impl Worker {
    async fn run(self, stop: CancellationToken, share: Option<usize>, interval: Duration) -> usize {
        let mut ticks = tokio::time::interval(interval);
        let mut commissions = 0;
        while share.is_none_or(|share| commissions < share)
            && stop.run_until_cancelled(ticks.tick()).await.is_some()
        {
            self.commission(commissions).await;
            commissions += 1;
        }
        commissions
    }

    /// One commission; by its number it is accepted, cancelled early, or disputed.
    async fn commission(&self, number: usize) {
        let commissioner = &self.commissioners[(self.number + number) % COMMISSIONERS];
        let (app, maker, rival) = (&self.app, &self.maker, &self.rival);
        let order = commissioner
            .place(app, &[maker.clone(), rival.clone()])
            .await;
        self.answered();
        let path = |tail: &str| format!("/v1/orders/{order}/{tail}");
        let reason = json!({ "reason": "We move away." });
        maker
            .put(app, &path(&format!("offers/{}", maker.id)), &offer())
            .await
            .ok();
        self.answered();
        if number % 5 == 4 {
            commissioner.post(app, &path("cancel"), &reason).await.ok();
            self.answered();
            return;
        }
        let decline = path(&format!("invitations/{}/decline", rival.id));
        let confirm = path(&format!("offers/{}/confirm", maker.id));
        let nothing = json!({});
        for (party, path) in [
            (rival, decline),
            (commissioner, confirm),
            (maker, path("stages/1/complete")),
            (commissioner, path("stages/1/approve")),
            (maker, path("stages/2/complete")),
        ] {
            party.post(app, &path, &nothing).await.ok();
            self.answered();
        }
        if number % 7 == 6 {
            maker.post(app, &path("cancel"), &reason).await.ok();
        } else {
            commissioner.post(app, &path("accept"), &nothing).await.ok();
        }
        self.answered();
    }

    fn answered(&self) {
        self.commands.fetch_add(1, Ordering::Relaxed);
    }
}
