//! The frame of a process: configuration, telemetry, the tasks that it starts, and its end.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use crate::config::{Reader, Section};
use crate::lifecycle::{Lifecycle, Tasks};
use crate::log_lines::chain;
use crate::metrics::Metrics;
use crate::telemetry::{Telemetry, TelemetryConfig, log_panics};

/// The exit code of a process whose configuration has faults.
const MISCONFIGURED: u8 = 2;
/// How often recorded samples are folded into their buckets.
const FOLD_INTERVAL: Duration = Duration::from_secs(5);
/// How long threads that block may hold up the exit.
const BLOCKING_BOUND: Duration = Duration::from_secs(1);

/// What a process is given to start with.
pub struct Process {
    /// Its name, in logs, traces and on the database server.
    pub name: &'static str,
    /// Starts its tasks.
    pub tasks: Tasks,
    /// What it records.
    pub metrics: Metrics,
}

/// Runs a process from its first line to its exit code: 0 when it was told to stop and did, 1
/// when something failed, 2 when its configuration has faults. `start` begins the tasks and
/// returns; they run until the process ends.
pub fn run<C, S, E>(name: &'static str, start: S) -> ExitCode
where
    C: Section,
    S: AsyncFnOnce(C, &Process) -> Result<(), E>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let mut reader = Reader::of_process();
    let (telemetry, config) = match reader.read::<(TelemetryConfig, C)>() {
        Ok(sections) => sections,
        Err(faults) => {
            eprintln!("{name} cannot start:");
            for fault in faults.0 {
                eprintln!("  {fault}");
            }
            return ExitCode::from(MISCONFIGURED);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(name, &error),
    };
    let code = runtime.block_on(async {
        match Telemetry::start(name, &telemetry) {
            Ok(mut telemetry) => {
                log_panics();
                let code = live(name, &reader, config, &mut telemetry, start).await;
                telemetry.stop().await;
                code
            }
            Err(error) => cannot_start(name, &error),
        }
    });
    runtime.shutdown_timeout(BLOCKING_BOUND);
    code
}

fn cannot_start(name: &str, error: &dyn Error) -> ExitCode {
    eprintln!("{name} cannot start: {}", chain(error));
    ExitCode::FAILURE
}

async fn live<C, S, E>(
    name: &'static str,
    reader: &Reader,
    config: C,
    telemetry: &mut Telemetry,
    start: S,
) -> ExitCode
where
    S: AsyncFnOnce(C, &Process) -> Result<(), E>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let settings: Vec<_> = reader
        .effective()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    tracing::info!(process = name, settings = settings.join(" "), "starting");
    let (lifecycle, metrics) = match (Lifecycle::start(), Metrics::install()) {
        (Ok(lifecycle), Ok(metrics)) => (lifecycle, metrics),
        (Err(error), _) => return failed_to_start(&error),
        (_, Err(error)) => return failed_to_start(&error),
    };
    let process = Process {
        name,
        tasks: lifecycle.tasks().clone(),
        metrics: metrics.clone(),
    };
    telemetry.export_metrics(&metrics, &process.tasks);
    process
        .tasks
        .repeat("metrics", FOLD_INTERVAL, move || metrics.fold());
    match start(config, &process).await {
        Ok(()) => lifecycle.run().await,
        Err(error) => failed_to_start(&*error.into()),
    }
}

fn failed_to_start(error: &dyn Error) -> ExitCode {
    tracing::error!(reason = chain(error), "cannot start");
    ExitCode::FAILURE
}
