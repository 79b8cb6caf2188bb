//! The process of the command API.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use command_api::{ACCESS, AppState, Config, NAME, app, store_pool};
use event_store::Executor;
use http_edge::{Edge, Gate, Quota, cross_origin};
use kernel::{RandomIds, SystemClock};
use mimalloc::MiMalloc;
use service_runtime::{DatabaseHealth, Health, Process, continue_trace, run, watch_postgres};

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
        placing,
        pages,
    } = config;
    process.metrics.prepare(&[
        http_edge::instruments::ALL,
        event_store::instruments::EXECUTOR,
    ]);
    let clock = Arc::new(SystemClock);
    let ids = Arc::new(RandomIds);
    let pool = store_pool(&database);
    let mut health = Health::of(&process.tasks);
    let database_health = DatabaseHealth::require(&mut health);
    process.tasks.spawn(
        "postgres",
        watch_postgres(
            database,
            NAME,
            pool.clone(),
            database_health,
            process.tasks.finish(),
        ),
    );
    let placing = Quota::new(placing.burst, placing.per_minute);
    let limits = (tokens, &rate, placing);
    let gate = Gate::configured(ACCESS, limits, clock.clone(), process, &mut health)?;
    let state = AppState::new(
        Executor::new(pool, process.tasks.tracker()),
        gate,
        clock,
        ids.clone(),
        requests.timeout,
    );
    let edge = Edge {
        ids,
        timeout: requests.timeout,
        max_in_flight: MAX_IN_FLIGHT,
        continue_trace,
    };
    let mut router = app(state, edge, health.router(process.metrics.clone()));
    if !pages.is_empty() {
        router = router.layer(cross_origin(pages));
    }
    process.tasks.drain_for(requests.drain);
    process.tasks.serve("http", address, router).await?;
    Ok(())
}
