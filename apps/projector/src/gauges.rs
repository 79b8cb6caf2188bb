//! The gauges of the one process that audits: what the audits found, which dead letters wait, and
//! what holds the watermark. Whoever loses the auditor's lease sets them no longer, and what nobody
//! sets is soon gone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use contracts::{DeadLetterCode, topics};
use dead_letters::depths;
use dead_letters::instruments::{DEAD_LETTERS, DEAD_LETTERS_OLDEST_SECONDS};
use event_store::audit::{Round, count_findings, rounds};
use event_store::instruments::{
    AUDIT_DRIFT, AUDIT_MISSING, AUDIT_OLDEST_UNPROVED_SECONDS, WATERMARK_STALL_SECONDS,
};
use event_store::stall;
use projections::Model;
use sqlx::PgConnection;

/// How often they are set.
const BEAT: Duration = Duration::from_secs(1);
/// How often dead letters are counted.
const COUNTING: Duration = Duration::from_secs(3);

/// Sets the gauges when they are due.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    /// What the last audit of the checkpoints found missing, by reader; none before this process
    /// has made one.
    pub(crate) missing: Option<Vec<(String, i64)>>,
    set: Option<Instant>,
    counted: Option<Instant>,
}

impl Gauges {
    /// Sets those that are due.
    pub(crate) async fn tell(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if is_due(self.set, BEAT) {
            self.tell_audits(connection).await?;
            let stall = stall(connection).await?;
            WATERMARK_STALL_SECONDS
                .of([])
                .set(stall.map_or(Duration::ZERO, |stall| stall.age));
            self.set = Some(Instant::now());
        }
        if is_due(self.counted, COUNTING) {
            tell_dead_letters(connection).await?;
            self.counted = Some(Instant::now());
        }
        Ok(())
    }

    async fn tell_audits(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        for (reader, missing) in self.missing.iter().flatten() {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            AUDIT_MISSING.of([reader]).set(*missing as f64);
        }
        let rounds = rounds(connection).await?;
        for model in Model::ALL {
            let subject = model.as_str();
            let found = count_findings(connection, subject).await?;
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            AUDIT_DRIFT.of([subject]).set(found as f64);
            let round = rounds.iter().find(|round| round.subject == subject);
            AUDIT_OLDEST_UNPROVED_SECONDS
                .of([subject])
                .set(round.map_or(Duration::ZERO, Round::oldest_proof));
        }
        Ok(())
    }
}

/// Sets every code of the topic that we read, with 0 where there is none, and whatever else is there.
async fn tell_dead_letters(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut found: BTreeMap<(String, String), (i64, f64)> = DeadLetterCode::ALL
        .into_iter()
        .map(|code| {
            let series = (topics::ORDER_EVENTS.to_owned(), code.as_str().to_owned());
            (series, (0, 0.0))
        })
        .collect();
    for depth in depths(connection).await? {
        let series = (depth.topic, depth.code);
        found.insert(series, (depth.count, depth.oldest_seconds));
    }
    for ((topic, code), (count, oldest)) in &found {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        DEAD_LETTERS.of([topic, code]).set(*count as f64);
        DEAD_LETTERS_OLDEST_SECONDS.of([topic, code]).set(*oldest);
    }
    Ok(())
}

fn is_due(last: Option<Instant>, every: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= every)
}
