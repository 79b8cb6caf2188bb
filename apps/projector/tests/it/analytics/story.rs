//! Stories of orders, told line by line as `docs/analytics.md` tells one: a time in UTC, who, what
//! they do, and to which order. The rules decide each line, and what follows is stored.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use event_store::{Append, NewEvent, Reader, ReaderOptions, StreamId, Version, append};
use kernel::{Actor, CommissionerId, EventId, Metadata, OrderId, Role, WorkshopId};
use order_domain::order::{
    ApproveStage, CancelOrder, CompleteStage, ConfirmOffer, Context, DeclineInvitation,
    EditRequest, InviteWorkshops, Order, OrderCommand, PlaceOrder, PlaceOrderInput,
    RequestStageChanges, ResolveDispute, SubmitOffer, WithdrawOffer, decide, evolve, on_behalf_of,
    stored,
};
use order_domain::value::{
    MoneyInput, OfferInput, RequestEditInput, RequestInput, StageInput, StageNumber, WorkshopName,
};
use order_domain::workshop::{self, Directory, Workshop, WorkshopEvent, WorkshopFact};
use projections::Model;
use sqlx::postgres::PgRow;
use sqlx::{Column as _, Executor as _, PgConnection, PgPool, Row, ValueRef as _};
use test_support::TestDatabase;
use uuid::Uuid;

const LATE: &str = "2090-01-01T00:00:00Z";

/// Names of the story, for what their ids are.
pub(crate) struct Names(BTreeMap<String, String>);

/// A database in which a story was told, and its read models have followed.
pub(crate) struct Told {
    pub(crate) database: TestDatabase,
    pub(crate) names: Names,
}

