//! Relay, consumer and topics on a Kafka endpoint (librdkafka's mock cluster) and a real Postgres.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod apache_kafka;
mod broker;
mod consumer;
mod dead_letters;
mod redrive;
mod relay;
mod replay;
mod store;
mod topics;
