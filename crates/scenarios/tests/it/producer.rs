//! A producer that is none of ours: it tells of orders on the topic that the consumer reads, with as
//! little as the contract asks for.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::json;
use uuid::Uuid;

const TOPIC: &str = "atlas.order-events.v1";
const PATIENCE: Duration = Duration::from_secs(30);

/// What it tells.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) id: Uuid,
    pub(crate) event: &'static str,
    pub(crate) commissioner: Uuid,
    pub(crate) order: Uuid,
    pub(crate) at: DateTime<Utc>,
}

/// The producer.
pub(crate) struct Producer(FutureProducer);

impl Producer {
    pub(crate) fn of(brokers: &str) -> Self {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("linger.ms", "5")
            .create()
            .unwrap();
        Self(producer)
    }

    /// Sends facts, and waits until Kafka has them.
    pub(crate) async fn tell(&self, facts: &[Told]) {
        let sent = facts.iter().map(|told| self.send(told, None));
        join_all(sent).await;
    }

    /// Sends what nobody can handle, and waits until Kafka has it.
    pub(crate) async fn send_nonsense(&self) {
        let id = Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0bad_0000_0000).to_string();
        let header = |key, value| Header { key, value };
        let headers = OwnedHeaders::new()
            .insert(header("ce_id", Some(id.as_str())))
            .insert(header("ce_type", Some("atlas.order.OrderPlaced")));
        let record = FutureRecord::to(TOPIC)
            .key(&id)
            .payload("{")
            .headers(headers);
        self.0.send(record, PATIENCE).await.unwrap();
    }

    /// Sends a message of each of these types, and waits until Kafka has them.
    pub(crate) async fn send_of_types(&self, types: &[String]) {
        let sent = types.iter().enumerate().map(async |(number, kind)| {
            let id = Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0dd0_0000_0000 + number as u128);
            let (id, header) = (id.to_string(), |key, value| Header { key, value });
            let headers = OwnedHeaders::new()
                .insert(header("ce_id", Some(id.as_str())))
                .insert(header("ce_type", Some(kind.as_str())));
            let record = FutureRecord::to(TOPIC)
                .key(&id)
                .payload("{}")
                .headers(headers);
            self.0.send(record, PATIENCE).await.unwrap();
        });
        join_all(sent).await;
    }

    /// The same, in this order on this partition, whatever their orders are.
    pub(crate) async fn tell_on(&self, partition: i32, facts: &[Told]) {
        let sent = facts.iter().map(|told| self.send(told, Some(partition)));
        join_all(sent).await;
    }

    async fn send(&self, told: &Told, partition: Option<i32>) {
        let value = json!({
            "commissionerId": told.commissioner,
            "orderId": told.order,
            "occurredAt": told.at.to_rfc3339(),
            "byDispute": false,
        })
        .to_string();
        let (id, kind) = (told.id.to_string(), format!("atlas.order.{}", told.event));
        let header = |key, value| Header { key, value };
        let headers = OwnedHeaders::new()
            .insert(header("ce_id", Some(id.as_str())))
            .insert(header("ce_type", Some(kind.as_str())));
        let key = told.order.to_string();
        let mut record = FutureRecord::to(TOPIC)
            .key(&key)
            .payload(&value)
            .headers(headers);
        record.partition = partition;
        self.0.send(record, PATIENCE).await.unwrap();
    }
}
