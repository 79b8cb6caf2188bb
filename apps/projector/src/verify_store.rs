//! `projector store verify`: whether every checkpoint counts what the events say, whether every
//! stream is whole, and, if asked, whether every row is what the events say.

use clap::Args;
use event_store::audit::{
    BrokenStream, CheckpointAudit, CheckpointFinding, SkippedEvent, StreamAudit,
};
use projections::audit::Difference;
use projections::{Model, Snapshot};
use serde::Serialize;
use service_runtime::DatabaseConfig;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cli::Exit;
use crate::session::{Failure, Output, Progress, Row, Session, table};

/// How many streams are compared with their rows in one snapshot.
const PAGE: i64 = 50;
/// How many differences of rows are shown.
const MOST_SHOWN: usize = 1_000;

/// How much to verify.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct VerifyOptions {
    /// Fold every order, directory entry and account anew, and compare it with its rows.
    #[arg(long)]
    rows: bool,
    #[command(flatten)]
    output: Output,
}

/// What `--format json` prints.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    /// How many events there are.
    events: i64,
    checkpoints: Vec<CheckpointLine>,
    broken_streams: Vec<StreamLine>,
    /// How many streams were compared with their rows; null where that was not asked for.
    compared_streams: Option<usize>,
    /// How many rows or fields differ.
    differences: usize,
    /// The first 1000 of them.
    rows: Vec<RowLine>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckpointLine {
    reader: String,
    generation: i64,
    position: i64,
    delivered: i64,
    stored: i64,
    missing: i64,
    same_digest: bool,
    skipped: Option<SkippedLine>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SkippedLine {
    event_id: Uuid,
    position: i64,
    stream: String,
    version: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamLine {
    stream: String,
    before: i64,
    after: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowLine {
    stream: String,
    table: &'static str,
    key: String,
    field: Option<String>,
    what: String,
}

/// Verifies the store, on connections of its own.
pub(crate) async fn verify_store(
    session: Session<DatabaseConfig>,
    options: VerifyOptions,
) -> Result<(), Failure> {
    let pool = session.pool(&session.config, 1);
    let mut verified = Verified::default();
    {
        let mut connection = pool.acquire().await?;
        verified.checkpoints(&mut connection, &session.stop).await?;
        verified.streams(&mut connection, &session.stop).await?;
    }
    if options.rows {
        verified.compared_streams = Some(0);
        for model in Model::ALL {
            verified.rows(&pool, model, &session.stop).await?;
        }
    }
    options.output.object(&verified, &verified.text())?;
    verified.verdict()
}

impl Verified {
    async fn checkpoints(
        &mut self,
        connection: &mut PgConnection,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut audit = CheckpointAudit::begin(connection).await?;
        let mut progress = Progress::of(count(audit.total()), "events counted");
        while audit.step(connection).await? {
            goes_on(stop)?;
            progress.at(count(audit.done()), count(audit.total()));
        }
        let findings = audit.end(connection).await?;
        self.checkpoints = findings.into_iter().map(CheckpointLine::from).collect();
        Ok(())
    }

    async fn streams(
        &mut self,
        connection: &mut PgConnection,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let delivered = self.checkpoints.iter().map(|it| it.stored).max();
        let about = delivered.unwrap_or(0);
        let mut audit = StreamAudit::begin();
        let mut progress = Progress::of(count(about), "events in their streams");
        while audit.step(connection).await? {
            goes_on(stop)?;
            progress.at(count(audit.done()), count(audit.done().max(about)));
        }
        progress.at(count(audit.done()), count(audit.done()));
        self.events = audit.done();
        self.broken_streams = audit.broken().iter().map(StreamLine::from).collect();
        Ok(())
    }

    async fn rows(
        &mut self,
        pool: &PgPool,
        model: Model,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut progress = Progress::of(0, model.as_str());
        let (mut done, mut after) = (0, None::<String>);
        loop {
            goes_on(stop)?;
            let mut snapshot = Snapshot::open(pool, model).await?;
            let about = model.size(&mut snapshot).await?;
            let page = model.compare(&mut snapshot, after.as_deref(), PAGE).await?;
            snapshot.close().await?;
            done += page.streams;
            self.differences += page.differences.len();
            let room = MOST_SHOWN.saturating_sub(self.rows.len());
            let shown = page.differences.into_iter().take(room);
            self.rows.extend(shown.map(RowLine::from));
            let is_last = page.last.is_none();
            let total = if is_last { 0 } else { count(about) };
            progress.at(done as u64, total.max(done as u64));
            if is_last {
                break;
            }
            after = page.last;
        }
        *self.compared_streams.get_or_insert(0) += done;
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = table(&self.checkpoints);
        if !self.broken_streams.is_empty() {
            text.push('\n');
            text.push_str(&table(&self.broken_streams));
        }
        if !self.rows.is_empty() {
            text.push('\n');
            text.push_str(&table(&self.rows));
        }
        text
    }

    /// Exit code 1 where anything is wrong.
    fn verdict(&self) -> Result<(), Failure> {
        let wrong = self.checkpoints.iter().filter(|it| !it.holds()).count();
        let (broken, differences) = (self.broken_streams.len(), self.differences);
        let compared = match self.compared_streams {
            Some(streams) => format!(", rows of {streams} streams"),
            None => String::new(),
        };
        let looked_at = format!(
            "{} checkpoints, {} events{compared}",
            self.checkpoints.len(),
            self.events,
        );
        if wrong + broken + differences == 0 {
            eprintln!("{looked_at}: everything is as it should be");
            return Ok(());
        }
        let line = format!(
            "{looked_at}: {wrong} checkpoints do not hold, {broken} streams have holes, \
             {differences} differences in rows"
        );
        Err(Failure::new(Exit::Failed, line))
    }
}

fn goes_on(stop: &CancellationToken) -> Result<(), Failure> {
    if stop.is_cancelled() {
        let line = "stopped before everything was looked at";
        return Err(Failure::new(Exit::Failed, line));
    }
    Ok(())
}

/// A count for people; never negative.
fn count(of: i64) -> u64 {
    u64::try_from(of).unwrap_or(0)
}

impl CheckpointLine {
    const fn holds(&self) -> bool {
        self.missing == 0 && self.same_digest
    }
}

impl From<CheckpointFinding> for CheckpointLine {
    fn from(found: CheckpointFinding) -> Self {
        Self {
            generation: found.generation,
            position: found.claimed.position.get(),
            delivered: found.claimed.delivered,
            stored: found.stored.delivered,
            missing: found.missing(),
            same_digest: found.same_digest(),
            skipped: found.skipped.map(SkippedLine::from),
            reader: found.name,
        }
    }
}

impl From<SkippedEvent> for SkippedLine {
    fn from(event: SkippedEvent) -> Self {
        Self {
            event_id: event.event_id.as_uuid(),
            position: event.position.get(),
            stream: event.stream.to_string(),
            version: event.version.get(),
        }
    }
}

impl From<&BrokenStream> for StreamLine {
    fn from(broken: &BrokenStream) -> Self {
        Self {
            stream: broken.stream.to_string(),
            before: broken.before.get(),
            after: broken.after.get(),
        }
    }
}

impl From<Difference> for RowLine {
    fn from(difference: Difference) -> Self {
        Self {
            stream: difference.stream.to_string(),
            table: difference.table,
            field: difference.field().map(ToOwned::to_owned),
            what: difference.what.to_string(),
            key: difference.key,
        }
    }
}

impl Row for CheckpointLine {
    const COLUMNS: &'static [&'static str] = &[
        "READER",
        "GENERATION",
        "POSITION",
        "DELIVERED",
        "STORED",
        "MISSING",
        "SAME DIGEST",
        "SKIPPED",
    ];

    fn cells(&self) -> Vec<String> {
        let skipped = self.skipped.as_ref().map_or_else(
            || "-".to_owned(),
            |event| {
                let SkippedLine {
                    event_id,
                    position,
                    stream,
                    version,
                } = event;
                format!("{event_id}, version {version} of {stream}, at {position}")
            },
        );
        vec![
            self.reader.clone(),
            self.generation.to_string(),
            self.position.to_string(),
            self.delivered.to_string(),
            self.stored.to_string(),
            self.missing.to_string(),
            (if self.same_digest { "yes" } else { "NO" }).to_owned(),
            skipped,
        ]
    }
}

impl Row for StreamLine {
    const COLUMNS: &'static [&'static str] = &["BROKEN STREAM", "BEFORE THE HOLE", "AFTER IT"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.stream.clone(),
            self.before.to_string(),
            self.after.to_string(),
        ]
    }
}

impl Row for RowLine {
    const COLUMNS: &'static [&'static str] = &["STREAM", "TABLE", "KEY", "FIELD", "WHAT"];

    fn cells(&self) -> Vec<String> {
        let dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
        vec![
            self.stream.clone(),
            self.table.to_owned(),
            dash(&self.key),
            dash(self.field.as_deref().unwrap_or_default()),
            self.what.clone(),
        ]
    }
}
