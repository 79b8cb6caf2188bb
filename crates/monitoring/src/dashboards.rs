//! The dashboards: which questions operators ask, and the expressions that answer them.

/// A dashboard.
#[derive(Debug, Clone, Copy)]
pub struct Dashboard {
    /// The name of its file, without the extension.
    pub file: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its panels, from left to right and from top to bottom.
    pub panels: &'static [Panel],
}

/// A panel.
#[derive(Debug, Clone, Copy)]
pub struct Panel {
    /// Its title.
    pub title: &'static str,
    /// What it says, in a sentence.
    pub what: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// Its expressions, each with the legend of its series.
    pub queries: &'static [(&'static str, &'static str)],
}

/// The unit of a panel's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// So many a second.
    PerSecond,
    /// So many.
    Count,
    /// A part of one.
    Ratio,
}

impl Unit {
    /// The unit in Grafana's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::PerSecond => "ops",
            Self::Count => "short",
            Self::Ratio => "percentunit",
        }
    }
}

/// Every dashboard.
pub const ALL: [Dashboard; 5] = [OVERVIEW, COMMANDS, PROJECTOR, KAFKA, BONUS];

const OVERVIEW: Dashboard = Dashboard {
    file: "overview",
    title: "Artisan Atlas: overview",
    panels: &[
        Panel {
            title: "Processes",
            what: "Processes that answer Prometheus.",
            unit: Unit::Count,
            queries: &[(
                r#"sum by (job) (up{job=~"command-api|query-api|projector"})"#,
                "{{job}}",
            )],
        },
        Panel {
            title: "Dependencies that do not answer",
            what: "Processes that miss a dependency, by what they miss.",
            unit: Unit::Count,
            queries: &[(
                "sum by (dependency) (1 - atlas_dependency_up)",
                "{{dependency}}",
            )],
        },
        Panel {
            title: "Requests",
            what: "Requests by process and class of status.",
            unit: Unit::PerSecond,
            queries: &[(
                "sum by (job, status) (rate(atlas_http_request_seconds_count[5m]))",
                "{{job}} {{status}}",
            )],
        },
        Panel {
            title: "Failures",
            what: "Requests answered by 5xx, by the code of the problem.",
            unit: Unit::PerSecond,
            queries: &[(
                "sum by (job, code) (rate(atlas_http_failures_total[5m]))",
                "{{job}} {{code}}",
            )],
        },
        Panel {
            title: "Age of what is read",
            what: "Age of the oldest event that a read model, or Kafka, does not have.",
            unit: Unit::Seconds,
            queries: &[("max by (reader) (atlas_feed_lag_seconds)", "{{reader}}")],
        },
        Panel {
            title: "What waits for an operator",
            what: "Dead letters, parked streams, rows that drifted, events that are missing.",
            unit: Unit::Count,
            queries: &[
                ("sum(atlas_dead_letters)", "dead letters"),
                ("sum(atlas_feed_parked)", "parked streams"),
                ("sum(atlas_audit_drift)", "drifted rows"),
                ("sum(atlas_audit_missing)", "missing events"),
            ],
        },
        Panel {
            title: "Connections",
            what: "Connections of the pools to Postgres.",
            unit: Unit::Count,
            queries: &[(
                "sum by (job, state) (atlas_pool_connections)",
                "{{job}} {{state}}",
            )],
        },
        Panel {
            title: "Clocks",
            what: "Each process's clock minus Postgres's.",
            unit: Unit::Seconds,
            queries: &[("atlas_clock_offset_seconds", "{{job}} {{instance}}")],
        },
    ],
};

