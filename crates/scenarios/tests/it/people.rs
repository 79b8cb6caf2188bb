//! The people of the rules' model, with tokens: its commands as requests over HTTP, and its orders
//! as the query API should show them.

use std::collections::BTreeMap;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::commission::{Answer, Party};
use crate::model::{
    Ask, CLOSED, Ending, Model, ONESELF, OPEN_WORKSHOPS, Offer, PLANS, Phase, Price, Put, Seat,
    Terms, UNLISTED, Who,
};
use crate::system::{App, System};

/// Everybody but the commissioner, whom each order has for itself.
pub(crate) struct People {
    pub(crate) client: Client,
    pub(crate) operator: Party,
    stranger: Party,
    analyst: Party,
    workshops: BTreeMap<usize, Party>,
}

impl People {
    /// Gives everybody a token, and enters the workshops into the directory.
    pub(crate) async fn gather(system: &System) -> Self {
        let client = Client::new();
        let party = |role| Party::new(role, &client);
        let workshops: BTreeMap<_, _> = (0..OPEN_WORKSHOPS)
            .chain([CLOSED, UNLISTED])
            .map(|number| (number, party("workshop")))
            .collect();
        let people = Self {
            operator: party("operator"),
            stranger: party("commissioner"),
            analyst: party("analyst"),
            client: client.clone(),
            workshops,
        };
        let app = &system.commands[0];
        for (number, workshop) in &people.workshops {
            if *number != UNLISTED {
                let entry =
                    json!({ "name": "A workshop", "acceptsCommissions": *number != CLOSED });
                let path = format!("/v1/workshops/{}", workshop.id);
                people.operator.put(app, &path, &entry).await.ok();
            }
        }
        people
    }

    fn workshop(&self, number: usize) -> &Party {
        &self.workshops[&number]
    }
}

/// One order over HTTP.
pub(crate) struct Order<'a> {
    people: &'a People,
    commissioner: Party,
    pub(crate) id: String,
    /// Where its placement lies in the log.
    pub(crate) placed: String,
}

impl<'a> Order<'a> {
    /// Places one for these workshops, by a commissioner of its own.
    pub(crate) async fn place(people: &'a People, app: &App, workshops: &[usize]) -> Self {
        let commissioner = Party::new("commissioner", &people.client);
        let mut order = Self {
            people,
            commissioner,
            id: String::new(),
            placed: String::new(),
        };
        let first = crate::model::FIRST_REQUEST;
        let body = json!({
            "request": {
                "title": title(first.title),
                "brief": "As the model has it.",
                "budget": money(first.budget),
                "deadline": instant(first.due),
            },
            "workshops": order.ids(workshops),
        });
        let placed = order.commissioner.post(app, "/v1/orders", &body).await.ok();
        let text = |key: &str| placed[key].as_str().unwrap().to_owned();
        order.id = text("orderId");
        order.placed = text("position");
        order
    }

    /// Sends a command as the model has it.
    pub(crate) async fn send(&self, app: &App, who: Who, ask: &Ask) -> Answer {
        let (method, rest, body) = self.request(ask);
        let path = format!("/v1/orders/{}/{rest}", self.id);
        let party = self.party(who);
        party.send(app, method, &path, &[], &body).await.unwrap()
    }

    /// Reads a path of the order once it has come to `position`, as an operator.
    pub(crate) async fn read(&self, query: &App, rest: &str, position: &str) -> Value {
        let headers = [("atlas-min-position", position)];
        let path = format!("/v1/orders/{}{rest}", self.id);
        self.people.operator.get(query, &path, &headers).await.ok()
    }

    fn party(&self, who: Who) -> &Party {
        match who {
            Who::Commissioner => &self.commissioner,
            Who::AnotherCommissioner => &self.people.stranger,
            Who::Workshop(number) => self.people.workshop(number),
            Who::Operator => &self.people.operator,
            Who::Analyst => &self.people.analyst,
        }
    }

    fn workshop_id(&self, number: usize) -> Uuid {
        if number == ONESELF {
            self.commissioner.id
        } else {
            self.people.workshop(number).id
        }
    }

    fn ids(&self, workshops: &[usize]) -> Vec<Uuid> {
        workshops.iter().map(|one| self.workshop_id(*one)).collect()
    }

