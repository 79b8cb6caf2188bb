//! What operators watch: every metric of the three processes in one catalogue, the page that lists
//! them, the dashboards that show them, and which alerts each fault raises.
//!
//! The pages and the dashboards are written into `docs` and `deploy/grafana` by this crate's tests,
//! which also try the rules in `deploy/prometheus` with Prometheus's own `promtool`: whoever renames
//! a metric hears of every place that knew its name. Deliberately absent: anything that a running
//! process needs. Start at [`catalogue`] and at `dashboards.rs`.

pub mod dashboards;
pub mod faults;
mod grafana;
mod names;
mod page;
mod shortened;

use instruments::{Instrument, List};

pub use grafana::dashboard_json;
pub use names::{Unknown, check_expression};
pub use page::metrics_page;
pub use shortened::{TIMES, shortened};

/// The instruments of one part of the system.
#[derive(Clone, Copy)]
pub struct Part {
    /// What it is.
    pub title: &'static str,
    /// Who measures it.
    pub by: &'static str,
    /// Its instruments.
    pub instruments: List,
}

/// Every metric that there is, by who measures it.
#[must_use]
pub fn catalogue() -> Vec<Part> {
    let part = |title, by, instruments| Part {
        title,
        by,
        instruments,
    };
    vec![
        part(
            "Requests",
            "command-api and query-api, each for itself.",
            http_edge::instruments::ALL,
        ),
        part(
            "Commands",
            "command-api, each for itself.",
            event_store::instruments::EXECUTOR,
        ),
        part(
            "Readers of the feed",
            "projector. Gauges come from the one process that leads the reader; where nobody does \
             they are absent.",
            event_store::instruments::READERS,
        ),
        part(
            "To Kafka",
            "projector, the one that leads the relay.",
            messaging::instruments::RELAY,
        ),
        part(
            "From Kafka",
            "projector, each member of the group for its partitions.",
            messaging::instruments::CONSUMER,
        ),
        part(
            "Audits",
            "projector, the one that is the auditor; where nobody is they are absent.",
            event_store::instruments::AUDITOR,
        ),
        part(
            "Dead letters",
            "projector, the one that is the auditor.",
            dead_letters::instruments::ALL,
        ),
        part(
            "Accounts",
            "projector, the one that has the role of the VIP clock, or of the recompute.",
            bonus_store::instruments::ALL,
        ),
        part(
            "Acts from the console",
            "projector, the one that has the role of the acts.",
            event_store::instruments::ACTS,
        ),
        part(
            "Each process",
            "all three, each for itself.",
            service_runtime::instruments::ALL,
        ),
    ]
}

/// The instrument of this name.
pub(crate) fn instrument(name: &str) -> Option<&'static dyn Instrument> {
    catalogue()
        .iter()
        .flat_map(|part| part.instruments.iter().copied())
        .find(|instrument| instrument.name() == name)
}
