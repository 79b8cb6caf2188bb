//! The auditor: recomputes every checkpoint from the events now and then, and compares row after row
//! with what the events say, slowly, so that each is proved again within a settable time.
//!
//! It reads on a connection of its own, page by page, and waits between pages: it shall be felt by
//! nobody. What it finds is kept until it is found right (`ops.audit_findings`), and logged once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use event_store::audit::{
    Auditorship, CheckpointAudit, CheckpointFinding, Finding, Part, RecordError, Round, StreamAudit,
};
use event_store::{Lease, generation};
use projections::audit::Difference;
use projections::{Model, Snapshot, Version, served};
use service_runtime::pool_options;
use sqlx::PgConnection;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::alone::{Alone, Work};
use crate::config::ProjectorConfig;
use crate::gauges::Gauges;
use crate::readers::Readers;

/// The audit of checkpoints and streams.
const STORE: &str = "store";
/// How many streams are compared with their rows at once.
const PAGE: i64 = 20;
/// The pauses between two pages of a read model: however few there are, and however many.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// A read model that is so far behind has more important things to do.
const BUSY_SECONDS: f64 = 2.0;
/// How often the gauges are set, and the lease is renewed.
const BEAT: Duration = Duration::from_secs(1);
/// Audits for as long as it is the one who does.
pub(crate) struct Auditing {
    pool: PgPool,
    auditorship: Auditorship,
    stop: CancellationToken,
    interval: Duration,
    window: Duration,
    gauges: Gauges,
    /// When the next page of each read model is to be compared.
    due: BTreeMap<Model, Instant>,
}

