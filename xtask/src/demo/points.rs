//! The points that the commission earned its commissioner, from the query API.

use serde_json::Value;

use crate::demo::cast::Cast;
use crate::demo::json;
use crate::demo::teller::{Teller, in_short, say};
use crate::failure::Failure;

/// What policy 1 gives for an order that was placed and completed.
const EARNED: &str = "140 points, Silver";

/// Waits for the points, and tells what they were given for.
pub(crate) fn tell(teller: &mut Teller<'_>, cast: &Cast) -> Result<(), Failure> {
    let account = format!("/v1/bonus/accounts/{}", cast.commissioner.id);
    say(&format!("\n    GET {account}"))?;
    let standing = teller.wait_for(EARNED, |teller| {
        let answer = teller.read(&cast.commissioner, &account, None)?;
        Ok(match standing(&answer.body) {
            Some(standing) if standing.starts_with(EARNED) => Ok(standing),
            Some(other) => Err(other),
            None => Err(in_short(&answer)),
        })
    })?;
    say(&format!("    {standing}"))?;

    let ledger = format!("{account}/ledger");
    say(&format!("\n    GET {ledger}"))?;
    let answer = teller.read(&cast.commissioner, &ledger, None)?;
    for award in json::items(&answer.body, "/items") {
        say(&format!("    {}", in_words(award)))?;
    }
    Ok(())
}

/// An account in a line; nothing where there is none yet.
fn standing(account: &Value) -> Option<String> {
    let points = json::number(account, "/lifetimePoints")?;
    let grade = json::text(account, "/grade")?;
    let next = json::text(account, "/nextGrade/name");
    let to_go = match (next, json::number(account, "/nextGrade/pointsToGo")) {
        (Some(grade), Some(points)) => format!(", {points} more for {grade}"),
        _ => String::new(),
    };
    Some(format!("{points} points, {grade}{to_go}"))
}

/// An award in a line.
fn in_words(award: &Value) -> String {
    let points = json::number(award, "/points").unwrap_or_default();
    let event = json::text(award, "/event").unwrap_or("?");
    format!("{points:+4} for {event}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_standing_is_points_and_grade_and_what_is_to_come() {
        let account = |next| json!({"lifetimePoints": 140, "grade": "Silver", "nextGrade": next});
        let silver = account(json!({"name": "Gold", "pointsToGo": 160}));
        assert_eq!(
            standing(&silver).as_deref(),
            Some("140 points, Silver, 160 more for Gold")
        );
        assert_eq!(standing(&account(json!(null))).as_deref(), Some(EARNED));
        assert_eq!(standing(&json!({"status": 404, "code": "NOT_FOUND"})), None);
    }

    #[test]
    fn an_award_has_a_sign() {
        let award = json!({"event": "OrderPlaced", "points": 40, "policyVersion": 1});
        assert_eq!(in_words(&award), " +40 for OrderPlaced");
    }
}