const COMMANDS: Dashboard = Dashboard {
    file: "commands",
    title: "Artisan Atlas: commands",
    panels: &[
        Panel {
            title: "Commands",
            what: "Requests of the command API by route.",
            unit: Unit::PerSecond,
            queries: &[(
                r#"sum by (method, route) (rate(atlas_http_request_seconds_count{job="command-api"}[5m]))"#,
                "{{method}} {{route}}",
            )],
        },
        Panel {
            title: "Duration of commands",
            what: "Of the whole request, at the median and at the 99th percentile.",
            unit: Unit::Seconds,
            queries: &[
                (
                    r#"histogram_quantile(0.5, sum by (le) (rate(atlas_http_request_seconds_bucket{job="command-api"}[5m])))"#,
                    "p50",
                ),
                (
                    r#"histogram_quantile(0.99, sum by (le) (rate(atlas_http_request_seconds_bucket{job="command-api"}[5m])))"#,
                    "p99",
                ),
            ],
        },
        Panel {
            title: "Duration of appends",
            what: "One append statement, at the median and at the 99th percentile.",
            unit: Unit::Seconds,
            queries: &[
                (
                    "histogram_quantile(0.5, sum by (le) (rate(atlas_append_seconds_bucket[5m])))",
                    "p50",
                ),
                (
                    "histogram_quantile(0.99, sum by (le) (rate(atlas_append_seconds_bucket[5m])))",
                    "p99",
                ),
            ],
        },
        Panel {
            title: "Commands that go together",
            what: "Commands in one load or append, on average.",
            unit: Unit::Count,
            queries: &[(
                "sum by (kind) (rate(atlas_group_commit_jobs_sum[5m])) / sum by (kind) (rate(atlas_group_commit_jobs_count[5m]))",
                "{{kind}}",
            )],
        },
        Panel {
            title: "Waits",
            what: "For those before on the same stream, and for a connection, at the 99th percentile.",
            unit: Unit::Seconds,
            queries: &[
                (
                    "histogram_quantile(0.99, sum by (le) (rate(atlas_queue_wait_seconds_bucket[5m])))",
                    "stream",
                ),
                (
                    "histogram_quantile(0.99, sum by (le, kind) (rate(atlas_group_commit_wait_seconds_bucket[5m])))",
                    "connection, {{kind}}",
                ),
            ],
        },
        Panel {
            title: "Races",
            what: "Appends that came too late, and commands decided again.",
            unit: Unit::PerSecond,
            queries: &[
                ("sum(rate(atlas_append_conflicts_total[5m]))", "conflicts"),
                (
                    "sum(rate(atlas_command_retries_total[5m]))",
                    "decided again",
                ),
            ],
        },
        Panel {
            title: "Limits",
            what: "Requests refused by a rate limit, and those that a process counted alone.",
            unit: Unit::PerSecond,
            queries: &[
                (
                    "sum by (policy) (rate(atlas_rate_limited_total[5m]))",
                    "refused, {{policy}}",
                ),
                (
                    "sum by (reason) (rate(atlas_rate_limit_fallbacks_total[5m]))",
                    "counted alone, {{reason}}",
                ),
            ],
        },
        Panel {
            title: "Share of failures",
            what: "Commands answered by 5xx, of all.",
            unit: Unit::Ratio,
            queries: &[(
                r#"sum(rate(atlas_http_failures_total{job="command-api"}[5m])) / sum(rate(atlas_http_request_seconds_count{job="command-api"}[5m]))"#,
                "failed",
            )],
        },
    ],
};

