//! Writes a ledger and its accounts, and prints what `projector policy diff 1 2` has to say of it:
//! `seed_ledger ROWS SEED`, into the database of ATLAS_DATABASE_URL. `cargo xtask seed-ledger` runs
//! it.
#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own, for developers, reads its environment"
)]

mod orders;

use std::collections::BTreeMap;
use std::sync::Arc;

use bonus_domain::{Beneficiary, Facts, Holdings, Points, Policies, PolicyVersion, Report, diff};
use bonus_store::{ConflictMode, Delivery, Ingest, check_policies};
use kernel::{Clock as _, RandomIds, SystemClock};
use sqlx::PgPool;

use orders::Orders;

/// Facts that are taken in at once.
const BATCH: usize = 1_000;

type AnyError = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    let (rows, seed) = match (arguments.next(), arguments.next()) {
        (Some(rows), Some(seed)) => (rows.parse::<usize>()?, seed.parse::<u64>()?),
        _ => return Err("called as seed_ledger ROWS SEED".into()),
    };
    let pool = PgPool::connect(&std::env::var("ATLAS_DATABASE_URL")?).await?;
    check_policies(&pool).await?;
    let held: Option<i32> = sqlx::query_scalar("SELECT 1 FROM bonus.ledger LIMIT 1")
        .fetch_optional(&pool)
        .await?;
    if held.is_some() {
        return Err(
            "the ledger holds facts already: the report would not be of these alone".into(),
        );
    }

    let report = write(&pool, rows, seed).await?;
    println!("{:#}", report.value());
    Ok(())
}

/// Takes so many facts in, and says what becomes of those who benefit under policy 2.
async fn write(pool: &PgPool, rows: usize, seed: u64) -> Result<Report, AnyError> {
    let now = SystemClock.now();
    let clock = Arc::new(SystemClock);
    let ingest = Ingest::new(
        pool.clone(),
        ConflictMode::Ingest,
        clock,
        Arc::new(RandomIds),
    );
    let mut ledgers: BTreeMap<Beneficiary, Facts> = BTreeMap::new();
    let mut written = 0;
    let mut orders = Orders::new(rows, seed, now);
    loop {
        let batch: Vec<Delivery> = orders.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        ingest.run(&batch).await?;
        written += batch.len();
        eprintln!("{written} of {rows} facts");
        for delivery in batch {
            let ledger = ledgers.entry(delivery.fact.beneficiary).or_default();
            ledger.insert(delivery.fact);
        }
    }

    let policy = |number| {
        let version = PolicyVersion::new(number).ok_or("no version")?;
        Policies::compiled().get(version).ok_or("no such policy")
    };
    let (from, to) = (policy(1)?, policy(2)?);
    let mut report = Report::default();
    for (beneficiary, facts) in &ledgers {
        let of = Holdings {
            policy_version: from.version(),
            // Nothing takes points away under policy 1: who has any has an account.
            opened: from.total(facts)? > Points::ZERO,
            counted: facts,
            all: facts,
        };
        report.add(*beneficiary, diff(from, to, of, now)?)?;
    }
    Ok(report)
}
