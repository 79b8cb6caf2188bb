//! The swap: what has moved since the check is compared with both versions held, and the new one is
//! served in that same transaction.

use chrono::{DateTime, Utc};
use event_store::acts::{self, ActKind};
use event_store::checkpoint::{self, Reached};
use event_store::reader_statuses;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Json;
use tokio::time::timeout;

use super::certificate::{Certificate, Events, Verdict, shown};
use super::check::{Check, add};
use super::compare;
use super::hold::{Hold, LONGEST, pause_before};
use super::show::State;
use super::{Authority, Hears, Rebuild, RebuildError, code};

/// Events since the check's snapshot that are compared while others wait, at most.
const MOST_HELD: i64 = 2_000;

/// What the swap is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwapPlan {
    /// The number of rows that may differ; exactly so many, or the versions are not swapped.
    pub accept: Option<i64>,
    /// Whether the version before is kept, to go back to.
    pub keep: bool,
    /// Whose will it is.
    pub authority: Authority,
}

/// What a try came to.
enum Tried {
    Swapped(Certificate),
    Differs(Certificate),
    /// Something was not free, or too much has moved.
    NotYet,
}

impl Rebuild {
    /// Compares the rest, and serves the new version if nothing differs, or exactly as many rows as
    /// are accepted.
    ///
    /// # Errors
    /// [`RebuildError::Differs`] with what was found; the rebuild has then failed.
    pub async fn swap(
        &mut self,
        mut check: Check,
        plan: &SwapPlan,
        hears: Hears<'_>,
    ) -> Result<Certificate, RebuildError> {
        let mut tried = 0;
        loop {
            self.follow_up(&mut check).await?;
            match self.try_swap(&mut check, plan, hears).await? {
                Tried::Swapped(certificate) => {
                    self.state = State::Swapped;
                    return Ok(certificate);
                }
                Tried::Differs(certificate) => {
                    self.fail(&certificate).await?;
                    return Err(RebuildError::Differs(Box::new(certificate)));
                }
                Tried::NotYet => tried += 1,
            }
            pause_before(tried).await?;
        }
    }

    async fn try_swap(
        &mut self,
        check: &mut Check,
        plan: &SwapPlan,
        hears: Hears<'_>,
    ) -> Result<Tried, RebuildError> {
        let held = Hold::served(&self.by.pool, self.from, self.to, hears).await?;
        let Some(mut hold) = held else {
            return Ok(Tried::NotYet);
        };
        let served = hold.served;
        match timeout(LONGEST, self.catch_up(served.checkpoint.position)).await {
            Ok(Ok(())) => {}
            // It is tried again, by a reader that says what is wrong.
            Ok(Err(_)) | Err(_) => return Ok(Tried::NotYet),
        }
        let Some(new) = hold.other(self.to).await? else {
            return Ok(Tried::NotYet);
        };
        if new.checkpoint.position != served.checkpoint.position {
            return Ok(Tried::NotYet);
        }
        let Some(certificate) = self
            .conclude(&mut hold.transaction, check, (served, new), plan)
            .await?
        else {
            return Ok(Tried::NotYet);
        };
        if !certificate.verdict.allows_swap() {
            hold.transaction.rollback().await?;
            return Ok(Tried::Differs(certificate));
        }
        self.certify(&mut hold.transaction, &certificate).await?;
        if !hold.serve(self.from, self.to, plan.keep).await? {
            return Ok(Tried::NotYet);
        }
        let subject = json!({
            "model": self.to.model.as_str(), "rebuild": self.id, "from": self.from.to_string(),
            "to": self.to.to_string(), "position": certificate.events.to,
            "differing": certificate.differing, "kept": plan.keep,
        });
        let act = plan.authority.act(ActKind::Swap, subject);
        acts::record(&mut hold.transaction, &act).await?;
        hold.transaction.commit().await?;
        Ok(Tried::Swapped(certificate))
    }

    /// Compares what has moved since the check's snapshot, in the transaction that holds both
    /// versions; none if that is too much.
    async fn conclude(
        &self,
        held: &mut PgConnection,
        check: &mut Check,
        (served, new): (Reached, Reached),
        plan: &SwapPlan,
    ) -> Result<Option<Certificate>, RebuildError> {
        let (after, to) = (check.base.at, new.checkpoint.position);
        let kind = self.from.model.stream_kind();
        let moved = checkpoint::moved_streams(held, kind, after, to, MOST_HELD).await?;
        let Some(moved) = moved else {
            return Ok(None);
        };
        let versions = (self.from, self.to);
        let before = compare::streams(&mut check.base.transaction, versions, &moved).await?;
        let now = compare::streams(held, versions, &moved).await?;
        let mut found = check.found.clone();
        found.replace(&moved, before, now);
        let more = checkpoint::recompute(held, after, to).await?;
        let events = add(check.events, more);

        let differing = found.differing();
        let new_holds = new.checkpoint == events;
        let (tables, differences) = found.into_parts();
        let row = sqlx::query!(
            r#"SELECT clock_timestamp() AS "now!: DateTime<Utc>", store_id
               FROM store.identity LIMIT 1"#
        )
        .fetch_one(&mut *held)
        .await?;
        let names = [self.from, self.to].map(|version| version.to_string());
        let statuses = reader_statuses(held, &names).await?;
        let parked = |name: &str| {
            let status = statuses.iter().find(|status| status.name == name);
            status.map_or(0, |status| status.parked)
        };
        let [from, to] = names;
        Ok(Some(Certificate {
            model: self.from.model.to_string(),
            code: code(),
            store: row.store_id,
            generation: new.generation,
            operator: plan.authority.operator,
            reason: plan.authority.reason.clone(),
            checked_at: row.now,
            events: Events {
                after: new.since.get(),
                to: events.position.get(),
                count: events.delivered,
                digest: shown(events.digest),
                old_holds: served.checkpoint == events,
                new_holds,
                old_parked: parked(&from),
                new_parked: parked(&to),
            },
            from,
            to,
            tables,
            differing,
            differences,
            accepted: plan.accept,
            verdict: Verdict::of(new_holds, differing, plan.accept),
        }))
    }

    /// Keeps the certificate, under the claim.
    async fn certify(
        &self,
        connection: &mut PgConnection,
        certificate: &Certificate,
    ) -> Result<(), RebuildError> {
        let done = sqlx::query!(
            "UPDATE read.rebuilds SET certificate = $3 WHERE id = $1 AND epoch = $2",
            self.id,
            self.epoch,
            Json(certificate) as _,
        )
        .execute(connection)
        .await?;
        match done.rows_affected() {
            1 => Ok(()),
            _ => Err(RebuildError::ClaimLost),
        }
    }

    async fn fail(&mut self, certificate: &Certificate) -> Result<(), RebuildError> {
        let mut connection = self.by.pool.acquire().await?;
        self.certify(&mut connection, certificate).await?;
        drop(connection);
        self.enter(State::Failed).await
    }
}
