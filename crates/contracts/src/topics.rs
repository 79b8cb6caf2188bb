//! The topics: their names, and what each is made with.
//!
//! The key of an order event is the order's id, that of an account event the beneficiary's, each
//! hyphenated in lower case: whatever concerns one of them stays in order.

/// Every order event.
pub const ORDER_EVENTS: &str = "atlas.order-events.v1";
/// Every account event.
pub const BONUS_EVENTS: &str = "atlas.bonus-events.v1";

/// Partitions of every topic of ours.
pub const PARTITIONS: i32 = 6;
/// The greatest message of a topic of events, in bytes.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;
/// The greatest message of a dead-letter topic, and what our clients take, in bytes: a message
/// that was too large for its own topic's readers still fits, with the headers that say why.
pub const MAX_CLIENT_BYTES: usize = 16 * 1024 * 1024;

/// The topic that takes what a consumer of `topic` gave up on.
#[must_use]
pub fn dead_letters_of(topic: &str) -> String {
    format!("{topic}.dlq")
}

/// A topic as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its number of partitions.
    pub partitions: i32,
    /// The greatest message that it takes, in bytes.
    pub max_message_bytes: usize,
}

/// Every topic of ours: those of events, each with its dead letters.
#[must_use]
pub fn all() -> Vec<Topic> {
    [ORDER_EVENTS, BONUS_EVENTS]
        .into_iter()
        .flat_map(|name| {
            [
                Topic {
                    name: name.to_owned(),
                    partitions: PARTITIONS,
                    max_message_bytes: MAX_EVENT_BYTES,
                },
                Topic {
                    name: dead_letters_of(name),
                    partitions: PARTITIONS,
                    max_message_bytes: MAX_CLIENT_BYTES,
                },
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_of_events_has_its_dead_letters() {
        let names: Vec<_> = all().into_iter().map(|topic| topic.name).collect();
        assert_eq!(
            names,
            [
                "atlas.order-events.v1",
                "atlas.order-events.v1.dlq",
                "atlas.bonus-events.v1",
                "atlas.bonus-events.v1.dlq",
            ]
        );
    }
}
