//! Count and digest of every checkpoint, recomputed in one pass over the events.

use std::collections::BTreeMap;

use kernel::EventId;
use sqlx::PgConnection;

use crate::checkpoint::{PAGE, recompute_page};
use crate::reader::{REPLAY, VERIFICATION};
use crate::{Checkpoint, Position, StreamId, Version};

/// More readers than there ever are: the bound of the statement that lists them.
const MOST_READERS: i64 = 1_000;

/// An audit of all checkpoints, as they were when it began.
///
/// The events are read once for all of them: what lies between two positions is the difference of
/// what lies before each.
#[derive(Debug)]
pub struct CheckpointAudit {
    claims: Vec<Claim>,
    /// What all events up to a position come to; known up to where the audit is.
    totals: BTreeMap<Position, Option<Checkpoint>>,
    at: Checkpoint,
}

/// What a reader says that it was delivered.
#[derive(Debug, Clone)]
struct Claim {
    name: String,
    generation: i64,
    since: Position,
    checkpoint: Checkpoint,
}

/// What became of one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointFinding {
    /// Its reader.
    pub name: String,
    /// The generation that it was last moved in.
    pub generation: i64,
    /// What the reader says.
    pub claimed: Checkpoint,
    /// What the table of events says, of the same positions.
    pub stored: Checkpoint,
    /// The event that was not delivered, where exactly one was not.
    pub skipped: Option<SkippedEvent>,
}

/// An event that a reader was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedEvent {
    /// Its id.
    pub event_id: EventId,
    /// Its place.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its number in the stream.
    pub version: Version,
}

impl CheckpointFinding {
    /// Events of the table that the reader was not delivered; negative where it was delivered more
    /// than there are.
    #[must_use]
    pub const fn missing(&self) -> i64 {
        self.stored.delivered - self.claimed.delivered
    }

    /// Whether they are the same events, by their digests.
    #[must_use]
    pub const fn same_digest(&self) -> bool {
        self.stored.digest == self.claimed.digest
    }

    /// Whether the checkpoint is right.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.missing() == 0 && self.same_digest()
    }
}

impl CheckpointAudit {
    /// Notes what every reader says.
    ///
    /// # Errors
    /// What the database said.
    pub async fn begin(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let claims = sqlx::query!(
            r#"
            SELECT name, generation, since, position, delivered, digest FROM store.checkpoints
            WHERE name <> $1 AND name <> $2
            ORDER BY name
            LIMIT $3
            "#,
            VERIFICATION,
            REPLAY,
            MOST_READERS,
        )
        .map(|row| Claim {
            name: row.name,
            generation: row.generation,
            since: Position::new(row.since),
            checkpoint: Checkpoint {
                position: Position::new(row.position),
                delivered: row.delivered,
                digest: row.digest,
            },
        })
        .fetch_all(connection)
        .await?;
        let totals = claims
            .iter()
            .flat_map(|claim| [claim.since, claim.checkpoint.position])
            .map(|position| (position, None))
            .collect();
        Ok(Self {
            claims,
            totals,
            at: Checkpoint::default(),
        })
    }

    /// How many events were read so far.
    #[must_use]
    pub const fn done(&self) -> i64 {
        self.at.delivered
    }

    /// About how many there are to read: what the reader that is ahead says.
    #[must_use]
    pub fn total(&self) -> i64 {
        let claims = self.claims.iter().filter(|it| it.since == Position::START);
        claims.map(|it| it.checkpoint.delivered).max().unwrap_or(0)
    }

    /// Reads a page of events; whether there is more to read.
    ///
    /// # Errors
    /// What the database said.
    pub async fn step(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let next = self.totals.iter().find(|(_, total)| total.is_none());
        let Some((&position, _)) = next else {
            return Ok(false);
        };
        let page = recompute_page(connection, self.at, position, None).await?;
        let whole = page.is_some_and(|page| page.delivered - self.at.delivered == PAGE);
        self.at = page.unwrap_or(self.at);
        if !whole {
            self.totals.insert(position, Some(self.at));
        }
        Ok(true)
    }

    /// What became of each checkpoint, once everything was read.
    ///
    /// # Errors
    /// What the database said.
    pub async fn end(
        self,
        connection: &mut PgConnection,
    ) -> Result<Vec<CheckpointFinding>, sqlx::Error> {
        let total = |position| self.totals.get(&position).copied().flatten();
        let mut findings = Vec::with_capacity(self.claims.len());
        for claim in self.claims {
            let claimed = claim.checkpoint;
            let (before, all) = (
                total(claim.since).unwrap_or_default(),
                total(claimed.position).unwrap_or_default(),
            );
            let mut finding = CheckpointFinding {
                name: claim.name,
                generation: claim.generation,
                claimed,
                stored: Checkpoint {
                    position: claimed.position,
                    delivered: all.delivered - before.delivered,
                    digest: all.digest.wrapping_sub(before.digest),
                },
                skipped: None,
            };
            if finding.missing() == 1 {
                let hash = finding.stored.digest.wrapping_sub(claimed.digest);
                let (since, to) = (claim.since, claimed.position);
                finding.skipped = find(connection, hash, since, to).await?;
            }
            findings.push(finding);
        }
        Ok(findings)
    }
}

/// The event whose hashed id is `hash`, among those after `since` up to `to`.
async fn find(
    connection: &mut PgConnection,
    hash: i64,
    since: Position,
    to: Position,
) -> Result<Option<SkippedEvent>, sqlx::Error> {
    let mut after = since;
    loop {
        let end = sqlx::query_scalar!(
            r#"
            SELECT max(page.position) FROM (
                SELECT e.position FROM store.events e
                WHERE e.position > $1 AND e.position <= $2
                ORDER BY e.position
                LIMIT $3
            ) page
            "#,
            after.get(),
            to.get(),
            PAGE,
        )
        .fetch_one(&mut *connection)
        .await?;
        let Some(end) = end.map(Position::new) else {
            return Ok(None);
        };
        let found = sqlx::query!(
            r#"
            SELECT e.position, e.event_id, e.aggregate_type, e.aggregate_id, e.sequence
            FROM store.events e
            WHERE e.position > $1 AND e.position <= $2
              AND ('x' || encode(substr(sha256(uuid_send(e.event_id)), 1, 8), 'hex'))
                  ::bit(64)::bigint = $3
            ORDER BY e.position
            LIMIT 1
            "#,
            after.get(),
            end.get(),
            hash,
        )
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(row) = found {
            return Ok(Some(SkippedEvent {
                event_id: EventId::from_uuid(row.event_id),
                position: Position::new(row.position),
                stream: StreamId::from_parts(row.aggregate_type, row.aggregate_id),
                version: Version::new(row.sequence),
            }));
        }
        after = end;
    }
}