    fn request(&self, ask: &Ask) -> (Method, String, Value) {
        let of = |workshop: &usize, rest: &str| format!("{rest}/{}", self.workshop_id(*workshop));
        let post = |rest: String, body: Value| (Method::POST, rest, body);
        match ask {
            Ask::Place { .. } => unreachable!("an order is placed once"),
            Ask::Edit(edit) => {
                let mut body = json!({});
                if let Some(number) = edit.title {
                    body["title"] = title(number).into();
                }
                if let Some(budget) = edit.budget {
                    body["budget"] = money(budget);
                }
                if let Some(due) = edit.due {
                    body["deadline"] = instant(due).into();
                }
                (Method::PATCH, "request".to_owned(), body)
            }
            Ask::Invite { workshops } => {
                let body = json!({ "workshops": self.ids(workshops) });
                post("invitations".to_owned(), body)
            }
            Ask::Submit(put) | Ask::Revise(put) => {
                (Method::PUT, of(&put.workshop, "offers"), offer(put))
            }
            Ask::Withdraw { workshop } => post(of(workshop, "offers") + "/withdraw", json!({})),
            Ask::Decline { workshop } => post(of(workshop, "invitations") + "/decline", json!({})),
            Ask::Confirm { workshop, revision } => {
                let body = json!({ "offerRevision": revision });
                post(of(workshop, "offers") + "/confirm", body)
            }
            Ask::Complete { stage } => post(format!("stages/{stage}/complete"), json!({})),
            Ask::Approve { stage } => post(format!("stages/{stage}/approve"), json!({})),
            Ask::SendBack { stage } => {
                let body = json!({ "note": "Once more." });
                post(format!("stages/{stage}/request-changes"), body)
            }
            Ask::Accept => post("accept".to_owned(), json!({})),
            Ask::Cancel => post("cancel".to_owned(), json!({ "reason": "Enough." })),
            Ask::Resolve(ending) => {
                let resolution = match ending {
                    Ending::Resume => "resume",
                    Ending::Cancel => "cancel",
                    Ending::Complete => "complete",
                };
                let body = json!({ "resolution": resolution, "note": "So it is." });
                post("dispute/resolve".to_owned(), body)
            }
        }
    }

    /// What the detail has to say of an order that is as the model has it, after so many facts.
    pub(crate) fn as_shown(&self, model: &Model, version: usize) -> Value {
        let seats = model.seats.iter().map(|seat| {
            json!({
                "workshopId": self.workshop_id(seat.workshop),
                "status": seat.status,
                "offer": seat.offer.map(|offer| self.offer_shown(model, seat, &offer)),
            })
        });
        let confirmed = model.seats.iter().find(|seat| seat.status == "confirmed");
        let terms =
            confirmed.and_then(|seat| Some(self.offer_shown(model, seat, seat.offer.as_ref()?)));
        json!({
            "orderId": self.id,
            "version": version,
            "state": model.state(),
            "commissionerId": self.commissioner.id,
            "workshopId": model.work.map(|work| self.workshop_id(work.workshop)),
            "request": {
                "title": title(model.request.title),
                "budget": money(model.request.budget),
                "deadline": instant(model.request.due),
                "revision": model.request.revision,
            },
            "invitations": seats.collect::<Vec<_>>(),
            "terms": terms,
            "stages": stages_shown(model),
            "currentStage": model.current_stage(),
            "isDisputed": matches!(model.phase, Phase::Dispute { .. }),
        })
    }

    fn offer_shown(&self, model: &Model, seat: &Seat, offer: &Offer) -> Value {
        let Terms { price, due, plan } = offer.terms;
        json!({
            "workshopId": self.workshop_id(seat.workshop),
            "budget": money(price),
            "deadline": instant(due),
            "stages": PLANS[plan].len(),
            "requestRevision": offer.answers,
            "offerRevision": offer.revision,
            "outdated": seat.status == "offered" && model.is_outdated(offer, model.clock),
        })
    }
}

