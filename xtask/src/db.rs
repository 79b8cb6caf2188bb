//! `db`: a private Postgres with the schema, for checked queries and for looking around.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use crate::children;
use crate::database;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::queries;

/// What to do with it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Action {
    /// Refreshes .sqlx, from which queries are checked where there is no database.
    Prepare,
    /// Fails if .sqlx is not what `prepare` would make of it.
    Check,
}

/// Runs the database until Ctrl-C, or does what is asked with one of its own.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    match options.action {
        None => match stay() {
            Err(Failure::Interrupted) => Ok(()),
            outcome => outcome,
        },
        Some(Action::Prepare) => queries::prepare(),
        Some(Action::Check) => queries::check("check", &[]),
    }
}

fn stay() -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let mut postgres = database::start_with_schema(database::free_port()?)?;
    let url = postgres.url("atlas_owner", database::NAME);
    writeln!(io::stdout(), "export DATABASE_URL={url}").map_err(Failure::Output)?;
    eprintln!("psql {url} opens it; Ctrl-C ends it");
    loop {
        if let Some(process) = postgres.process() {
            children::check(process)?;
        }
        interrupt.pause()?;
    }
}
