//! `projector dlq list`: what is open, newest first.

use clap::Args;
use dead_letters::{State, Summary};
use serde::Serialize;
use service_runtime::DatabaseConfig;
use uuid::Uuid;

use super::selection::SelectionOptions;
use crate::session::{Failure, Output, Row, Session, instant};

/// Which of them to show.
#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    #[command(flatten)]
    selection: SelectionOptions,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=200))]
    limit: u8,
    /// Only those before this cursor, which an earlier page named.
    #[arg(long, value_name = "CURSOR")]
    before: Option<Uuid>,
    #[command(flatten)]
    output: Output,
}

/// A dead letter in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    id: String,
    topic: String,
    partition: i32,
    offset: i64,
    code: String,
    kind: String,
    ce_type: Option<String>,
    group: String,
    attempts: i32,
    first_failed_at: String,
    last_failed_at: String,
    ce_id: Option<String>,
    detail: String,
}

impl Line {
    pub(super) fn of(summary: Summary) -> Self {
        Self {
            id: summary.id.to_string(),
            topic: summary.topic,
            partition: summary.partition,
            offset: summary.offset,
            code: summary.code,
            kind: summary.kind,
            ce_type: summary.ce_type,
            group: summary.group,
            attempts: summary.attempts,
            first_failed_at: instant(summary.first_failed_at),
            last_failed_at: instant(summary.last_failed_at),
            ce_id: summary.ce_id.map(|id| id.to_string()),
            detail: summary.detail,
        }
    }
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "TOPIC",
        "PARTITION",
        "OFFSET",
        "CODE",
        "KIND",
        "CE TYPE",
        "GROUP",
        "ATTEMPTS",
        "FIRST FAILED AT",
        "LAST FAILED AT",
        "CE ID",
        "DETAIL",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.topic.clone(),
            self.partition.to_string(),
            self.offset.to_string(),
            self.code.clone(),
            self.kind.clone(),
            self.ce_type.clone().unwrap_or_default(),
            self.group.clone(),
            self.attempts.to_string(),
            self.first_failed_at.clone(),
            self.last_failed_at.clone(),
            self.ce_id.clone().unwrap_or_default(),
            self.detail.clone(),
        ]
    }
}

/// Shows a page of them.
pub(super) async fn list(
    session: Session<DatabaseConfig>,
    options: ListOptions,
) -> Result<(), Failure> {
    let limit = usize::from(options.limit);
    let selection = options.selection.selection();
    let mut connection = session.pool(&session.config, 1).acquire().await?;
    let one_more = i64::from(options.limit) + 1;
    let open = Some(State::Open);
    let mut page =
        dead_letters::page(&mut connection, &selection, open, options.before, one_more).await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let lines: Vec<Line> = page.into_iter().map(|row| Line::of(row.summary)).collect();
    let next = lines.last().filter(|_| more).map(|line| line.id.clone());
    options.output.page("deadLetters", &lines, next.as_deref())
}
