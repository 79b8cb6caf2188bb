//! The topics: those that are missing are made, and the relay writes to those that are recorded or
//! to none.

mod describe;
mod difference;
mod make;
mod place;
pub(crate) mod probe;
mod record;
mod retention;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use contracts::topics::{Topic, all};
use event_store::acts::NewAct;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use sqlx::PgPool;

use crate::client::{Kafka, apart};
pub use difference::Difference;
use probe::{Probe, Survey};
pub use retention::Retention;

/// How long one look at the cluster may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the topics are looked at again.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long to wait before looking again for a topic that was made.
const SHOWING_PAUSE: Duration = Duration::from_millis(200);

/// Why nothing may be sent to the topics.
#[derive(Debug, thiserror::Error)]
pub enum TopicsError {
    /// Kafka was not reached, or did not answer; the same again may pass.
    #[error("kafka did not say which topics there are")]
    Ask(#[source] KafkaError),
    /// Kafka was asked to make topics, and did not answer.
    #[error("kafka did not make the missing topics")]
    Make(#[source] KafkaError),
    /// Kafka refused to make a topic.
    #[error("kafka did not make topic {topic}")]
    Refused {
        /// The topic.
        topic: String,
        /// What it said.
        source: RDKafkaErrorCode,
    },
    /// A topic was made, and the brokers do not know it yet; the same again may pass.
    #[error("kafka does not show topic {0} yet, which was just made")]
    NotYet(String),
    /// The record was not read or not written; the same again may pass.
    #[error("the record of the topics was not reached")]
    Record(#[from] sqlx::Error),
    /// The topics are not those that are recorded. This stays until an operator decides.
    #[error(
        "the topics are not those that are recorded: {}; `projector topics accept` goes on with \
         them as they are (messages sent before may be missing there: `projector replay` sends \
         them again)",
        difference::list(.0)
    )]
    Changed(Vec<Difference>),
}

/// Guards the relay's checkpoint: it speaks of one cluster and its topics, so that on any other
/// nothing may be sent.
#[derive(Debug)]
pub struct TopicGuard {
    kafka: Kafka,
    database: PgPool,
    retention: Retention,
    topics: Vec<Topic>,
    interval: Duration,
    memory: Mutex<Memory>,
}

/// What a guard remembers between two looks.
#[derive(Debug, Default)]
struct Memory {
    /// When the topics were last found to be those that are recorded, unless that is in doubt.
    found_at: Option<Instant>,
    /// How many partitions each of them had then.
    partitions: BTreeMap<String, i32>,
    retention_compared: bool,
}

impl TopicGuard {
    /// A guard of all our topics. The missing ones are made with this retention.
    #[must_use]
    pub fn new(kafka: Kafka, database: PgPool, retention: Retention) -> Self {
        Self {
            kafka,
            database,
            retention,
            topics: all(),
            interval: INTERVAL,
            memory: Mutex::default(),
        }
    }

    /// The same, of these topics, where a test wants its own.
    #[must_use]
    pub fn of_topics(self, topics: Vec<Topic>) -> Self {
        Self { topics, ..self }
    }

