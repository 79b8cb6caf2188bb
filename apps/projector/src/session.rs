//! A command of the operator: what each has in common, from its configuration to its exit code.
//!
//! [`run`] reads the configuration, gives the command a [`Session`], and says how it ended. What a
//! command found goes to stdout, as a table or as JSON; everything else goes to stderr.

mod act;
mod failure;
mod hears;
mod progress;
mod show;
pub(crate) mod terminal;

use std::io;

use event_store::generation;
use service_runtime::config::{Reader, Section};
use service_runtime::{DatabaseConfig, pool_options};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::acting::Acting;
use crate::cli::Exit;

pub(crate) use act::ActOptions;
pub(crate) use failure::Failure;
pub(crate) use hears::Terminal;
pub(crate) use progress::Progress;
pub(crate) use show::{Output, Row, instant, table};

/// What a command is given.
pub(crate) struct Session<C> {
    /// What it is configured by.
    pub(crate) config: C,
    /// Cancelled by SIGINT and SIGTERM: a command ends where it can be taken up again.
    pub(crate) stop: CancellationToken,
    name: &'static str,
}

/// Runs a command to its end. `name` is how the database and its operators see it.
pub(crate) fn run<C: Section>(
    name: &'static str,
    command: impl AsyncFnOnce(Session<C>) -> Result<(), Failure>,
) -> Exit {
    let config = match Reader::of_process().read() {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("{faults}");
            return Exit::Usage;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return Exit::Failed;
        }
    };
    let ended = runtime.block_on(async {
        let stop = CancellationToken::new();
        cancel_by_signals(stop.clone()).map_err(Failure::failed)?;
        command(Session { config, stop, name }).await
    });
    match ended {
        Ok(()) => Exit::Done,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit()
        }
    }
}

fn cancel_by_signals(stop: CancellationToken) -> io::Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals = signal(kind)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(())
}

impl<C> Session<C> {
    /// A pool of so many connections, made when they are first wanted. Each has entered the
    /// server's generation before it appends or reads positions.
    pub(crate) fn pool(&self, database: &DatabaseConfig, connections: u32) -> PgPool {
        pool_options(database, connections)
            .after_connect(|connection, _| {
                Box::pin(async move { generation::enter(connection).await.map(drop) })
            })
            .connect_lazy_with(self.connect_options(database))
    }

    /// What an act is given that is carried out here and now.
    pub(crate) fn acting<'a>(
        &self,
        database: &DatabaseConfig,
        connections: u32,
        act: &ActOptions,
        terminal: &'a Terminal,
    ) -> Acting<'a> {
        Acting {
            pool: self.pool(database, connections),
            connect: self.connect_options(database),
            by: act.by(),
            stop: self.stop.clone(),
            tells: terminal,
        }
    }

    /// How a connection of the command's own is opened.
    pub(crate) fn connect_options(&self, database: &DatabaseConfig) -> PgConnectOptions {
        database.connect_options(self.name)
    }
}

/// Asks before an act, unless `yes`; anything but a yes is a no.
///
/// # Errors
/// If the answer is no: nothing was done.
pub(crate) fn agreed(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    // An input that cannot be read is no yes.
    let said = io::stdin().read_line(&mut answer).is_ok();
    if said && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::declined())
    }
}
