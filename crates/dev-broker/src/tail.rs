//! Prints a topic's messages, one JSON object a line, for people, the demo and tests.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Map, Value, json};

/// How long the broker may take to say which partitions there are.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait for a message before the clock is looked at.
const POLL: Duration = Duration::from_millis(100);

/// What to print, and when to stop.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The brokers: HOST:PORT, several with commas.
    #[arg(long)]
    brokers: String,
    /// The topic.
    #[arg(long)]
    topic: String,
    /// Begin with the oldest message, not with the next one to come.
    #[arg(long)]
    from_beginning: bool,
    /// Stop once every partition has been read to its end.
    #[arg(long)]
    until_idle: bool,
    /// Stop after so many messages.
    #[arg(long)]
    count: Option<u64>,
    /// Stop after so many seconds; a failure if what else would have stopped it did not happen.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

/// Why the topic was not printed, or not as far as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TailError {
    /// The broker was not reached, or refused.
    #[error("the topic could not be read")]
    Kafka(#[from] KafkaError),
    /// There is no such topic.
    #[error("there is no topic {0}")]
    NoTopic(String),
    /// Nobody takes the lines.
    #[error("the messages could not be printed")]
    Print(#[from] io::Error),
    /// It did not come to the end that was asked for.
    #[error("stopped after {seconds} s with {printed} messages, short of what was asked for")]
    TimedOut {
        /// The time that was given.
        seconds: u64,
        /// Messages printed until then.
        printed: u64,
    },
}

/// Prints the topic.
pub(crate) fn tail(options: &Options) -> Result<(), TailError> {
    let (consumer, partitions) = open(options)?;
    let deadline = options
        .timeout
        .map(|seconds| (seconds, Instant::now() + Duration::from_secs(seconds)));
    let mut out = io::stdout().lock();
    let mut printed = 0;
    let mut at_end = BTreeSet::new();
    loop {
        let counted = options.count.is_some_and(|count| printed >= count);
        let idle = options.until_idle && at_end.len() == partitions;
        if counted || idle {
            return Ok(());
        }
        if let Some((seconds, deadline)) = deadline
            && Instant::now() >= deadline
        {
            let endless = options.count.is_none() && !options.until_idle;
            return if endless {
                Ok(())
            } else {
                Err(TailError::TimedOut { seconds, printed })
            };
        }
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => {
                at_end.remove(&message.partition());
                writeln!(out, "{}", as_json(&message))?;
                out.flush()?;
                printed += 1;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                at_end.insert(partition);
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error.into()),
            // An outage: the client goes on trying, and the deadline bounds it.
            Some(Err(error)) => eprintln!("dev-broker: {error}"),
        }
    }
}

/// Connects, and takes every partition of the topic; returns how many there are.
fn open(options: &Options) -> Result<(BaseConsumer, usize), TailError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &options.brokers)
        // librdkafka asks for one; partitions are assigned by hand and nothing is committed.
        .set("group.id", "dev-broker-tail")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(&options.topic), METADATA_TIMEOUT)?;
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .filter(|topic| topic.name() == options.topic && topic.error().is_none())
        .flat_map(|topic| topic.partitions())
        .map(|partition| partition.id())
        .collect();
    if partitions.is_empty() {
        return Err(TailError::NoTopic(options.topic.clone()));
    }
    let start = if options.from_beginning {
        Offset::Beginning
    } else {
        Offset::End
    };
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(&options.topic, *partition, start)?;
    }
    consumer.assign(&assignment)?;
    Ok((consumer, partitions.len()))
}

/// One message; a value that is no JSON is printed as a text.
fn as_json(message: &BorrowedMessage<'_>) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Map<String, Value> = message
        .headers()
        .map(|headers| {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), json!(header.value.map(text))))
                .collect()
        })
        .unwrap_or_default();
    let value = message.payload().map(|payload| {
        serde_json::from_slice(payload).unwrap_or_else(|_| Value::String(text(payload)))
    });
    json!({
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "key": message.key().map(text),
        "headers": headers,
        "value": value,
    })
}
