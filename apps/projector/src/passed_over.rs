//! Accounts that a role could not do: each is told of once, passed over, and tried again after a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bonus_domain::Beneficiary;
use bonus_store::{PassedOver, Stuck};
use service_runtime::chain;

/// After so long they are tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// Those that a role passes over.
pub(crate) struct Aside {
    accounts: PassedOver,
    /// Why, as it was told.
    told: BTreeMap<Beneficiary, String>,
    since: Instant,
}

impl Aside {
    /// Nobody.
    pub(crate) fn none() -> Self {
        Self {
            accounts: PassedOver::new(),
            told: BTreeMap::new(),
            since: Instant::now(),
        }
    }

    /// Whom to pass over.
    pub(crate) const fn accounts(&self) -> &PassedOver {
        &self.accounts
    }

    /// Passes these over too; those that are to be told of, and why: all but those of which the same
    /// was told already.
    pub(crate) fn add(&mut self, stuck: Vec<(Beneficiary, Stuck)>) -> Vec<(Beneficiary, String)> {
        let mut news = Vec::new();
        for (beneficiary, why) in stuck {
            let why = chain(&why);
            self.accounts.insert(beneficiary);
            if self.told.get(&beneficiary) != Some(&why) {
                self.told.insert(beneficiary, why.clone());
                news.push((beneficiary, why));
            }
        }
        news
    }

    /// All others are done: after a while these are tried again.
    pub(crate) fn rest(&mut self) {
        if self.since.elapsed() < AGAIN {
            return;
        }
        self.since = Instant::now();
        let Self { accounts, told, .. } = self;
        told.retain(|beneficiary, _| accounts.contains(beneficiary));
        accounts.clear();
    }
}

#[cfg(test)]
mod tests {
    use kernel::Role;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_same_is_told_once_and_something_else_again() {
        let mut aside = Aside::none();
        let ada = Beneficiary::new(Role::Commissioner, Uuid::from_u128(1));
        let unknown = |version| {
            let version = bonus_domain::PolicyVersion::new(version).unwrap();
            vec![(ada, Stuck::UnknownPolicy(version))]
        };
        assert_eq!(aside.add(unknown(8)).len(), 1);
        assert!(aside.accounts().contains(&ada));
        aside.rest();
        assert!(aside.accounts().contains(&ada), "it was a moment ago");
        if let Some(long_ago) = Instant::now().checked_sub(AGAIN) {
            aside.since = long_ago;
            aside.rest();
            assert!(aside.accounts().is_empty());
        }
        assert_eq!(aside.add(unknown(8)), []);
        assert_eq!(aside.add(unknown(9)).len(), 1);
    }
}
