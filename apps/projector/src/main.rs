//! The projector: read models, and what goes to Kafka and comes from it; and the operator's
//! command line over the same store.

mod accept_topics;
mod acting;
mod acts;
mod adopt;
mod alone;
mod auditor;
mod bonus;
mod carry_out;
mod cli;
mod config;
mod dlq;
mod explain;
mod gauges;
mod janitor;
mod kafka_health;
mod migrate;
mod passed_over;
mod policy;
mod readers;
mod rebuild;
mod rebuild_back;
mod rebuild_show;
mod recompute;
mod relay;
mod replay;
mod run;
mod session;
mod status;
mod stored_facts;
mod traced;
mod verify_store;
mod vip_clock;

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;
use projections::Model;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().command {
        cli::Command::Run { only } => run::run(&only),
        cli::Command::Status(output) => session::run("projector status", async |session| {
            status::status(session, output).await
        })
        .into(),
        cli::Command::Migrate => session::run("projector migrate", migrate::migrate).into(),
        cli::Command::Acts(options) => session::run("projector acts", async |session| {
            acts::acts(session, options).await
        })
        .into(),
        cli::Command::Replay(options) => session::run("projector replay", async |session| {
            replay::replay(session, options).await
        })
        .into(),
        cli::Command::Store(cli::StoreCommand::Verify(options)) => {
            session::run("projector store verify", async |session| {
                verify_store::verify_store(session, options).await
            })
            .into()
        }
        cli::Command::Store(cli::StoreCommand::Adopt { act }) => {
            session::run("projector store adopt", async |session| {
                adopt::adopt(session, act).await
            })
            .into()
        }
        cli::Command::Rebuild(command) => rebuild(command).into(),
        cli::Command::Dlq(command) => dlq::dlq(*command).into(),
        cli::Command::Policy(command) => policy::policy(*command).into(),
        cli::Command::Explain(explain::ExplainCommand::Account(options)) => {
            session::run("projector explain account", async |session| {
                explain::account(session, options).await
            })
            .into()
        }
        cli::Command::Topics(cli::TopicsCommand::Accept { act }) => {
            session::run("projector topics accept", async |session| {
                accept_topics::accept_topics(session, act).await
            })
            .into()
        }
    }
}

fn rebuild(command: cli::RebuildCommand) -> cli::Exit {
    use cli::RebuildCommand::{Back, Bonus, Orders, Show, Workshops};
    let (model, options) = match command {
        Orders(options) => (Model::Orders, options),
        Workshops(options) => (Model::Workshops, options),
        Bonus(options) => (Model::Bonus, options),
        Show { model, output } => {
            return session::run("projector rebuild show", async |session| {
                rebuild_show::rebuild_show(session, model.into(), output).await
            });
        }
        Back { model, act } => {
            return session::run("projector rebuild back", async |session| {
                rebuild_back::rebuild_back(session, model.into(), act).await
            });
        }
    };
    session::run("projector rebuild", async |session| {
        rebuild::rebuild(session, model, options).await
    })
}
