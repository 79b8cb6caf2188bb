//! How far the read models have come, for the requests that wait for it: one watcher a read model,
//! however many wait, and none while nobody does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_store::{PositionToken, Wakeup, Wakeups, freshness};
use projections::Model;
use sqlx::PgPool;
use tokio::sync::watch;

/// The longest pause between two looks; a wake-up cuts it short.
const PAUSE: Duration = Duration::from_millis(50);

/// How far each read model has come.
#[derive(Clone)]
pub(crate) struct Positions {
    pool: PgPool,
    wakeups: Wakeups,
    watched: Arc<Mutex<Vec<Watched>>>,
}

/// A read model that somebody waits for.
struct Watched {
    model: Model,
    reached: watch::Sender<Option<PositionToken>>,
}

impl Positions {
    pub(crate) fn new(pool: PgPool, wakeups: Wakeups) -> Self {
        Self {
            pool,
            wakeups,
            watched: Arc::default(),
        }
    }

    /// Waits until a read model has come to where `enough` says.
    pub(crate) async fn reached(&self, model: Model, enough: impl Fn(PositionToken) -> bool) {
        let mut reached = self.watch(model);
        // The watcher lives for as long as somebody waits.
        drop(reached.wait_for(|now| now.is_some_and(&enough)).await);
    }

    fn watch(&self, model: Model) -> watch::Receiver<Option<PositionToken>> {
        let mut watched = self.lock();
        if let Some(watched) = watched.iter().find(|watched| watched.model == model) {
            return watched.reached.subscribe();
        }
        let (reached, receiver) = watch::channel(None);
        watched.push(Watched {
            model,
            reached: reached.clone(),
        });
        tokio::spawn(self.clone().follow(model, reached));
        receiver
    }

    async fn follow(self, model: Model, reached: watch::Sender<Option<PositionToken>>) {
        let mut wakeup = self.wakeups.subscribe();
        while !self.is_left(model, &reached) {
            wakeup.mark_unchanged();
            // A failure is seen by whoever waits, in its own read.
            if let Ok(now) = self.look(model).await {
                reached.send_replace(now);
            }
            pause(&mut wakeup).await;
        }
    }

    /// Ends the watcher, if nobody waits for it; in one step, for somebody may come.
    fn is_left(&self, model: Model, reached: &watch::Sender<Option<PositionToken>>) -> bool {
        let mut watched = self.lock();
        let left = reached.receiver_count() == 0;
        if left {
            watched.retain(|watched| watched.model != model);
        }
        left
    }

    async fn look(&self, model: Model) -> Result<Option<PositionToken>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let served = model.served(&mut connection).await?;
        let fresh = freshness(&mut connection, &served.to_string()).await?;
        Ok(fresh.map(|fresh| fresh.token))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pause(wakeup: &mut Wakeup) {
    drop(tokio::time::timeout(PAUSE, wakeup.changed()).await);
}
