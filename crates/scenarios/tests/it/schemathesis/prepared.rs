//! The database that the runs find: parties, workshops, and for each command commissions in the
//! states that allow it, of each role that gives it.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use test_support::eventually;
use uuid::Uuid;

use super::ROLES;
use crate::commission::{Party, offer};
use crate::dead_letters::Message;
use crate::system::{App, System};

/// The workshops that the documents' examples name.
const EXAMPLES: [&str; 2] = [
    "01938f5e-7c00-7000-8000-00000000000a",
    "01938f5e-7c00-7000-8000-00000000000b",
];

/// Commands on orders, and how far a commission has gone that takes them: so many of [`STEPS`].
#[rustfmt::skip]
pub(super) const COMMANDS: [(&str, &[usize]); 12] = [
    ("/v1/orders/{id}/request", &[0, 1]),
    ("/v1/orders/{id}/invitations", &[0, 1]),
    ("/v1/orders/{id}/invitations/{workshopId}/decline", &[0]),
    ("/v1/orders/{id}/offers/{workshopId}", &[0, 1]),
    ("/v1/orders/{id}/offers/{workshopId}/withdraw", &[1]),
    ("/v1/orders/{id}/offers/{workshopId}/confirm", &[1]),
    ("/v1/orders/{id}/stages/{number}/complete", &[2, 4]),
    ("/v1/orders/{id}/stages/{number}/approve", &[3]),
    ("/v1/orders/{id}/stages/{number}/request-changes", &[3]),
    ("/v1/orders/{id}/accept", &[5]),
    ("/v1/orders/{id}/cancel", &[0, 2, 5]),
    ("/v1/orders/{id}/dispute/resolve", &[6]),
];

/// A commission from its placement to a dispute about the finished work: who does what, where.
const STEPS: [(&str, &str); 6] = [
    ("workshop", "offer"),
    ("commissioner", "confirm"),
    ("workshop", "stages/1/complete"),
    ("commissioner", "stages/1/approve"),
    ("workshop", "stages/2/complete"),
    ("workshop", "cancel"),
];

pub(super) struct Prepared {
    parties: BTreeMap<&'static str, Party>,
    /// Others of the same roles, who are party to nothing.
    strangers: BTreeMap<&'static str, Party>,
    /// A workshop that is invited to everything and answers nothing.
    silent: Party,
    /// A workshop whose entry in the directory is changed by whoever likes.
    changing: Uuid,
    /// For each role and command.
    orders: BTreeMap<(&'static str, &'static str), Vec<String>>,
    /// Ended ones, which take no command.
    ended: Vec<String>,
    /// A message that was given up, of a type that nobody is likely to write.
    pub(super) dead_letter: Uuid,
    /// Something that was asked for, and that nobody carries out.
    pub(super) act: String,
    /// A place in the log that is reached.
    pub(super) position: String,
}

impl Prepared {
    pub(super) async fn make(system: &System) -> Self {
        let client = Client::new();
        let everybody = || ROLES.map(|role| (role, Party::new(role, &client)));
        let mut prepared = Self {
            parties: everybody().into(),
            strangers: everybody().into(),
            silent: Party::new("workshop", &client),
            changing: Party::new("workshop", &client).id,
            orders: BTreeMap::new(),
            ended: Vec::new(),
            dead_letter: Uuid::nil(),
            act: String::new(),
            position: String::new(),
        };
        let app = &system.commands[0];
        let operator = &prepared.parties["operator"];
        let workshops = [&prepared.silent, &prepared.parties["workshop"]];
        operator.register(app, &workshops.map(Party::clone)).await;
        for workshop in EXAMPLES {
            let body = json!({ "name": "Hollow Oak Joinery", "acceptsCommissions": true });
            let path = format!("/v1/workshops/{workshop}");
            operator.put(app, &path, &body).await.ok();
        }
        for role in ["commissioner", "workshop", "operator"] {
            for (command, lengths) in COMMANDS {
                let mut orders = Vec::new();
                for length in lengths.iter().cycle().take(4) {
                    orders.push(prepared.commission(app, *length).await);
                }
                prepared.orders.insert((role, command), orders);
            }
        }
        prepared.end(app).await;
        prepared.await_account(&system.query).await;
        let given_up = Message::good(1).with("ce_type", Some("\u{202e}\u{7}".as_bytes()));
        let owner = system.database.pool_owner().await;
        given_up.lie_in(&owner, "<b>\u{1b}[2J").await;
        prepared.dead_letter = given_up.id;
        prepared.act = prepared.ask(app).await;
        prepared
    }