/// The id that a name of a story stands for.
pub(crate) fn id(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

impl Told {
    /// Tells a story in a database of its own.
    pub(crate) async fn new(story: &str) -> Self {
        let told = Self {
            database: TestDatabase::create().await,
            names: Names::of(story),
        };
        told.tell(story).await;
        told.catch_up().await;
        told
    }

    /// Tells a story that concerns orders of its own.
    pub(crate) async fn tell(&self, story: &str) {
        let pool = self.database.pool_app().await;
        let mut connection = pool.acquire().await.unwrap();
        let mut orders: BTreeMap<Uuid, (Order, i64)> = BTreeMap::new();
        for line in story.lines().filter(|line| !line.trim().is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = format!("{} {}", words[0], words[1]);
            let at = NaiveDateTime::parse_from_str(&at, "%Y-%m-%d %H:%M:%S%.f").unwrap();
            let order_id = OrderId::from_uuid(id(words[4]));
            let entry = orders.entry(order_id.as_uuid()).or_default();
            let actor = actor(words[2], words[3]);
            let command = command(actor, &words[3..], at.and_utc());
            *entry = happen(
                &mut connection,
                order_id,
                entry,
                (actor, command, at.and_utc()),
            )
            .await;
        }
    }

    /// Brings the read models up to date.
    pub(crate) async fn catch_up(&self) {
        let served: Vec<String> = sqlx::query_scalar("SELECT name FROM read.served")
            .fetch_all(&self.database.pool_app().await)
            .await
            .unwrap();
        for version in served
            .iter()
            .filter_map(|it| projections::Version::of_reader(it))
        {
            let options = ReaderOptions::new(&version.to_string(), "test", Duration::from_secs(10));
            let connect = version.connect(self.database.options("atlas_app"));
            let mut sink = version.model.sink();
            Reader::new(connect, options)
                .catch_up(&mut *sink)
                .await
                .unwrap();
        }
    }

    /// Connections as the role of analysts.
    pub(crate) async fn analyst(&self) -> PgPool {
        PgPool::connect_with(self.database.options("atlas_analyst"))
            .await
            .unwrap()
    }

    /// What a query answers an analyst: the names of its columns, and its rows, with the names of
    /// the story in the place of ids.
    pub(crate) async fn ask(&self, query: &str) -> Vec<Vec<String>> {
        let pool = self.analyst().await;
        let mut connection = pool.acquire().await.unwrap();
        self.names.ask(&mut connection, query).await
    }
}

impl Names {
    pub(crate) fn of(story: &str) -> Self {
        let words = story.split_whitespace();
        Self(
            words
                .map(|word| (id(word).to_string(), word.to_owned()))
                .collect(),
        )
    }

    /// As [`Told::ask`], on this connection.
    pub(crate) async fn ask(&self, on: &mut PgConnection, query: &str) -> Vec<Vec<String>> {
        let rows = sqlx::raw_sql(query).fetch_all(on).await;
        let rows = rows.unwrap_or_else(|error| panic!("{error}: {query}"));
        rows.iter().map(|row| self.cells(row)).collect()
    }

    /// The names of the columns that a query answers with.
    pub(crate) async fn columns(&self, on: &mut PgConnection, query: &str) -> Vec<String> {
        let described = on.describe(query).await.unwrap();
        let names = described
            .columns()
            .iter()
            .map(|column| column.name().to_owned());
        names.collect()
    }

    fn cells(&self, row: &PgRow) -> Vec<String> {
        let cell = |column: usize| {
            let value = row.try_get_raw(column).unwrap();
            if value.is_null() {
                return String::new();
            }
            let text = value.as_str().unwrap();
            self.0.get(text).map_or(text, String::as_str).to_owned()
        };
        (0..row.len()).map(cell).collect()
    }
}

/// Decides a command, stores what follows, and gives the order as it is then, with its version.
async fn happen(
    connection: &mut PgConnection,
    order_id: OrderId,
    (order, version): &(Order, i64),
    (actor, command, at): (Actor, OrderCommand, DateTime<Utc>),
) -> (Order, i64) {
    let command = command.revising_what_stands(order);
    let context = Context::new(actor, at).with_directory(directory(at));
    let on_behalf_of = on_behalf_of(order, &command, actor);
    let decided = decide(order, command.clone(), &context);
    let events = decided.unwrap_or_else(|refusal| panic!("{at} {command:?}: {refusal}"));
    let mut after = order.clone();
    let mut new = Vec::new();
    for (number, event) in (version + 1..).zip(&events) {
        after = evolve(after, event).unwrap();
        let encoded = stored::encode(event);
        let event_id = Uuid::new_v5(&order_id.as_uuid(), &number.to_be_bytes());
        new.push(NewEvent {
            event_id: EventId::from_uuid(event_id),
            event_type: encoded.event_type,
            event_version: encoded.event_version,
            payload: encoded.payload,
            metadata: Metadata {
                actor: Some(actor),
                on_behalf_of,
                correlation_id: event_id,
                causation_id: None,
                traceparent: None,
                idempotency_key: None,
            },
        });
    }
    let stored = i64::try_from(new.len()).unwrap();
    let stream = StreamId::order(order_id);
    append(connection, &Append::to(stream, Version::new(*version), new))
        .await
        .unwrap();
    (after, version + stored)
}

/// Who does what a line tells, by what it is.
fn actor(name: &str, verb: &str) -> Actor {
    let role = match verb {
        "offers" | "revises" | "declines" | "withdraws" | "completes" | "gives-up" => {
            Role::Workshop
        }
        "resolves" => Role::Operator,
        _ => Role::Commissioner,
    };
    Actor::new(role, id(name))
}

/// What `words` say: a verb, an order, and what the verb needs.
fn command(actor: Actor, words: &[&str], at: DateTime<Utc>) -> OrderCommand {
    let (verb, rest) = (words[0], &words[2..]);
    let workshop = WorkshopId::from_uuid(actor.id);
    let stage = || StageNumber::new(rest[0].parse().unwrap()).unwrap();
    let reason = || Some(rest[0]);
    match verb {
        "places" => {
            let input = PlaceOrderInput {
                request: Some(RequestInput {
                    title: Some(words[1].to_owned()),
                    brief: Some("As on the drawing".to_owned()),
                    budget: Some(money(rest[0], rest[1])),
                    deadline: Some(LATE.to_owned()),
                }),
                workshops: Some(rest[2..].iter().map(|name| id(name).to_string()).collect()),
            };
            let (order_id, by) = (
                OrderId::from_uuid(id(words[1])),
                CommissionerId::from_uuid(actor.id),
            );
            OrderCommand::PlaceOrder(PlaceOrder::parse(order_id, by, input, at).unwrap())
        }
        "edits" => {
            let input = RequestEditInput {
                budget: Some(Some(money(rest[0], rest[1]))),
                ..RequestEditInput::default()
            };
            OrderCommand::EditRequest(EditRequest::parse(input, at).unwrap())
        }
        "invites" => {
            let names = rest.iter().map(|name| id(name).to_string()).collect();
            OrderCommand::InviteWorkshops(InviteWorkshops::parse(Some(names)).unwrap())
        }
        "offers" | "revises" => {
            let input = offer(rest);
            OrderCommand::SubmitOffer(SubmitOffer::parse(workshop, input, at).unwrap())
        }
        "declines" => {
            let command = DeclineInvitation::parse(workshop, reason()).unwrap();
            OrderCommand::DeclineInvitation(command)
        }
        "withdraws" => {
            OrderCommand::WithdrawOffer(WithdrawOffer::parse(workshop, reason()).unwrap())
        }
        "confirms" => {
            let offer_of = WorkshopId::from_uuid(id(rest[0]));
            OrderCommand::ConfirmOffer(ConfirmOffer::parse(offer_of, None).unwrap())
        }
        "completes" => OrderCommand::CompleteStage(CompleteStage { stage: stage() }),
        "approves" => OrderCommand::ApproveStage(ApproveStage { stage: stage() }),
        "returns" => {
            let command = RequestStageChanges::parse(stage(), Some("Rounder")).unwrap();
            OrderCommand::RequestStageChanges(command)
        }
        "accepts" => OrderCommand::AcceptWork,
        "cancels" | "gives-up" => OrderCommand::CancelOrder(CancelOrder::parse(reason()).unwrap()),
        "resolves" => {
            let command = ResolveDispute::parse(Some(rest[0]), Some("As agreed")).unwrap();
            OrderCommand::ResolveDispute(command)
        }
        other => panic!("no verb of a story: {other}"),
    }
}

/// An amount, a currency, and a stage a word: its days or `-`, and `!` if it wants approval.
fn offer(words: &[&str]) -> OfferInput {
    let stages = words[2..]
        .iter()
        .enumerate()
        .map(|(index, word)| StageInput {
            name: Some(format!("Stage {}", index + 1)),
            description: Some("A part of the work".to_owned()),
            duration_days: word.trim_end_matches('!').parse().ok(),
            requires_approval: Some(word.ends_with('!')),
        });
    OfferInput {
        budget: Some(money(words[0], words[1])),
        deadline: Some(LATE.to_owned()),
        description: Some("Solid oak".to_owned()),
        stages: Some(stages.collect()),
        request_revision: None,
    }
}

fn money(amount: &str, currency: &str) -> MoneyInput {
    MoneyInput {
        amount: Some(amount.to_owned()),
        currency: Some(currency.to_owned()),
    }
}

/// The workshops of all stories.
fn directory(at: DateTime<Utc>) -> Directory {
    let registered = |name: &str| {
        let event = WorkshopEvent {
            workshop_id: WorkshopId::from_uuid(id(name)),
            occurred_at: at,
            fact: WorkshopFact::WorkshopRegistered {
                name: WorkshopName::parse(name).unwrap(),
                accepts_commissions: true,
            },
        };
        workshop::evolve(Workshop::default(), &event).unwrap()
    };
    ["oak", "birch", "elm"]
        .into_iter()
        .map(registered)
        .collect()
}

/// The first version of the read model of orders.
pub(crate) const FIRST: projections::Version = projections::Version {
    model: Model::Orders,
    version: 1,
};
