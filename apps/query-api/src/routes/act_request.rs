//! How far an act is that was asked for from a distance.

use chrono::{DateTime, Utc};
use event_store::acts::{Carried, Counted, Done, RequestState};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use uuid::Uuid;

/// How far an act is that was asked for from a distance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActRequestState)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestView {
    #[schema(schema_with = state_names)]
    state: &'static str,
    /// How far it has come; null until something is counted. The last count stays.
    #[schema(required)]
    progress: Option<ProgressView>,
    /// What its command says, line by line; the last one says how it ended. Nothing for analysts: it
    /// may quote dead letters.
    said: Vec<String>,
    /// The exit code of its command, as the operator's guide lists them; null before the end.
    #[schema(required)]
    exit_code: Option<i16>,
    /// When it was taken up first; null while it waits.
    #[schema(required)]
    started_at: Option<DateTime<Utc>>,
    /// When it ended; null before.
    #[schema(required)]
    ended_at: Option<DateTime<Utc>>,
    /// What was done to carry it out, oldest first.
    facts: Vec<FactView>,
}

/// How far an act has come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActProgress)]
#[serde(rename_all = "camelCase")]
struct ProgressView {
    /// What is counted, in the plural.
    what: String,
    /// How many are done.
    done: u64,
    /// Of how many, as far as that is known.
    total: u64,
    /// How many a second.
    rate_per_second: f64,
}

/// What was done to carry out what was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActFact)]
#[serde(rename_all = "camelCase")]
struct FactView {
    /// What was done, in a word, such as `rebuild` or `swap`.
    act: String,
    /// Names it.
    act_id: Uuid,
    /// What it was done to; its members are each act's own.
    #[schema(value_type = Object)]
    subject: Value,
    /// When it was recorded.
    when: DateTime<Utc>,
}

impl RequestView {
    /// As an operator sees it, or somebody else.
    pub(crate) fn of(carried: Carried, is_operator: bool) -> Self {
        Self {
            state: carried.state.as_str(),
            progress: carried.counted.map(ProgressView::from),
            said: if is_operator {
                carried.said
            } else {
                Vec::new()
            },
            exit_code: carried.exit_code,
            started_at: carried.started_at,
            ended_at: carried.ended_at,
            facts: carried.done.into_iter().map(FactView::from).collect(),
        }
    }
}

impl From<Counted> for ProgressView {
    fn from(counted: Counted) -> Self {
        Self {
            what: counted.what,
            done: counted.done,
            total: counted.total,
            rate_per_second: counted.rate,
        }
    }
}

impl From<Done> for FactView {
    fn from(done: Done) -> Self {
        Self {
            act: done.act,
            act_id: done.act_id,
            subject: done.subject,
            when: done.recorded_at,
        }
    }
}

fn state_names() -> Object {
    let states = [
        RequestState::Requested,
        RequestState::Running,
        RequestState::Done,
        RequestState::Refused,
        RequestState::Failed,
    ];
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(states.map(RequestState::as_str)))
        .description(Some(
            "Whether it waits, is carried out, or how it ended: it did what it was asked to, a rule \
             refused it, or it failed.",
        ))
        .build()
}
