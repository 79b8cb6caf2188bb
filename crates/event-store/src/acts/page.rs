//! Reading what operators did, and what they asked for.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::undertaking::{Counted, RequestState};
use super::{ActId, request};
use crate::Position;

/// An act of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// Its id.
    pub id: ActId,
    /// Its place in the global log.
    pub position: Position,
    /// What was done, or asked for: the stored name, which a later release may have written.
    pub kind: String,
    /// Who did it.
    pub operator: Uuid,
    /// Why.
    pub reason: String,
    /// What it was done to; of a request, its arguments.
    pub subject: Value,
    /// When it was recorded, by the server's clock.
    pub recorded_at: DateTime<Utc>,
    /// How it ended, if it has, or if it says so at all.
    pub end: Option<ActEnd>,
    /// How far the request is, where this is one.
    pub request: Option<Carried>,
}

/// How an act ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ActEnd {
    /// What came of it, with members of the act's own.
    pub result: Value,
    /// When that was recorded, by the server's clock.
    pub recorded_at: DateTime<Utc>,
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// Whether it waits, is carried out, or how it ended.
    pub state: RequestState,
    /// What it counts, once it does.
    pub counted: Option<Counted>,
    /// What was said on the way, line by line.
    pub said: Vec<String>,
    /// The exit code of its command, once it has ended.
    pub exit_code: Option<i16>,
    /// When it was taken up first.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What it did, oldest first.
    pub done: Vec<Done>,
}

/// An act that carried out a request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// What was done.
    pub act: String,
    /// Names it.
    pub act_id: Uuid,
    /// What it was done to.
    pub subject: Value,
    /// When it was recorded, by the server's clock.
    pub recorded_at: DateTime<Utc>,
}

/// A row of either query.
struct Row {
    position: i64,
    event_id: Uuid,
    event_type: String,
    operator: String,
    payload: Value,
    recorded_at: DateTime<Utc>,
    result: Option<Value>,
    ended_at: Option<DateTime<Utc>>,
    state: Option<String>,
    what: Option<String>,
    done: Option<i64>,
    total: Option<i64>,
    rate: Option<f64>,
    said: Option<Vec<String>>,
    exit_code: Option<i16>,
    started_at: Option<DateTime<Utc>>,
    carried_at: Option<DateTime<Utc>>,
    did: Option<Value>,
}

/// The acts before `before`, or the newest ones, newest first, at most `limit` of them. What
/// carried out a request is with the request.
///
/// # Errors
/// What the database said, or which event is no act.
pub async fn page(
    connection: &mut PgConnection,
    before: Option<Position>,
    limit: i64,
) -> Result<Vec<Act>, sqlx::Error> {
    let rows = sqlx::query_file_as!(
        Row,
        "queries/acts_page.sql",
        before.map_or(i64::MAX, Position::get),
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// One act, by its id.
///
/// # Errors
/// As [`page`].
pub async fn find(connection: &mut PgConnection, id: ActId) -> Result<Option<Act>, sqlx::Error> {
    let row = sqlx::query_file_as!(Row, "queries/act.sql", id.as_uuid())
        .fetch_optional(connection)
        .await?;
    row.map(Row::read).transpose()
}

impl Row {
    fn read(self) -> Result<Act, sqlx::Error> {
        let is_request = self.event_type == request::EVENT;
        let kind = self.text("act")?;
        let reason = self.text("reason")?;
        let operator = self.operator.parse();
        let operator = operator.map_err(|_| self.odd("its stream", None))?;
        let subject = if is_request { "arguments" } else { "subject" };
        Ok(Act {
            id: ActId::from_uuid(self.event_id),
            position: Position::new(self.position),
            kind,
            operator,
            reason,
            subject: self.told(subject).unwrap_or_default(),
            recorded_at: self.recorded_at,
            request: is_request.then(|| self.carried()).transpose()?,
            end: self.ended_at.map(|recorded_at| ActEnd {
                result: self.result.unwrap_or_default(),
                recorded_at,
            }),
        })
    }

    fn carried(&self) -> Result<Carried, sqlx::Error> {
        let state = match &self.state {
            Some(name) => RequestState::stored(name)?,
            // The role has yet to come across it.
            None => RequestState::Requested,
        };
        let counted = self.what.clone().zip(self.done).zip(self.total);
        let did = self.did.clone().unwrap_or_else(|| Value::Array(Vec::new()));
        Ok(Carried {
            state,
            counted: counted.map(|((what, done), total)| Counted {
                what,
                done: done.unsigned_abs(),
                total: total.unsigned_abs(),
                rate: self.rate.unwrap_or_default(),
            }),
            said: self.said.clone().unwrap_or_default(),
            exit_code: self.exit_code,
            started_at: self.started_at,
            ended_at: self.carried_at,
            done: serde_json::from_value(did).map_err(|error| sqlx::Error::Decode(error.into()))?,
        })
    }

    fn told(&self, member: &str) -> Option<Value> {
        self.payload.as_object()?.get(member).cloned()
    }

    fn text(&self, member: &str) -> Result<String, sqlx::Error> {
        match self.told(member) {
            Some(Value::String(text)) => Ok(text),
            other => Err(self.odd(member, other.as_ref())),
        }
    }

    fn odd(&self, member: &str, found: Option<&Value>) -> sqlx::Error {
        let event = self.event_id;
        sqlx::Error::Decode(format!("event {event} is no act: {member} is {found:?}").into())
    }
}
