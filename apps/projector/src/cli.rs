//! The command line, and what its exit codes mean.

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use projections::Model;

use crate::acts::ActsOptions;
use crate::dlq::DlqCommand;
use crate::explain::ExplainCommand;
use crate::policy::PolicyCommand;
use crate::rebuild::RebuildOptions;
use crate::replay::ReplayOptions;
use crate::session::{ActOptions, Output};
use crate::verify_store::VerifyOptions;

/// Follows the events of Artisan Atlas, and lets operators look after them. Configured by the
/// ATLAS_* variables, see .env.example.
#[derive(Debug, Parser)]
#[command(name = "projector", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon until SIGTERM or SIGINT.
    Run {
        /// Only these roles, separated by commas; all of them if not given.
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<Role>,
    },
    /// Show every reader of the feed: how it is, how far behind, what it has parked; and what holds
    /// all of them up.
    Status(Output),
    /// Bring the database's schema up to this release; ATLAS_DATABASE_URL names atlas_owner.
    Migrate,
    /// Show what operators did, newest first.
    Acts(ActsOptions),
    /// Send stored events to Kafka again, with the ids that they had.
    Replay(ReplayOptions),
    /// Look after the store.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Build the next version of a read model beside the one that is served, and serve it.
    #[command(subcommand)]
    Rebuild(RebuildCommand),
    /// Look after dead letters: messages that the consumer gave up on.
    #[command(subcommand)]
    Dlq(Box<DlqCommand>),
    /// Look after the policies: what facts are worth, and which rules are in force.
    #[command(subcommand)]
    Policy(Box<PolicyCommand>),
    /// Say why something is what it is.
    #[command(subcommand)]
    Explain(ExplainCommand),
    /// Look after the Kafka topics that the relay writes to.
    #[command(subcommand)]
    Topics(TopicsCommand),
}

/// What to do about the store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Recompute every checkpoint from the events, and look whether each stream is whole. Ends with
    /// 1 if anything is wrong.
    Verify(VerifyOptions),
    /// After a restore: put right the checkpoints and topics that do not match the store, and take
    /// the facts in that Kafka will not tell again. Says what it will do, and asks.
    Adopt {
        #[command(flatten)]
        act: ActOptions,
    },
}

/// What to do about the topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// Go on with the topics as they are now, where they are not those that are recorded: the
    /// relay then sends there what follows. What was sent before may be missing there.
    Accept {
        #[command(flatten)]
        act: ActOptions,
    },
}

/// Which read model to rebuild, or what else to do about rebuilds.
#[derive(Debug, Subcommand)]
pub(crate) enum RebuildCommand {
    /// Rebuild the orders, or go on with their rebuild.
    Orders(RebuildOptions),
    /// Rebuild the directory of workshops, or go on with its rebuild.
    Workshops(RebuildOptions),
    /// Rebuild the accounts, or go on with their rebuild.
    Bonus(RebuildOptions),
    /// Show the last rebuild of a read model, and what its check found.
    Show {
        /// The read model.
        #[arg(value_enum)]
        model: ModelName,
        #[command(flatten)]
        output: Output,
    },
    /// Serve the version before again, which `--keep` has kept.
    Back {
        /// The read model.
        #[arg(value_enum)]
        model: ModelName,
        #[command(flatten)]
        act: ActOptions,
    },
}

/// A read model, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelName {
    /// Orders: detail, lists, timeline.
    Orders,
    /// The directory of workshops.
    Workshops,
    /// Accounts of points and grades.
    Bonus,
}

impl From<ModelName> for Model {
    fn from(name: ModelName) -> Self {
        match name {
            ModelName::Orders => Self::Orders,
            ModelName::Workshops => Self::Workshops,
            ModelName::Bonus => Self::Bonus,
        }
    }
}

/// A role of the daemon. Several processes may have the same; one of them does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Keep the read models up to date.
    ReadModels,
    /// Send what happened to Kafka.
    Relay,
    /// Award points for what Kafka tells.
    Bonus,
    /// Let VIP come and go when nothing else happens.
    VipClock,
    /// Compute accounts anew that are not of the policy in force.
    Recompute,
    /// Recompute checkpoints, and compare rows with what the events say.
    Auditor,
    /// Carry out the acts that operators ask for from a distance.
    Acts,
    /// Delete stored answers of idempotency keys once they are old enough.
    Janitor,
}

/// How a command of the operator ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked to.
    Done,
    /// It failed.
    Failed,
    /// It was called in a way that cannot be.
    Usage,
    /// A rule refuses it.
    Refused,
    /// More would be given than the budget holds.
    BudgetPassed,
    /// Store or broker are not reachable.
    Unreachable,
}

impl Exit {
    /// Its code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::BudgetPassed => 4,
            Self::Unreachable => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
