//! An explanation in words.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Explanation, Part, Place};

impl Part {
    /// What this fact does under the policy of `explanation`, or why it counts nothing.
    #[must_use]
    pub fn sentence(&self, explanation: &Explanation) -> String {
        let event = self.fact.source_type;
        let policy = explanation.policy_version;
        match self.place {
            Place::InWindow { points, until } => format!(
                "{event} gives {points} points under policy {policy}; it counts for VIP until {}.",
                instant(until)
            ),
            Place::LeftWindow { points, at } => format!(
                "{event} gives {points} points under policy {policy}; it counts for VIP no more: \
                 it left the window at {}.",
                instant(at)
            ),
            Place::Ahead { points } => format!(
                "{event} gives {points} points under policy {policy}; it counts for VIP from {} \
                 on, when it occurs.",
                instant(self.fact.occurred_at)
            ),
            Place::NotRewarded => format!(
                "{event} counts nothing: policy {policy} gives no points for it in the role {}.",
                self.fact.beneficiary.role
            ),
            Place::Reversed { points, by } => format!(
                "{event} counts nothing: the {points} points that it would give under policy \
                 {policy} are taken away by event {by} of the same order."
            ),
            Place::Deferred => format!(
                "{event} counts nothing yet: it was deferred, since the account was not of the \
                 policy in force, and counts from the next recompute on."
            ),
        }
    }
}

impl Explanation {
    /// What is missing for the next grade and for VIP, and when VIP will end.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let points = self.lifetime_points;
        let grade = match self.next_grade {
            Some(next) => format!(
                "{points} points make {}; {} more make {}.",
                self.grade, next.points_to_go, next.grade
            ),
            None => format!("{points} points make {}, the highest grade.", self.grade),
        };
        let window = self.window_points;
        let vip = match (self.is_vip(), self.next_vip_change) {
            (true, Some(end)) => format!(
                "{window} points in the window make VIP, which takes {}; it ends at {} if nothing \
                 more happens.",
                self.threshold,
                instant(end)
            ),
            (true, None) => format!(
                "{window} points in the window make VIP, which takes {}.",
                self.threshold
            ),
            (false, Some(begin)) => format!(
                "{window} points in the window; VIP takes {} more, and begins at {} with what is \
                 known to lie ahead.",
                self.points_to_vip(),
                instant(begin)
            ),
            (false, None) => format!(
                "{window} points in the window; VIP takes {} more.",
                self.points_to_vip()
            ),
        };
        vec![grade, vip]
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
