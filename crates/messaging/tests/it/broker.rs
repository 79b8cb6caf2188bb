//! Kafka endpoints: a broker in the test's own process, or Apache Kafka where there is one; what
//! the tests write to them, and what they find there.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::time::Duration;

use contracts::topics::MAX_CLIENT_BYTES;
use messaging::Kafka;
use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::bindings::{
    rd_kafka_handle_mock_cluster, rd_kafka_mock_group_initial_rebalance_delay_ms,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{
    BaseProducer, BaseRecord, DefaultProducerContext, Producer, ThreadedProducer,
};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};

const PARTITIONS: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(20);

/// A message as it lies on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: String,
    /// One without a value is told as `none`.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) value: String,
}

/// Where a Kafka is, mock or real.
pub(crate) struct Endpoint {
    address: String,
}

/// The broker of one test. It is gone when this is.
pub(crate) struct Broker {
    holder: ThreadedProducer<DefaultProducerContext>,
    endpoint: Endpoint,
}

impl Broker {
    /// One that has these topics, and no patience with the members of new groups.
    #[expect(
        unsafe_code,
        reason = "the group's delay is not in rdkafka's interface, only in librdkafka's"
    )]
    pub(crate) fn with_topics(topics: &[&str]) -> Self {
        let holder: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .create()
            .unwrap();
        let cluster = holder.client().mock_cluster().unwrap();
        for topic in topics {
            cluster.create_topic(topic, PARTITIONS, 1).unwrap();
        }
        let address = cluster.bootstrap_servers();
        drop(cluster);
        // SAFETY: the holder owns the cluster, and both are alive.
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(holder.client().native_ptr());
            rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
        Self {
            holder,
            endpoint: Endpoint { address },
        }
    }

    pub(crate) fn down(&self) {
        self.cluster().broker_down(-1).unwrap();
    }

    pub(crate) fn up(&self) {
        self.cluster().broker_up(-1).unwrap();
    }

    /// Says of a topic that there is none, or that there is.
    pub(crate) fn hide(&self, topic: &str, hidden: bool) {
        let error = if hidden {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        } else {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        };
        self.cluster().topic_error(topic, error).unwrap();
    }

    /// Answers the next requests to produce with these errors.
    pub(crate) fn refuse(&self, errors: &[RDKafkaRespErr]) {
        self.cluster()
            .request_errors(RDKafkaApiKey::Produce, errors);
    }

    fn cluster(&self) -> MockCluster<'_, DefaultProducerContext> {
        self.holder.client().mock_cluster().unwrap()
    }
}

