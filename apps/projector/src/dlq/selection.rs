//! Which dead letters a command is about.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use clap::builder::PossibleValuesParser;
use contracts::{DeadLetterCode, DeadLetterKind};
use dead_letters::{Selected, Selection};
use event_store::acts::Letters;
use kernel::{Clock as _, SystemClock};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::acting::Tells;
use crate::session::{Failure, terminal};

/// How many groups are told before it is asked.
const GROUPS: i64 = 20;

/// Which of the open dead letters are meant: those that everything given agrees to; all, if nothing
/// is.
#[derive(Debug, Clone, Args)]
pub(super) struct SelectionOptions {
    /// Those of this code.
    #[arg(long, value_parser = PossibleValuesParser::new(DeadLetterCode::ALL.map(DeadLetterCode::as_str)))]
    code: Option<String>,
    /// Those of this kind.
    #[arg(long, value_parser = PossibleValuesParser::new(DeadLetterKind::ALL.map(DeadLetterKind::as_str)))]
    kind: Option<String>,
    /// Those from this topic.
    #[arg(long)]
    topic: Option<String>,
    /// Those of this event type, such as atlas.order.OrderPlaced.
    #[arg(long, value_name = "TYPE")]
    ce_type: Option<String>,
    /// Those of this group, as `dlq groups` names it.
    #[arg(long)]
    group: Option<String>,
    /// Those that failed first longer ago than this, such as 90s, 30m, 12h or 7d.
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<TimeDelta>,
    /// Those that failed first within this.
    #[arg(long, value_name = "AGE", value_parser = age)]
    newer_than: Option<TimeDelta>,
    /// These, separated by commas.
    #[arg(long, value_name = "UUID", value_delimiter = ',')]
    id: Vec<Uuid>,
}

impl SelectionOptions {
    /// What is meant at this instant.
    pub(super) fn selection(self) -> Selection {
        let now = SystemClock.now();
        let ago = |age: TimeDelta| {
            now.checked_sub_signed(age)
                .unwrap_or(DateTime::<Utc>::MIN_UTC)
        };
        Selection {
            code: self.code,
            kind: self.kind,
            topic: self.topic,
            ce_type: self.ce_type,
            group: self.group,
            before: self.older_than.map(ago),
            after: self.newer_than.map(ago),
            ids: Some(self.id).filter(|ids| !ids.is_empty()),
        }
    }
}

/// A number and a unit.
fn age(text: &str) -> Result<TimeDelta, &'static str> {
    const EXPECTED: &str = "expected a number and s, m, h or d, such as 12h";
    let (digits, seconds) = match text.char_indices().next_back() {
        Some((end, unit)) => {
            let seconds = match unit {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86_400,
                _ => return Err(EXPECTED),
            };
            (text.get(..end).unwrap_or_default(), seconds)
        }
        None => return Err(EXPECTED),
    };
    let number: u32 = digits.parse().map_err(|_| EXPECTED)?;
    Ok(TimeDelta::seconds(i64::from(number) * seconds))
}

/// What is meant by whoever asked from a distance then: of letters that came later they knew nothing.
pub(crate) fn asked(letters: &Letters, asked_at: DateTime<Utc>) -> Selection {
    let Letters {
        code,
        kind,
        topic,
        ce_type,
        group,
        failed_before,
        failed_after,
        ids,
    } = letters.clone();
    Selection {
        code,
        kind,
        topic,
        ce_type,
        group,
        before: Some(failed_before.map_or(asked_at, |before| before.min(asked_at))),
        after: failed_after,
        ids,
    }
}

/// What is selected, as an act's subject tells it.
pub(super) fn told(selection: &Selection) -> Value {
    let Selection {
        code,
        kind,
        topic,
        ce_type,
        group,
        before,
        after,
        ids,
    } = selection;
    let texts = [
        ("code", code.clone()),
        ("kind", kind.clone()),
        ("topic", topic.clone()),
        ("ceType", ce_type.clone()),
        ("group", group.clone()),
        ("failedBefore", before.map(|at| at.to_rfc3339())),
        ("failedAfter", after.map(|at| at.to_rfc3339())),
    ];
    let texts = texts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))));
    let ids = ids.as_ref().map(|ids| {
        let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        ("ids".to_owned(), Value::from(ids))
    });
    Value::Object(Map::from_iter(texts.chain(ids)))
}

/// Tells of which groups the letters are.
pub(super) async fn tell_groups(
    tells: &dyn Tells,
    connection: &mut PgConnection,
    selection: &Selection,
    letters: &[Selected],
) -> Result<(), Failure> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for letter in letters {
        *counts.entry(&letter.group).or_default() += 1;
    }
    let groups = dead_letters::groups(connection, selection, None, GROUPS).await?;
    for group in &groups {
        let count = counts.remove(group.id.as_str()).unwrap_or_default();
        let what = format!(
            "{count:>8}  {}  {}  {}",
            group.key.code,
            group.key.ce_type.as_deref().unwrap_or("-"),
            group.key.cause
        );
        tells.say(&terminal::line(&what));
    }
    if !counts.is_empty() {
        let rest: u64 = counts.values().sum();
        tells.say(&format!("{rest:>8}  in {} more groups", counts.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_a_number_and_a_unit() {
        assert_eq!(age("90s"), Ok(TimeDelta::seconds(90)));
        assert_eq!(age("7d"), Ok(TimeDelta::days(7)));
        for odd in [
            "",
            "d",
            "-1d",
            "1",
            "1w",
            "1.5h",
            "99999999999h",
            "1 h",
            "5\u{e9}",
        ] {
            assert!(age(odd).is_err(), "{odd}");
        }
    }
}
