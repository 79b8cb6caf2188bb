//! The difference as a report for people, as a JSON object, and as lines of CSV.

use std::fmt::Write as _;

use bonus_domain::{Beneficiary, Bucket, Grade, GradeFlow, Movement, Report};
use serde_json::{Value, json};

use super::Found;
use crate::session::instant;

/// The first line of the CSV.
pub(super) const HEAD: &str = "beneficiary_role,beneficiary_id,points_before,points_after,\
                               grade_before,grade_after,vip_before,vip_after,opens_account\n";
/// The widest bar of the histogram.
const WIDEST: u64 = 40;

/// An account that moves, as a line of CSV.
pub(super) fn line(beneficiary: Beneficiary, movement: Movement) -> String {
    let (before, after) = (movement.before(), movement.after());
    format!(
        "{},{},{},{},{},{},{},{},{}\n",
        beneficiary.role,
        beneficiary.id.as_hyphenated(),
        before.lifetime_points,
        after.lifetime_points,
        before.grade,
        after.grade,
        before.vip,
        after.vip,
        movement.opens(),
    )
}

/// The report as one object.
pub(super) fn value(found: &Found) -> Value {
    let report = &found.report;
    json!({
        "from": found.from.get(),
        "to": found.to.get(),
        "ledger": {
            "asOf": instant(found.at),
            "facts": found.ledger.facts,
            "deferredFacts": found.ledger.deferred,
            "beneficiaries": found.ledger.beneficiaries,
            "ofOtherPolicies": found.of_others,
            "digest": format!("{:016x}", found.ledger.digest),
        },
        "report": report.value(),
        "budget": found.budget.map(|points| json!({
            "points": points,
            "passed": found.passes_the_budget(),
        })),
    })
}

/// The report for people.
pub(super) fn text(found: &Found) -> String {
    let (report, ledger) = (&found.report, &found.ledger);
    let mut text = format!(
        "Policy {} in the place of policy {}, as of {}: {} facts ({} deferred) of {} \
         beneficiaries, digest {:016x}.\n\n",
        found.to,
        found.from,
        instant(found.at),
        ledger.facts,
        ledger.deferred,
        ledger.beneficiaries,
        ledger.digest,
    );
    // A String takes everything.
    totals(&mut text, report).ok();
    grades(&mut text, report).ok();
    histogram(&mut text, report).ok();
    for (what, largest) in [
        ("gains", report.largest_gains().collect::<Vec<_>>()),
        ("losses", report.largest_losses().collect()),
    ] {
        writeln!(text, "\nThe largest {what}:").ok();
        for largest in &largest {
            writeln!(text, "  {}", largest.sentence()).ok();
        }
        if largest.is_empty() {
            writeln!(text, "  none").ok();
        }
    }
    text
}

fn totals(text: &mut String, report: &Report) -> std::fmt::Result {
    let without = report.seen - report.gainers - report.losers;
    writeln!(
        text,
        "Points: {} before, {} after.\n\
         {} accounts gain {} points in sum, {} lose {}, {without} neither. {} of them are new.\n\
         VIP: {} stay, {} become, {} are no more.",
        report.points_before,
        report.points_after,
        report.gainers,
        report.gained,
        report.losers,
        report.lost,
        report.opened,
        report.vip.kept,
        report.vip.gained,
        report.vip.lost,
    )
}

/// A row for each grade before, a column for each grade after.
fn grades(text: &mut String, report: &Report) -> std::fmt::Result {
    write!(text, "\n{:10}", "")?;
    for grade in Grade::ALL {
        write!(text, "{:>10}", grade.as_str())?;
    }
    let flows: Vec<GradeFlow> = report.grades().collect();
    for before in Grade::ALL {
        write!(text, "\n{:10}", before.as_str())?;
        for flow in flows.iter().filter(|flow| flow.from == before) {
            write!(text, "{:>10}", flow.accounts)?;
        }
    }
    writeln!(text)
}