impl Deref for Broker {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Endpoint {
    /// Apache Kafka, if the environment names one.
    pub(crate) fn real() -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the owner of the tests' one variable"
        )]
        let address = std::env::var("ATLAS_TEST_KAFKA").ok()?;
        Some(Self { address })
    }

    /// Makes a topic that nobody else uses.
    pub(crate) async fn make_topic(&self, settings: &[(&str, &str)]) -> &'static str {
        let name = fresh_topic_name();
        self.make_topic_named(name, settings).await;
        name
    }

    pub(crate) async fn make_topic_named(&self, name: &str, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = admin.create_topics([&topic], &options).await.unwrap();
        assert_eq!(made, [Ok(name.to_owned())]);
    }

    pub(crate) async fn delete_topic(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let deleted = admin.delete_topics(&[name], &options).await.unwrap();
        assert_eq!(deleted, [Ok(name.to_owned())]);
    }

    /// Gives a topic more partitions.
    pub(crate) async fn grow_topic(&self, name: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let grown = NewPartitions::new(name, partitions);
        let grown = admin.create_partitions([&grown], &options).await.unwrap();
        assert_eq!(grown, [Ok(name.to_owned())]);
    }

    pub(crate) fn has_topic(&self, name: &str) -> bool {
        let client: BaseConsumer = self.client().create().unwrap();
        let metadata = client.fetch_metadata(None, PATIENCE).unwrap();
        metadata.topics().iter().any(|topic| topic.name() == name)
    }

    /// A topic's settings, as the broker has them in force.
    pub(crate) async fn settings(&self, topic: &str) -> BTreeMap<String, String> {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let mut found = admin
            .describe_configs(&[ResourceSpecifier::Topic(topic)], &AdminOptions::new())
            .await
            .unwrap();
        let resource = found.pop().unwrap().unwrap();
        resource
            .entries
            .into_iter()
            .filter_map(|entry| Some((entry.name, entry.value?)))
            .collect()
    }

    pub(crate) fn kafka(&self) -> Kafka {
        Kafka::new(&self.address)
    }

    /// Writes messages with one key, in order.
    pub(crate) fn write(&self, topic: &str, key: &str, values: &[&str]) {
        let producer: BaseProducer = self
            .client()
            .set("message.max.bytes", MAX_CLIENT_BYTES.to_string())
            .create()
            .unwrap();
        for value in values {
            producer
                .send(BaseRecord::to(topic).key(key).payload(*value))
                .map_err(|(error, _)| error)
                .unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// Writes one message with these headers, some of them without a value.
    pub(crate) fn write_with(
        &self,
        topic: &str,
        key: &str,
        headers: &[(&str, Option<&str>)],
        value: &str,
    ) {
        let producer: BaseProducer = self.client().create().unwrap();
        let headers = headers.iter().fold(
            OwnedHeaders::new_with_capacity(headers.len()),
            |headers, (key, value)| headers.insert(Header { key, value: *value }),
        );
        let record = BaseRecord::to(topic).key(key).payload(value);
        producer
            .send(record.headers(headers))
            .map_err(|(error, _)| error)
            .unwrap();
        producer.flush(PATIENCE).unwrap();
    }

    /// Every message of a topic, partition by partition in order.
    pub(crate) fn read(&self, topic: &str) -> Vec<Record> {
        self.read_all(topic, PARTITIONS)
    }

    /// The same of one that has so many partitions.
    pub(crate) fn read_all(&self, topic: &str, partitions: i32) -> Vec<Record> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "a-test-reads")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            assignment
                .add_partition_offset(topic, partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut records = Vec::new();
        let mut ended = 0;
        while ended < partitions {
            match consumer.poll(PATIENCE).expect("the topic has an end") {
                Ok(message) => {
                    let text = |bytes: Option<&[u8]>| {
                        String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap()
                    };
                    let headers = message.headers().map(|headers| {
                        headers
                            .iter()
                            .map(|header| (header.key.to_owned(), header.value))
                            .map(|(key, value)| (key, text(value.or(Some(b"none")))))
                            .collect()
                    });
                    records.push(Record {
                        partition: message.partition(),
                        offset: message.offset(),
                        key: text(message.key()),
                        headers: headers.unwrap_or_default(),
                        value: text(message.payload()),
                    });
                }
                Err(KafkaError::PartitionEOF(_)) => ended += 1,
                Err(error) => panic!("cannot read {topic}: {error}"),
            }
        }
        records
    }

    /// What the group named as the topic has committed, by partition; those without a commit are
    /// left out.
    pub(crate) fn committed(&self, topic: &str) -> BTreeMap<i32, i64> {
        let consumer: BaseConsumer = self.client().set("group.id", topic).create().unwrap();
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(topic, 0, PARTITIONS - 1);
        let committed = consumer.committed_offsets(partitions, PATIENCE).unwrap();
        committed
            .elements()
            .iter()
            .filter_map(|element| {
                let Offset::Offset(offset) = element.offset() else {
                    return None;
                };
                Some((element.partition(), offset))
            })
            .collect()
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }
}

/// A name that no topic has; messages name their topic by a literal.
pub(crate) fn fresh_topic_name() -> &'static str {
    let number = RandomState::new().hash_one(0);
    Box::leak(format!("a-test-{number:016x}").into_boxed_str())
}

/// The values in the order in which each key first has them.
pub(crate) fn first_occurrences(records: &[Record]) -> BTreeMap<String, Vec<String>> {
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records {
        let values = by_key.entry(record.key.clone()).or_default();
        if !values.contains(&record.value) {
            values.push(record.value.clone());
        }
    }
    by_key
}
