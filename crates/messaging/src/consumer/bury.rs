//! A message is given up: first the row, then the dead-letter topic; the offset moves after both.
//! Where one of them is away the partition waits, and nothing is given up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contracts::topics::dead_letters_of;
use dead_letters::{Failure, Recorded, close_handled, headers, record};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use sqlx::PgPool;
use tracing::error;

use super::handler::{BoxedError, Handler, Received};
use super::partition::{Burial, Condemned};
use crate::Kafka;
use crate::client::apart;
use crate::sender::{Bytes, Sender, acknowledged};
use crate::topics::probe::Probe;

/// How long the dead-letter topic may take to acknowledge a message.
const PATIENCE: Duration = Duration::from_secs(5);

/// Gives messages up for one consumer group.
pub(super) struct Undertaker {
    kafka: Kafka,
    database: PgPool,
    consumer: String,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    sender: Option<Arc<Sender>>,
    /// The ids of the topics, for as long as the partitions are ours.
    topic_ids: BTreeMap<String, String>,
}

/// Why a message was not given up.
#[derive(Debug, thiserror::Error)]
enum BuryError {
    #[error("kafka did not say which topic {topic} is")]
    Topic { topic: String, source: KafkaError },
    #[error("the dead letter was not recorded")]
    Record(#[source] sqlx::Error),
    #[error("topic {topic} did not take the dead letter")]
    Topics { topic: String, source: KafkaError },
    #[error("what is open about handled messages was not closed")]
    Close(#[source] sqlx::Error),
}

impl Undertaker {
    pub(super) fn new(kafka: Kafka, database: PgPool, consumer: String) -> Self {
        Self {
            kafka,
            database,
            consumer,
            memory: Mutex::default(),
        }
    }

    /// After a rebalance: a topic that was made anew is another one.
    pub(super) fn forget_topics(&self) {
        self.memory().topic_ids.clear();
    }

    async fn topic_id(&self, topic: &str) -> Result<String, KafkaError> {
        if let Some(known) = self.memory().topic_ids.get(topic) {
            return Ok(known.clone());
        }
        let probe = Probe::new(&self.kafka)?;
        let names = vec![topic.to_owned()];
        let survey = apart(move || probe.survey(&names, PATIENCE))
            .await
            .unwrap_or(Err(KafkaError::Canceled))?;
        let found = survey.topics.into_iter().find(|found| found.name == topic);
        let id = found
            .ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopic))?
            .id
            .unwrap_or_default();
        let mut memory = self.memory();
        Ok(memory
            .topic_ids
            .entry(topic.to_owned())
            .or_insert(id)
            .clone())
    }

    async fn send(&self, failure: Failure<'_>, recorded: &Recorded) -> Result<(), BuryError> {
        let topic = dead_letters_of(failure.topic);
        let headers = headers(failure, recorded);
        let bytes = Bytes {
            topic: &topic,
            key: failure.key,
            headers: &headers,
            value: failure.message.value,
        };
        let sent = match self.sender().and_then(|sender| sender.send_bytes(bytes)) {
            Ok(delivery) => acknowledged(delivery, PATIENCE).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => Ok(()),
            Err(source) => {
                // What it has not delivered, it may deliver still: a repeat.
                self.memory().sender = None;
                if source.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
                    error!(
                        topic,
                        dead_letter = %recorded.id,
                        "consumer.dead_letter_too_large: it is in ops.dead_letters alone"
                    );
                    return Ok(());
                }
                Err(BuryError::Topics { topic, source })
            }
        }
    }

    fn sender(&self) -> Result<Arc<Sender>, KafkaError> {
        let mut memory = self.memory();
        if let Some(sender) = &memory.sender {
            return Ok(Arc::clone(sender));
        }
        let sender = Arc::new(Sender::new(&self.kafka)?);
        memory.sender = Some(Arc::clone(&sender));
        Ok(sender)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Burial for Undertaker {
    async fn bury(&self, handler: &impl Handler, condemned: &Condemned) -> Result<(), BoxedError> {
        let message = &condemned.message;
        let topic_id = self.topic_id(&message.topic).await;
        let topic_id = topic_id.map_err(|source| BuryError::Topic {
            topic: message.topic.clone(),
            source,
        })?;
        let failure = Failure {
            consumer: &self.consumer,
            topic: &message.topic,
            topic_id: &topic_id,
            partition: message.partition,
            offset: message.offset,
            key: message.key.as_deref(),
            message: message.incoming(),
            code: condemned.code,
            detail: &condemned.detail,
            attempts: condemned.trial.attempts,
            first_failed_at: condemned.trial.first_failed_at,
            last_failed_at: condemned.trial.last_failed_at,
        };
        let recorded = record(&self.database, failure)
            .await
            .map_err(BuryError::Record)?;
        // Its effect may be there already, by another message: whoever had it closed what was open
        // then, and this row comes after that or was seen by it.
        if let Some(event) = message.event_id()
            && !handler.handled(&[event]).await?.is_empty()
        {
            self.close(std::slice::from_ref(message)).await?;
        }
        self.send(failure, &recorded).await?;
        Ok(())
    }

    async fn close(&self, handled: &[Received]) -> Result<(), BoxedError> {
        let handled = handled.iter().map(Received::incoming);
        let closed = close_handled(&self.database, &self.consumer, handled).await;
        let closed = closed.map_err(BuryError::Close)?;
        if closed > 0 {
            tracing::info!(closed, "consumer.dead_letters_closed");
        }
        Ok(())
    }
}
