//! The projector: read models, and what goes to Kafka and comes from it; and the operator's
//! command line over the same store.

mod accept_topics;
mod acts;
mod bonus;
mod cli;
mod config;
mod dlq;
mod janitor;
mod kafka_health;
mod migrate;
mod readers;
mod relay;
mod run;
mod session;

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().command {
        cli::Command::Run { only } => run::run(&only),
        cli::Command::Migrate => session::run("projector migrate", migrate::migrate).into(),
        cli::Command::Acts(options) => session::run("projector acts", async |session| {
            acts::acts(session, options).await
        })
        .into(),
        cli::Command::Dlq(command) => dlq::dlq(*command).into(),
        cli::Command::Topics(cli::TopicsCommand::Accept { act }) => {
            session::run("projector topics accept", async |session| {
                accept_topics::accept_topics(session, act).await
            })
            .into()
        }
    }
}