const PROJECTOR: Dashboard = Dashboard {
    file: "projector",
    title: "Artisan Atlas: projector",
    panels: &[
        Panel {
            title: "Events before each reader",
            what: "Committed events that the reader has not taken.",
            unit: Unit::Count,
            queries: &[("max by (reader) (atlas_feed_lag_events)", "{{reader}}")],
        },
        Panel {
            title: "From commit to reader",
            what: "How old events are when a reader has taken them, at the 99th percentile.",
            unit: Unit::Seconds,
            queries: &[(
                "histogram_quantile(0.99, sum by (le, reader) (rate(atlas_feed_latency_seconds_bucket[5m])))",
                "{{reader}}",
            )],
        },
        Panel {
            title: "Events taken",
            what: "Events that readers took while they kept up.",
            unit: Unit::PerSecond,
            queries: &[(
                "sum by (reader) (rate(atlas_feed_latency_seconds_count[5m]))",
                "{{reader}}",
            )],
        },
        Panel {
            title: "Duration of batches",
            what: "From a batch's read to the moved checkpoint, at the 99th percentile.",
            unit: Unit::Seconds,
            queries: &[(
                "histogram_quantile(0.99, sum by (le, reader) (rate(atlas_feed_batch_seconds_bucket[5m])))",
                "{{reader}}",
            )],
        },
        Panel {
            title: "Readers that do not get on",
            what: "Whether a reader is halted, and how many streams it has parked.",
            unit: Unit::Count,
            queries: &[
                ("max by (reader) (atlas_feed_halted)", "halted, {{reader}}"),
                ("max by (reader) (atlas_feed_parked)", "parked, {{reader}}"),
            ],
        },
        Panel {
            title: "Failures of readers",
            what: "Failures after which a reader began again.",
            unit: Unit::PerSecond,
            queries: &[(
                "sum by (reader) (rate(atlas_feed_failures_total[5m]))",
                "{{reader}}",
            )],
        },
        Panel {
            title: "Watermark",
            what: "Age of the append that holds every reader up.",
            unit: Unit::Seconds,
            queries: &[("max(atlas_watermark_stall_seconds)", "stall")],
        },
        Panel {
            title: "Audits",
            what: "Age of the oldest proof of each read model.",
            unit: Unit::Seconds,
            queries: &[(
                "max by (model) (atlas_audit_oldest_unproved_seconds)",
                "{{model}}",
            )],
        },
        Panel {
            title: "Acts from the console",
            what: "Asked for and not ended, the one under way among them; ended in the last hour.",
            unit: Unit::Count,
            queries: &[
                ("max(atlas_acts_waiting)", "wait"),
                (
                    "sum by (ended) (increase(atlas_acts_carried_out_total[1h]))",
                    "{{ended}}",
                ),
            ],
        },
    ],
};

