//! `projector dlq discard`: dead letters are given up.

use clap::Args;
use dead_letters::Selection;
use event_store::acts::{self, ActKind};
use serde_json::json;
use service_runtime::DatabaseConfig;
use uuid::Uuid;

use super::selection::{SelectionOptions, tell_groups, told};
use crate::acting::{Acting, Tells};
use crate::session::{ActOptions, Failure, Output, Session};

/// How many rows one statement closes.
const PAGE: usize = 1000;

/// Which of them to discard.
#[derive(Debug, Args)]
pub(crate) struct DiscardOptions {
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    act: ActOptions,
    #[command(flatten)]
    output: Output,
}

/// Closes what is selected when it asks, all of it or nothing.
pub(super) async fn discard(
    session: Session<DatabaseConfig>,
    options: DiscardOptions,
) -> Result<(), Failure> {
    let terminal = options.act.terminal(Some(options.output));
    let acting = session.acting(&session.config, 1, &options.act, &terminal);
    carry_out(&acting, &options.selection.selection()).await
}

/// Closes what is selected, all of it or nothing. It is done in one transaction, with the fact of it.
pub(crate) async fn carry_out(acting: &Acting<'_>, selection: &Selection) -> Result<(), Failure> {
    let Acting {
        pool, by, tells, ..
    } = acting;
    if let Some(before) = acting.done_before(ActKind::Discard).await? {
        return told_end(*tells, before.number("count").unwrap_or_default());
    }
    let mut connection = pool.acquire().await?;
    let letters = dead_letters::select(&mut connection, selection).await?;
    if letters.is_empty() {
        tells.say("nothing is open that was asked for: nothing was done");
        return tells.found(&json!({ "discarded": 0 }), "");
    }
    let count = letters.len();
    tells.say(&format!(
        "discard {count} dead letters: they are closed, and not sent again"
    ));
    tell_groups(*tells, &mut connection, selection, &letters).await?;
    drop(connection);
    tells.agreed("Discard them?")?;

    let mut transaction = pool.begin().await?;
    let ids: Vec<Uuid> = letters.iter().map(|letter| letter.id).collect();
    let mut discarded = 0;
    for page in ids.chunks(PAGE) {
        discarded += dead_letters::discard(&mut transaction, page).await?;
    }
    let subject = json!({ "selection": told(selection), "count": discarded });
    let act = by.act(ActKind::Discard, subject);
    acts::record(&mut transaction, &act).await?;
    transaction.commit().await?;

    let selected = u64::try_from(count).unwrap_or(u64::MAX);
    if discarded < selected {
        let others = selected - discarded;
        tells.say(&format!(
            "{others} were left: they are closed already, or a redrive has them in hand"
        ));
    }
    told_end(*tells, discarded)
}

fn told_end(tells: &dyn Tells, discarded: u64) -> Result<(), Failure> {
    tells.say(&format!("discarded {discarded}"));
    tells.found(&json!({ "discarded": discarded }), "")
}
