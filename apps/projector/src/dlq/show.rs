//! `projector dlq show`: one dead letter, with its message.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use dead_letters::DeadLetter;
use serde::Serialize;
use service_runtime::DatabaseConfig;
use uuid::Uuid;

use super::list::Line;
use crate::session::{Failure, Output, Row as _, Session, instant, terminal};

/// Which one to show.
#[derive(Debug, Args)]
pub(crate) struct ShowOptions {
    /// Its id.
    id: Uuid,
    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(flatten)]
    line: Line,
    consumer: String,
    redrive_of: Option<String>,
    returned: i32,
    closed_as: Option<String>,
    closed_at: Option<String>,
    has_bytes: bool,
    key: Option<Bytes>,
    headers: Vec<Header>,
    value: Option<Bytes>,
}

#[derive(Serialize)]
struct Header {
    name: String,
    value: Option<Bytes>,
}

/// Bytes exactly, and as text where they are some.
#[derive(Serialize)]
struct Bytes {
    base64: String,
    text: Option<String>,
}

impl Bytes {
    fn of(bytes: &[u8]) -> Self {
        Self {
            base64: STANDARD.encode(bytes),
            text: std::str::from_utf8(bytes).ok().map(str::to_owned),
        }
    }

    fn shown(&self, text: impl Fn(&str) -> String) -> String {
        match &self.text {
            Some(whole) => text(whole),
            None => format!("(no text, in base64) {}", self.base64),
        }
    }
}

/// Shows it.
pub(super) async fn show(
    session: Session<DatabaseConfig>,
    options: ShowOptions,
) -> Result<(), Failure> {
    let mut connection = session.pool(&session.config, 1).acquire().await?;
    let found = dead_letters::find(&mut connection, options.id).await?;
    let letter = found.ok_or_else(|| Failure::refused("there is no dead letter of this id"))?;
    let shown = shown(letter);
    options.output.object(&shown, &text(&shown))
}

fn shown(letter: DeadLetter) -> Shown {
    let (closed_as, closed_at) = letter.closed.unzip();
    let headers = letter.headers.into_iter().map(|(name, value)| Header {
        name,
        value: value.as_deref().map(Bytes::of),
    });
    Shown {
        consumer: letter.summary.consumer.clone(),
        redrive_of: letter.redrive_of.map(|id| id.to_string()),
        returned: letter.returned,
        closed_as,
        closed_at: closed_at.map(instant),
        has_bytes: letter.has_bytes,
        key: letter.key.as_deref().map(Bytes::of),
        headers: headers.collect(),
        value: letter.value.as_deref().map(Bytes::of),
        line: Line::of(letter.summary),
    }
}

/// A line a field, then the message; foreign text is made harmless.
fn text(shown: &Shown) -> String {
    let mut lines = String::new();
    let mut line = |name: &str, value: &str| {
        // A String takes everything.
        writeln!(lines, "{name:<16} {}", terminal::line(value)).ok();
    };
    for (name, value) in Line::COLUMNS.iter().zip(shown.line.cells()) {
        line(&name.to_lowercase(), &value);
    }
    line("consumer", &shown.consumer);
    if let Some(id) = &shown.redrive_of {
        line("redrive of", id);
    }
    line("returned", &shown.returned.to_string());
    match (&shown.closed_as, &shown.closed_at) {
        (Some(how), Some(at)) => line("closed", &format!("{how} {at}")),
        (Some(_) | None, _) => line("closed", "no"),
    }
    if !shown.has_bytes {
        lines.push_str("the message was forgotten, 90 days after it was closed\n");
        return lines;
    }
    let inline = |bytes: &Option<Bytes>| match bytes {
        Some(bytes) => bytes.shown(terminal::line),
        None => "(none)".to_owned(),
    };
    writeln!(lines, "key              {}", inline(&shown.key)).ok();
    for header in &shown.headers {
        let name = terminal::line(&header.name);
        writeln!(lines, "header           {name}: {}", inline(&header.value)).ok();
    }
    match &shown.value {
        Some(value) => writeln!(lines, "value\n{}", value.shown(terminal::block)).ok(),
        None => writeln!(lines, "value            (none)").ok(),
    };
    lines
}
