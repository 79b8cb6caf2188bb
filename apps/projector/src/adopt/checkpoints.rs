//! The checkpoints that do not match the store in its present generation, and what is to become of
//! each.

use std::fmt;

use event_store::audit::CheckpointAudit;
use event_store::checkpoint::{self, Reached};
use event_store::{Feed, Generation, Position, count_events};
use projections::{Model, Snapshot, Version};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use super::goes_on;
use crate::session::{Failure, Progress};

/// The reader that sends to Kafka.
pub(super) const RELAY: &str = "relay";
/// How many streams are compared with their rows in one snapshot.
const PAGE: i64 = 50;

/// A checkpoint that does not match.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) name: String,
    pub(super) from: Reached,
    /// Where it is put.
    pub(super) to: Reached,
    pub(super) meaning: Meaning,
    present: i64,
}

/// What putting it there means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// So many events go to Kafka again, or for the first time.
    SentAgain { events: u64 },
    /// The rows are what the events say: the reader goes on.
    GoesOn,
    /// The rows differ in so many places from the events: the model is to be rebuilt.
    Rebuild { model: Model, differences: usize },
    /// Nobody is answered from it: it is left.
    Left,
}

impl Foreign {
    /// Whether it is put anywhere.
    pub(super) fn moves(&self) -> bool {
        self.from != self.to
    }

    /// As the act tells it.
    pub(super) fn json(&self) -> Value {
        let place = |it: &Reached| json!({ "generation": it.generation, "position": it.checkpoint.position.get() });
        json!({ "reader": self.name, "from": place(&self.from), "to": place(&self.to) })
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, from, to, .. } = self;
        write!(
            f,
            "{name}: its checkpoint of generation {}, at position {}, does not match the store in \
             generation {}: ",
            from.generation, from.checkpoint.position, self.present,
        )?;
        let to = to.checkpoint.position;
        match self.meaning {
            Meaning::SentAgain { events } => write!(
                f,
                "it is put at position {to}, and the {events} events after it go to Kafka, those \
                 that were sent before with the ids that they had"
            ),
            Meaning::GoesOn => write!(
                f,
                "its rows are what the events say; it is put at position {to}, and goes on"
            ),
            Meaning::Rebuild { model, differences } => write!(
                f,
                "its rows differ from the events in {differences} places; it is put at position \
                 {to} and stays halted: `projector rebuild {model}` makes it anew"
            ),
            Meaning::Left => f.write_str("nobody is answered from it, and it is left"),
        }
    }
}

/// Finds them, and judges each.
pub(super) struct Judge<'a> {
    pub(super) pool: &'a PgPool,
    pub(super) feed: &'a mut Feed,
    pub(super) stop: &'a CancellationToken,
}

impl Judge<'_> {
    /// Every checkpoint of an older generation that does not match the events.
    pub(super) async fn foreign(&mut self) -> Result<Vec<Foreign>, Failure> {
        let present = self.feed.generation();
        let mut connection = self.pool.acquire().await?;
        let mut audit = CheckpointAudit::begin(&mut connection).await?;
        let mut progress = Progress::of(audit.total().unsigned_abs(), "events counted");
        while audit.step(&mut connection).await? {
            goes_on(self.stop)?;
            progress.at(audit.done().unsigned_abs(), audit.total().unsigned_abs());
        }
        drop(progress);
        let served = projections::served(&mut connection).await?;
        let mut foreign = Vec::new();
        for found in audit.end(&mut connection).await? {
            if found.holds() || found.generation >= present.number {
                continue;
            }
            let from = checkpoint::reached(&mut connection, &found.name).await?;
            let from = from.filter(|it| it.checkpoint == found.claimed);
            let from = from.ok_or_else(|| moved(&found.name))?;
            let version = Version::of_reader(&found.name).filter(|it| served.contains(it));
            foreign.push(match version {
                Some(version) => self.read_model(version, from).await?,
                None if found.name == RELAY => relay(&mut connection, from, present).await?,
                None => Foreign {
                    name: found.name,
                    from,
                    to: from,
                    meaning: Meaning::Left,
                    present: present.number,
                },
            });
        }
        Ok(foreign)
    }

    /// The rows of a version that is served say whether it can go on. What was stored since the
    /// restore at positions that its checkpoint has passed counts, as far as it is committed.
    async fn read_model(&mut self, version: Version, from: Reached) -> Result<Foreign, Failure> {
        let present = self.feed.generation().number;
        let end = from.checkpoint.position.min(self.feed.watermark().await?);
        let mut connection = self.pool.acquire().await?;
        let stored = checkpoint::recompute(&mut connection, Position::START, end).await?;
        drop(connection);
        let differences = self.differences(version, stored.position).await?;
        let mut to = from;
        let meaning = if differences == 0 {
            to = Reached {
                generation: present,
                since: Position::START,
                checkpoint: stored,
            };
            Meaning::GoesOn
        } else {
            to.checkpoint.position = stored.position;
            Meaning::Rebuild {
                model: version.model,
                differences,
            }
        };
        Ok(Foreign {
            name: version.to_string(),
            from,
            to,
            meaning,
            present,
        })
    }

    /// In how many places the rows differ from the events up to `to`.
    async fn differences(&self, version: Version, to: Position) -> Result<usize, Failure> {
        let model = version.model;
        let mut progress = Progress::of(0, model.as_str());
        let (mut done, mut differences, mut after) = (0, 0, None::<String>);
        loop {
            goes_on(self.stop)?;
            let mut snapshot = Snapshot::open(self.pool, model).await?.up_to(to);
            if snapshot.version() != version.to_string() {
                return Err(moved(&version.to_string()));
            }
            let about = model.size(&mut snapshot).await?.unsigned_abs();
            let page = model.compare(&mut snapshot, after.as_deref(), PAGE).await?;
            snapshot.close().await?;
            done += page.streams as u64;
            differences += page.differences.len();
            let is_last = page.last.is_none();
            progress.at(done, if is_last { done } else { about.max(done) });
            if is_last {
                return Ok(differences);
            }
            after = page.last;
        }
    }
}

/// What is certain to have been sent is not sent again; everything else is.
async fn relay(
    connection: &mut PgConnection,
    from: Reached,
    present: Generation,
) -> Result<Foreign, Failure> {
    let certain = checkpoint::certain(connection, &from).await?;
    let end = Position::new(i64::MAX);
    let events = count_events(connection, certain.position, end, None).await?;
    Ok(Foreign {
        name: RELAY.to_owned(),
        from,
        to: Reached {
            generation: present.number,
            since: Position::START,
            checkpoint: certain,
        },
        meaning: Meaning::SentAgain { events },
        present: present.number,
    })
}

/// Somebody else has moved the reader.
pub(super) fn moved(name: &str) -> Failure {
    Failure::refused(format!(
        "{name} was moved meanwhile: run `projector store adopt` again"
    ))
}
