//! Relay, consumer and topics on a Kafka endpoint (librdkafka's mock cluster) and a real Postgres.

mod apache_kafka;
mod broker;
mod consumer;
mod frozen_scratch;
mod relay;
mod store;
mod topics;