    /// The same, looking again after so long, where a test cannot wait or must not look.
    #[must_use]
    pub fn looking_again_every(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Looks at the topics: makes what is missing, records what is seen for the first time, and
    /// refuses what is not as recorded. A topic that was deleted is made again, and refused.
    ///
    /// Takes up to five seconds where Kafka does not answer, and up to forty more where topics are
    /// made: a lease has to be renewed beside it. Nothing is made on another cluster than the
    /// recorded one, nor where nothing is missing: an embedded broker does not answer that.
    ///
    /// # Errors
    /// See [`TopicsError`]. Of what is recorded nothing was changed.
    pub async fn check(&self) -> Result<(), TopicsError> {
        self.doubt();
        let mut survey = self.survey().await?;
        let recorded = record::read(&self.database, &self.names()).await?;
        if recorded
            .iter()
            .all(|known| known.cluster_id == survey.cluster_id)
        {
            let mut missing = survey.missing(&self.topics);
            // Made again it could not be told from the one before: Kafka gives no ids here.
            missing.retain(|topic| {
                !recorded
                    .iter()
                    .any(|known| known.topic == topic.name && known.topic_id.is_none())
            });
            survey = self.with(&missing, survey).await?;
        }
        let differences = record::keep(&self.database, &self.names(), &survey).await?;
        if !differences.is_empty() {
            return Err(TopicsError::Changed(differences));
        }
        self.compare_retention(&survey).await;
        let topics = survey.topics.into_iter();
        let mut memory = self.memory();
        memory.partitions = topics.map(|topic| (topic.name, topic.partitions)).collect();
        memory.found_at = Some(Instant::now());
        Ok(())
    }

    /// On which partition a key lies, among those that the topic had when it was last found to be
    /// the recorded one: those that were added since hold nothing before an operator accepts them.
    pub(crate) fn partition(&self, topic: &str, key: &str) -> Option<i32> {
        let partitions = self.memory().partitions.get(topic).copied()?;
        place::partition(key.as_bytes(), partitions)
    }

    /// [`check`](Self::check), if that is due: at first, ten seconds after it passed, and once it is
    /// in doubt. Else it costs nothing.
    ///
    /// # Errors
    /// See [`TopicsError`]. It stays due.
    pub async fn check_if_due(&self) -> Result<(), TopicsError> {
        let found_at = self.memory().found_at;
        if found_at.is_some_and(|at| at.elapsed() < self.interval) {
            return Ok(());
        }
        self.check().await
    }

    /// Makes the next check due, after a message was not delivered.
    pub fn doubt(&self) {
        self.memory().found_at = None;
    }

    /// What of the topics is not as recorded; nothing is made or written.
    ///
    /// # Errors
    /// If Kafka or the database does not answer.
    pub async fn differences(&self) -> Result<Vec<Difference>, TopicsError> {
        let survey = self.survey().await?;
        let recorded = record::read(&self.database, &self.names()).await?;
        Ok(difference::between(&recorded, &survey))
    }

    /// Makes what is missing, and records the topics as they are now, whatever was recorded, and
    /// the act of the operator who said so. The relay goes on with them from its checkpoint.
    ///
    /// # Errors
    /// If Kafka or the database does not answer, or Kafka refuses to make a topic.
    pub async fn accept(&self, act: &NewAct) -> Result<(), TopicsError> {
        let mut survey = self.survey().await?;
        let missing = survey.missing(&self.topics);
        survey = self.with(&missing, survey).await?;
        record::replace(&self.database, &survey, act).await?;
        Ok(())
    }

    /// Makes what is missing, and looks again until it shows: brokers hear of a new topic one after
    /// the other.
    async fn with(&self, missing: &[&Topic], survey: Survey) -> Result<Survey, TopicsError> {
        if missing.is_empty() {
            return Ok(survey);
        }
        make::make(&self.kafka, missing, survey.brokers.len(), self.retention).await?;
        let made = Instant::now();
        loop {
            let survey = self.survey().await?;
            match missing.iter().find(|topic| !survey.has(&topic.name)) {
                None => return Ok(survey),
                Some(topic) if made.elapsed() > PATIENCE => {
                    return Err(TopicsError::NotYet(topic.name.clone()));
                }
                Some(_) => tokio::time::sleep(SHOWING_PAUSE).await,
            }
        }
    }

    /// Says once which topics keep their messages for another time than is configured. They are
    /// left alone: whoever made them may have had a reason.
    async fn compare_retention(&self, survey: &Survey) {
        if self.memory().retention_compared {
            return;
        }
        if let Some(broker) = survey.brokers.first() {
            make::compare_retention(&self.kafka, *broker, &self.names(), self.retention).await;
        }
        self.memory().retention_compared = true;
    }

    async fn survey(&self) -> Result<Survey, TopicsError> {
        let probe = Probe::new(&self.kafka).map_err(TopicsError::Ask)?;
        let names = self.names();
        apart(move || probe.survey(&names, PATIENCE))
            .await
            .unwrap_or(Err(KafkaError::Canceled))
            .map_err(TopicsError::Ask)
    }

    fn names(&self) -> Vec<String> {
        self.topics.iter().map(|topic| topic.name.clone()).collect()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
