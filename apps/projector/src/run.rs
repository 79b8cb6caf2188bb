//! `projector run`: the daemon and its roles.

use std::convert::Infallible;
use std::process::ExitCode;

use event_store::{Shares, Wakeups, generation, wake};
use kernel::{IdSource as _, RandomIds};
use messaging::{ConsumerState, Kafka};
use service_runtime::{Health, ListenError, Process, pool_options, watch_postgres};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::auditor::Auditor;
use crate::cli::Role;
use crate::config::ProjectorConfig;
use crate::readers::{self, Readers};
use crate::{bonus, janitor, kafka_health, recompute, vip_clock};

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
    let owner = format!("{NAME} {}", RandomIds.next());
    let pool = pool(config, &owner);
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
    let has = |role: Role| only.is_empty() || only.contains(&role);
    let (read_models, relay) = (has(Role::ReadModels), has(Role::Relay));
    let readers = Readers {
        connect: config.database.connect_options(&owner),
        pool: pool.clone(),
        shares: Shares::of(&owner),
        owner,
        lease: config.lease,
        wakeups: Wakeups::new(),
    };
    if read_models {
        spawn(
            process,
            "read models",
            readers.clone().follow(tasks.finish()),
        );
    }
    if relay {
        let kafka = Kafka::new(&config.brokers);
        spawn(
            process,
            "relay",
            readers
                .clone()
                .relay(kafka, config.retention, tasks.finish()),
        );
    }
    let watched = readers::watched(&mut health, read_models, relay);
    spawn(
        process,
        "readers",
        readers.clone().watch(watched, tasks.finish()),
    );
    let wakeups = readers.wakeups.clone();
    let listening = wakeups.listen(pool.clone(), wake::EVENTS, tasks.finish());
    spawn(process, "wake-ups", listening);
    let shares = readers.shares.clone();
    spawn(process, "shares", shares.keep(pool.clone(), tasks.finish()));
    let bonus = if has(Role::Bonus) {
        bonus(config, process, pool.clone())
    } else {
        watch::channel(ConsumerState::default()).1
    };
    let kafka = Kafka::new(&config.brokers);
    let dependency = health.prefer("kafka");
    let watching = kafka_health::watch(kafka, bonus, dependency, tasks.finish());
    spawn(process, "kafka", watching);
    if has(Role::Auditor) {
        let auditor = Auditor::new(config, &readers.owner, readers.shares.clone());
        spawn(process, "auditor", auditor.run(tasks.finish()));
    }
    if has(Role::VipClock) {
        let clock = vip_clock::role(config, &pool, &readers);
        spawn(process, "vip clock", clock.run(tasks.finish()));
    }
    if has(Role::Recompute) {
        let recompute = recompute::role(config, &pool, &readers);
        spawn(process, "recompute", recompute.run(tasks.finish()));
    }
    if has(Role::Janitor) {
        tasks.spawn("janitor", janitor::run(pool, tasks.finish()));
    }
    let router = health.router(process.metrics.clone());
    tasks.serve("health", config.address, router).await?;
    Ok(())
}

/// The sessions of a process have its name as an owner: who leads can be looked up among them.
fn pool(config: &ProjectorConfig, owner: &str) -> PgPool {
    pool_options(&config.database, CONNECTIONS)
        .after_connect(|connection, _| {
            Box::pin(async move { generation::enter(connection).await.map(drop) })
        })
        .connect_lazy_with(config.database.connect_options(owner))
}

/// Starts the bonus role; what its consumer is at.
fn bonus(
    config: &ProjectorConfig,
    process: &Process,
    pool: PgPool,
) -> watch::Receiver<ConsumerState> {
    let facts = bonus::Facts::new(pool.clone(), config.conflict.0);
    let consumer = bonus::consumer(config, pool.clone(), facts);
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
