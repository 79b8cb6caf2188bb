//! What a redrive would change: the messages are handled as they would be, in a transaction that is
//! rolled back.

use bonus_store::Change;
use dead_letters::{DeadLetter, Selected};
use messaging::Received;
use serde::Serialize;
use serde_json::{Value, json};
use service_runtime::chain;
use sqlx::PgPool;

use crate::bonus::{Facts, Preview};
use crate::cli::Exit;
use crate::session::{Failure, Output, Row};

/// How many messages are handled: a batch of the consumer's.
const BATCH: usize = 500;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    table: String,
    key: String,
    before: Option<Value>,
    after: Option<Value>,
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &["TABLE", "KEY", "BEFORE", "AFTER"];

    fn cells(&self) -> Vec<String> {
        let told = |row: &Option<Value>| {
            row.as_ref()
                .map_or_else(|| "-".to_owned(), Value::to_string)
        };
        vec![
            self.table.clone(),
            self.key.clone(),
            told(&self.before),
            told(&self.after),
        ]
    }
}

/// Shows the rows that would change, and the letters that would come back.
pub(super) async fn preview(
    pool: PgPool,
    facts: &Facts,
    letters: &[Selected],
    output: Output,
) -> Result<(), Failure> {
    let mut messages = Vec::new();
    let mut ids = Vec::new();
    let mut connection = pool.acquire().await?;
    for letter in letters.iter().take(BATCH) {
        if let Some(letter) = dead_letters::find(&mut connection, letter.id).await? {
            ids.push(letter.summary.id.to_string());
            messages.push(message(letter));
        }
    }
    drop(connection);
    if letters.len() > BATCH {
        eprintln!(
            "of {} dead letters the first {BATCH} are shown",
            letters.len()
        );
    }
    let previewed = facts.preview(&messages).await;
    let Preview { refused, changes } =
        previewed.map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;

    let refused = refused.into_iter().filter_map(|(index, code, detail)| {
        Some(Line {
            table: "comes back".to_owned(),
            key: ids.get(index)?.clone(),
            before: None,
            after: Some(json!({ "code": code.as_str(), "detail": detail })),
        })
    });
    let lines: Vec<Line> = changes.into_iter().map(line).chain(refused).collect();
    output.rows("changes", &lines)
}

fn line(change: Change) -> Line {
    Line {
        table: change.table.to_owned(),
        key: change.key,
        before: change.before,
        after: change.after,
    }
}

fn message(letter: DeadLetter) -> Received {
    Received {
        topic: letter.summary.topic,
        partition: letter.summary.partition,
        offset: letter.summary.offset,
        key: letter.key,
        headers: letter.headers,
        value: letter.value,
    }
}
