//! Carrying out what was asked for: which request is next, how far it is, and how it ended.
//!
//! Table `ops.requested_acts` has a row for each request that somebody came across; what it says of
//! one under way is no truth, and what came of it is a fact of the store.

use chrono::{DateTime, Utc};
use kernel::{IdSource as _, RandomIds};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{ActId, ActKind, ENDED, Request, append_to, event};
use crate::Position;

/// Whether a request waits, is carried out, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// Nobody has taken it up.
    Requested,
    /// Somebody carries it out.
    Running,
    /// It did what it was asked to.
    Done,
    /// A rule refused it.
    Refused,
    /// It failed.
    Failed,
}

impl RequestState {
    const ALL: [Self; 5] = [
        Self::Requested,
        Self::Running,
        Self::Done,
        Self::Refused,
        Self::Failed,
    ];

    /// Its stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Running => "running",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    pub(super) fn stored(name: &str) -> Result<Self, sqlx::Error> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == name);
        found.ok_or_else(|| sqlx::Error::Decode(format!("no state {name:?}").into()))
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndState {
    /// It did what it was asked to.
    Done,
    /// A rule refused it.
    Refused,
    /// It failed.
    Failed,
}

impl From<EndState> for RequestState {
    fn from(state: EndState) -> Self {
        match state {
            EndState::Done => Self::Done,
            EndState::Refused => Self::Refused,
            EndState::Failed => Self::Failed,
        }
    }
}

/// What is counted on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// What, in the plural.
    pub what: String,
    /// How many are done.
    pub done: u64,
    /// Of how many.
    pub total: u64,
    /// How many a second.
    pub rate: f64,
}

/// A request that somebody carries out.
#[derive(Debug, Clone, PartialEq)]
pub struct Undertaking {
    /// Which.
    pub id: ActId,
    /// Who asked for it.
    pub operator: Uuid,
    /// What for, and why; what this release cannot read, in words.
    pub request: Result<Request, String>,
    /// When they asked, by the server's clock.
    pub asked_at: DateTime<Utc>,
    /// Whether somebody had begun it before.
    pub taken_up: bool,
    /// How often it was taken up, this time too.
    pub taken: i16,
    /// What was said of it before.
    pub said: Vec<String>,
    owner: String,
}

/// How a request ended, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// How.
    pub state: EndState,
    /// The exit code of the command.
    pub exit_code: u8,
    /// What came of it, with members of the act's own; null if nothing did.
    pub result: Value,
    /// What is kept of the result with the facts, if not the whole.
    pub lasting: Option<Value>,
}

/// Takes note of the requests that were stored since it was looked last. It goes no further than the
/// watermark: what comes before the last that it noted is seen by then.
///
/// # Errors
/// What the database said.
pub async fn take_in(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let watermark = sqlx::query_scalar!(r#"SELECT store.watermark() AS "watermark!""#)
        .fetch_one(&mut *connection)
        .await?;
    let taken = sqlx::query_file!("queries/take_in_requests.sql", watermark)
        .execute(connection)
        .await?;
    Ok(taken.rows_affected())
}

/// What a request has done already: its last act of a kind, where it stands, and what it was done to.
///
/// # Errors
/// What the database said.
pub async fn find_done(
    connection: &mut PgConnection,
    request: ActId,
    kind: ActKind,
) -> Result<Option<(ActId, Position, Value)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"
        SELECT event_id, position, payload->'subject' AS "subject!"
        FROM store.events
        WHERE event_type = 'OperatorActed' AND payload->>'requestId' = $1
          AND payload->>'act' = $2
        ORDER BY position DESC
        LIMIT 1
        "#,
        request.to_string(),
        kind.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|row| {
        let position = Position::new(row.position);
        (ActId::from_uuid(row.event_id), position, row.subject)
    }))
}

/// Whether an act of a kind stands after a position, whoever did it.
///
/// # Errors
/// What the database said.
pub async fn is_followed(
    connection: &mut PgConnection,
    kind: ActKind,
    position: Position,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"
        SELECT true AS "found!"
        FROM store.events
        WHERE event_type = 'OperatorActed' AND position > $1 AND payload->>'act' = $2
        LIMIT 1
        "#,
        position.get(),
        kind.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}

impl Undertaking {
    /// The oldest request that has not ended, for this owner, who is alone in carrying them out.
    ///
    /// # Errors
    /// What the database said.
    pub async fn next(
        connection: &mut PgConnection,
        owner: &str,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query_file!("queries/next_request.sql", owner)
            .fetch_optional(connection)
            .await?;
        row.map(|row| {
            let operator = row.operator.parse();
            let operator = operator.map_err(|_| {
                sqlx::Error::Decode(format!("{:?} is no operator", row.operator).into())
            })?;
            Ok(Self {
                id: ActId::from_uuid(row.act_id),
                operator,
                request: serde_json::from_value(row.payload).map_err(|error| error.to_string()),
                asked_at: row.asked_at,
                taken_up: row.taken_up,
                taken: row.taken,
                said: row.said,
                owner: owner.to_owned(),
            })
        })
        .transpose()
    }

    /// How many requests have not ended.
    ///
    /// # Errors
    /// What the database said.
    pub async fn waiting(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM ops.requested_acts
               WHERE state IN ('requested', 'running')"#
        )
        .fetch_one(connection)
        .await
    }

    /// Notes how far it is; whether it is this owner's still.
    ///
    /// # Errors
    /// What the database said.
    pub async fn progress(
        &self,
        connection: &mut PgConnection,
        counted: Option<&Counted>,
        said: &[String],
    ) -> Result<bool, sqlx::Error> {
        let noted = sqlx::query!(
            "
            UPDATE ops.requested_acts
            SET what = coalesce($3, what), done = coalesce($4, done), total = coalesce($5, total),
                rate = coalesce($6, rate), said = $7
            WHERE act_id = $1 AND owner = $2 AND state = 'running'
            ",
            self.id.as_uuid(),
            self.owner,
            counted.map(|it| it.what.as_str()),
            counted.map(|it| it.done.cast_signed()),
            counted.map(|it| it.total.cast_signed()),
            counted.map(|it| it.rate),
            said,
        )
        .execute(connection)
        .await?;
        Ok(noted.rows_affected() == 1)
    }

    /// Ends it, as a fact; whether it was this owner's still.
    ///
    /// # Errors
    /// What the database said.
    pub async fn end(
        &self,
        connection: &mut PgConnection,
        end: &End,
        said: &[String],
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let state = RequestState::from(end.state);
        let ended = sqlx::query!(
            "
            UPDATE ops.requested_acts
            SET state = $3, exit_code = $4, result = $5, said = $6,
                ended_at = clock_timestamp(), owner = NULL
            WHERE act_id = $1 AND owner = $2 AND state = 'running'
            ",
            self.id.as_uuid(),
            self.owner,
            state.as_str(),
            i16::from(end.exit_code),
            end.result,
            said,
        )
        .execute(&mut *transaction)
        .await?;
        if ended.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        let payload = json!({
            "actId": self.id.to_string(),
            "result": end.lasting.as_ref().unwrap_or(&end.result),
            "state": state.as_str(),
            "exitCode": end.exit_code,
            "said": said,
        });
        let event = event(RandomIds.next(), ENDED, payload, self.operator, self.id);
        append_to(&mut transaction, self.operator, event).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