    /// Asks for an act; its id.
    async fn ask(&self, app: &App) -> String {
        let body = json!({
            "act": "redrivePreview", "arguments": {}, "reason": "<b>to see</b>",
        });
        let key = [("idempotency-key", "prepared")];
        let operator = &self.parties["operator"];
        let asked = operator.send(app, Method::POST, "/v1/ops/acts", &key, &body);
        let asked = asked.await.unwrap().ok();
        asked["actId"].as_str().unwrap().to_owned()
    }

    /// One completed, and one cancelled.
    async fn end(&mut self, app: &App) {
        let commissioner = &self.parties["commissioner"];
        let completed = self.commission(app, 5).await;
        let path = format!("/v1/orders/{completed}/accept");
        let done = commissioner.post(app, &path, &json!({})).await.ok();
        self.position = done["position"].as_str().unwrap().to_owned();
        let cancelled = self.commission(app, 0).await;
        let path = format!("/v1/orders/{cancelled}/cancel");
        let body = json!({ "reason": "We move abroad." });
        commissioner.post(app, &path, &body).await.ok();
        self.ended = vec![completed, cancelled];
    }

    /// A commission that has gone so many steps.
    async fn commission(&self, app: &App, length: usize) -> String {
        let workshop = &self.parties["workshop"];
        let invited = [workshop.clone(), self.silent.clone()];
        let id = self.parties["commissioner"].place(app, &invited).await;
        for (role, step) in STEPS.iter().take(length) {
            let party = &self.parties[role];
            let offers = format!("/v1/orders/{id}/offers/{}", workshop.id);
            let answer = match *step {
                "offer" => party.put(app, &offers, &offer()).await,
                "confirm" => {
                    party
                        .post(app, &format!("{offers}/confirm"), &json!({}))
                        .await
                }
                rest => {
                    let body = json!({ "reason": "The oak was rotten." });
                    party
                        .post(app, &format!("/v1/orders/{id}/{rest}"), &body)
                        .await
                }
            };
            answer.ok();
        }
        id
    }

    /// Waits until the first award has come through Kafka.
    async fn await_account(&self, query: &App) {
        let commissioner = &self.parties["commissioner"];
        let path = format!("/v1/bonus/accounts/{}", commissioner.id);
        eventually("an account", Duration::from_secs(30), || async {
            let answer = commissioner.get(query, &path, &[]).await;
            if answer.status.is_success() {
                Ok(())
            } else {
                Err(answer.body)
            }
        })
        .await;
    }

    /// The commissions on which a role may give the command of this path.
    pub(super) fn orders(&self, role: &str, path: &str) -> &[String] {
        let mut orders = self.orders.iter();
        let of = orders.find(|((by, command), _)| *by == role && *command == path);
        // An analyst gives none, on whatever there is.
        of.map_or(&self.ended, |(_, orders)| orders)
    }

    /// Commissions in every state.
    pub(super) fn all_orders(&self) -> Vec<String> {
        let orders = self.orders.values().flatten();
        orders.step_by(5).chain(&self.ended).cloned().collect()
    }

    pub(super) fn changing(&self) -> Uuid {
        self.changing
    }

    /// Those invited, whoever answers first.
    pub(super) fn workshops(&self) -> [Uuid; 2] {
        [self.parties["workshop"].id, self.silent.id]
    }

    /// Who has an account.
    pub(super) fn commissioner(&self) -> Uuid {
        self.parties["commissioner"].id
    }

    /// The names and tokens by which schemathesis signs in: each role, and a stranger of each.
    pub(super) fn users(&self) -> Value {
        let user = |name: String, party: &Party| {
            let token = format!("Bearer {}", party.token);
            json!({
                "name": name,
                "fixedHeaders": [{ "name": "Authorization", "value": token }],
            })
        };
        let parties = self
            .parties
            .iter()
            .map(|(role, party)| user((*role).to_owned(), party));
        let strangers = self.strangers.iter();
        let strangers = strangers.map(|(role, party)| user(stranger(role), party));
        json!({ "auth": parties.chain(strangers).collect::<Vec<_>>() })
    }
}

/// The name of another who has the role.
pub(super) fn stranger(role: &str) -> String {
    format!("another {role}")
}
