//! A replay: a sink that sends stored events again, through the relay, with the ids that they had.
//!
//! Whoever reads a topic by the first occurrence of each id notices nothing: only what the relay has
//! sent is sent again, never what it has yet to send.

use std::collections::BTreeMap;
use std::error::Error;

use async_trait::async_trait;
use contracts::Outbound;
use event_store::{Sent, Sink, SinkError, StoredEvent, StreamId, Version, parked, parked_page};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::Relay;

/// What a replay has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Events that were sent, or tell nothing to the public.
    pub sent: u64,
    /// Events that were passed over, because the relay has parked their streams before it sent
    /// them.
    pub passed_over: u64,
}

/// Sends stored events again.
pub struct Replay<M, F> {
    relay: Relay<M>,
    pool: PgPool,
    replayed: Replayed,
    progress: F,
}

impl<M, E, F> Replay<M, F>
where
    M: Fn(&StoredEvent) -> Result<Vec<Outbound>, E> + Send + Sync,
    E: Error + Send + Sync + 'static,
    F: FnMut(Replayed) + Send,
{
    /// The name of its reader.
    pub const NAME: &'static str = "replay";

    /// One that sends by `relay` and has sent nothing; `progress` is told after each batch. The
    /// pool is asked which streams the relay has parked.
    pub fn new(relay: Relay<M>, pool: PgPool, progress: F) -> Self {
        Self {
            relay,
            pool,
            replayed: Replayed::default(),
            progress,
        }
    }

    /// What it has done so far.
    pub const fn replayed(&self) -> Replayed {
        self.replayed
    }

    /// From which version on the relay has yet to send the streams of these events.
    async fn unsent(
        &self,
        events: &[StoredEvent],
    ) -> Result<BTreeMap<StreamId, Version>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let reader = Relay::<M>::NAME;
        let mut unsent = BTreeMap::new();
        if parked_page(&mut connection, reader, None, 1)
            .await?
            .is_empty()
        {
            return Ok(unsent);
        }
        for event in events {
            if !unsent.contains_key(&event.stream)
                && let Some(waits) = parked(&mut connection, reader, &event.stream).await?
            {
                unsent.insert(waits.stream, waits.version);
            }
        }
        Ok(unsent)
    }
}

#[async_trait]
impl<M, E, F> Sink for Replay<M, F>
where
    M: Fn(&StoredEvent) -> Result<Vec<Outbound>, E> + Send + Sync,
    E: Error + Send + Sync + 'static,
    F: FnMut(Replayed) + Send + Sync,
{
    async fn begin(&mut self) -> Result<(), SinkError> {
        self.relay.begin().await
    }

    async fn send(&mut self, events: &[StoredEvent], hurry: &CancellationToken) -> Sent {
        let unsent = match self.unsent(events).await {
            Ok(unsent) => unsent,
            Err(error) => return Sent::nothing(error.into()),
        };
        let was_sent = |event: &&StoredEvent| {
            let waits = unsent.get(&event.stream);
            waits.is_none_or(|version| event.version < *version)
        };
        let again: Vec<StoredEvent> = events.iter().filter(was_sent).cloned().collect();
        let Sent { done, error } = self.relay.send(&again, hurry).await;
        // Everything before the first that was not sent is done with.
        let first_undone = again.get(done).map(|event| event.position);
        let is_done = |event: &&StoredEvent| first_undone.is_none_or(|it| event.position < it);
        let all_done = events.iter().take_while(is_done).count();
        self.replayed.sent += done as u64;
        self.replayed.passed_over += all_done.saturating_sub(done) as u64;
        (self.progress)(self.replayed);
        Sent {
            done: all_done,
            error,
        }
    }

    fn abandon(&mut self) {
        self.relay.abandon();
    }

    fn waits_for(&self) -> &'static str {
        self.relay.waits_for()
    }
}
