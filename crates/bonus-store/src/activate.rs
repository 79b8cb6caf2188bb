//! Puts another policy in force, and says what that puts into the queue of the recompute.

use bonus_domain::{Policies, Policy, PolicyVersion};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::kept_types::{KeptType, missing_types};
use crate::stuck::{PassedOver, keys};

/// Why a policy was not put in force. The transaction is to be rolled back.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// This release does not know it.
    #[error("there is no policy {0} in this release")]
    Unknown(PolicyVersion),
    /// It is in force.
    #[error("policy {0} is in force already")]
    InForce(PolicyVersion),
    /// Facts that it gives or takes points for may be missing.
    #[error("facts that policy {version} rewards may be missing: {}", types(.missing))]
    Missing {
        /// The policy.
        version: PolicyVersion,
        /// The types of these facts.
        missing: Vec<KeptType>,
    },
    /// The database failed.
    #[error("the policy could not be put in force")]
    Database(#[from] sqlx::Error),
}

fn types(missing: &[KeptType]) -> String {
    let named = missing
        .iter()
        .map(|(role, event)| format!("{event} ({role})"));
    named.collect::<Vec<_>>().join(", ")
}

/// How many beneficiaries are to be recomputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// Those with an account of another policy, or with facts that it does not count.
    pub accounts: i64,
    /// Those without an account: their facts may be worth something under another policy.
    pub without_account: i64,
}

/// Puts a policy in force, in the caller's transaction. It waits for the awards under way; whoever
/// comes later awards under the new one.
///
/// # Errors
/// See [`ActivateError`].
pub async fn activate(
    connection: &mut PgConnection,
    version: PolicyVersion,
    operator: Uuid,
) -> Result<&'static Policy, ActivateError> {
    let policy = Policies::compiled()
        .get(version)
        .ok_or(ActivateError::Unknown(version))?;
    let replaced = sqlx::query!(
        "UPDATE bonus.policy_activations
         SET replaced_at = greatest(clock_timestamp(), activated_at)
         WHERE replaced_at IS NULL
         RETURNING version",
    )
    .fetch_optional(&mut *connection)
    .await?;
    if replaced.is_some_and(|it| it.version == i32::from(version)) {
        return Err(ActivateError::InForce(version));
    }
    let missing = missing_types(connection, policy).await?;
    if !missing.is_empty() {
        return Err(ActivateError::Missing { version, missing });
    }
    let hash = policy.hash();
    sqlx::query!(
        "INSERT INTO bonus.policy_activations (version, hash, operator) VALUES ($1, $2, $3)",
        i32::from(version),
        hash.as_bytes(),
        operator,
    )
    .execute(connection)
    .await?;
    Ok(policy)
}

/// Counts who would have to be recomputed with `version` in force.
///
/// # Errors
/// What the database said.
pub async fn queue_under(
    connection: &mut PgConnection,
    version: PolicyVersion,
) -> Result<Queue, sqlx::Error> {
    sqlx::query_as!(
        Queue,
        r#"SELECT count(*) FILTER (WHERE version > 0) AS "accounts!",
                  count(*) FILTER (WHERE version = 0) AS "without_account!"
           FROM bonus.accounts WHERE policy_version <> $1 OR deferred"#,
        i32::from(version),
    )
    .fetch_one(connection)
    .await
}

/// Whether anybody is to be recomputed under the policy in force who was not passed over, by a look at
/// the ends of indexes.
///
/// # Errors
/// What the database said.
pub async fn is_queued(
    connection: &mut PgConnection,
    passed_over: &PassedOver,
) -> Result<bool, sqlx::Error> {
    let (roles, ids) = keys(passed_over);
    sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM bonus.policy_activations p
               CROSS JOIN LATERAL (
                   (SELECT true FROM bonus.accounts a WHERE a.policy_version < p.version
                      AND (a.beneficiary_role, a.beneficiary_id)
                          NOT IN (SELECT * FROM unnest($1::text[], $2::uuid[])) LIMIT 1)
                   UNION ALL
                   (SELECT true FROM bonus.accounts a WHERE a.policy_version > p.version
                      AND (a.beneficiary_role, a.beneficiary_id)
                          NOT IN (SELECT * FROM unnest($1::text[], $2::uuid[])) LIMIT 1)
                   UNION ALL
                   (SELECT true FROM bonus.accounts a WHERE a.deferred
                      AND (a.beneficiary_role, a.beneficiary_id)
                          NOT IN (SELECT * FROM unnest($1::text[], $2::uuid[])) LIMIT 1)
               ) AS a (queued)
               WHERE p.replaced_at IS NULL) AS "queued!""#,
        &roles as &[&str],
        &ids,
    )
    .fetch_one(connection)
    .await
}

/// A policy's time in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// Counts up.
    pub number: i64,
    /// The policy.
    pub version: PolicyVersion,
    /// From when on.
    pub activated_at: DateTime<Utc>,
    /// The operator who did it; none at the first start.
    pub operator: Option<Uuid>,
    /// Until when; none while it is in force.
    pub replaced_at: Option<DateTime<Utc>>,
}

/// The last activations, newest first: the first is in force.
///
/// # Errors
/// What the database said.
pub async fn activations(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<Activation>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT number, version, activated_at, operator, replaced_at
         FROM bonus.policy_activations ORDER BY number DESC LIMIT $1",
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Activation {
                number: row.number,
                version: PolicyVersion::try_from(row.version)
                    .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
                activated_at: row.activated_at,
                operator: row.operator,
                replaced_at: row.replaced_at,
            })
        })
        .collect()
}
