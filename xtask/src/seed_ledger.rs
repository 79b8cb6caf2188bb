//! `seed-ledger`: writes a ledger and its accounts, and prints what the difference of policies 1 and
//! 2 has to say of it.

use clap::Args;

use crate::command;
use crate::failure::Failure;

/// How much is written, and what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many facts.
    #[arg(long, value_name = "N")]
    rows: u32,
    /// The same seed, the same facts.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// Lets the crate that owns the ledger write it, into the database of ATLAS_DATABASE_URL.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut cargo = command::cargo();
    cargo
        .args(["run", "--quiet", "--release", "--package", "bonus-store"])
        .args(["--example", "seed_ledger", "--"])
        .arg(options.rows.to_string())
        .arg(options.seed.to_string())
        .env("SQLX_OFFLINE", "true");
    command::run(cargo)
}
