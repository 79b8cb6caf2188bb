//! Facts in the ledger and what follows from them under policy 1, told as `docs/analytics.md` tells
//! them: days before now, a role, who, what happened, and to which order.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use event_store::{Append, NewEvent, StreamId, Version, append};
use kernel::{Actor, EventId, Metadata, Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::story::{Told, id};

/// An account as it grows.
#[derive(Default)]
struct Account {
    version: i64,
    points: i64,
    grade: &'static str,
    vip: bool,
    earned: Vec<(DateTime<Utc>, i64)>,
}

/// A fact of the ledger.
struct Fact<'t> {
    at: DateTime<Utc>,
    role: Role,
    who: Uuid,
    event: &'t str,
    order: Uuid,
    source: Uuid,
}

/// Keeps the facts, oldest first, and appends the account events that they make.
pub(crate) async fn keep(told: &Told, facts: &str) {
    let owner = told.database.pool_owner().await;
    let mut policies = owner.acquire().await.unwrap();
    bonus_store::write_policies(&mut policies).await.unwrap();
    bonus_store::check_policies(&told.database.pool_app().await)
        .await
        .unwrap();
    let now = Utc::now();
    let mut accounts: BTreeMap<Uuid, Account> = BTreeMap::new();
    for (number, line) in facts.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [days, role, who, event, order] = words[..] else {
            panic!("no fact: {line}");
        };
        let fact = Fact {
            at: now - TimeDelta::days(days.parse().unwrap()),
            role: role.parse().unwrap(),
            who: id(who),
            event,
            order: id(order),
            source: Uuid::from_u128(0xfac7_0000 + number as u128),
        };
        let account = accounts.entry(fact.who).or_default();
        let before = account.version;
        let events = account.take(&fact);
        store(&owner, account, before, &fact, events).await;
    }
}

impl Account {
    /// What the fact makes of it under policy 1.
    fn take(&mut self, fact: &Fact<'_>) -> Vec<Value> {
        let points = match (fact.role, fact.event) {
            (Role::Commissioner, "OrderPlaced") => 40,
            (Role::Commissioner, "OrderCompleted") => 100,
            _ => return Vec::new(),
        };
        self.points += points;
        self.earned.push((fact.at, points));
        let mut events = vec![json!({
            "event": "PointsAwarded", "sourceEventId": fact.source, "sourceType": fact.event,
            "sourceOccurredAt": fact.at, "orderId": fact.order, "points": points,
            "lifetimePoints": self.points,
        })];
        if self.grade.is_empty() {
            self.grade = "Bronze";
        }
        let grade = match self.points {
            0..100 => "Bronze",
            100..300 => "Silver",
            _ => "Gold",
        };
        if grade != self.grade {
            events.push(json!({ "event": "GradeChanged", "from": self.grade, "to": grade }));
            self.grade = grade;
        }
        let mut window = 0;
        let carried = self.earned.iter().rev().find(|(at, points)| {
            window += points;
            *at > fact.at - TimeDelta::days(30) && window >= 200
        });
        if let Some((since, _)) = carried.filter(|_| !self.vip) {
            let until = *since + TimeDelta::days(30);
            events.push(json!({ "event": "VipAcquired", "until": until }));
            self.vip = true;
        }
        events
    }
}

async fn store(
    owner: &PgPool,
    account: &mut Account,
    before: i64,
    fact: &Fact<'_>,
    events: Vec<Value>,
) {
    let mut new = Vec::new();
    for mut payload in events {
        account.version += 1;
        payload["beneficiaryId"] = json!(fact.who);
        payload["beneficiaryRole"] = json!(fact.role.as_str());
        payload["policyVersion"] = json!(1);
        payload["occurredAt"] = json!(fact.at);
        let event_type = match payload["event"].as_str().unwrap() {
            "PointsAwarded" => "PointsAwarded",
            "GradeChanged" => "GradeChanged",
            _ => "VipAcquired",
        };
        let event_id = Uuid::new_v5(&fact.who, &account.version.to_be_bytes());
        new.push(NewEvent {
            event_id: EventId::from_uuid(event_id),
            event_type,
            event_version: "1.0",
            payload,
            metadata: Metadata {
                actor: Some(Actor::new(fact.role, fact.who)),
                on_behalf_of: None,
                correlation_id: event_id,
                causation_id: None,
                traceparent: None,
                idempotency_key: None,
            },
        });
    }
    sqlx::query(
        "INSERT INTO bonus.accounts (beneficiary_role, beneficiary_id) VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
    )
    .bind(fact.role.as_str())
    .bind(fact.who)
    .execute(owner)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO bonus.ledger (source_event_id, event_type, beneficiary_role, beneficiary_id,
                                   order_id, by_dispute, occurred_at, account_version)
         VALUES ($1, $2, $3, $4, $5, false, $6, $7)",
    )
    .bind(fact.source)
    .bind(fact.event)
    .bind(fact.role.as_str())
    .bind(fact.who)
    .bind(fact.order)
    .bind(fact.at)
    .bind(if new.is_empty() { before } else { before + 1 })
    .execute(owner)
    .await
    .unwrap();
    if new.is_empty() {
        return;
    }
    let mut connection = owner.acquire().await.unwrap();
    let stream = StreamId::account(fact.role, fact.who);
    append(
        &mut connection,
        &Append::to(stream, Version::new(before), new),
    )
    .await
    .unwrap();
}
