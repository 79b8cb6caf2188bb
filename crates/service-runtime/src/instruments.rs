//! What every process measures of itself.

use instruments::{Gauge, Label, List};

/// Connections of the pool.
pub const POOL_CONNECTIONS: Gauge<1> = Gauge {
    name: "atlas_pool_connections",
    unit: "connections",
    help: "Connections of the process's pool to Postgres.",
    labels: [Label::one_of("state", || vec!["used", "idle"])],
};

/// What the process depends on.
pub const DEPENDENCY_UP: Gauge<1> = Gauge {
    name: "atlas_dependency_up",
    unit: "1 or 0",
    help: "Whether the dependency answers and gets on, as /health/ready says it.",
    labels: [Label::each_of(
        "dependency",
        "what the process depends on: `postgres`, `kafka`, `redis`, `keys`, a read model, `relay`",
    )],
};

/// How wrong the clock is.
pub const CLOCK_OFFSET_SECONDS: Gauge<0> = Gauge {
    name: "atlas_clock_offset_seconds",
    unit: "seconds",
    help: "Clock of this process minus Postgres's, to within half a round trip. That of a consumer \
           minus that of a producer is what their latency is off by.",
    labels: [],
};

/// All of them.
pub const ALL: List = &[&POOL_CONNECTIONS, &DEPENDENCY_UP, &CLOCK_OFFSET_SECONDS];
