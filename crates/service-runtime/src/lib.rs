//! What every process of ours is made of before it does anything of its own: configuration,
//! telemetry, lifecycle, health, and the pool of Postgres connections.
//!
//! Deliberately absent: anything of a domain, of the API contracts or of Kafka; this crate uses
//! none of ours. Start at [`run`], which carries a process from its first line to its exit code,
//! and at [`config::Section`], by which every crate configures what it owns.

pub mod config;
mod exposition;
mod health;
mod http;
mod impatient;
pub mod instruments;
mod lifecycle;
mod log_lines;
mod metrics;
mod metrics_export;
mod pool;
mod postgres_watch;
mod process;
mod rate;
pub mod schema;
mod serve;
mod server_check;
mod telemetry;
mod trace_context;

pub use health::{Dependency, DependencyReadiness, Health, HealthApi, Readiness, ReadinessStatus};
pub use http::{RequestConfig, TokenConfig, TokenKeys, listen_address};
pub use lifecycle::{Lifecycle, ListenError, Tasks};
pub use log_lines::chain;
pub use metrics::{Metrics, MetricsError};
pub use pool::{DatabaseConfig, lazy as lazy_pool, options as pool_options};
pub use postgres_watch::{DatabaseHealth, watch_postgres};
pub use process::{Process, run};
pub use rate::RateConfig;
pub use server_check::{Refusal, ServerCheckError, check_server};
pub use telemetry::{Telemetry, TelemetryConfig, TelemetryError};
pub use trace_context::{continue_trace, link_trace, traceparent};
