//! The policy that awards are made under, held in force until the transaction ends.

use bonus_domain::{Policies, Policy, PolicyVersion};
use sqlx::PgConnection;

/// Why no award can be made now. Nothing is wrong with the facts: they wait.
#[derive(Debug, thiserror::Error)]
pub enum PolicyInForceError {
    /// This release does not know the policy.
    #[error(
        "policy {version} is in force, and this release does not know it: run one that does, or \
         activate an earlier policy"
    )]
    Unknown {
        /// The policy.
        version: PolicyVersion,
    },
    /// No process has been started that activates the first.
    #[error("no policy is in force: none has been activated yet")]
    None,
    /// The database failed.
    #[error("the policy in force could not be read")]
    Database(#[from] sqlx::Error),
}

/// The policy in force, and the activation that put it there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InForce {
    pub(crate) activation: i64,
    pub(crate) policy: &'static Policy,
}

/// Reads and locks it. An activation waits until the transaction ends.
pub(crate) async fn policy_in_force(
    connection: &mut PgConnection,
) -> Result<InForce, PolicyInForceError> {
    let mut found = lock(connection).await?;
    if found.is_none() {
        // An activation that was waited for has ended the policy that was found; the next
        // statement sees its successor.
        found = lock(connection).await?;
    }
    let (activation, version) = found.ok_or(PolicyInForceError::None)?;
    let version =
        PolicyVersion::try_from(version).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let policy = Policies::compiled()
        .get(version)
        .ok_or(PolicyInForceError::Unknown { version })?;
    Ok(InForce { activation, policy })
}

async fn lock(connection: &mut PgConnection) -> Result<Option<(i64, i32)>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT number, version FROM bonus.policy_activations WHERE replaced_at IS NULL FOR SHARE"
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|row| (row.number, row.version)))
}
