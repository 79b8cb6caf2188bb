//! The policies that this release knows: every file of `policies/`, compiled in.

use std::sync::LazyLock;

use kernel::Role;

use super::file::InvalidPolicy;
use super::{Policy, PolicyVersion};
use crate::SourceType;

/// One file a version, in ascending order.
const FILES: [&str; 2] = [
    include_str!("../../policies/1.toml"),
    include_str!("../../policies/2.toml"),
];

static COMPILED: LazyLock<Policies> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the files are part of the program, and a test reads them"
    )]
    Policies::parse(&FILES).expect("the policies of this release are legal")
});

/// Why files are no list of policies.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidPolicies {
    /// One of them is no policy.
    #[error("policy {expected} is illegal")]
    Illegal {
        /// The version that it should have.
        expected: usize,
        /// What is wrong with it.
        source: InvalidPolicy,
    },
    /// The versions do not count up from 1.
    #[error("policy {found} stands in the place of {expected}")]
    Misnumbered {
        /// The version that it should have.
        expected: usize,
        /// The version that it has.
        found: PolicyVersion,
    },
}

/// Policies with versions 1, 2, 3 and so on, active or draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    policies: Vec<Policy>,
    /// Every event that any of them speaks of, ascending by name.
    source_types: Vec<SourceType>,
}

impl Policies {
    /// Those of this release.
    #[must_use]
    pub fn compiled() -> &'static Self {
        &COMPILED
    }

    /// Reads files in the order of their versions.
    ///
    /// # Errors
    /// Names the first file that is illegal or out of order.
    pub(crate) fn parse(files: &[&str]) -> Result<Self, InvalidPolicies> {
        let mut policies = Vec::with_capacity(files.len());
        for (expected, text) in (1..).zip(files) {
            let policy = Policy::parse(text)
                .map_err(|source| InvalidPolicies::Illegal { expected, source })?;
            if usize::from(policy.version.get()) != expected {
                return Err(InvalidPolicies::Misnumbered {
                    expected,
                    found: policy.version,
                });
            }
            policies.push(policy);
        }
        let awarded = policies.iter().flat_map(Policy::awards);
        let reversing = policies.iter().flat_map(Policy::reversals);
        let mut source_types: Vec<SourceType> = awarded
            .map(|(event, _, _)| event)
            .chain(reversing.map(|reversal| reversal.event))
            .collect();
        source_types.sort_unstable();
        source_types.dedup();
        Ok(Self {
            policies,
            source_types,
        })
    }

    /// The policy of that version, if this release knows it.
    #[must_use]
    pub fn get(&self, version: PolicyVersion) -> Option<&Policy> {
        self.policies
            .iter()
            .find(|policy| policy.version == version)
    }

    /// Every policy, by version.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter()
    }

    /// The event of that name, if any policy speaks of it, in whatever role. What none speaks of
    /// need not be read any further.
    pub(crate) fn source_type(&self, name: &str) -> Option<SourceType> {
        let found = self
            .source_types
            .binary_search_by(|known| known.as_str().cmp(name))
            .ok()?;
        self.source_types.get(found).copied()
    }

    /// Whether the ledger keeps this event of a beneficiary in `role`: whether any policy, active
    /// or draft, gives or takes points for it.
    #[must_use]
    pub fn keep(&self, event: SourceType, role: Role) -> bool {
        self.policies.iter().any(|policy| policy.minds(event, role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_of_this_release_are_legal() {
        let policies = Policies::parse(&FILES).expect("legal policies");
        assert_eq!(policies.iter().count(), FILES.len());
    }

    #[test]
    fn versions_count_up_from_1() {
        let [first, second] = FILES;
        for files in [[second, first], [first, first]] {
            let error = Policies::parse(&files).expect_err("out of order");
            assert!(
                matches!(error, InvalidPolicies::Misnumbered { .. }),
                "{error}"
            );
        }
    }
}
