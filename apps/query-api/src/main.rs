//! The process of the query API.

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use event_store::{Wakeups, generation, wake};
use http_edge::{Edge, Gate};
use kernel::{RandomIds, SystemClock};
use mimalloc::MiMalloc;
use query_api::{ACCESS, AppState, Config, NAME, app};
use service_runtime::{
    DatabaseHealth, Health, Process, continue_trace, pool_options, run, watch_postgres,
};

/// How many connections the process holds at most.
const MAX_CONNECTIONS: u32 = 16;
/// How many requests may be under way at once.
const MAX_IN_FLIGHT: usize = 512;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    run(NAME, start)
}

async fn start(config: Config, process: &Process) -> Result<(), Box<dyn Error + Send + Sync>> {
    let Config {
        address,
        database,
        requests,
        tokens,
        rate,
        min_position_wait,
        pages,
    } = config;
    process.metrics.prepare(&[http_edge::instruments::ALL]);
    let pages = pages.router(&tokens.issuer);
    let clock = Arc::new(SystemClock);
    let pool = pool_options(&database, MAX_CONNECTIONS)
        .after_connect(|connection, _| {
            Box::pin(async move { generation::enter(connection).await.map(drop) })
        })
        .connect_lazy_with(database.connect_options(NAME));
    let mut health = Health::of(&process.tasks);
    let database_health = DatabaseHealth::require(&mut health);
    process.tasks.spawn(
        "postgres",
        watch_postgres(
            database,
            NAME,
            pool.clone(),
            database_health.clone(),
            process.tasks.finish(),
        ),
    );
    let limits = (tokens, &rate, None);
    let gate = Gate::configured(ACCESS, limits, clock.clone(), process, &mut health)?;
    let wakeups = Wakeups::new();
    let listening = wakeups
        .clone()
        .listen(pool.clone(), wake::CHECKPOINTS, process.tasks.finish());
    let finish = process.tasks.finish();
    process.tasks.spawn("wake-ups", async move {
        // Before its schema is there the database has nothing to tell.
        if finish
            .run_until_cancelled(database_health.fit())
            .await
            .is_some()
        {
            listening.await;
        }
        Ok::<(), Infallible>(())
    });
    let state = AppState::new(pool, gate, clock, min_position_wait, wakeups)
        .closing_with(process.tasks.draining());
    let edge = Edge {
        ids: Arc::new(RandomIds),
        timeout: requests.timeout,
        max_in_flight: MAX_IN_FLIGHT,
        continue_trace,
    };
    let router = app(
        state,
        edge,
        health.router(process.metrics.clone()).merge(pages),
    );
    process.tasks.drain_for(requests.drain);
    process.tasks.serve("http", address, router).await?;
    Ok(())
}
