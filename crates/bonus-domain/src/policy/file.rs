//! Policies as files: their shape, and what makes one legal.

use std::num::NonZeroU16;

use kernel::Role;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Award, Policy, PolicyHash, PolicyVersion, Reversal};
use crate::grade::Thresholds;
use crate::{Points, SourceType, VipRule};

/// Why a file is no policy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidPolicy {
    /// It has not the shape of one.
    #[error("not the shape of a policy")]
    Shape(#[from] toml::de::Error),
    /// An award or the VIP threshold is not above 0.
    #[error("{what} asks for more than 0 points, not {points}")]
    NotPositive {
        /// The rule.
        what: String,
        /// The points that it names.
        points: Points,
    },
    /// An event is rewarded twice in one role.
    #[error("{event} is rewarded twice for the role {role}")]
    RewardedTwice {
        /// The event.
        event: SourceType,
        /// The role.
        role: Role,
    },
    /// A reversal takes away what nothing gives.
    #[error("{event} reverses {reversed}, which is not rewarded for the role {role}")]
    NothingToReverse {
        /// The event that reverses.
        event: SourceType,
        /// The event that it should take the points of.
        reversed: SourceType,
        /// The role.
        role: Role,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    version: PolicyVersion,
    award: Vec<AwardFile>,
    #[serde(default)]
    reversal: Vec<ReversalFile>,
    grades: Thresholds,
    vip: VipFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AwardFile {
    event: SourceType,
    role: Role,
    points: Points,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReversalFile {
    event: SourceType,
    role: Role,
    by_dispute: bool,
    reverses: Vec<SourceType>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VipFile {
    window_days: NonZeroU16,
    threshold: Points,
}

impl Policy {
    /// Reads a policy's file.
    ///
    /// # Errors
    /// Says what makes it none.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        let file: PolicyFile = toml::from_str(text)?;
        let mut policy = Self {
            version: file.version,
            hash: PolicyHash(Sha256::digest(text).into()),
            awards: Vec::with_capacity(file.award.len()),
            reversals: Vec::with_capacity(file.reversal.len()),
            thresholds: file.grades,
            vip: VipRule {
                window_days: file.vip.window_days,
                threshold: positive("vip", file.vip.threshold)?,
            },
        };
        for award in file.award {
            policy.add_award(award)?;
        }
        for reversal in file.reversal {
            policy.add_reversal(reversal)?;
        }
        Ok(policy)
    }

    fn add_award(&mut self, award: AwardFile) -> Result<(), InvalidPolicy> {
        let AwardFile {
            event,
            role,
            points,
        } = award;
        if self.rewarded(role).any(|rewarded| rewarded == event) {
            return Err(InvalidPolicy::RewardedTwice { event, role });
        }
        self.awards.push(Award {
            points: positive(event.as_str(), points)?,
            event,
            role,
        });
        Ok(())
    }

    fn add_reversal(&mut self, reversal: ReversalFile) -> Result<(), InvalidPolicy> {
        let ReversalFile {
            event,
            role,
            by_dispute,
            reverses,
        } = reversal;
        for reversed in &reverses {
            if !self.rewarded(role).any(|rewarded| rewarded == *reversed) {
                return Err(InvalidPolicy::NothingToReverse {
                    event,
                    reversed: *reversed,
                    role,
                });
            }
        }
        self.reversals.push(Reversal {
            event,
            role,
            by_dispute,
            reverses,
        });
        Ok(())
    }
}

fn positive(what: &str, points: Points) -> Result<Points, InvalidPolicy> {
    if points > Points::ZERO {
        return Ok(points);
    }
    Err(InvalidPolicy::NotPositive {
        what: what.to_owned(),
        points,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEGAL: &str = include_str!("../../policies/2.toml");

    /// Policy 2 with one text in the place of another.
    fn parse(from: &str, to: &str) -> Result<Policy, InvalidPolicy> {
        assert!(LEGAL.contains(from), "{from}");
        Policy::parse(&LEGAL.replacen(from, to, 1))
    }

    #[test]
    fn thresholds_start_at_0_and_ascend() {
        for (from, to) in [
            ("Bronze = 0", "Bronze = 1"),
            ("Silver = 120", "Silver = 0"),
            ("Silver = 120", "Silver = 400"),
            ("Platinum = 1200", "Platinum = 399"),
            ("Platinum = 1200", ""),
        ] {
            let error = parse(from, to).expect_err(to);
            assert!(matches!(error, InvalidPolicy::Shape(_)), "{error}");
        }
    }

    #[test]
    fn awards_and_thresholds_are_above_0() {
        for (from, to) in [
            ("points = 10", "points = 0"),
            ("points = 10", "points = -1"),
            ("threshold = 250", "threshold = 0"),
        ] {
            let error = parse(from, to).expect_err(to);
            assert!(
                matches!(error, InvalidPolicy::NotPositive { .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn rules_do_not_contradict_one_another() {
        let error = parse("OfferConfirmed", "OrderPlaced").expect_err("a second price");
        assert!(
            matches!(error, InvalidPolicy::RewardedTwice { .. }),
            "{error}"
        );
        let error = parse("[\"OrderPlaced\"", "[\"OrderEdited\"").expect_err("no price");
        assert!(
            matches!(error, InvalidPolicy::NothingToReverse { .. }),
            "{error}"
        );
    }

    #[test]
    fn what_a_file_may_not_say_is_refused() {
        for (from, to) in [
            ("version = 2", "version = 0"),
            ("version = 2", "version = 2\nname = \"second\""),
            ("role = \"commissioner\"", "role = \"patron\""),
            ("window_days = 30", "window_days = 0"),
        ] {
            let error = parse(from, to).expect_err(to);
            assert!(matches!(error, InvalidPolicy::Shape(_)), "{error}");
        }
    }

    #[test]
    fn another_letter_is_another_hash() {
        let original = Policy::parse(LEGAL).expect("legal");
        let edited = parse("points = 10", "points = 11").expect("legal");
        assert_ne!(original.hash(), edited.hash());
    }
}
