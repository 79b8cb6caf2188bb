//! What there is to know of a model's last rebuild.

use chrono::{DateTime, Utc};
use event_store::checkpoint;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Rebuilder;
use crate::{Model, Version};

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The new version is filled.
    Building,
    /// It has come as far as the served one, and is compared with it.
    Checking,
    /// The two differ.
    Failed,
    /// The new version is served.
    Swapped,
    /// Another was begun in its place.
    Abandoned,
}

impl State {
    const ALL: [Self; 5] = [
        Self::Building,
        Self::Checking,
        Self::Failed,
        Self::Swapped,
        Self::Abandoned,
    ];

    /// Its stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Checking => "checking",
            Self::Failed => "failed",
            Self::Swapped => "swapped",
            Self::Abandoned => "abandoned",
        }
    }

    pub(super) fn stored(name: &str) -> Result<Self, sqlx::Error> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == name);
        found.ok_or_else(|| sqlx::Error::Decode(format!("no state {name:?}").into()))
    }
}

/// A rebuild as its row has it, and how far the versions are.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its number.
    pub id: i64,
    /// The version that was served when it began.
    pub from: Version,
    /// The version that it builds.
    pub to: Version,
    /// How far it is.
    pub state: State,
    /// Who works on it; none where nobody does.
    pub owner: Option<String>,
    /// On whose authority.
    pub operator: Uuid,
    /// Why.
    pub reason: String,
    /// The release whose code builds it.
    pub code: String,
    /// When it was begun, swapped and ended, by the server's clock.
    pub started_at: DateTime<Utc>,
    /// When the new version was served.
    pub swapped_at: Option<DateTime<Utc>>,
    /// When nothing was left to do.
    pub ended_at: Option<DateTime<Utc>>,
    /// The events that the new version has taken.
    pub built: i64,
    /// The events that the version before has taken.
    pub of: i64,
    /// What its check found, as it was last written.
    pub certificate: Option<Value>,
    /// What is served now.
    pub served: Version,
    /// The version that is kept to go back to.
    pub kept: Option<Version>,
}

impl Rebuilder {
    /// The model's last rebuild; none where there never was one.
    ///
    /// # Errors
    /// What the database said.
    pub async fn show(&self, model: Model) -> Result<Option<Shown>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        last(&mut connection, model).await
    }
}

/// The model's last rebuild.
pub(super) async fn last(
    connection: &mut PgConnection,
    model: Model,
) -> Result<Option<Shown>, sqlx::Error> {
    let row = sqlx::query!(
        "
            SELECT id, from_version, to_version, state, operator, reason, code, started_at,
                   swapped_at, ended_at, certificate,
                   CASE WHEN expires_at > clock_timestamp() THEN owner END AS owner
            FROM read.rebuilds WHERE model = $1
            ORDER BY to_version DESC
            LIMIT 1
            ",
        model.as_str(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let (served, kept) = model.served_and_retired(connection).await?;
    let (from, to) = (
        model.version(row.from_version),
        model.version(row.to_version),
    );
    Ok(Some(Shown {
        id: row.id,
        from,
        to,
        state: State::stored(&row.state)?,
        owner: row.owner,
        operator: row.operator,
        reason: row.reason,
        code: row.code,
        started_at: row.started_at,
        swapped_at: row.swapped_at,
        ended_at: row.ended_at,
        built: delivered(connection, to).await?,
        of: delivered(connection, from).await?,
        certificate: row.certificate,
        served,
        kept,
    }))
}

/// How many events a version has taken.
pub(super) async fn delivered(
    connection: &mut PgConnection,
    version: Version,
) -> Result<i64, sqlx::Error> {
    let reached = checkpoint::reached(connection, &version.to_string()).await?;
    Ok(reached.map_or(0, |reached| reached.checkpoint.delivered))
}
