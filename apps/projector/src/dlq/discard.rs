//! `projector dlq discard`: dead letters are given up.

use clap::Args;
use event_store::acts::{self, ActKind};
use serde_json::json;
use service_runtime::DatabaseConfig;
use uuid::Uuid;

use super::selection::{SelectionOptions, tell_groups, told};
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
    let selection = options.selection.selection();
    let pool = session.pool(&session.config, 1);
    let mut connection = pool.acquire().await?;
    let letters = dead_letters::select(&mut connection, &selection).await?;
    if letters.is_empty() {
        eprintln!("nothing is open that was asked for: nothing was done");
        return options.output.object(&json!({ "discarded": 0 }), "");
    }
    let count = letters.len();
    eprintln!("discard {count} dead letters: they are closed, and not sent again");
    tell_groups(&mut connection, &selection, &letters).await?;
    drop(connection);
    options.act.agreed("Discard them?")?;

    let mut transaction = pool.begin().await?;
    let ids: Vec<Uuid> = letters.iter().map(|letter| letter.id).collect();
    let mut discarded = 0;
    for page in ids.chunks(PAGE) {
        discarded += dead_letters::discard(&mut transaction, page).await?;
    }
    let subject = json!({ "selection": told(&selection), "count": discarded });
    let act = options.act.act(ActKind::Discard, subject);
    acts::record(&mut transaction, &act).await?;
    transaction.commit().await?;

    let selected = u64::try_from(count).unwrap_or(u64::MAX);
    if discarded < selected {
        let others = selected - discarded;
        eprintln!("{others} were left: they are closed already, or a redrive has them in hand");
    }
    eprintln!("discarded {discarded}");
    options
        .output
        .object(&json!({ "discarded": discarded }), "")
}
