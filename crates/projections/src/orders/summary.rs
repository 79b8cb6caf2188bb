//! A fact of an order in a sentence that a person can read.
//!
//! It is made of the fact's data as the viewer is shown it, and so says nothing more. It names
//! nobody: who did it stands beside it, and may be an operator in another's place.

use serde_json::{Map, Value};

type Data = Map<String, Value>;

/// The sentence. A fact of a later release is told by its name.
pub(crate) fn of(event: &str, data: &Data) -> String {
    match event {
        "OrderPlaced" => placed(data),
        "RequestEdited" => format!(
            "The request was changed: {}; it is at revision {} now.",
            changes(data),
            at(data, "request")["revision"],
        ),
        "WorkshopsInvited" => match count(data, "workshops") {
            1 => "One workshop was invited.".to_owned(),
            invited => format!("{invited} workshops were invited."),
        },
        "OfferSubmitted" => format!("An offer was made: {}.", terms(at(data, "offer"))),
        "OfferRevised" => format!("An offer was revised: {}.", terms(at(data, "offer"))),
        "OfferWithdrawn" => format!("An offer was withdrawn{}.", because(data, "reason")),
        "InvitationDeclined" => {
            format!("An invitation was declined{}.", because(data, "reason"))
        }
        "AllResponsesReceived" => format!(
            "Every invited workshop has answered; {}.",
            match count(data, "standing") {
                1 => "one offer stands".to_owned(),
                offers => format!("{offers} offers stand"),
            },
        ),
        "AllInvitationsClosed" => "No workshop is left to answer, and no offer stands.".to_owned(),
        "OfferConfirmed" if is_null(data, "terms") => "An offer was confirmed.".to_owned(),
        "OfferConfirmed" => format!("An offer was confirmed: {}.", terms(at(data, "terms"))),
        "StageMarkedComplete" if text(data, "status") == "completed" => {
            format!("{} was completed.", stage(data))
        }
        "StageMarkedComplete" => {
            format!("{} was marked as done and waits for approval.", stage(data))
        }
        "StageApproved" => format!("{} was approved.", stage(data)),
        "StageChangesRequested" => format!(
            "Changes to stage {}, “{}”, were requested: {}.",
            at(data, "stage"),
            text(data, "name"),
            text(data, "note"),
        ),
        "OrderFinished" => "The last stage is completed.".to_owned(),
        "OrderCompleted" => "The order was completed.".to_owned(),
        "OrderCancelled" => format!("The commission was cancelled{}.", because(data, "reason")),
        "CancellationDisputed" => format!(
            "It was asked to cancel agreed work, and an operator has to decide{}.",
            because(data, "reason"),
        ),
        "DisputeResolved" => format!(
            "A dispute was resolved, and {}{}.",
            match text(data, "resolution") {
                "resume" => "the commission goes on where it was",
                "cancel" => "the commission is cancelled",
                _ => "the commission is completed",
            },
            because(data, "note"),
        ),
        other => format!("{other}."),
    }
}

fn placed(data: &Data) -> String {
    let request = at(data, "request");
    format!(
        "A commission was placed: “{}”, for {} by {}{}.",
        plain(&request["title"]),
        money(&request["budget"]),
        day(&request["deadline"]),
        match count(data, "workshops") {
            0 => String::new(),
            1 => ", with one workshop invited".to_owned(),
            invited => format!(", with {invited} workshops invited"),
        },
    )
}

/// What has changed of a request: the short parts with what they say now.
fn changes(data: &Data) -> String {
    let request = at(data, "request");
    let changed = at(data, "changed").as_array();
    let parts = changed.into_iter().flatten().map(|part| match plain(part) {
        "title" => format!("the title to “{}”", plain(&request["title"])),
        "budget" => format!("the budget to {}", money(&request["budget"])),
        "deadline" => format!("the deadline to {}", day(&request["deadline"])),
        other => format!("the {other}"),
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn terms(offer: &Value) -> String {
    let (budget, by) = (money(&offer["budget"]), day(&offer["deadline"]));
    match offer["stages"].as_array().map_or(0, Vec::len) {
        1 => format!("{budget} by {by}, in one stage"),
        stages => format!("{budget} by {by}, in {stages} stages"),
    }
}

fn stage(data: &Data) -> String {
    format!("Stage {}, “{}”,", at(data, "stage"), text(data, "name"))
}

/// The reason, where there is one; the sentence ends with a full stop of its own.
fn because(data: &Data, key: &str) -> String {
    at(data, key)
        .as_str()
        .map(|why| format!(": {}", why.strip_suffix('.').unwrap_or(why)))
        .unwrap_or_default()
}

fn money(money: &Value) -> String {
    format!("{} {}", plain(&money["amount"]), plain(&money["currency"]))
}

/// The date of an instant, which is in UTC.
fn day(instant: &Value) -> &str {
    let instant = plain(instant);
    instant.split_once('T').map_or(instant, |(day, _)| day)
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn text<'a>(data: &'a Data, key: &str) -> &'a str {
    plain(at(data, key))
}

fn count(data: &Data, key: &str) -> usize {
    at(data, key).as_array().map_or(0, Vec::len)
}

fn is_null(data: &Data, key: &str) -> bool {
    at(data, key).is_null()
}

fn at<'a>(data: &'a Data, key: &str) -> &'a Value {
    data.get(key).unwrap_or(&Value::Null)
}