fn histogram(text: &mut String, report: &Report) -> std::fmt::Result {
    let buckets: Vec<Bucket> = report.histogram().collect();
    let most = buckets.iter().map(|bucket| bucket.accounts).max();
    writeln!(text, "\nAccounts by the points that they gain or lose:")?;
    for bucket in buckets {
        let class = match (bucket.from, bucket.to) {
            (Some(from), Some(to)) if from == to => from.to_string(),
            (Some(from), Some(to)) => format!("{from} to {to}"),
            (Some(from), None) => format!("{from} and more"),
            (None, Some(to)) => format!("{to} and less"),
            (None, None) => String::new(),
        };
        let share = bucket.accounts.saturating_mul(WIDEST) / most.unwrap_or(1).max(1);
        let bar = "#".repeat(usize::try_from(share).unwrap_or_default());
        let shown = format!("  {class:>17}  {:>9}  {bar}", bucket.accounts);
        writeln!(text, "{}", shown.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bonus_domain::{Assessment, Movement, Points, PolicyVersion};
    use bonus_store::LedgerState;
    use chrono::DateTime;
    use kernel::Role;
    use uuid::Uuid;

    use super::*;

    fn assessment(points: i64, grade: Grade, vip: bool) -> Assessment {
        Assessment {
            lifetime_points: Points::new(points),
            grade,
            vip,
        }
    }

    fn found() -> Found {
        let mut report = Report::default();
        let movements = [
            (
                Some(assessment(140, Grade::Silver, false)),
                Some(assessment(160, Grade::Silver, false)),
            ),
            (
                Some(assessment(200, Grade::Silver, true)),
                Some(assessment(80, Grade::Bronze, false)),
            ),
            (None, Some(assessment(250, Grade::Silver, true))),
        ];
        for (id, (before, after)) in (1..).zip(movements) {
            let who = Beneficiary::new(Role::Commissioner, Uuid::from_u128(id));
            report.add(who, Movement { before, after }).unwrap();
        }
        Found {
            from: PolicyVersion::FIRST,
            to: PolicyVersion::new(2).unwrap(),
            at: DateTime::UNIX_EPOCH,
            ledger: LedgerState {
                facts: 9,
                deferred: 0,
                beneficiaries: 3,
                digest: 0xfeed,
            },
            of_others: 0,
            report,
            budget: Some(269),
        }
    }

    #[test]
    fn the_report_says_who_gains_and_who_loses_in_words() {
        let expected = "\
Policy 2 in the place of policy 1, as of 1970-01-01T00:00:00.000Z: 9 facts (0 deferred) of 3 \
beneficiaries, digest 000000000000feed.

Points: 340 before, 490 after.
2 accounts gain 270 points in sum, 1 lose 120, 0 neither. 1 of them are new.
VIP: 0 stay, 1 become, 1 are no more.

              Bronze    Silver      Gold  Platinum
Bronze             0         1         0         0
Silver             1         1         0         0
Gold               0         0         0         0
Platinum           0         0         0         0

Accounts by the points that they gain or lose:
       -299 to -100          1  ########################################
           10 to 29          1  ########################################
         100 to 299          1  ########################################

The largest gains:
  The commissioner 00000000-0000-0000-0000-000000000003, without an account until now, gains 250 \
points, from 0 to 250, rises from Bronze to Silver and becomes VIP.
  The commissioner 00000000-0000-0000-0000-000000000001 gains 20 points, from 140 to 160, stays \
Silver.

The largest losses:
  The commissioner 00000000-0000-0000-0000-000000000002 loses 120 points, from 200 to 80, falls \
from Silver to Bronze and is VIP no more.
";
        assert_eq!(text(&found()), expected);
    }

    #[test]
    fn the_budget_is_what_the_gainers_gain_in_sum() {
        let found = found();
        assert!(found.passes_the_budget());
        assert_eq!(value(&found)["budget"]["passed"], true);
        assert_eq!(value(&found)["report"]["gained"], 270);
        let enough = Found {
            budget: Some(270),
            ..found
        };
        assert!(!enough.passes_the_budget());
    }
}
