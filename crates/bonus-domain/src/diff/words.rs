//! A report as one JSON object, and its largest movements in words.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::{Assessment, Largest, Report};
use crate::Points;

impl Report {
    /// The report as one object.
    #[must_use]
    pub fn value(&self) -> Value {
        let grades = self.grades().map(|flow| {
            json!({ "from": flow.from.as_str(), "to": flow.to.as_str(), "accounts": flow.accounts })
        });
        let histogram = self.histogram().map(
            |bucket| json!({ "from": bucket.from, "to": bucket.to, "accounts": bucket.accounts }),
        );
        let gains: Vec<Value> = self.largest_gains().map(|it| it.value()).collect();
        let losses: Vec<Value> = self.largest_losses().map(|it| it.value()).collect();
        json!({
            "seen": self.seen,
            "changed": self.changed,
            "gainers": self.gainers,
            "losers": self.losers,
            "opened": self.opened,
            "pointsBefore": self.points_before.get(),
            "pointsAfter": self.points_after.get(),
            "gained": self.gained.get(),
            "lost": self.lost.get(),
            "grades": grades.collect::<Vec<_>>(),
            "vip": {
                "kept": self.vip.kept,
                "gained": self.vip.gained,
                "lost": self.vip.lost,
                "without": self.vip.without,
            },
            "histogram": histogram.collect::<Vec<_>>(),
            "largestGains": gains,
            "largestLosses": losses,
        })
    }
}

fn assessment(assessment: Assessment) -> Value {
    json!({
        "lifetimePoints": assessment.lifetime_points.get(),
        "grade": assessment.grade.as_str(),
        "vip": assessment.vip,
    })
}

impl Largest {
    fn value(&self) -> Value {
        json!({
            "role": self.beneficiary.role.as_str(),
            "id": self.beneficiary.id,
            "points": self.points.get(),
            "before": self.movement.before.map(assessment),
            "after": self.movement.after.map(assessment),
            "sentence": self.sentence(),
        })
    }

    /// What becomes of the account.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (before, after) = (self.movement.before(), self.movement.after());
        let by = self.points.get().unsigned_abs();
        let verb = if self.points < Points::ZERO {
            "loses"
        } else {
            "gains"
        };
        let grade = match after.grade.cmp(&before.grade) {
            Ordering::Less => format!("falls from {} to {}", before.grade, after.grade),
            Ordering::Equal => format!("stays {}", after.grade),
            Ordering::Greater => format!("rises from {} to {}", before.grade, after.grade),
        };
        let vip = match (before.vip, after.vip) {
            (false, true) => " and becomes VIP",
            (true, false) => " and is VIP no more",
            (true, true) => " and stays VIP",
            (false, false) => "",
        };
        let opens = if self.movement.opens() {
            ", without an account until now,"
        } else {
            ""
        };
        format!(
            "The {} {}{opens} {verb} {by} points, from {} to {}, {grade}{vip}.",
            self.beneficiary.role,
            self.beneficiary.id.as_hyphenated(),
            before.lifetime_points,
            after.lifetime_points,
        )
    }
}
