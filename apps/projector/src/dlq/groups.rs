//! `projector dlq groups`: what is open, by what is wrong with it.

use clap::Args;
use dead_letters::Group;
use serde::Serialize;
use service_runtime::DatabaseConfig;

use super::selection::SelectionOptions;
use crate::session::{Failure, Output, Row, Session, instant};

/// How many groups are shown, the largest first.
const GROUPS: i64 = 200;

/// Which of them to show.
#[derive(Debug, Args)]
pub(crate) struct GroupsOptions {
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    group: String,
    count: i64,
    code: String,
    kind: String,
    ce_type: Option<String>,
    cause: String,
    first_failed_at: String,
    last_failed_at: String,
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &[
        "GROUP",
        "COUNT",
        "CODE",
        "KIND",
        "CE TYPE",
        "CAUSE",
        "FIRST FAILED AT",
        "LAST FAILED AT",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.group.clone(),
            self.count.to_string(),
            self.code.clone(),
            self.kind.clone(),
            self.ce_type.clone().unwrap_or_default(),
            self.cause.clone(),
            self.first_failed_at.clone(),
            self.last_failed_at.clone(),
        ]
    }
}

fn line(group: Group) -> Line {
    Line {
        group: group.id,
        count: group.count,
        code: group.key.code,
        kind: group.key.kind,
        ce_type: group.key.ce_type,
        cause: group.key.cause,
        first_failed_at: instant(group.first_failed_at),
        last_failed_at: instant(group.last_failed_at),
    }
}

/// Shows them, the largest first.
pub(super) async fn groups(
    session: Session<DatabaseConfig>,
    options: GroupsOptions,
) -> Result<(), Failure> {
    let selection = options.selection.selection();
    let mut connection = session.pool(&session.config, 1).acquire().await?;
    let groups = dead_letters::groups(&mut connection, &selection, None, GROUPS).await?;
    let lines: Vec<Line> = groups.into_iter().map(line).collect();
    options.output.rows("groups", &lines)
}