/// The detail without what the model does not have.
pub(crate) fn as_modelled(mut detail: Value) -> Value {
    let fields = detail.as_object_mut().unwrap();
    for beyond in ["createdAt", "updatedAt", "asOf"] {
        fields.remove(beyond);
    }
    let dispute = fields.remove("dispute").unwrap();
    fields.insert("isDisputed".to_owned(), (!dispute.is_null()).into());
    detail["request"].as_object_mut().unwrap().remove("brief");
    cut_offer(&mut detail["terms"]);
    for seat in detail["invitations"].as_array_mut().unwrap() {
        seat.as_object_mut().unwrap().remove("invitedAt");
        cut_offer(&mut seat["offer"]);
    }
    for stage in detail["stages"].as_array_mut().unwrap() {
        let shown = json!([stage["number"], stage["status"], stage["requiresApproval"]]);
        *stage = shown;
    }
    detail
}

fn cut_offer(offer: &mut Value) {
    if let Some(fields) = offer.as_object_mut() {
        fields.remove("description");
        let stages = fields["stages"].as_array().unwrap().len();
        fields.insert("stages".to_owned(), stages.into());
    }
}

fn stages_shown(model: &Model) -> Vec<Value> {
    let Some(work) = model.work else {
        return Vec::new();
    };
    let plan = PLANS[work.plan].iter().enumerate();
    plan.map(|(index, blocks)| {
        let status = if index < work.done {
            "completed"
        } else if index == work.done && work.marked {
            "awaitingApproval"
        } else {
            "pending"
        };
        json!([index + 1, status, blocks])
    })
    .collect()
}

fn offer(put: &Put) -> Value {
    let Terms { price, due, plan } = put.terms;
    let stages = PLANS[plan].iter().enumerate().map(|(index, blocks)| {
        json!({
            "name": format!("Stage {index}"), "description": "A part of it.",
            "requiresApproval": blocks,
        })
    });
    json!({
        "budget": money(price),
        "deadline": instant(due),
        "description": "As the model has it.",
        "stages": stages.collect::<Vec<_>>(),
        "requestRevision": put.answers,
    })
}

fn title(number: u32) -> String {
    format!("Piece {number}")
}

fn money(price: Price) -> Value {
    let currency = if price.in_dollars { "USD" } else { "EUR" };
    json!({ "amount": format!("{}.00", price.amount), "currency": currency })
}

/// An instant of the model, whose clock stands at 0: no run of a test reaches what is later.
fn instant(minutes: i64) -> String {
    if minutes <= 0 {
        return "2020-01-01T00:00:00Z".to_owned();
    }
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!(
        "9000-01-{:02}T{:02}:{minutes:02}:00Z",
        1 + hours / 24,
        hours % 24
    )
}

/// What the API answers in a state of the model: the facts that follow, or the code.
pub(crate) fn answer(
    model: &mut Model,
    who: Who,
    ask: &Ask,
) -> Result<Vec<&'static str>, &'static str> {
    if !may_use_route(who, ask) {
        return Err("FORBIDDEN");
    }
    model.take(who, &as_put(model, ask))
}

/// An offer that is put submits or revises, as the order has it.
fn as_put(model: &Model, ask: &Ask) -> Ask {
    let (Ask::Submit(put) | Ask::Revise(put)) = ask else {
        return ask.clone();
    };
    let seat = model.seat(put.workshop);
    if seat.is_some_and(|seat| seat.status == "offered") {
        Ask::Revise(*put)
    } else {
        Ask::Submit(*put)
    }
}

fn may_use_route(who: Who, ask: &Ask) -> bool {
    let (commissioners, workshops) = match ask {
        Ask::Place { .. } => return who == Who::Commissioner,
        Ask::Edit(_)
        | Ask::Invite { .. }
        | Ask::Confirm { .. }
        | Ask::Approve { .. }
        | Ask::SendBack { .. }
        | Ask::Accept => (true, false),
        Ask::Submit(_)
        | Ask::Revise(_)
        | Ask::Withdraw { .. }
        | Ask::Decline { .. }
        | Ask::Complete { .. } => (false, true),
        Ask::Cancel => (true, true),
        Ask::Resolve(_) => (false, false),
    };
    match who {
        Who::Commissioner | Who::AnotherCommissioner => commissioners,
        Who::Workshop(_) => workshops,
        Who::Operator => true,
        Who::Analyst => false,
    }
}
