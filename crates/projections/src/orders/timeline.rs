//! Adds facts to the timelines, each with its public payload.
//!
//! A few lines go in one statement. Many are copied: the server takes lines in while the next are
//! folded here, and writes a page of them at a time.

use std::ops::DerefMut;

use chrono::{DateTime, TimeDelta, Utc};
use event_store::StoredEvent;
use kernel::Actor;
use order_domain::order::OrderEvent;
use sqlx::PgConnection;
use sqlx::postgres::PgCopyIn;
use uuid::Uuid;

use crate::row_sets::column;

/// From how many lines on they are copied: beginning costs a round trip and a plan.
const MANY: usize = 500;
/// How much is sent at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// What COPY's binary form begins with: its signature, and no flags and no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What stands in the place of the next line after the last.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// The version of jsonb's binary form.
const JSONB: u8 = 1;
/// What stands in the place of the length of a null.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// The columns of a line, in the order in which it is copied.
const COPY: &str = "COPY timeline (order_id, version, part, event_id, event, schema_version, data, \
                    actor_role, actor_id, on_behalf_of_role, on_behalf_of_id, occurred_at, \
                    recorded_at, position) FROM STDIN (FORMAT binary)";
const COLUMNS: i16 = 14;

/// A line of a timeline.
pub(super) struct Line {
    pub(super) order_id: Uuid,
    pub(super) version: i64,
    pub(super) part: i16,
    pub(super) event_id: Uuid,
    pub(super) event: &'static str,
    pub(super) schema_version: &'static str,
    pub(super) data: String,
    pub(super) actor: Actor,
    pub(super) on_behalf_of: Option<Actor>,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) position: i64,
}

/// Lines on their way into the table.
pub(super) enum Timeline<'c> {
    /// To be written together.
    Few(&'c mut PgConnection, Vec<Line>),
    /// Written as they come.
    Many(Copying<&'c mut PgConnection>),
}

/// An open COPY.
pub(super) struct Copying<C: DerefMut<Target = PgConnection>> {
    copy: PgCopyIn<C>,
    unsent: Vec<u8>,
}

impl Line {
    /// The line that tells `fact`, the `part`th of what an event tells.
    pub(super) fn of(
        stored: &StoredEvent,
        (part, fact): (i16, &OrderEvent),
        (actor, on_behalf_of): (Actor, Option<Actor>),
    ) -> Result<Self, sqlx::Error> {
        let public = publishing::order::publish(fact);
        let data =
            serde_json::to_string(&public).map_err(|error| sqlx::Error::Encode(error.into()))?;
        Ok(Self {
            order_id: fact.order_id.as_uuid(),
            version: stored.version.get(),
            part,
            event_id: stored.event_id.as_uuid(),
            event: public.fact.name(),
            schema_version: public.fact.schema_version(),
            data,
            actor,
            on_behalf_of,
            occurred_at: fact.occurred_at,
            recorded_at: stored.recorded_at,
            position: stored.position.get(),
        })
    }
}

impl<'c> Timeline<'c> {
    /// Begins to write about so many lines.
    pub(super) async fn open(
        connection: &'c mut PgConnection,
        lines: usize,
    ) -> Result<Self, sqlx::Error> {
        if lines < MANY {
            return Ok(Self::Few(connection, Vec::with_capacity(lines)));
        }
        let copy = connection.copy_in_raw(COPY).await?;
        let mut unsent = Vec::with_capacity(CHUNK_BYTES * 2);
        unsent.extend_from_slice(HEADER);
        Ok(Self::Many(Copying { copy, unsent }))
    }

    /// Adds a line.
    pub(super) async fn add(&mut self, line: Line) -> Result<(), sqlx::Error> {
        match self {
            Self::Few(_, lines) => lines.push(line),
            Self::Many(copying) => {
                encode(&mut copying.unsent, &line)?;
                if copying.unsent.len() >= CHUNK_BYTES {
                    copying.copy.send(copying.unsent.as_slice()).await?;
                    copying.unsent.clear();
                }
            }
        }
        Ok(())
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    /// What the database said of any of the lines.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Few(connection, lines) => insert(connection, &lines).await,
            Self::Many(Copying { mut copy, unsent }) => {
                copy.send(unsent).await?;
                copy.send(TRAILER.as_slice()).await?;
                copy.finish().await.map(drop)
            }
        }
    }

    /// Writes no more; the transaction is to be rolled back then. The COPY is ended as ever, for the
    /// server may have refused a line already: told of an abort after that, it would be heard out of
    /// turn, and so would whatever comes next on the connection.
    pub(super) async fn abandon(self) {
        match self {
            Self::Few(..) => {}
            // What it came to is rolled back; that the connection is gone, the rollback says.
            Self::Many(Copying { copy, .. }) => drop(copy.finish().await),
        }
    }
}

