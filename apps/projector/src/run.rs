//! `projector run`: the daemon and its roles.

use std::convert::Infallible;
use std::process::ExitCode;

use event_store::{Shares, Wakeups, generation, wake};
use kernel::{IdSource as _, RandomIds};
use messaging::{ConsumerState, Kafka};
use service_runtime::{DatabaseHealth, Health, ListenError, Process, pool_options, watch_postgres};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::cli::Role;
use crate::config::ProjectorConfig;
use crate::readers::{self, Readers};
use crate::{auditor, bonus, carry_out, janitor, kafka_health, recompute, vip_clock};

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
    prepare_metrics(process);
    let mut health = Health::of(&process.tasks);
    let tasks = &process.tasks;
    let owner = format!("{NAME} {}", RandomIds.next());
    let pool = pool(config, &owner);
    let roles = Roles {
        process,
        database: DatabaseHealth::require(&mut health),
        only,
    };
    tasks.spawn(
        "postgres",
        watch_postgres(
            config.database.clone(),
            NAME,
            pool.clone(),
            roles.database.clone(),
            tasks.finish(),
        ),
    );
    let readers = Readers {
        connect: config.database.connect_options(&owner),
        pool: pool.clone(),
        shares: Shares::of(&owner),
        owner,
        lease: config.lease,
        wakeups: Wakeups::new(),
    };
    roles.follow_feed(config, &readers, &mut health);
    let bonus = if roles.have(Role::Bonus) {
        roles.take_in_facts(config, pool.clone())
    } else {
        watch::channel(ConsumerState::default()).1
    };
    let kafka = Kafka::new(&config.brokers);
    let dependency = health.prefer("kafka");
    let watching = kafka_health::watch(kafka, bonus, dependency, tasks.finish());
    roles.spawn("kafka", watching);
    if roles.have(Role::Auditor) {
        let auditor = auditor::role(config, &readers, tasks.finish());
        roles.spawn("auditor", auditor.run(tasks.finish()));
    }
    if roles.have(Role::VipClock) {
        let clock = vip_clock::role(config, &pool, &readers);
        roles.spawn("vip clock", clock.run(tasks.finish()));
    }
    if roles.have(Role::Recompute) {
        let recompute = recompute::role(config, &pool, &readers);
        roles.spawn("recompute", recompute.run(tasks.finish()));
    }
    if roles.have(Role::Acts) {
        let acts = carry_out::role(config, &readers, health.prefer("acts"), tasks.finish());
        roles.spawn("acts", acts.run(tasks.finish()));
    }
    if roles.have(Role::Janitor) {
        let cleaning = janitor::run(pool, tasks.finish());
        roles.spawn("janitor", async move {
            let Ok(()) = cleaning.await;
        });
    }
    let router = health.router(process.metrics.clone());
    tasks.serve("health", config.address, router).await?;
    Ok(())
}

/// The series that rules and panels name are there from the start.
fn prepare_metrics(process: &Process) {
    process.metrics.prepare(&[
        event_store::instruments::READERS,
        event_store::instruments::AUDITOR,
        event_store::instruments::ACTS,
        messaging::instruments::RELAY,
        messaging::instruments::CONSUMER,
        dead_letters::instruments::ALL,
        bonus_store::instruments::ALL,
    ]);
}

/// The sessions of a process have its name as an owner: who leads can be looked up among them.
fn pool(config: &ProjectorConfig, owner: &str) -> PgPool {
    pool_options(&config.database, CONNECTIONS)
        .after_connect(|connection, _| {
            Box::pin(async move { generation::enter(connection).await.map(drop) })
        })
        .connect_lazy_with(config.database.connect_options(owner))
}

/// What the process does, once the database is fit for it.
struct Roles<'a> {
    process: &'a Process,
    database: DatabaseHealth,
    /// These and no others; all where it is empty.
    only: &'a [Role],
}

impl Roles<'_> {
    fn have(&self, role: Role) -> bool {
        self.only.is_empty() || self.only.contains(&role)
    }

    /// Starts what follows the feed, and what watches it.
    fn follow_feed(&self, config: &ProjectorConfig, readers: &Readers, health: &mut Health) {
        let tasks = &self.process.tasks;
        let (read_models, relay) = (self.have(Role::ReadModels), self.have(Role::Relay));
        if read_models {
            self.spawn("read models", readers.clone().follow(tasks.finish()));
        }
        if relay {
            let kafka = Kafka::new(&config.brokers);
            let sending = readers
                .clone()
                .relay(kafka, config.retention, tasks.finish());
            self.spawn("relay", sending);
        }
        let watched = readers::watched(health, read_models, relay);
        self.spawn("readers", readers.clone().watch(watched, tasks.finish()));
        let pool = readers.pool.clone();
        let listening = readers.wakeups.clone();
        let listening = listening.listen(pool.clone(), wake::EVENTS, tasks.finish());
        self.spawn("wake-ups", listening);
        let shares = readers.shares.clone();
        self.spawn("shares", shares.keep(pool, tasks.finish()));
    }

    /// Starts the bonus role; what its consumer is at.
    fn take_in_facts(
        &self,
        config: &ProjectorConfig,
        pool: PgPool,
    ) -> watch::Receiver<ConsumerState> {
        let facts = bonus::Facts::new(pool.clone(), config.conflict.0);
        let consumer = bonus::consumer(config, pool.clone(), facts);
        let state = consumer.state();
        let (finish, database) = (self.process.tasks.finish(), self.database.clone());
        self.process.tasks.spawn("bonus", async move {
            match finish.run_until_cancelled(database.fit()).await {
                Some(()) => bonus::run(consumer, pool, finish).await,
                None => Ok(()),
            }
        });
        state
    }

    /// Starts a task that cannot fail.
    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (finish, database) = (self.process.tasks.finish(), self.database.clone());
        self.process.tasks.spawn(name, async move {
            if finish.run_until_cancelled(database.fit()).await.is_some() {
                task.await;
            }
            Ok::<(), Infallible>(())
        });
    }
}
