//! The order's timeline in words, from the query API.

use serde_json::Value;
use ureq::http::StatusCode;

use crate::demo::cast::Cast;
use crate::demo::commission::Commission;
use crate::demo::json;
use crate::demo::teller::{Teller, in_short, say};
use crate::failure::Failure;

/// Tells every event, and returns their names in order.
pub(crate) fn tell(
    teller: &mut Teller<'_>,
    cast: &Cast,
    commission: &Commission,
) -> Result<Vec<String>, Failure> {
    let path = format!("/v1/orders/{}/timeline", commission.order_id);
    say(&format!("\n    GET {path}\n"))?;
    let timeline = teller.wait_for("the timeline", |teller| {
        let answer = teller.read(&cast.commissioner, &path, Some(&commission.position))?;
        Ok(match answer.status {
            StatusCode::OK => Ok(answer.body),
            _ => Err(in_short(&answer)),
        })
    })?;
    let facts = json::items(&timeline, "/items");
    for fact in facts {
        say(&in_words(fact, cast))?;
    }
    let event = |fact| json::text(fact, "/event").unwrap_or_default().to_owned();
    Ok(facts.iter().map(event).collect())
}

fn in_words(fact: &Value, cast: &Cast) -> String {
    let version = json::number(fact, "/version").unwrap_or_default();
    let [event, actor, summary] =
        ["/event", "/actor/id", "/summary"].map(|pointer| json::text(fact, pointer).unwrap_or("?"));
    format!(
        "{version:2}. {summary}\n    {event}, by {}",
        cast.name_of(actor)
    )
}