async fn insert(connection: &mut PgConnection, lines: &[Line]) -> Result<(), sqlx::Error> {
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO timeline (
            order_id, version, part, event_id, event, schema_version, data, actor_role, actor_id,
            on_behalf_of_role, on_behalf_of_id, occurred_at, recorded_at, position
        )
        SELECT n.order_id, n.version, n.part, n.event_id, n.event, n.schema_version,
               n.data::jsonb, n.actor_role, n.actor_id, n.on_behalf_of_role, n.on_behalf_of_id,
               n.occurred_at, n.recorded_at, n.position
        FROM unnest(
            $1::uuid[], $2::bigint[], $3::smallint[], $4::uuid[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::uuid[], $10::text[], $11::uuid[], $12::timestamptz[],
            $13::timestamptz[], $14::bigint[]
        ) AS n (
            order_id, version, part, event_id, event, schema_version, data, actor_role, actor_id,
            on_behalf_of_role, on_behalf_of_id, occurred_at, recorded_at, position
        )
        "#,
        &column(lines, |l| l.order_id),
        &column(lines, |l| l.version),
        &column(lines, |l| l.part),
        &column(lines, |l| l.event_id),
        &column(lines, |l| l.event) as &[&str],
        &column(lines, |l| l.schema_version) as &[&str],
        &column(lines, |l| l.data.as_str()) as &[&str],
        &column(lines, |l| l.actor.role.as_str()) as &[&str],
        &column(lines, |l| l.actor.id),
        &column(lines, |l| l.on_behalf_of.map(|a| a.role.as_str())) as &[Option<&str>],
        &column(lines, |l| l.on_behalf_of.map(|a| a.id)) as &[Option<Uuid>],
        &column(lines, |l| l.occurred_at),
        &column(lines, |l| l.recorded_at),
        &column(lines, |l| l.position),
    )
    .execute(connection)
    .await
    .map(drop)
}

/// A line in COPY's binary form.
fn encode(out: &mut Vec<u8>, line: &Line) -> Result<(), sqlx::Error> {
    out.extend(COLUMNS.to_be_bytes());
    field(out, &[line.order_id.as_bytes()])?;
    field(out, &[&line.version.to_be_bytes()])?;
    field(out, &[&line.part.to_be_bytes()])?;
    field(out, &[line.event_id.as_bytes()])?;
    field(out, &[line.event.as_bytes()])?;
    field(out, &[line.schema_version.as_bytes()])?;
    field(out, &[&[JSONB], line.data.as_bytes()])?;
    field(out, &[line.actor.role.as_str().as_bytes()])?;
    field(out, &[line.actor.id.as_bytes()])?;
    match line.on_behalf_of {
        Some(actor) => {
            field(out, &[actor.role.as_str().as_bytes()])?;
            field(out, &[actor.id.as_bytes()])?;
        }
        None => {
            out.extend(NULL);
            out.extend(NULL);
        }
    }
    field(out, &[&since_2000(line.occurred_at)])?;
    field(out, &[&since_2000(line.recorded_at)])?;
    field(out, &[&line.position.to_be_bytes()])
}

/// One field, given in parts.
fn field(out: &mut Vec<u8>, parts: &[&[u8]]) -> Result<(), sqlx::Error> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = i32::try_from(length).map_err(|error| sqlx::Error::Encode(error.into()))?;
    out.extend(length.to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// An instant as the server has it: microseconds since the year 2000.
fn since_2000(instant: DateTime<Utc>) -> [u8; 8] {
    const FROM_1970: TimeDelta = TimeDelta::days(10_957);
    (instant - FROM_1970).timestamp_micros().to_be_bytes()
}
