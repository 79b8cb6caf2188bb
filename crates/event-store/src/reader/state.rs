//! How a reader is, as its row in `store.checkpoints` says it to health, operators and the CLI.

use std::time::Duration;

use kernel::EventId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::REPLAY;
use super::leader::VERIFICATION;
use crate::Position;

/// How a reader is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nobody reads.
    #[default]
    Idle,
    /// It takes what comes.
    Running,
    /// What it sends to does not answer.
    Waiting {
        /// What that is.
        reason: String,
    },
    /// Something failed; it begins again at its checkpoint.
    Failing {
        /// What.
        reason: String,
    },
    /// It cannot go on until somebody acts.
    Halted {
        /// Why, and what to do.
        reason: String,
        /// The event that it is about.
        event_id: Option<EventId>,
    },
}

impl Condition {
    /// The word for it, as stored.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Waiting { .. } => "waiting",
            Self::Failing { .. } => "failing",
            Self::Halted { .. } => "halted",
        }
    }

    /// Why, where it is not as it should be.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Idle | Self::Running => None,
            Self::Waiting { reason } | Self::Failing { reason } | Self::Halted { reason, .. } => {
                Some(reason)
            }
        }
    }

    /// The event that the reason is about.
    #[must_use]
    pub const fn event_id(&self) -> Option<EventId> {
        match self {
            Self::Halted { event_id, .. } => *event_id,
            Self::Idle | Self::Running | Self::Waiting { .. } | Self::Failing { .. } => None,
        }
    }

    fn stored(state: &str, reason: Option<String>, event_id: Option<Uuid>) -> Option<Self> {
        let event_id = event_id.map(EventId::from_uuid);
        match (state, reason) {
            ("idle", _) => Some(Self::Idle),
            ("running", _) => Some(Self::Running),
            ("waiting", Some(reason)) => Some(Self::Waiting { reason }),
            ("failing", Some(reason)) => Some(Self::Failing { reason }),
            ("halted", Some(reason)) => Some(Self::Halted { reason, event_id }),
            _ => None,
        }
    }
}

/// A reader's row.
#[derive(Debug, Clone, PartialEq)]
pub struct ReaderStatus {
    /// Its name.
    pub name: String,
    /// How it is.
    pub condition: Condition,
    /// The last position that it has passed.
    pub position: Position,
    /// Events a second, over the last second or so.
    pub rate: f64,
    /// Who reads; none where nobody has the lease.
    pub owner: Option<String>,
    /// The age of what the row says; none where nobody ever read.
    pub seen: Option<Duration>,
    /// The streams that it has parked, counted up to [`PARKED_COUNTED_TO`].
    pub parked: i64,
}

/// Beyond this many, parked streams are not counted further.
pub const PARKED_COUNTED_TO: i64 = 1_000;

/// The rows of some readers, which the caller names with its arguments.
macro_rules! statuses {
    ($connection:expr, $which:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query!(
            r#"
            SELECT c.name, c.state, c.reason, c.event_id, c.position,
                   CASE WHEN c.expires_at > clock_timestamp() THEN c.owner END AS owner,
                   CASE WHEN c.expires_at > clock_timestamp() THEN c.rate ELSE 0 END AS "rate!",
                   extract(epoch FROM clock_timestamp() - c.seen_at)::double precision AS seen,
                   parked.count AS "parked!"
            FROM "# + $which + r#"
            CROSS JOIN LATERAL (
                SELECT count(*) FROM (
                    SELECT FROM store.parked p WHERE p.reader = c.name LIMIT $2
                ) p
            ) parked
            ORDER BY c.name
            "#,
            $($argument),+
        )
        .try_map(|row| {
            let condition = Condition::stored(&row.state, row.reason, row.event_id)
                .ok_or_else(|| sqlx::Error::Decode(format!("no state {:?}", row.state).into()))?;
            let age = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
            Ok(ReaderStatus {
                name: row.name,
                condition,
                position: Position::new(row.position),
                rate: row.rate,
                owner: row.owner,
                seen: row.seen.map(age),
                parked: row.parked,
            })
        })
        .fetch_all($connection)
        .await
    };
}

/// The rows of these readers, as far as they have one.
///
/// # Errors
/// What the database said.
pub async fn reader_statuses(
    connection: &mut PgConnection,
    names: &[String],
) -> Result<Vec<ReaderStatus>, sqlx::Error> {
    statuses!(
        connection,
        "unnest($1::text[]) AS n (name)
         CROSS JOIN LATERAL (SELECT * FROM store.checkpoints c WHERE c.name = n.name LIMIT 1) c",
        names,
        PARKED_COUNTED_TO,
    )
}

/// The rows of every reader after `after`, by name, at most `limit` of them: those of versions that
/// are not served too, and a replay while it is under way. Whoever verifies history for all of them
/// is no reader.
///
/// # Errors
/// What the database said.
pub async fn reader_page(
    connection: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<ReaderStatus>, sqlx::Error> {
    statuses!(
        connection,
        "(SELECT * FROM store.checkpoints
          WHERE name > $1 AND name <> $4
            AND (name <> $5 OR expires_at > clock_timestamp())
          ORDER BY name
          LIMIT $3) c",
        after.unwrap_or_default(),
        PARKED_COUNTED_TO,
        limit,
        VERIFICATION,
        REPLAY,
    )
}
