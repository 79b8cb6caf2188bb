//! `projector acts`: what operators did, newest first.

use clap::Args;
use event_store::Position;
use event_store::acts::{self, Act, ActId};
use serde::Serialize;
use serde_json::Value;
use service_runtime::DatabaseConfig;

use crate::session::{Failure, Output, Row, Session, instant};

/// Which acts to show.
#[derive(Debug, Args)]
pub(crate) struct ActsOptions {
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=200))]
    limit: u8,
    /// Only those before this cursor, which an earlier page named.
    #[arg(long, value_name = "CURSOR")]
    before: Option<i64>,
    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    when: String,
    act: String,
    operator: String,
    reason: String,
    subject: Value,
    /// How far what was asked for from a distance is.
    state: Option<&'static str>,
    ended: Option<String>,
    result: Option<Value>,
    act_id: String,
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &[
        "WHEN", "ACT", "OPERATOR", "REASON", "SUBJECT", "STATE", "ENDED", "RESULT", "ACT ID",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.when.clone(),
            self.act.clone(),
            self.operator.clone(),
            self.reason.clone(),
            self.subject.to_string(),
            self.state.unwrap_or_default().to_owned(),
            self.ended.clone().unwrap_or_default(),
            self.result
                .as_ref()
                .map_or_else(String::new, Value::to_string),
            self.act_id.clone(),
        ]
    }
}

/// Shows a page of acts.
pub(crate) async fn acts(
    session: Session<DatabaseConfig>,
    options: ActsOptions,
) -> Result<(), Failure> {
    let limit = usize::from(options.limit);
    let before = options.before.map(Position::new);
    let mut connection = session.pool(&session.config, 1).acquire().await?;
    let mut page = acts::page(&mut connection, before, i64::from(options.limit) + 1).await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let last = page.last().filter(|_| more);
    let next = last.map(|act| act.position.to_string());
    let lines: Vec<Line> = page.into_iter().map(line).collect();
    options.output.page("acts", &lines, next.as_deref())
}

fn line(act: Act) -> Line {
    let (ended, result) = act
        .end
        .map(|end| (instant(end.recorded_at), end.result))
        .unzip();
    Line {
        when: instant(act.recorded_at),
        act: act.kind,
        operator: act.operator.to_string(),
        reason: act.reason,
        subject: act.subject,
        state: act.request.map(|request| request.state.as_str()),
        ended,
        result,
        act_id: ActId::to_string(&act.id),
    }
}
