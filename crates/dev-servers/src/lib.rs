//! The servers that Artisan Atlas stands on, as child processes of whoever needs them: a private
//! Postgres with our roles and template database, Apache Kafka on one node or several, and Redis. Each
//! dies with its parent, however that ends. For claims about several machines there are hosts, as network
//! namespaces, with a Kafka cluster and a Postgres with its standby on them.
//!
//! Deliberately absent: any client library and any C dependency, so that `cargo xtask` builds in
//! seconds. What must be said to a server is said with its own command line tools.
//!
//! Start at [`PrivatePostgres::start`], [`PrivateKafka::start`] and [`PrivateRedis::start`];
//! [`Process`] is what they are made of, and [`packages::ensure`] installs what the machine lacks.

mod account;
mod auto_failover;
mod error;
mod folders;
mod kafka;
mod network;
mod nginx;
pub mod packages;
mod pgbouncer;
mod port;
mod postgres;
mod process;
mod prometheus;
mod redis;
mod tool;

pub use auto_failover::{FailoverNode, FailoverOptions, PostgresPair, State};
pub use error::ServerError;
pub use folders::{reachable_folder, scratch_folder};
pub use kafka::{ClusterOptions, KafkaCluster, KafkaClusterOptions, KafkaOptions, PrivateKafka};
pub use network::{Host, HostNetwork};
pub use nginx::{Compressed, NginxOptions, PrivateNginx};
pub use pgbouncer::{PgBouncerOptions, PrivatePgBouncer};
pub use port::{Port, free_port, is_port_free};
pub use postgres::{PostgresOptions, PrivatePostgres, Shutdown, isolation_tester};
pub use process::{Process, ProcessError, Signal, run_to_end, run_to_end_with};
pub use prometheus::{PrivatePrometheus, PrometheusOptions};
pub use redis::{PrivateRedis, RedisOptions};
