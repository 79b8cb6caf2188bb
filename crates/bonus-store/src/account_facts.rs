//! Everything that an account rests on, for those who want it explained.

use bonus_domain::{Beneficiary, Facts, PolicyVersion};
use event_store::Version;
use sqlx::PgConnection;

use crate::ledger::FactRecord;

/// An account with more facts than this is not explained: nobody reads such an answer.
const MOST: i64 = 200_000;

/// The facts of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountFacts {
    /// What it counts.
    pub counted: Facts,
    /// What is kept, and counts from its next recompute on.
    pub deferred: Facts,
}

/// Reads them as of a version of the account.
///
/// # Errors
/// What the database said, and where there are more than 200 000.
pub async fn account_facts(
    connection: &mut PgConnection,
    beneficiary: Beneficiary,
    version: Version,
) -> Result<AccountFacts, sqlx::Error> {
    let rows = sqlx::query_file!(
        "queries/account_facts.sql",
        beneficiary.role.as_str(),
        beneficiary.id,
        version.get(),
        MOST + 1,
    )
    .fetch_all(connection)
    .await?;
    if i64::try_from(rows.len()).is_ok_and(|rows| rows > MOST) {
        let what = format!("the account of {beneficiary} has more than {MOST} facts");
        return Err(sqlx::Error::Decode(what.into()));
    }
    let mut facts = AccountFacts::default();
    for row in rows.into_iter().rev() {
        let record = FactRecord {
            source_event_id: row.source_event_id,
            event_type: row.event_type,
            beneficiary_role: row.beneficiary_role,
            beneficiary_id: row.beneficiary_id,
            order_id: row.order_id,
            by_dispute: row.by_dispute,
            occurred_at: row.occurred_at,
        };
        if let Some(fact) = record.read()? {
            let place = if row.is_deferred {
                &mut facts.deferred
            } else {
                &mut facts.counted
            };
            place.push_next(fact);
        }
    }
    Ok(facts)
}

/// What an account is computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComputedWith {
    /// Its version.
    pub version: Version,
    /// The policy.
    pub policy_version: PolicyVersion,
}

/// Reads it; none of a beneficiary without any fact.
///
/// # Errors
/// What the database said.
pub async fn computed_with(
    connection: &mut PgConnection,
    beneficiary: Beneficiary,
) -> Result<Option<ComputedWith>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT version, policy_version FROM bonus.accounts
         WHERE beneficiary_role = $1 AND beneficiary_id = $2",
        beneficiary.role.as_str(),
        beneficiary.id,
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        let policy_version = PolicyVersion::try_from(row.policy_version)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(ComputedWith {
            version: Version::new(row.version),
            policy_version,
        })
    })
    .transpose()
}
