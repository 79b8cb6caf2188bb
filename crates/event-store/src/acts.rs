//! Operators' acts, as facts: who did what to the system, when and why.
//!
//! An act is an event on its operator's stream, appended in the transaction of what it does; one
//! that goes on after that transaction has a second event for its end. Who asks for one from a
//! distance leaves a request, an event too, which a role of the projector carries out
//! ([`NewRequest`], [`Undertaking`]). They are not published, and no read model has them: [`page`]
//! reads them from the events.

mod page;
mod request;
mod undertaking;

use std::fmt;
use std::str::FromStr;

use kernel::{Actor, EventId, IdSource as _, Metadata, RandomIds, Role};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::{Append, AppendError, NewEvent, StreamId, Version, append};

pub use page::{Act, ActEnd, Carried, Done, find, page};
pub use request::{
    Account, AccountRole, Letters, NewRequest, OfModel, OfPolicy, ReadModel, Rebuilding, Request,
    Requested, Resending,
};
pub use undertaking::{
    Counted, End, EndState, RequestState, Undertaking, find_done, is_followed, take_in,
};

/// How often an append that lost a race is tried: one operator does few things at once.
const ATTEMPTS: u32 = 20;
const VERSION: &str = "1.0";
/// The stored name of the event that says how an act ended.
const ENDED: &str = "OperatorActEnded";

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActKind {
    /// Dead letters were sent again.
    Redrive,
    /// Dead letters were given up.
    Discard,
    /// Stored events were sent again.
    Replay,
    /// The next version of a read model was begun.
    Rebuild,
    /// Another version of a read model was served.
    Swap,
    /// A read model went back to the version before.
    Back,
    /// Checkpoints, tokens and topics were put right after a restore.
    Adopt,
    /// A policy came into force.
    Activate,
    /// Accounts were computed anew.
    Recompute,
    /// Facts that no policy had rewarded before were read from the events.
    Backfill,
    /// The relay was let go on with the topics as they are.
    AcceptTopics,
}

impl ActKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Redrive,
        Self::Discard,
        Self::Replay,
        Self::Rebuild,
        Self::Swap,
        Self::Back,
        Self::Adopt,
        Self::Activate,
        Self::Recompute,
        Self::Backfill,
        Self::AcceptTopics,
    ];

    /// Its stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Discard => "discard",
            Self::Replay => "replay",
            Self::Rebuild => "rebuild",
            Self::Swap => "swap",
            Self::Back => "back",
            Self::Adopt => "adopt",
            Self::Activate => "activate",
            Self::Recompute => "recompute",
            Self::Backfill => "backfill",
            Self::AcceptTopics => "acceptTopics",
        }
    }
}

impl fmt::Display for ActKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no [`ActKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no act")]
pub struct UnknownAct(String);

impl FromStr for ActKind {
    type Err = UnknownAct;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownAct(text.to_owned()))
    }
}

/// Names an act: the id of its first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActId(Uuid);

impl ActId {
    /// The act with this id.
    #[must_use]
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The bare UUID.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ActId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// An act on its way into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAct {
    /// What is done.
    pub kind: ActKind,
    /// Who does it.
    pub operator: Uuid,
    /// Why.
    pub reason: String,
    /// What it is done to: a JSON object with members of the act's own.
    pub subject: Value,
    /// The request that it carries out, where it was asked for from a distance. But for a rebuild,
    /// which is claimed anew by whoever goes on with it, a request has one act of a kind: a second
    /// is refused by the database.
    pub request: Option<ActId>,
}

/// Records an act, as the last statement of its transaction: from here until the commit every
/// reader of the feed waits.
///
/// # Errors
/// What the database said; the transaction is then to be rolled back.
pub async fn record(connection: &mut PgConnection, act: &NewAct) -> Result<ActId, sqlx::Error> {
    let id = ActId(RandomIds.next());
    let mut payload = json!({
        "actId": id.to_string(),
        "act": act.kind.as_str(),
        "reason": act.reason,
        "subject": act.subject,
    });
    if let (Some(request), Some(members)) = (act.request, payload.as_object_mut()) {
        members.insert("requestId".to_owned(), request.to_string().into());
    }
    let event = event(id.0, "OperatorActed", payload, act.operator, id);
    append_to(connection, act.operator, event).await?;
    Ok(id)
}

/// Records how an act ended that went on after its transaction.
///
/// # Errors
/// As [`record`].
pub async fn ended(
    connection: &mut PgConnection,
    act: ActId,
    operator: Uuid,
    result: Value,
) -> Result<(), sqlx::Error> {
    let payload = json!({ "actId": act.to_string(), "result": result });
    let event = event(RandomIds.next(), ENDED, payload, operator, act);
    append_to(connection, operator, event).await
}

fn event(
    id: Uuid,
    event_type: &'static str,
    payload: Value,
    operator: Uuid,
    act: ActId,
) -> NewEvent {
    NewEvent {
        event_id: EventId::from_uuid(id),
        event_type,
        event_version: VERSION,
        payload,
        metadata: Metadata {
            actor: Some(Actor::new(Role::Operator, operator)),
            on_behalf_of: None,
            correlation_id: act.0,
            causation_id: (id != act.0).then_some(act.0),
            traceparent: None,
            idempotency_key: None,
        },
    }
}

/// Appends to the operator's stream, whatever its version is. A race that is lost undoes nothing
/// but the append itself.
async fn append_to(
    connection: &mut PgConnection,
    operator: Uuid,
    event: NewEvent,
) -> Result<(), sqlx::Error> {
    let stream = StreamId::operator(operator);
    for _ in 0..ATTEMPTS {
        let mut attempt = connection.begin().await?;
        let version = version(&mut attempt, &stream).await?;
        let one = Append::to(stream.clone(), version, vec![event.clone()]);
        match append(&mut attempt, &one).await {
            Ok(_) => return attempt.commit().await,
            Err(AppendError::Conflict) => attempt.rollback().await?,
            Err(AppendError::Database(error)) => return Err(error),
        }
    }
    Err(sqlx::Error::Encode(
        format!("stream {stream} moves on all the time").into(),
    ))
}

async fn version(connection: &mut PgConnection, stream: &StreamId) -> Result<Version, sqlx::Error> {
    let version = sqlx::query_scalar!(
        "
        SELECT sequence
        FROM store.events
        WHERE aggregate_type = $1 AND aggregate_id = $2
        ORDER BY sequence DESC
        LIMIT 1
        ",
        stream.kind(),
        stream.key(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(version.map_or(Version::NONE, Version::new))
}