const KAFKA: Dashboard = Dashboard {
    file: "kafka",
    title: "Artisan Atlas: Kafka and dead letters",
    panels: &[
        Panel {
            title: "Backlog of the relay",
            what: "Committed events that are not on Kafka.",
            unit: Unit::Count,
            queries: &[(r#"max(atlas_feed_lag_events{reader="relay"})"#, "events")],
        },
        Panel {
            title: "From commit to Kafka",
            what: "At the median and at the 99th percentile.",
            unit: Unit::Seconds,
            queries: &[
                (
                    r#"histogram_quantile(0.5, sum by (le) (rate(atlas_feed_latency_seconds_bucket{reader="relay"}[5m])))"#,
                    "p50",
                ),
                (
                    r#"histogram_quantile(0.99, sum by (le) (rate(atlas_feed_latency_seconds_bucket{reader="relay"}[5m])))"#,
                    "p99",
                ),
            ],
        },
        Panel {
            title: "Messages sent",
            what: "By topic, repeats among them.",
            unit: Unit::PerSecond,
            queries: &[(
                "sum by (topic) (rate(atlas_relay_messages_total[5m]))",
                "{{topic}}",
            )],
        },
        Panel {
            title: "Deliveries",
            what: "One batch until its last acknowledgement, at the 99th percentile.",
            unit: Unit::Seconds,
            queries: &[(
                "histogram_quantile(0.99, sum by (le) (rate(atlas_relay_delivery_seconds_bucket[5m])))",
                "p99",
            )],
        },
        Panel {
            title: "Lag of consumers",
            what: "Messages behind the committed offset, by partition.",
            unit: Unit::Count,
            queries: &[(
                "sum by (group, partition) (atlas_consumer_lag_messages)",
                "{{group}} {{partition}}",
            )],
        },
        Panel {
            title: "Rebalances and failed commits",
            what: "Of the members of a group.",
            unit: Unit::PerSecond,
            queries: &[
                (
                    "sum by (group) (rate(atlas_consumer_rebalances_total[5m]))",
                    "rebalances, {{group}}",
                ),
                (
                    "sum by (group) (rate(atlas_consumer_commit_failures_total[5m]))",
                    "failed commits, {{group}}",
                ),
            ],
        },
        Panel {
            title: "Dead letters",
            what: "Those that wait, by code.",
            unit: Unit::Count,
            queries: &[("sum by (code) (atlas_dead_letters)", "{{code}}")],
        },
        Panel {
            title: "Age of dead letters",
            what: "How long ago the oldest failed first, by code.",
            unit: Unit::Seconds,
            queries: &[(
                "max by (code) (atlas_dead_letters_oldest_seconds)",
                "{{code}}",
            )],
        },
    ],
};

const BONUS: Dashboard = Dashboard {
    file: "bonus",
    title: "Artisan Atlas: bonus and policies",
    panels: &[
        Panel {
            title: "Facts handled",
            what: "Messages that the bonus group has handled.",
            unit: Unit::PerSecond,
            queries: &[(
                r#"sum(rate(atlas_consumer_latency_seconds_count{group="atlas-bonus"}[5m]))"#,
                "messages",
            )],
        },
        Panel {
            title: "From command to account",
            what: "From a fact's ce_time until it was handled, at the median and at the 99th percentile.",
            unit: Unit::Seconds,
            queries: &[
                (
                    r#"histogram_quantile(0.5, sum by (le) (rate(atlas_consumer_latency_seconds_bucket{group="atlas-bonus"}[5m])))"#,
                    "p50",
                ),
                (
                    r#"histogram_quantile(0.99, sum by (le) (rate(atlas_consumer_latency_seconds_bucket{group="atlas-bonus"}[5m])))"#,
                    "p99",
                ),
            ],
        },
        Panel {
            title: "Batches in the handler",
            what: "One batch of a partition, at the 99th percentile.",
            unit: Unit::Seconds,
            queries: &[(
                r#"histogram_quantile(0.99, sum by (le) (rate(atlas_consumer_batch_seconds_bucket{group="atlas-bonus"}[5m])))"#,
                "p99",
            )],
        },
        Panel {
            title: "Partitions that wait",
            what: "For a dependency such as an active policy, or to try a message again.",
            unit: Unit::Count,
            queries: &[(
                r#"sum(atlas_consumer_paused_partitions{group="atlas-bonus"})"#,
                "partitions",
            )],
        },
        Panel {
            title: "Messages given up",
            what: "By code; POLICY_VERSION_CONFLICT is an account of another policy version.",
            unit: Unit::PerSecond,
            queries: &[(
                "sum by (code) (rate(atlas_consumer_dead_letters_total[5m]))",
                "{{code}}",
            )],
        },
        Panel {
            title: "VIP clock",
            what: "How long ago the change should have been told that is due longest.",
            unit: Unit::Seconds,
            queries: &[("max(atlas_vip_delay_seconds)", "delay")],
        },
        Panel {
            title: "Changes of VIP and recomputed accounts",
            what: "What the clock told, and accounts that were computed anew.",
            unit: Unit::PerSecond,
            queries: &[
                (
                    "sum(rate(atlas_vip_clock_facts_total[5m]))",
                    "changes of VIP",
                ),
                (
                    "sum(rate(atlas_recompute_accounts_total[5m]))",
                    "recomputed accounts",
                ),
            ],
        },
        Panel {
            title: "Accounts that cannot be recomputed",
            what: "They stay in the queue; the log says why.",
            unit: Unit::Count,
            queries: &[("max(atlas_recompute_stuck)", "accounts")],
        },
        Panel {
            title: "Age of what the bonus read model shows",
            what: "Age of the oldest account event that it does not have.",
            unit: Unit::Seconds,
            queries: &[(
                r#"max(atlas_feed_lag_seconds{reader=~"bonus@.*"})"#,
                "bonus",
            )],
        },
    ],
};
