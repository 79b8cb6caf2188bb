//! What is raised when something fails: the matrix that stands in `docs/failure-modes.md`, and that the
//! scenarios prove on a system that runs.

use std::fmt::Write as _;

/// Where the matrix stands in its page.
const BEGINS: &str = "<!-- The matrix of faults, written by a test of `crates/monitoring`. -->\n";
const ENDS: &str = "<!-- Its end. -->\n";

/// Something that fails.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What fails, in a sentence's beginning.
    pub what: &'static str,
    /// How a test brings it about.
    pub how: &'static str,
    /// The alerts that it raises, by name.
    pub raises: &'static [&'static str],
    /// Those that it may raise besides, by its length, the load, and who is hit.
    pub may_raise: &'static [&'static str],
}

/// Kafka is gone.
pub const KAFKA_GONE: Fault = Fault {
    what: "Kafka is gone",
    how: "the broker is stopped",
    raises: &["AtlasKafkaStale", "AtlasKafkaUnreachable"],
    may_raise: &[
        "AtlasConsumerUnowned",
        "AtlasConsumerWaits",
        "AtlasReaderFails",
    ],
};

/// Kafka is frozen.
pub const KAFKA_FROZEN: Fault = Fault {
    what: "Kafka is frozen",
    how: "the broker takes connections and answers nothing",
    raises: &["AtlasKafkaStale", "AtlasKafkaUnreachable"],
    may_raise: &[
        "AtlasConsumerUnowned",
        "AtlasConsumerWaits",
        "AtlasReaderFails",
    ],
};

/// Redis is gone.
pub const REDIS_GONE: Fault = Fault {
    what: "Redis is gone",
    how: "it is killed",
    raises: &["AtlasRedisUnreachable"],
    may_raise: &[],
};

/// Postgres is gone.
pub const POSTGRES_GONE: Fault = Fault {
    what: "Postgres is gone",
    how: "it is stopped as by a crash, and commands go on being sent",
    raises: &[
        "AtlasCommandsFail",
        "AtlasServerErrors",
        "AtlasStoreUnreachable",
    ],
    may_raise: &[
        "AtlasAuditorUnowned",
        "AtlasConsumerUnowned",
        "AtlasConsumerWaits",
        "AtlasCommandsSlow",
        "AtlasKafkaStale",
        "AtlasReadModelsStale",
        "AtlasReaderFails",
        "AtlasReaderUnowned",
    ],
};

/// Postgres is slow.
pub const POSTGRES_SLOW: Fault = Fault {
    what: "Postgres is slow",
    how: "everything that it is sent arrives 400 ms late",
    raises: &["AtlasAppendsSlow", "AtlasCommandsSlow"],
    may_raise: &[
        "AtlasAccountsLate",
        "AtlasKafkaStale",
        "AtlasReadModelsStale",
        "AtlasReaderFails",
        "AtlasVipLate",
    ],
};

/// The disk is slow.
pub const DISK_SLOW: Fault = Fault {
    what: "The disk is slow",
    how: "each `fdatasync` of Postgres takes 700 ms longer (`strace --inject`)",
    raises: &["AtlasAppendsSlow", "AtlasCommandsSlow"],
    may_raise: POSTGRES_SLOW.may_raise,
};

/// The watermark is stalled.
pub const WATERMARK_STALLED: Fault = Fault {
    what: "The watermark is stalled",
    how: "a session keeps an append's lock and does not commit",
    raises: &[
        "AtlasKafkaStale",
        "AtlasReadModelsStale",
        "AtlasWatermarkStalled",
    ],
    may_raise: &["AtlasAccountsLate", "AtlasVipLate"],
};

/// A message cannot be handled.
pub const POISON_MESSAGE: Fault = Fault {
    what: "A message cannot be handled",
    how: "one of nobody's kind is sent to the topic: the first dead letter",
    raises: &["AtlasDeadLetters"],
    may_raise: &[],
};

/// An event cannot be taken.
pub const STREAM_PARKED: Fault = Fault {
    what: "An event cannot be taken",
    how: "one that no release knows is stored: its stream is parked",
    raises: &["AtlasStreamsParked"],
    may_raise: &[],
};

/// A request fails.
pub const REQUEST_FAILED: Fault = Fault {
    what: "A request fails",
    how: "a command on an order with such an event: the first 5xx",
    raises: &["AtlasServerErrors"],
    may_raise: &[],
};

/// The projector is killed.
pub const PROJECTOR_KILLED: Fault = Fault {
    what: "The only projector is killed",
    how: "SIGKILL; nobody takes over",
    raises: &[
        "AtlasAuditorUnowned",
        "AtlasConsumerUnowned",
        "AtlasKafkaStale",
        "AtlasProcessesDown",
        "AtlasReadModelsStale",
        "AtlasReaderUnowned",
    ],
    may_raise: &["AtlasAccountsLate"],
};

/// A row is not what the events say.
pub const ROW_DRIFTED: Fault = Fault {
    what: "An audit finds a wrong row",
    how: "a title is changed in the read model",
    raises: &["AtlasRowsDrifted"],
    may_raise: &[],
};

/// A checkpoint does not account for every event.
pub const EVENT_MISSING: Fault = Fault {
    what: "An audit finds an event missing",
    how: "one is put where every reader has been: its effect is nowhere",
    raises: &["AtlasEventsMissing"],
    may_raise: &["AtlasRowsDrifted"],
};

/// Every fault that is brought about.
pub const ALL: [Fault; 13] = [
    KAFKA_GONE,
    KAFKA_FROZEN,
    REDIS_GONE,
    POSTGRES_GONE,
    POSTGRES_SLOW,
    DISK_SLOW,
    WATERMARK_STALLED,
    POISON_MESSAGE,
    STREAM_PARKED,
    REQUEST_FAILED,
    PROJECTOR_KILLED,
    ROW_DRIFTED,
    EVENT_MISSING,
];

/// The matrix, as text; `alerts` are all that there are.
#[must_use]
pub fn matrix(alerts: &[&str]) -> String {
    let mut text = "| what fails | how a test does it | raises | may raise besides |\n\
                    |---|---|---|---|\n"
        .to_owned();
    for fault in &ALL {
        // A String takes everything.
        writeln!(
            text,
            "| {} | {} | {} | {} |",
            fault.what,
            fault.how,
            linked(fault.raises),
            linked(fault.may_raise)
        )
        .ok();
    }
    let others: Vec<&str> = alerts
        .iter()
        .filter(|alert| !ALL.iter().any(|fault| fault.raises.contains(alert)))
        .copied()
        .collect();
    write!(
        text,
        "\nNone of these raises for certain: {}.\n",
        linked(&others)
    )
    .ok();
    text
}

fn linked(alerts: &[&str]) -> String {
    if alerts.is_empty() {
        return "–".to_owned();
    }
    let links: Vec<String> = alerts
        .iter()
        .map(|alert| format!("[{alert}](operations.md#{})", alert.to_lowercase()))
        .collect();
    links.join(", ")
}

/// The page with this matrix in its place; none where it has no place for one.
#[must_use]
pub fn in_page(page: &str, matrix: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGINS)?;
    let (_, after) = rest.split_once(ENDS)?;
    Some(format!("{before}{BEGINS}{matrix}{ENDS}{after}"))
}
