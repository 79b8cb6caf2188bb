//! Accounts that cannot be settled or recomputed: each is found by halves, named, and passed over, so
//! that no other one waits for it.

use std::collections::BTreeSet;

use bonus_domain::{Beneficiary, PolicyVersion, Undecided};
use event_store::AppendError;
use event_store::failure::{SqlFailure, classify, took_too_long};

use crate::accounts::columns;

/// Why an account could not be settled or recomputed. It is passed over, and stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum Stuck {
    /// The rules do not allow it.
    #[error("the rules do not allow it")]
    Undecided(#[from] Undecided),
    /// It is of a policy that this release does not know.
    #[error("it is of policy {0}, which this release does not know")]
    UnknownPolicy(PolicyVersion),
    /// Its events cannot be appended.
    #[error("its events cannot be appended")]
    Append(#[source] AppendError),
    /// Its rows cannot be read or written.
    #[error("its rows cannot be read or written")]
    Database(#[source] sqlx::Error),
}

/// Whom to pass over: those that were found stuck.
pub type PassedOver = BTreeSet<Beneficiary>;

/// Their keys, as columns.
pub(crate) fn keys(passed_over: &PassedOver) -> (Vec<&'static str>, Vec<uuid::Uuid>) {
    columns(passed_over.iter())
}

/// The failed append as what one account has brought about.
///
/// # Errors
/// The same, where no account can be at fault.
pub(crate) fn blame_append(error: AppendError) -> Result<Stuck, AppendError> {
    match error {
        AppendError::Conflict => Ok(Stuck::Append(error)),
        AppendError::Database(ref source) if may_be_of_one(source) => Ok(Stuck::Append(error)),
        AppendError::Database(_) => Err(error),
    }
}

/// The failed statement as what one account has brought about.
///
/// # Errors
/// The same, where no account can be at fault.
pub(crate) fn blame_database(error: sqlx::Error) -> Result<Stuck, sqlx::Error> {
    if may_be_of_one(&error) {
        Ok(Stuck::Database(error))
    } else {
        Err(error)
    }
}

/// Whether one account may be at fault, so that the others pass without it: told from the database's
/// own trouble by what it said. What took too long may pass in halves.
fn may_be_of_one(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Decode(_))
        || took_too_long(error)
        || matches!(
            classify(error),
            SqlFailure::RefusedRow | SqlFailure::Duplicate | SqlFailure::VersionConflict
        )
}

/// What is left of a batch that failed: its halves, and theirs.
#[derive(Debug, Default)]
pub(crate) struct Halves(Vec<Vec<Beneficiary>>);

impl Halves {
    /// A part failed: its halves are left to be tried. Where it was one beneficiary, this one is at
    /// fault.
    pub(crate) fn failed(&mut self, mut part: Vec<Beneficiary>) -> Option<Beneficiary> {
        if let [alone] = part.as_slice() {
            return Some(*alone);
        }
        let second = part.split_off(part.len() / 2);
        for half in [second, part] {
            if !half.is_empty() {
                self.0.push(half);
            }
        }
        None
    }

    /// The next part to be tried.
    pub(crate) fn next(&mut self) -> Option<Vec<Beneficiary>> {
        self.0.pop()
    }
}

#[cfg(test)]
mod tests {
    use kernel::Role;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn halves_come_to_the_one_at_fault_and_try_each_other_one_once() {
        let batch: Vec<Beneficiary> = (1..=1_000)
            .map(|id| Beneficiary::new(Role::Commissioner, Uuid::from_u128(id)))
            .collect();
        let (at_fault, mut halves) = (batch[700], Halves::default());
        let (mut found, mut passed, mut tried) = (Vec::new(), Vec::new(), 1);
        found.extend(halves.failed(batch.clone()));
        while let Some(part) = halves.next() {
            tried += 1;
            if part.contains(&at_fault) {
                found.extend(halves.failed(part));
            } else {
                passed.extend(part);
            }
        }
        assert_eq!(found, [at_fault]);
        assert_eq!(passed.len(), batch.len() - 1);
        assert!(tried <= 21, "{tried} tries for one in a thousand");
        assert!(halves.failed(Vec::new()).is_none() && halves.next().is_none());
    }
}
