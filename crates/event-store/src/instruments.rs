//! What the store measures: commands, readers of the feed, and audits.

use instruments::{Counter, Gauge, Histogram, Label, List};

const READER: Label = Label::each_of(
    "reader",
    "a reader of the feed: a version of a read model (`orders@1`), `relay`, `replay`, `backfill`",
);
const KIND: Label = Label::one_of("kind", || vec!["load", "append"]);
const ENDED: Label = Label::one_of("ended", || vec!["done", "refused", "failed"]);
const MODEL: Label = Label::each_of("model", "a read model");

/// How long the store takes to append.
pub const APPEND_SECONDS: Histogram<0> = Histogram {
    name: "atlas_append_seconds",
    unit: "seconds",
    help: "One append statement, of one command or of several together.",
    labels: [],
};

/// Races lost.
pub const APPEND_CONFLICTS: Counter<0> = Counter {
    name: "atlas_append_conflicts_total",
    unit: "appends",
    help: "Appends that came too late: their stream had moved.",
    labels: [],
};

/// Decisions made again.
pub const COMMAND_RETRIES: Counter<0> = Counter {
    name: "atlas_command_retries_total",
    unit: "commands",
    help: "Commands that were decided again after a lost race or a failure that passes.",
    labels: [],
};

/// How long commands stand in line.
pub const QUEUE_WAIT_SECONDS: Histogram<0> = Histogram {
    name: "atlas_queue_wait_seconds",
    unit: "seconds",
    help: "How long a command waited for those before it on the same stream.",
    labels: [],
};

/// How many go together.
pub const GROUP_COMMIT_JOBS: Histogram<1> = Histogram {
    name: "atlas_group_commit_jobs",
    unit: "commands",
    help: "How many commands went to the store together.",
    labels: [KIND],
};

/// How long a command waits for a connection.
pub const GROUP_COMMIT_WAIT_SECONDS: Histogram<1> = Histogram {
    name: "atlas_group_commit_wait_seconds",
    unit: "seconds",
    help: "How long a command waited until a connection took it, with others or alone.",
    labels: [KIND],
};

/// What the executor of commands measures.
pub const EXECUTOR: List = &[
    &APPEND_SECONDS,
    &APPEND_CONFLICTS,
    &COMMAND_RETRIES,
    &QUEUE_WAIT_SECONDS,
    &GROUP_COMMIT_JOBS,
    &GROUP_COMMIT_WAIT_SECONDS,
];

/// What lies before a reader.
pub const FEED_LAG_EVENTS: Gauge<1> = Gauge {
    name: "atlas_feed_lag_events",
    unit: "events",
    help: "Committed events that the reader has not taken; of the relay this is the backlog to \
           Kafka.",
    labels: [READER],
};

/// How old the first of that is.
pub const FEED_LAG_SECONDS: Gauge<1> = Gauge {
    name: "atlas_feed_lag_seconds",
    unit: "seconds",
    help: "Age of the oldest committed event that the reader has not taken.",
    labels: [READER],
};

/// Streams that wait.
pub const FEED_PARKED: Gauge<1> = Gauge {
    name: "atlas_feed_parked",
    unit: "streams",
    help: "Streams that the reader has parked, each at an event that it cannot take.",
    labels: [READER],
};

/// Readers that cannot go on.
pub const FEED_HALTED: Gauge<1> = Gauge {
    name: "atlas_feed_halted",
    unit: "1 or 0",
    help: "Whether the reader cannot go on until an operator acts.",
    labels: [READER],
};

/// Failures after which a reader began again.
pub const FEED_FAILURES: Counter<1> = Counter {
    name: "atlas_feed_failures_total",
    unit: "failures",
    help: "Failures after which the reader began again at its checkpoint.",
    labels: [READER],
};

/// How long batches take.
pub const FEED_BATCH_SECONDS: Histogram<1> = Histogram {
    name: "atlas_feed_batch_seconds",
    unit: "seconds",
    help: "One batch of the feed, from its read to the moved checkpoint.",
    labels: [READER],
};

/// How old events are when they have been taken.
pub const FEED_LATENCY_SECONDS: Histogram<1> = Histogram {
    name: "atlas_feed_latency_seconds",
    unit: "seconds",
    help: "From an event's commit until the reader has taken it: into the read model, or to Kafka. \
           A reader that is far behind takes many at once and leaves them out.",
    labels: [READER],
};

/// What readers of the feed measure.
pub const READERS: List = &[
    &FEED_LAG_EVENTS,
    &FEED_LAG_SECONDS,
    &FEED_PARKED,
    &FEED_HALTED,
    &FEED_FAILURES,
    &FEED_BATCH_SECONDS,
    &FEED_LATENCY_SECONDS,
];

/// How long the watermark stands still.
pub const WATERMARK_STALL_SECONDS: Gauge<0> = Gauge {
    name: "atlas_watermark_stall_seconds",
    unit: "seconds",
    help: "Age of the append that holds the watermark, and with it every reader; 0 where none is \
           older than a second.",
    labels: [],
};

/// Events that were lost on the way to a reader.
pub const AUDIT_MISSING: Gauge<1> = Gauge {
    name: "atlas_audit_missing",
    unit: "events",
    help: "Events that the reader's checkpoint does not account for, at the last audit.",
    labels: [READER],
};

/// Rows that are wrong.
pub const AUDIT_DRIFT: Gauge<1> = Gauge {
    name: "atlas_audit_drift",
    unit: "rows",
    help: "Rows that were found not to be what the events say, and not found right since.",
    labels: [MODEL],
};

/// How old the oldest proof is.
pub const AUDIT_OLDEST_UNPROVED_SECONDS: Gauge<1> = Gauge {
    name: "atlas_audit_oldest_unproved_seconds",
    unit: "seconds",
    help: "How long ago the row was compared with its events whose turn comes next.",
    labels: [MODEL],
};

/// What the auditor measures, which one process is at a time.
pub const AUDITOR: List = &[
    &WATERMARK_STALL_SECONDS,
    &AUDIT_MISSING,
    &AUDIT_DRIFT,
    &AUDIT_OLDEST_UNPROVED_SECONDS,
];

/// Acts that wait.
pub const ACTS_WAITING: Gauge<0> = Gauge {
    name: "atlas_acts_waiting",
    unit: "acts",
    help: "Acts that operators have asked for and that have not ended, the one under way among them.",
    labels: [],
};

/// Acts that were carried out.
pub const ACTS_CARRIED_OUT: Counter<1> = Counter {
    name: "atlas_acts_carried_out_total",
    unit: "acts",
    help: "Acts that operators had asked for and that have ended, by how.",
    labels: [ENDED],
};

/// What the role measures that carries out acts, which one process is at a time.
pub const ACTS: List = &[&ACTS_WAITING, &ACTS_CARRIED_OUT];
