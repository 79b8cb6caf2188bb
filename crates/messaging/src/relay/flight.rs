//! A batch on its way: sent in order, acknowledged in any.

use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rdkafka::error::KafkaError;
use tokio::time::{Instant, timeout_at};

use super::{Composed, is_refusal};
use crate::instruments::RELAY_MESSAGES;
use crate::sender::{Sender, size};

/// How long it may take to hear what became of each message after the queue was purged.
const PURGE_WAIT: Duration = Duration::from_secs(1);

/// A message that was not delivered.
#[derive(Debug)]
pub(super) struct Undelivered {
    /// The index of its event in the batch.
    pub(super) event: usize,
    /// Its size in bytes.
    pub(super) size: usize,
    /// What was said of it.
    pub(super) error: KafkaError,
}

type Delivery = BoxFuture<'static, Result<usize, Undelivered>>;

/// A batch on its way.
pub(super) struct Flight {
    /// For each event, its messages that were not acknowledged yet.
    open: Vec<usize>,
    deliveries: FuturesUnordered<Delivery>,
    /// What is nearest to the cause of a failure, of all that was heard so far.
    failure: Option<Undelivered>,
    /// Until when the rest is heard, once the queue was purged.
    last_word: Option<Instant>,
}

impl Flight {
    /// Sends the messages of `events` events in order, up to the first that is not even taken.
    pub(super) fn start(sender: &Sender, events: usize, messages: Vec<Composed>) -> Self {
        let mut flight = Self {
            open: vec![0; events],
            deliveries: FuturesUnordered::new(),
            failure: None,
            last_word: None,
        };
        for composed in messages {
            let Composed {
                event,
                partition,
                message,
            } = composed;
            if let Some(open) = flight.open.get_mut(event) {
                *open += 1;
            }
            let size = size(&message);
            let undelivered = move |error| Undelivered { event, size, error };
            match sender.send(&message, partition) {
                Ok(delivery) => {
                    RELAY_MESSAGES.of([message.topic]).increment(1);
                    flight.deliveries.push(Box::pin(async move {
                        match delivery.await {
                            Ok(Ok(_)) => Ok(event),
                            Ok(Err((error, _))) => Err(undelivered(error)),
                            Err(_) => Err(undelivered(KafkaError::Canceled)),
                        }
                    }));
                }
                Err(error) => {
                    flight.failure = Some(undelivered(error));
                    break;
                }
            }
        }
        flight
    }

    /// Waits for all acknowledgements. After the first failure nothing more is sent, and it is only
    /// heard what became of the rest; returns what is to blame.
    pub(super) async fn land(&mut self, sender: &Sender) -> Option<Undelivered> {
        while let Some(outcome) = self.next().await {
            match outcome {
                Ok(event) => {
                    if let Some(open) = self.open.get_mut(event) {
                        *open = open.saturating_sub(1);
                    }
                }
                Err(undelivered) => {
                    if self.last_word.is_none() {
                        sender.purge();
                        self.last_word = Some(Instant::now() + PURGE_WAIT);
                    }
                    if self
                        .failure
                        .as_ref()
                        .is_none_or(|failure| undelivered.blames(failure))
                    {
                        self.failure = Some(undelivered);
                    }
                }
            }
        }
        self.failure.take()
    }

    /// The next thing heard; none once all was, or once the rest is not waited for any longer.
    async fn next(&mut self) -> Option<Result<usize, Undelivered>> {
        let next = self.deliveries.next();
        match self.last_word {
            None => next.await,
            Some(last_word) => timeout_at(last_word, next).await.unwrap_or(None),
        }
    }

    /// How many of its events, from the first on, were acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        self.open.iter().take_while(|open| **open == 0).count()
    }
}

impl Undelivered {
    /// Whether this is nearer to the cause than `other`: a message that was refused for what it is
    /// takes those down that were sent with it.
    fn blames(&self, other: &Self) -> bool {
        match (is_refusal(&self.error), is_refusal(&other.error)) {
            (true, false) => true,
            (false, true) => false,
            (true, true) | (false, false) => self.event < other.event,
        }
    }
}
