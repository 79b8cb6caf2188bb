//! `projector status`: every reader of the feed, what it has parked, and what holds all of them up.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::SecondsFormat;
use event_store::audit::{self, Finding, KeptFinding};
use event_store::{Parked, Stall, Surveyed, stall, survey};
use projections::{Version, served};
use serde::Serialize;
use service_runtime::DatabaseConfig;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::session::{Failure, Output, Row, Session, table, terminal};

/// How many readers are asked for at once.
const PAGE: i64 = 100;
/// How many findings of an audit are shown.
const FINDINGS: i64 = 50;

/// What `--format json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    readers: Vec<Reader>,
    parked: Vec<ParkedStream>,
    /// What the auditor found wrong, the first of each audit.
    findings: Vec<FindingLine>,
    stall: Option<StallRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reader {
    name: String,
    /// Null where it fills no read model.
    served: Option<bool>,
    state: &'static str,
    position: i64,
    lag_events: i64,
    lag_seconds: f64,
    rate_per_second: f64,
    /// How many streams it has parked.
    parked: i64,
    seen_seconds: Option<f64>,
    owner: Option<String>,
    event_id: Option<Uuid>,
    reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ParkedStream {
    reader: String,
    stream: String,
    version: i64,
    event_id: Uuid,
    event: String,
    reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FindingLine {
    subject: String,
    stream: String,
    item: String,
    what: String,
    found_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StallRow {
    pid: i32,
    age_seconds: f64,
    query: String,
}

/// Shows how every reader is.
pub(crate) async fn status(
    session: Session<DatabaseConfig>,
    output: Output,
) -> Result<(), Failure> {
    let pool = session.pool(&session.config, 1);
    let mut connection = pool.acquire().await?;
    let served = served(&mut connection).await?;
    let mut found: Vec<Surveyed> = Vec::new();
    loop {
        let last = found.last().map(|last| last.status.name.clone());
        let page = survey(&mut connection, last.as_deref(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    let status = Status {
        readers: found.iter().map(|one| reader(one, &served)).collect(),
        parked: found.iter().flat_map(parked).collect(),
        findings: findings(&mut connection).await?,
        stall: stall(&mut connection).await?.map(StallRow::from),
    };
    output.object(&status, &status.text())
}

async fn findings(connection: &mut PgConnection) -> Result<Vec<FindingLine>, Failure> {
    let mut lines = Vec::new();
    for round in audit::rounds(connection).await? {
        let found = audit::findings(connection, &round.subject, FINDINGS).await?;
        lines.extend(found.into_iter().map(FindingLine::from));
    }
    Ok(lines)
}

impl Status {
    fn text(&self) -> String {
        let mut text = table(&self.readers);
        if !self.parked.is_empty() {
            text.push('\n');
            text.push_str(&table(&self.parked));
        }
        if !self.findings.is_empty() {
            text.push('\n');
            text.push_str(&table(&self.findings));
        }
        if let Some(StallRow {
            pid,
            age_seconds,
            query,
        }) = &self.stall
        {
            let query = terminal::line(query);
            // A String takes everything.
            writeln!(
                text,
                "\nprocess {pid} of the server holds the watermark, and with it every reader, for \
                 {age_seconds:.1} s: {query}"
            )
            .ok();
        }
        text
    }
}

fn reader(found: &Surveyed, served: &[Version]) -> Reader {
    let Surveyed { status, lag, .. } = found;
    let condition = &status.condition;
    Reader {
        name: status.name.clone(),
        served: Version::of_reader(&status.name).map(|version| served.contains(&version)),
        state: condition.state(),
        position: status.position.get(),
        lag_events: lag.events,
        lag_seconds: lag.seconds,
        rate_per_second: status.rate,
        parked: status.parked,
        seen_seconds: status.seen.as_ref().map(Duration::as_secs_f64),
        owner: status.owner.clone(),
        event_id: condition.event_id().map(kernel::EventId::as_uuid),
        reason: condition.reason().map(ToOwned::to_owned),
    }
}

fn parked(found: &Surveyed) -> impl Iterator<Item = ParkedStream> {
    let reader = &found.status.name;
    found.parked.iter().map(|parked: &Parked| ParkedStream {
        reader: reader.clone(),
        stream: parked.stream.to_string(),
        version: parked.version.get(),
        event_id: parked.event_id.as_uuid(),
        event: parked.event.clone(),
        reason: parked.reason.clone(),
    })
}

impl From<KeptFinding> for FindingLine {
    fn from(kept: KeptFinding) -> Self {
        let Finding { stream, item, what } = kept.finding;
        Self {
            subject: kept.subject,
            stream,
            item,
            what,
            found_at: kept.found_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        }
    }
}

impl From<Stall> for StallRow {
    fn from(stall: Stall) -> Self {
        Self {
            pid: stall.pid,
            age_seconds: stall.age.as_secs_f64(),
            query: stall.query,
        }
    }
}

impl Row for Reader {
    const COLUMNS: &'static [&'static str] = &[
        "NAME",
        "SERVED",
        "STATE",
        "POSITION",
        "LAG EVENTS",
        "LAG SECONDS",
        "RATE/S",
        "PARKED",
        "SEEN SECONDS",
        "OWNER",
        "EVENT ID",
        "REASON",
    ];

    fn cells(&self) -> Vec<String> {
        let dash = || "-".to_owned();
        let served = match self.served {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        vec![
            self.name.clone(),
            served.to_owned(),
            self.state.to_owned(),
            self.position.to_string(),
            self.lag_events.to_string(),
            format!("{:.1}", self.lag_seconds),
            format!("{:.0}", self.rate_per_second),
            self.parked.to_string(),
            self.seen_seconds
                .map_or_else(dash, |seen| format!("{seen:.1}")),
            self.owner.clone().unwrap_or_else(dash),
            self.event_id.map_or_else(dash, |id| id.to_string()),
            self.reason.clone().unwrap_or_else(dash),
        ]
    }
}

impl Row for FindingLine {
    const COLUMNS: &'static [&'static str] = &["AUDIT OF", "STREAM", "ITEM", "WRONG", "FOUND"];

    fn cells(&self) -> Vec<String> {
        let item = if self.item.is_empty() {
            "-"
        } else {
            &self.item
        };
        vec![
            self.subject.clone(),
            self.stream.clone(),
            item.to_owned(),
            self.what.clone(),
            self.found_at.clone(),
        ]
    }
}

impl Row for ParkedStream {
    const COLUMNS: &'static [&'static str] = &[
        "PARKED BY",
        "STREAM",
        "VERSION",
        "EVENT ID",
        "EVENT",
        "REASON",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.reader.clone(),
            self.stream.clone(),
            self.version.to_string(),
            self.event_id.to_string(),
            self.event.clone(),
            self.reason.clone(),
        ]
    }
}