/// Why an audit did not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    #[error("the audit was not recorded")]
    Record(#[from] RecordError),
    #[error("the store was not read")]
    Database(#[from] sqlx::Error),
}

/// The role, under its lease, until `stop`.
pub(crate) fn role(
    config: &ProjectorConfig,
    readers: &Readers,
    stop: CancellationToken,
) -> Alone<Auditing> {
    let name = format!("{} auditor", readers.owner);
    let pool = pool_options(&config.database, 1)
        .after_connect(|connection, _| {
            Box::pin(async move { generation::enter(connection).await.map(drop) })
        })
        .connect_lazy_with(config.database.connect_options(&name));
    let lease = Lease::of(Lease::AUDITOR, &readers.owner, config.lease);
    Alone {
        pool: pool.clone(),
        lease: lease.clone(),
        shares: readers.shares.clone(),
        work: Auditing {
            pool,
            auditorship: Auditorship::under(lease),
            stop,
            interval: config.audit_interval,
            window: config.audit_window,
            gauges: Gauges::default(),
            due: BTreeMap::new(),
        },
    }
}

impl Work for Auditing {
    type Error = AuditError;

    async fn turn(&mut self) -> Result<Duration, AuditError> {
        match self.beat().await {
            Err(AuditError::Record(RecordError::TakenOver)) => Ok(BEAT),
            beat => beat,
        }
    }
}

impl Auditing {
    /// Audits for a beat; how long to wait then.
    async fn beat(&mut self) -> Result<Duration, AuditError> {
        let stop = self.stop.clone();
        let end = Instant::now() + BEAT;
        let mut connection = self.pool.acquire().await?;
        let store = self.auditorship.round(&mut connection, STORE, None).await?;
        let is_due = store.proved.is_none_or(|proved| proved >= self.interval);
        if is_due || self.gauges.missing.is_none() {
            self.verify(&mut connection, &stop).await?;
        }
        let mut walks = Vec::with_capacity(Model::ALL.len());
        for version in served(&mut connection).await? {
            let (subject, reader) = (version.model.as_str(), version.to_string());
            let round = self
                .auditorship
                .round(&mut connection, subject, Some(&reader));
            walks.push((version, round.await?));
        }
        self.gauges.tell(&mut connection).await?;
        drop(connection);
        for (version, round) in &mut walks {
            while !stop.is_cancelled() && self.is_due(version.model, end) {
                let until = self.due.get(&version.model).copied();
                let wait = until.map(|due| due.saturating_duration_since(Instant::now()));
                let wait = tokio::time::sleep(wait.unwrap_or_default());
                if stop.run_until_cancelled(wait).await.is_none() {
                    break;
                }
                let pause = self.compare(*version, round).await?;
                self.due.insert(version.model, Instant::now() + pause);
            }
        }
        Ok(end.saturating_duration_since(Instant::now()))
    }

    /// Whether a page of the read model is to be compared before `end`.
    fn is_due(&self, model: Model, end: Instant) -> bool {
        Instant::now() < end && self.due.get(&model).is_none_or(|due| *due < end)
    }

    /// Recomputes every checkpoint, and looks at every stream.
    async fn verify(
        &mut self,
        connection: &mut PgConnection,
        stop: &CancellationToken,
    ) -> Result<(), AuditError> {
        let started = Instant::now();
        let mut checkpoints = CheckpointAudit::begin(connection).await?;
        while checkpoints.step(connection).await? {
            if !self.goes_on(connection, stop).await? {
                return Ok(());
            }
        }
        let mut streams = StreamAudit::begin();
        while streams.step(connection).await? {
            if !self.goes_on(connection, stop).await? {
                return Ok(());
            }
        }
        let checkpoints = checkpoints.end(connection).await?;
        self.gauges.missing = Some(checkpoints.iter().map(missing).collect());
        let mut findings: Vec<Finding> = checkpoints.iter().filter_map(unproved).collect();
        findings.extend(streams.broken().iter().map(|broken| Finding {
            stream: broken.stream.to_string(),
            item: format!("after version {}", broken.before),
            what: format!("the next version is {}", broken.after),
        }));
        let part = Part {
            subject: STORE,
            reader: None,
            after: "",
            last: None,
            streams: 0,
        };
        let new = self.auditorship.record(connection, part, &findings).await?;
        log(STORE, &new);
        info!(
            events = streams.done(),
            seconds = started.elapsed().as_secs_f64(),
            findings = findings.len(),
            "audit.verified"
        );
        Ok(())
    }

    /// Whether nobody told it to stop, and it still is the one who audits: then the gauges are its
    /// own.
    async fn goes_on(
        &mut self,
        connection: &mut PgConnection,
        stop: &CancellationToken,
    ) -> Result<bool, AuditError> {
        if !self.auditorship.hold(connection).await? {
            return Err(RecordError::TakenOver.into());
        }
        self.gauges.tell(connection).await?;
        Ok(!stop.is_cancelled())
    }

    /// Compares the next page of a round; how long to wait before the one after it.
    async fn compare(&self, version: Version, round: &mut Round) -> Result<Duration, AuditError> {
        let (model, reader) = (version.model, version.to_string());
        let mut snapshot = Snapshot::open(&self.pool, model).await?;
        let size = model.size(&mut snapshot).await?;
        let is_busy = snapshot.freshness().lag_seconds > BUSY_SECONDS;
        if snapshot.version() != reader {
            // Another one is served by now: its round begins with the next turn.
            snapshot.close().await?;
            return Ok(BEAT);
        }
        let page = model
            .compare(&mut snapshot, Some(&round.cursor), PAGE)
            .await;
        snapshot.close().await?;
        let page = page?;
        let findings: Vec<Finding> = page.differences.iter().map(drift).collect();
        let last = page.last;
        let cursor = round.cursor.clone();
        let part = Part {
            subject: model.as_str(),
            reader: Some(&reader),
            after: &cursor,
            last: last.as_deref(),
            streams: i64::try_from(page.streams).unwrap_or(i64::MAX),
        };
        let mut connection = self.pool.acquire().await?;
        let new = self.auditorship.record(&mut connection, part, &findings);
        log(model.as_str(), &new.await?);
        match last.clone() {
            Some(last) => {
                round.cursor = last;
                round.streams += part.streams;
            }
            None => {
                round.last_streams = round.streams + part.streams;
                round.cursor.clear();
                (round.streams, round.age) = (0, Duration::ZERO);
            }
        }
        let left = size.max(round.last_streams) - round.streams;
        Ok(pause(self.window, round.age, left, is_busy))
    }
}

/// How long to wait before the next page of a round of this age, so that two rounds are done within
/// the window: at the end of one, the oldest proof is as old as both. While the read model is busy,
/// what is left waits for as long as half of the round's time.
fn pause(window: Duration, age: Duration, streams_left: i64, is_busy: bool) -> Duration {
    let round = window * 9 / 20;
    if is_busy && age < round / 2 {
        return LONGEST_PAUSE;
    }
    let pages = u32::try_from(streams_left.max(0) / PAGE + 1).unwrap_or(u32::MAX);
    (round.saturating_sub(age) / pages).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// What is missing of a checkpoint: at least one event where the digest alone is wrong.
fn missing(found: &CheckpointFinding) -> (String, i64) {
    let at_least = i64::from(!found.holds());
    (found.name.clone(), found.missing().abs().max(at_least))
}

/// A checkpoint that does not hold.
fn unproved(found: &CheckpointFinding) -> Option<Finding> {
    if found.holds() {
        return None;
    }
    let skipped = found.skipped.as_ref().map_or_else(String::new, |event| {
        format!(
            ": {} was skipped, version {} of {}, at {}",
            event.event_id, event.version, event.stream, event.position
        )
    });
    Some(Finding {
        stream: found.name.clone(),
        item: String::new(),
        what: format!(
            "{} of {} events were delivered, {} digest{skipped}",
            found.claimed.delivered,
            found.stored.delivered,
            if found.same_digest() {
                "the same"
            } else {
                "another"
            },
        ),
    })
}

/// A row that is not what the events say.
fn drift(difference: &Difference) -> Finding {
    let parts = [
        difference.table,
        &difference.key,
        difference.field().unwrap_or_default(),
    ];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Finding {
        stream: difference.stream.key().to_owned(),
        item: parts.join(" "),
        what: difference.what.to_string(),
    }
}

fn log(subject: &str, new: &[Finding]) {
    for finding in new {
        error!(
            subject,
            stream = finding.stream,
            item = finding.item,
            what = finding.what,
            "audit.found"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    /// How long a round takes whose read model is busy for so long.
    fn round(streams: i64, busy: Duration) -> Duration {
        let (mut age, mut left) = (Duration::ZERO, streams);
        while left > 0 {
            age += pause(DAY, age, left, age < busy);
            left -= PAGE;
        }
        age
    }

    #[test]
    fn two_rounds_are_done_within_the_window_however_busy_it_was() {
        for streams in [0, 100, 10_000, 1_000_000, 20_000_000] {
            for busy in [Duration::ZERO, DAY / 8, DAY] {
                let took = round(streams, busy);
                assert!(took * 2 < DAY, "{streams}, {busy:?}: {took:?}");
            }
        }
    }

    #[test]
    fn few_rows_are_compared_every_few_seconds_and_no_more_often() {
        assert_eq!(pause(DAY, Duration::ZERO, 3, false), LONGEST_PAUSE);
        assert!(pause(DAY, Duration::ZERO, 1_000_000, false) < LONGEST_PAUSE);
    }
}
