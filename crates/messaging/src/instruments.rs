//! What goes to Kafka and comes from it, measured.

use contracts::{DeadLetterCode, topics};
use instruments::{Counter, Gauge, Histogram, Label, List};

const GROUP: Label = Label::each_of("group", "a consumer group of ours: `atlas-bonus`");
const TOPIC: Label = Label::each_of("topic", "a topic that the group reads");

/// What was sent.
pub const RELAY_MESSAGES: Counter<1> = Counter {
    name: "atlas_relay_messages_total",
    unit: "messages",
    help: "Messages that were handed to the producer, repeats among them.",
    labels: [Label::one_of("topic", || {
        vec![topics::ORDER_EVENTS, topics::BONUS_EVENTS]
    })],
};

/// How long Kafka takes.
pub const RELAY_DELIVERY_SECONDS: Histogram<0> = Histogram {
    name: "atlas_relay_delivery_seconds",
    unit: "seconds",
    help: "One batch, from its first message to its last acknowledgement.",
    labels: [],
};

/// What lies before a consumer.
pub const CONSUMER_LAG: Gauge<3> = Gauge {
    name: "atlas_consumer_lag_messages",
    unit: "messages",
    help: "Messages of the partition behind the committed offset, told by the member that has it.",
    labels: [
        GROUP,
        TOPIC,
        Label::each_of("partition", "a partition of the topic"),
    ],
};

/// Partitions that wait.
pub const CONSUMER_PAUSED: Gauge<1> = Gauge {
    name: "atlas_consumer_paused_partitions",
    unit: "partitions",
    help: "Partitions of this member that wait: for a dependency, or to try a message again.",
    labels: [GROUP],
};

/// Rebalances.
pub const CONSUMER_REBALANCES: Counter<1> = Counter {
    name: "atlas_consumer_rebalances_total",
    unit: "rebalances",
    help: "Times that this member was given partitions, or had some taken away.",
    labels: [GROUP],
};

/// Commits that failed.
pub const CONSUMER_COMMIT_FAILURES: Counter<1> = Counter {
    name: "atlas_consumer_commit_failures_total",
    unit: "commits",
    help: "Commits of offsets that Kafka did not take; later ones make up for them.",
    labels: [GROUP],
};

/// Messages given up.
pub const CONSUMER_DEAD_LETTERS: Counter<2> = Counter {
    name: "atlas_consumer_dead_letters_total",
    unit: "messages",
    help: "Messages that were given up.",
    labels: [
        TOPIC,
        Label::one_of("code", || {
            DeadLetterCode::ALL.map(DeadLetterCode::as_str).to_vec()
        }),
    ],
};

/// How long a handler takes.
pub const CONSUMER_BATCH_SECONDS: Histogram<1> = Histogram {
    name: "atlas_consumer_batch_seconds",
    unit: "seconds",
    help: "One batch of a partition in its handler, whatever came of it.",
    labels: [GROUP],
};

/// How old facts are when they have been handled.
pub const CONSUMER_LATENCY_SECONDS: Histogram<1> = Histogram {
    name: "atlas_consumer_latency_seconds",
    unit: "seconds",
    help: "From a message's ce_time until it was handled: from the command to the account.",
    labels: [GROUP],
};

/// What the relay measures.
pub const RELAY: List = &[&RELAY_MESSAGES, &RELAY_DELIVERY_SECONDS];

/// What a consumer measures.
pub const CONSUMER: List = &[
    &CONSUMER_LAG,
    &CONSUMER_PAUSED,
    &CONSUMER_REBALANCES,
    &CONSUMER_COMMIT_FAILURES,
    &CONSUMER_DEAD_LETTERS,
    &CONSUMER_BATCH_SECONDS,
    &CONSUMER_LATENCY_SECONDS,
];

/// The series of this group are there from now on, with 0.
pub(crate) fn prepare_consumer(group: &str, topics: &[String]) {
    CONSUMER_REBALANCES.of([group]).increment(0);
    CONSUMER_COMMIT_FAILURES.of([group]).increment(0);
    for topic in topics {
        for code in DeadLetterCode::ALL {
            CONSUMER_DEAD_LETTERS
                .of([topic, code.as_str()])
                .increment(0);
        }
    }
    drop(CONSUMER_BATCH_SECONDS.of([group]));
    drop(CONSUMER_LATENCY_SECONDS.of([group]));
}
