//! The commission, step by step, through the command API.

use serde_json::{Value, json};

use crate::demo::cast::Cast;
use crate::demo::error::DemoError;
use crate::demo::json;
use crate::demo::teller::{Step, Teller};
use crate::failure::Failure;
use crate::token;

/// The commission once it is over.
#[derive(Debug)]
pub(crate) struct Commission {
    pub(crate) order_id: String,
    /// The position token of its last event.
    pub(crate) position: String,
}

/// Lets everybody act until the work is accepted.
pub(crate) fn carry_out(teller: &mut Teller<'_>, cast: &Cast) -> Result<Commission, Failure> {
    list_workshops(teller, cast)?;
    let order_id = place_order(teller, cast)?;
    let order = format!("/v1/orders/{order_id}");
    negotiate(teller, cast, &order)?;
    work(teller, cast, &order)?;
    let position = accept_work(teller, cast, &order)?;
    Ok(Commission { order_id, position })
}

/// What a new order says, for the cast's two workshops.
pub(crate) fn order(cast: &Cast) -> Value {
    json!({
        "request": {
            "title": "A writing desk",
            "brief": "Oak, 140 cm wide, with one drawer.",
            "budget": {"amount": "1500.00", "currency": "EUR"},
            "deadline": format!("{}-06-30T12:00:00Z", next_year()),
        },
        "workshops": [cast.maker.id, cast.decliner.id],
    })
}

fn list_workshops(teller: &mut Teller<'_>, cast: &Cast) -> Result<(), Failure> {
    let operator = cast.operator.name;
    for workshop in [&cast.maker, &cast.decliner] {
        let name = workshop.name;
        teller.take(&Step {
            by: &cast.operator,
            what: &format!("{operator}, an operator, lists the workshop {name}."),
            method: "PUT",
            path: &format!("/v1/workshops/{}", workshop.id),
            body: json!({"name": name, "acceptsCommissions": true}),
            answer: "201 Created, version 1",
        })?;
    }
    Ok(())
}

fn place_order(teller: &mut Teller<'_>, cast: &Cast) -> Result<String, Failure> {
    let placed = teller.take(&Step {
        by: &cast.commissioner,
        what: "Clara asks for a writing desk for 1500 EUR, and invites both workshops.",
        method: "POST",
        path: "/v1/orders",
        body: order(cast),
        answer: "201 Created, version 1, negotiating",
    })?;
    text_of(&placed, "/orderId")
}

fn negotiate(teller: &mut Teller<'_>, cast: &Cast, order: &str) -> Result<(), Failure> {
    let maker = &cast.maker.id;
    teller.take(&Step {
        by: &cast.maker,
        what: "Oak & Iron offers it for 1400 EUR in two stages; the first, the drawings, needs \
               approval.",
        method: "PUT",
        path: &format!("{order}/offers/{maker}"),
        body: json!({
            "budget": {"amount": "1400.00", "currency": "EUR"},
            "deadline": format!("{}-05-31T12:00:00Z", next_year()),
            "description": "Oiled oak, brass fittings.",
            "stages": [
                {"name": "Drawings", "description": "To scale.", "requiresApproval": true},
                {"name": "Desk", "description": "Built and oiled.", "durationDays": 40},
            ],
        }),
        answer: "200 OK, version 2, negotiating",
    })?;
    teller.take(&Step {
        by: &cast.decliner,
        what: "Brass Lantern declines. Now everybody has answered, which closes the round.",
        method: "POST",
        path: &format!("{order}/invitations/{}/decline", cast.decliner.id),
        body: json!({"reason": "fully booked until autumn"}),
        answer: "200 OK, version 4, negotiating",
    })?;
    teller.take(&Step {
        by: &cast.commissioner,
        what: "Clara confirms the offer. Its terms are what counts from here on.",
        method: "POST",
        path: &format!("{order}/offers/{maker}/confirm"),
        body: json!({"offerRevision": 1}),
        answer: "200 OK, version 5, inProgress",
    })?;
    Ok(())
}

fn work(teller: &mut Teller<'_>, cast: &Cast, order: &str) -> Result<(), Failure> {
    teller.take(&Step {
        by: &cast.maker,
        what: "Oak & Iron has finished stage 1, the drawings.",
        method: "POST",
        path: &format!("{order}/stages/1/complete"),
        body: json!({}),
        answer: "200 OK, version 6, inProgress",
    })?;
    teller.take(&Step {
        by: &cast.maker,
        what: "Oak & Iron says that stage 2 is finished too, and is refused: the drawings are not \
               approved.",
        method: "POST",
        path: &format!("{order}/stages/2/complete"),
        body: json!({}),
        answer: "409 Conflict, NOT_CURRENT_STAGE",
    })?;
    teller.take(&Step {
        by: &cast.commissioner,
        what: "Clara approves the drawings.",
        method: "POST",
        path: &format!("{order}/stages/1/approve"),
        body: json!({}),
        answer: "200 OK, version 7, inProgress",
    })?;
    teller.take(&Step {
        by: &cast.maker,
        what: "Oak & Iron has finished stage 2, the desk. It was the last: the order is finished.",
        method: "POST",
        path: &format!("{order}/stages/2/complete"),
        body: json!({}),
        answer: "200 OK, version 9, finished",
    })?;
    Ok(())
}

fn accept_work(teller: &mut Teller<'_>, cast: &Cast, order: &str) -> Result<String, Failure> {
    let accepted = teller.take(&Step {
        by: &cast.commissioner,
        what: "Clara accepts the work.",
        method: "POST",
        path: &format!("{order}/accept"),
        body: json!({}),
        answer: "200 OK, version 10, completed",
    })?;
    text_of(&accepted, "/position")
}

fn text_of(answer: &Value, pointer: &str) -> Result<String, Failure> {
    let text = json::text(answer, pointer).map(str::to_owned);
    Ok(text.ok_or_else(|| DemoError::not_understood("the command API", &answer.to_string()))?)
}

/// The year after this one; at the turn of the year it may be this one.
pub(crate) fn next_year() -> u64 {
    const SECONDS_PER_YEAR: u64 = 31_556_952;
    1970 + token::seconds_since_epoch() / SECONDS_PER_YEAR + 1
}
