//! One account.

use std::collections::BTreeSet;

use bonus_domain::{Beneficiary, Policies, Policy, PolicyVersion, VipAt};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::rows::{AccountRow, load_rows};
use super::view::{AccountView, VipView};

/// An account of a policy that came with a later release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the account of {beneficiary} is of policy {version}, which this release does not know")]
pub struct UnknownPolicy {
    /// Whose account it is.
    pub beneficiary: Beneficiary,
    /// Its policy.
    pub version: PolicyVersion,
}

/// Reads one account; none before its first award.
///
/// # Errors
/// What the database said.
pub async fn read_account(
    connection: &mut PgConnection,
    beneficiary: Beneficiary,
) -> Result<Option<AccountRow>, sqlx::Error> {
    let rows = load_rows(connection, &BTreeSet::from([beneficiary])).await?;
    Ok(rows.into_values().next())
}

impl AccountRow {
    /// The policy that it was computed with.
    ///
    /// # Errors
    /// When this release does not know it.
    pub fn policy(&self) -> Result<&'static Policy, UnknownPolicy> {
        let version = self.standing.policy_version;
        Policies::compiled().get(version).ok_or(UnknownPolicy {
            beneficiary: self.beneficiary,
            version,
        })
    }

    /// The account as it is shown at `now`, when it stands with VIP as `vip` says.
    ///
    /// # Errors
    /// When this release does not know its policy.
    pub fn view(&self, now: DateTime<Utc>, vip: VipAt) -> Result<AccountView, UnknownPolicy> {
        let policy = self.policy()?;
        let lifetime = self.standing.lifetime_points;
        Ok(AccountView {
            id: self.beneficiary.id,
            role: self.beneficiary.role.into(),
            lifetime_points: lifetime.get(),
            // By the points, not by the row: a batch of the feed may end between an award and the
            // grade that follows from it.
            grade: policy.grade(lifetime).into(),
            next_grade: policy.next_grade(lifetime).map(Into::into),
            vip: VipView {
                active: vip.active,
                window_points: vip.window_points.get(),
                threshold: policy.vip().threshold.get(),
                until: vip.until,
            },
            policy_version: policy.version().get(),
            as_of: now,
        })
    }
}
