//! What the roles over accounts measure, each by the one process that has it.

use instruments::{Counter, Gauge, List};

/// Changes of VIP that the clock told.
pub const VIP_CLOCK_FACTS: Counter<0> = Counter {
    name: "atlas_vip_clock_facts_total",
    unit: "facts",
    help: "VipLost and VipAcquired that the clock brought about.",
    labels: [],
};

/// How late the clock is.
pub const VIP_DELAY_SECONDS: Gauge<0> = Gauge {
    name: "atlas_vip_delay_seconds",
    unit: "seconds",
    help: "How long ago the VIP standing should have changed that is due longest; 0 where none is.",
    labels: [],
};

/// Accounts computed anew.
pub const RECOMPUTED_ACCOUNTS: Counter<0> = Counter {
    name: "atlas_recompute_accounts_total",
    unit: "accounts",
    help: "Accounts that were computed anew under the policy in force.",
    labels: [],
};

/// Accounts that cannot be.
pub const RECOMPUTE_STUCK: Gauge<0> = Gauge {
    name: "atlas_recompute_stuck",
    unit: "accounts",
    help: "Queued accounts that could not be computed anew at the last try.",
    labels: [],
};

/// All of them.
pub const ALL: List = &[
    &VIP_CLOCK_FACTS,
    &VIP_DELAY_SECONDS,
    &RECOMPUTED_ACCOUNTS,
    &RECOMPUTE_STUCK,
];
