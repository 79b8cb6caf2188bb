//! What a redrive would change: the messages are handled as they would be, in a transaction that is
//! rolled back.

use bonus_store::Change;
use dead_letters::{DeadLetter, Selection};
use messaging::Received;
use serde::Serialize;
use serde_json::{Value, json};
use service_runtime::chain;
use sqlx::PgPool;

use crate::acting::Acting;
use crate::bonus::{Facts, Preview};
use crate::cli::Exit;
use crate::config::Conflicts;
use crate::session::{Failure, Output, Row, table};

/// How many messages are handled: a batch of the consumer's.
const BATCH: usize = 500;
/// How many of them where what is found is kept.
const FEW: usize = 100;
/// So many bytes of them at most, but for a single one.
const LARGEST: usize = 16 << 20;

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
    conflict: Conflicts,
    selection: &Selection,
    output: Output,
) -> Result<(), Failure> {
    let found = find(&pool, conflict, selection, BATCH).await?;
    if let Some(cut) = found.cut() {
        eprintln!("{cut}");
    }
    output.rows("changes", &found.lines)
}

/// Shows the same to whoever asked from a distance: of so many letters at most, as what is found is
/// kept.
pub(crate) async fn carry_out(
    acting: &Acting<'_>,
    conflict: Conflicts,
    selection: &Selection,
) -> Result<(), Failure> {
    let Acting { pool, tells, .. } = acting;
    let found = find(pool, conflict, selection, FEW).await?;
    if let Some(cut) = found.cut() {
        tells.say(&cut);
    }
    let lines = serde_json::to_value(&found.lines).map_err(Failure::failed)?;
    tells.say(&format!(
        "{} rows would change or come back; nothing was sent",
        found.lines.len()
    ));
    let value = json!({ "changes": lines, "letters": found.letters, "shown": found.shown });
    tells.found(&value, &table(&found.lines))
}

/// What sending letters again would come to.
struct Found {
    lines: Vec<Line>,
    /// How many are selected.
    letters: usize,
    /// How many of them were handled.
    shown: usize,
}

impl Found {
    fn cut(&self) -> Option<String> {
        let Self { letters, shown, .. } = self;
        (letters > shown).then(|| format!("of {letters} dead letters the first {shown} are shown"))
    }
}

async fn find(
    pool: &PgPool,
    conflict: Conflicts,
    selection: &Selection,
    most: usize,
) -> Result<Found, Failure> {
    let facts = Facts::new(pool.clone(), conflict.0);
    let mut messages = Vec::new();
    let mut ids = Vec::new();
    let mut connection = pool.acquire().await?;
    let letters = dead_letters::select(&mut connection, selection).await?;
    let mut bytes = 0;
    for letter in letters.iter().take(most) {
        if let Some(letter) = dead_letters::find(&mut connection, letter.id).await? {
            bytes += size(&letter);
            if bytes > LARGEST && !messages.is_empty() {
                break;
            }
            ids.push(letter.summary.id.to_string());
            messages.push(message(letter));
        }
    }
    drop(connection);
    let shown = messages.len();
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
    Ok(Found {
        lines: changes.into_iter().map(line).chain(refused).collect(),
        letters: letters.len(),
        shown,
    })
}

fn line(change: Change) -> Line {
    Line {
        table: change.table.to_owned(),
        key: change.key,
        before: change.before,
        after: change.after,
    }
}

fn size(letter: &DeadLetter) -> usize {
    let length = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
    let headers = letter.headers.iter();
    let headers: usize = headers
        .map(|(name, value)| name.len() + length(value))
        .sum();
    length(&letter.key) + length(&letter.value) + headers
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
