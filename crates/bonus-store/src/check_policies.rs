//! What every start makes sure of: a policy is in force, and none that ever was has been edited.

use bonus_domain::{Policies, PolicyHash, PolicyVersion};
use sqlx::PgPool;

use crate::kept_types;

/// Why a process must not start.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A policy is not what it was when it was activated.
    #[error(
        "policy {version} was activated with hash {activated} and is compiled in with {compiled}: \
         put its file back, and write the change as a new version"
    )]
    Edited {
        /// The policy.
        version: PolicyVersion,
        /// The hash of its file at the activation, in hexadecimal.
        activated: String,
        /// The hash of its file in this release.
        compiled: PolicyHash,
    },
    /// The database failed.
    #[error("the activated policies could not be read")]
    Database(#[from] sqlx::Error),
}

/// Activates policy 1 at the first start of all, notes the types of facts that are kept from now on,
/// and compares every policy that was ever activated with the one compiled in. A version that this release does not know is passed over: another
/// release may run beside it.
///
/// # Errors
/// [`CheckError::Edited`] names the first policy that differs; else what the database said.
pub async fn check_policies(pool: &PgPool) -> Result<(), CheckError> {
    let policies = Policies::compiled();
    if let Some(first) = policies.get(PolicyVersion::FIRST) {
        let hash = first.hash();
        sqlx::query!(
            "INSERT INTO bonus.policy_activations (version, hash)
             SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM bonus.policy_activations)
             ON CONFLICT DO NOTHING",
            i32::from(first.version()),
            hash.as_bytes(),
        )
        .execute(pool)
        .await?;
    }

    kept_types::register(&mut *pool.acquire().await?).await?;
    let activated = sqlx::query!(
        r#"SELECT DISTINCT version, hash, encode(hash, 'hex') AS "hex!"
           FROM bonus.policy_activations ORDER BY version"#
    )
    .fetch_all(pool)
    .await?;
    for row in activated {
        let version = PolicyVersion::try_from(row.version)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let Some(policy) = policies.get(version) else {
            continue;
        };
        if row.hash != policy.hash().as_bytes() {
            return Err(CheckError::Edited {
                version,
                activated: row.hex,
                compiled: policy.hash(),
            });
        }
    }
    Ok(())
}
