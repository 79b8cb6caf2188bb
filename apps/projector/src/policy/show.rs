//! `projector policy show`: what a policy says.

use std::fmt::Write as _;

use bonus_domain::{Policy, PolicyVersion};
use serde_json::{Value, json};
use service_runtime::DatabaseConfig;

use super::compiled;
use crate::session::{Failure, Output, Session};

/// Shows it.
pub(super) async fn show(
    _session: Session<DatabaseConfig>,
    version: PolicyVersion,
    output: Output,
) -> Result<(), Failure> {
    let policy = compiled(version)?;
    output.object(&value(policy), &text(policy))
}

fn value(policy: &Policy) -> Value {
    let awards = policy.awards().map(|(event, role, points)| {
        json!({ "event": event.as_str(), "role": role.as_str(), "points": points.get() })
    });
    let reversals = policy.reversals().map(|it| {
        let reverses: Vec<&str> = it.reverses.iter().map(|event| event.as_str()).collect();
        json!({
            "event": it.event.as_str(), "role": it.role.as_str(), "byDispute": it.by_dispute,
            "reverses": reverses,
        })
    });
    let grades = policy
        .grades()
        .map(|(grade, points)| json!({ "grade": grade.as_str(), "points": points.get() }));
    json!({
        "version": policy.version().get(),
        "hash": policy.hash().to_string(),
        "awards": awards.collect::<Vec<_>>(),
        "reversals": reversals.collect::<Vec<_>>(),
        "grades": grades.collect::<Vec<_>>(),
        "vip": {
            "windowDays": policy.vip().window_days.get(),
            "threshold": policy.vip().threshold.get(),
        },
    })
}

fn text(policy: &Policy) -> String {
    let mut text = format!("policy {}, {}\n", policy.version(), policy.hash());
    // A String takes everything.
    for (event, role, points) in policy.awards() {
        writeln!(text, "{event} gives a {role} {points} points").ok();
    }
    for it in policy.reversals() {
        let reverses: Vec<&str> = it.reverses.iter().map(|event| event.as_str()).collect();
        let how = if it.by_dispute { "by" } else { "without" };
        writeln!(
            text,
            "{} {how} a dispute takes from a {} what {} of its order gave",
            it.event,
            it.role,
            reverses.join(" and ")
        )
        .ok();
    }
    for (grade, points) in policy.grades() {
        writeln!(text, "{grade} from {points} points").ok();
    }
    let vip = policy.vip();
    writeln!(
        text,
        "VIP with {} points in {} days",
        vip.threshold, vip.window_days
    )
    .ok();
    text
}
