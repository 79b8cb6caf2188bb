//! `projector policy …`: what the policies say, which one is in force, and what changes when another
//! comes into force.

pub(crate) mod activate;
pub(crate) mod backfill;
mod diff;
mod list;
pub(crate) mod recompute;
mod show;

use bonus_domain::{Policies, Policy, PolicyVersion};
use bonus_store::{CheckError, check_policies};
use clap::Subcommand;
use service_runtime::DatabaseConfig;
use service_runtime::config::{Faulty, Reader, Section};
use sqlx::PgPool;

use crate::cli::Exit;
use crate::config::{Conflicts, ProjectorConfig};
use crate::session::{self, ActOptions, Failure, Output};

/// What to do about policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show the policies of this release, and which one is in force.
    List(Output),
    /// Show what a policy says.
    Show {
        /// Its version.
        #[arg(value_parser = version)]
        version: PolicyVersion,
        #[command(flatten)]
        output: Output,
    },
    /// Put a policy in force. Whoever has facts and no account of it is recomputed then. Says how
    /// many these are, and asks.
    Activate {
        /// Its version: any of this release, an earlier one too.
        #[arg(value_parser = version)]
        version: PolicyVersion,
        #[command(flatten)]
        act: ActOptions,
    },
    /// Show who would gain and who would lose if another policy came into force: what a recompute of
    /// the ledger as it is would then do. Writes nothing.
    Diff(diff::DiffOptions),
    /// Recompute the accounts that are not of the policy in force, beside the daemon that does so
    /// by itself; or one account whatever it is of.
    Recompute(recompute::RecomputeOptions),
    /// Read the facts of the order events that a policy rewards and the ledger has not kept from the
    /// first event on. Until then the policy cannot be put in force.
    Backfill {
        /// The policy's version.
        #[arg(value_parser = version)]
        version: PolicyVersion,
        #[command(flatten)]
        act: ActOptions,
    },
}

/// Who looks after policies needs the store, and knows what becomes of conflicts.
#[derive(Debug)]
pub(crate) struct PolicyConfig {
    pub(crate) database: DatabaseConfig,
    pub(crate) conflict: Conflicts,
}

impl Section for PolicyConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let database = DatabaseConfig::read(reader);
        let conflict = ProjectorConfig::read_conflict(reader);
        Ok(Self {
            database: database?,
            conflict: conflict?,
        })
    }
}

/// Carries the command out.
pub(crate) fn policy(command: PolicyCommand) -> Exit {
    match command {
        PolicyCommand::List(output) => session::run("projector policy list", async |session| {
            list::list(session, output).await
        }),
        PolicyCommand::Show { version, output } => {
            session::run("projector policy show", async |session| {
                show::show(session, version, output).await
            })
        }
        PolicyCommand::Activate { version, act } => {
            session::run("projector policy activate", async |session| {
                activate::activate(session, version, act).await
            })
        }
        PolicyCommand::Diff(options) => session::run("projector policy diff", async |session| {
            diff::diff(session, options).await
        }),
        PolicyCommand::Recompute(options) => {
            session::run("projector policy recompute", async |session| {
                recompute::recompute(session, options).await
            })
        }
        PolicyCommand::Backfill { version, act } => {
            session::run("projector policy backfill", async |session| {
                backfill::backfill(session, version, act).await
            })
        }
    }
}

fn version(text: &str) -> Result<PolicyVersion, String> {
    let number = text.parse().ok();
    number
        .and_then(PolicyVersion::new)
        .ok_or_else(|| "is no version of a policy".to_owned())
}

/// The policy of this version.
///
/// # Errors
/// If this release does not know it.
pub(crate) fn compiled(version: PolicyVersion) -> Result<&'static Policy, Failure> {
    Policies::compiled()
        .get(version)
        .ok_or_else(|| Failure::refused(format!("there is no policy {version} in this release")))
}

/// What every start makes sure of.
///
/// # Errors
/// If a policy was edited after its activation, or the database failed.
async fn checked(pool: &PgPool) -> Result<(), Failure> {
    check_policies(pool).await.map_err(|error| match error {
        CheckError::Edited { .. } => Failure::refused(error.to_string()),
        CheckError::Database(error) => error.into(),
    })
}
