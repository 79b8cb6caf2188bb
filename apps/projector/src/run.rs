//! `projector run`: the daemon and its roles.

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use bonus_store::Ingest;
use event_store::{Follower, ReadModel, generation};
use kernel::{IdSource as _, RandomIds, SystemClock};
use messaging::topics::TopicGuard;
use messaging::{ConsumerState, Kafka, Relay, RelayOptions, RelayState};
use service_runtime::{Health, ListenError, Process, pool_options, watch_postgres};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::cli::Role;
use crate::config::ProjectorConfig;
use crate::kafka_health::{self, Roles};
use crate::{bonus, janitor, relay};

const NAME: &str = "projector";
/// What the roles look up and write beside the feed's own connections.
const CONNECTIONS: u32 = 8;

/// Runs the daemon until it is told to stop.
pub(crate) fn run(only: &[Role]) -> ExitCode {
    service_runtime::run(NAME, async |config: ProjectorConfig, process: &Process| {
        start(&config, process, only).await
    })
}

async fn start(
    config: &ProjectorConfig,
    process: &Process,
    only: &[Role],
) -> Result<(), ListenError> {
    let mut health = Health::default();
    let tasks = &process.tasks;
    let pool = pool(config);
    tasks.spawn(
        "postgres",
        watch_postgres(
            config.database.clone(),
            NAME,
            pool.clone(),
            health.require("postgres"),
            tasks.finish(),
        ),
    );
    let owner = format!("{NAME} {}", RandomIds.next());
    let has = |role: Role| only.is_empty() || only.contains(&role);
    if has(Role::ReadModels) {
        read_models(config, process, &owner);
    }
    let mut roles = Roles::default();
    if has(Role::Relay) {
        roles.relay = relay(config, process, pool.clone(), owner);
    }
    if has(Role::Bonus) {
        roles.bonus = bonus(config, process, pool.clone());
    }
    let kafka = Kafka::new(&config.brokers);
    let dependency = health.prefer("kafka");
    let watching = kafka_health::watch(kafka, roles, dependency, tasks.finish());
    spawn(process, "kafka", watching);
    if has(Role::Janitor) {
        tasks.spawn("janitor", janitor::run(pool, tasks.finish()));
    }
    let router = health.router(process.metrics.clone());
    tasks.serve("health", config.address, router).await?;
    Ok(())
}

fn pool(config: &ProjectorConfig) -> PgPool {
    pool_options(&config.database, CONNECTIONS)
        .after_connect(|connection, _| {
            Box::pin(async move { generation::enter(connection).await.map(drop) })
        })
        .connect_lazy_with(config.database.connect_options(NAME))
}

/// Each read model follows the feed by itself, so that one that fails stops no other.
fn read_models(config: &ProjectorConfig, process: &Process, owner: &str) {
    let connect = config.database.connect_options(NAME);
    let models: [(&'static str, Arc<dyn ReadModel>); 3] = [
        ("read model orders", Arc::new(projections::orders::Orders)),
        (
            "read model workshops",
            Arc::new(projections::workshops::Workshops),
        ),
        ("read model bonus", Arc::new(projections::bonus::Bonus)),
    ];
    for (task, model) in models {
        let follower = Follower::new(model, connect.clone(), owner.to_owned(), config.lease);
        spawn(process, task, follower.run(process.tasks.finish()));
    }
}

/// Starts the relay; what it is at.
fn relay(
    config: &ProjectorConfig,
    process: &Process,
    pool: PgPool,
    owner: String,
) -> watch::Receiver<RelayState> {
    let kafka = Kafka::new(&config.brokers);
    let guard = TopicGuard::new(kafka.clone(), pool, config.retention);
    let options = RelayOptions {
        connect: config.database.connect_options(NAME),
        kafka,
        owner,
        lease: config.lease,
    };
    let relay = Relay::new(options, relay::messages_of);
    let state = relay.state();
    let finish = process.tasks.finish();
    spawn(process, "relay", async move {
        if guard.check_at_last(&finish).await {
            relay.run(finish).await;
        }
    });
    state
}

/// Starts the bonus role; what its consumer is at.
fn bonus(
    config: &ProjectorConfig,
    process: &Process,
    pool: PgPool,
) -> watch::Receiver<ConsumerState> {
    let clock = Arc::new(SystemClock);
    let ingest = Ingest::new(pool.clone(), clock.clone(), Arc::new(RandomIds));
    let consumer = bonus::consumer(config, ingest, clock);
    let state = consumer.state();
    let finish = process.tasks.finish();
    process.tasks.spawn(
        "bonus",
        async move { bonus::run(consumer, pool, finish).await },
    );
    state
}

/// Starts a task that cannot fail.
fn spawn(process: &Process, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    process.tasks.spawn(name, async move {
        task.await;
        Ok::<(), Infallible>(())
    });
}
