//! `projector policy backfill`: reads the facts that a policy rewards and that were not kept from the
//! first event on.

use std::sync::Arc;

use bonus_domain::PolicyVersion;
use bonus_store::{ConflictMode, Delivery, Ingest, KeptType, mark_whole, missing_types};
use event_store::acts::{self, ActKind};
use event_store::{Feed, Position};
use kernel::{RandomIds, SystemClock};
use serde_json::json;
use service_runtime::{DatabaseConfig, chain};

use super::{checked, compiled};
use crate::acting::Acting;
use crate::bonus::Facts;
use crate::cli::Exit;
use crate::session::{ActOptions, Failure, Session};
use crate::stored_facts::{Taken, Walk};

/// Takes the missing facts in, and notes that none is missing any more.
pub(super) async fn backfill(
    session: Session<DatabaseConfig>,
    version: PolicyVersion,
    act: ActOptions,
) -> Result<(), Failure> {
    let terminal = act.terminal(None);
    let acting = session.acting(&session.config, 3, &act, &terminal);
    carry_out(&acting, version).await
}

/// Takes the missing facts in, and notes that none is missing any more. A fact that is kept already
/// is passed over: it may be begun again.
pub(crate) async fn carry_out(acting: &Acting<'_>, version: PolicyVersion) -> Result<(), Failure> {
    let Acting {
        pool, by, tells, ..
    } = acting;
    let policy = compiled(version)?;
    checked(pool).await?;
    let before = acting.done_before(ActKind::Backfill).await?;
    let missing = missing_types(&mut *pool.acquire().await?, policy).await?;
    if missing.is_empty() {
        tells.say(&match before {
            None => format!("every fact that policy {version} rewards is kept: nothing was done"),
            Some(_) => {
                format!("every fact that policy {version} rewards is kept: it can be put in force")
            }
        });
        return Ok(());
    }
    let names: Vec<String> = missing
        .iter()
        .map(|(role, event)| format!("{event} ({role})"))
        .collect();
    tells.say(&format!(
        "facts of these types are read from the order events: {}; every projector should be of \
         this release by now, or facts that an earlier one passes over are missing afterwards",
        names.join(", ")
    ));
    let id = match before {
        Some(before) => {
            tells.say("taken up again: what was taken in before is not counted");
            before.id
        }
        None => {
            tells.agreed("Read them?")?;
            let subject = json!({ "version": version.get(), "types": names });
            let recorded = by.act(ActKind::Backfill, subject);
            acts::record(&mut *pool.acquire().await?, &recorded).await?
        }
    };
    let mut taken = Taken::default();
    let read = read(acting, &missing, &mut taken).await;
    let unread = read.as_ref().copied().unwrap_or(0);
    let is_whole = read.is_ok() && unread == 0 && taken.refused.is_empty();
    let result = json!({
        "ended": if is_whole { "reached" } else { "stopped" },
        "awarded": taken.ingested.awarded,
        "kept": taken.ingested.kept,
        "deferred": taken.ingested.deferred,
        "refused": taken.refused.len(),
        "unread": unread,
    });
    let mut transaction = pool.begin().await?;
    if is_whole {
        mark_whole(&mut transaction, &missing).await?;
    }
    acting.ended(&mut transaction, id, result.clone()).await?;
    transaction.commit().await?;
    tells.found(&result, "")?;
    read?;
    if unread > 0 {
        let what = format!(
            "{unread} events cannot be read by this release, and may tell such facts; the same \
             command, of one that reads them, goes on"
        );
        return Err(Failure::new(Exit::Failed, what));
    }
    if let Some(refused) = taken.refused.first() {
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "{} facts were refused, the first that of event {} for {}: {}",
                taken.refused.len(),
                refused.event,
                refused.beneficiary,
                refused.why
            ),
        ));
    }
    let ingested = taken.ingested;
    tells.say(&format!(
        "{} facts were taken in; policy {version} can be put in force",
        ingested.awarded + ingested.kept + ingested.deferred
    ));
    Ok(())
}

/// Reads every order event that there is; how many of them cannot be read.
async fn read(
    acting: &Acting<'_>,
    missing: &[KeptType],
    taken: &mut Taken,
) -> Result<u64, Failure> {
    let Acting { pool, tells, .. } = acting;
    // An account that is not of the policy in force refuses nothing: its facts wait.
    let mode = ConflictMode::Ingest;
    let facts = Facts::new(pool.clone(), mode);
    let ingest = Ingest::new(
        pool.clone(),
        mode,
        Arc::new(SystemClock),
        Arc::new(RandomIds),
    );
    let feed = Feed::connect(&acting.connect).await?;
    let mut walk = Walk::new(&facts, pool, feed, Position::new(i64::MAX));
    let (mut done, mut unread) = (0, 0);
    while let Some(page) = walk.next().await? {
        if acting.stop.is_cancelled() {
            return Err(Failure::new(
                Exit::Failed,
                "stopped: the same command goes on",
            ));
        }
        let facts: Vec<Delivery> = page
            .missing
            .into_iter()
            .filter(|it| missing.contains(&(it.fact.beneficiary.role, it.fact.source_type)))
            .collect();
        let took = taken.take_in(&ingest, &facts).await;
        took.map_err(|error| Failure::new(Exit::Failed, chain(&*error)))?;
        done += page.events;
        unread += page.unread;
        tells.count("events read", done, done);
    }
    Ok(unread)
}
