//! The events that the store holds, as far as they are published.

use std::fs;

use serde_json::Value;

use crate::database;
use crate::demo::error::DemoError;
use crate::demo::json;
use crate::demo::teller::Teller;
use crate::failure::Failure;

/// Whose facts an event tells; each has a topic of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    Order,
    Bonus,
}

impl Domain {
    pub(crate) fn topic(self) -> &'static str {
        match self {
            Self::Order => "atlas.order-events.v1",
            Self::Bonus => "atlas.bonus-events.v1",
        }
    }

    /// The word in types and schemas of messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Bonus => "bonus",
        }
    }

    /// Who produces the messages.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Order => "/atlas/command-api",
            Self::Bonus => "/atlas/projector",
        }
    }

    fn of_aggregate(aggregate_type: &str) -> Option<Self> {
        match aggregate_type {
            "order" => Some(Self::Order),
            "account" => Some(Self::Bonus),
            _ => None,
        }
    }
}

/// An event of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) domain: Domain,
    /// The id of the order, or of whom the account belongs to.
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) name: String,
    /// Its number in its stream, from 1.
    pub(crate) version: i64,
    /// Its place in the store.
    pub(crate) position: i64,
}

impl Event {
    /// Reads every event of orders and accounts, a line of JSON each, in the order of the store.
    pub(crate) const SQL: &str = "SELECT json_build_object('type', aggregate_type, 'stream', \
         aggregate_id, 'version', sequence, 'event', event_type, 'id', event_id, \
         'position', position) \
         FROM store.events WHERE aggregate_type IN ('order', 'account') ORDER BY position";

    /// The event of such a line.
    pub(crate) fn parse(line: &str) -> Result<Self, Failure> {
        let row: Value = serde_json::from_str(line).unwrap_or_default();
        let text = |pointer| json::text(&row, pointer).map(str::to_owned);
        let event = || {
            let stream = text("/stream")?;
            // An account's stream is `<role>:<beneficiary id>`.
            let key = stream.rsplit(':').next().unwrap_or_default().to_owned();
            Some(Self {
                domain: Domain::of_aggregate(&text("/type")?)?,
                key,
                id: text("/id")?,
                name: text("/event")?,
                version: json::number(&row, "/version")?,
                position: json::number(&row, "/position")?,
            })
        };
        Ok(event().ok_or_else(|| DemoError::not_understood("psql", line))?)
    }
}

/// Every event of orders and accounts, in the order of the store. No API tells an event's id, so
/// psql is asked.
pub(crate) fn read(teller: &Teller<'_>) -> Result<Vec<Event>, Failure> {
    let script = teller.folder.join("events.sql");
    let rows = teller.folder.join("events.jsonl");
    let quoted = rows
        .to_string_lossy()
        .replace('\\', r"\\")
        .replace('\'', "''");
    let sql = format!(
        "\\pset format unaligned\n\\pset tuples_only on\n\\o '{quoted}'\n{};\n",
        Event::SQL
    );
    fs::write(&script, sql).map_err(Failure::file(&script))?;
    teller
        .stack
        .postgres()
        .run_file("atlas_owner", database::NAME, &script)?;
    let text = fs::read_to_string(&rows).map_err(Failure::file(&rows))?;
    text.lines().map(Event::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_keyed_by_its_beneficiary() {
        let line = r#"{"type": "account", "stream": "commissioner:0195", "version": 3,
            "event": "GradeChanged", "id": "01a2", "position": 15}"#;
        let event = Event::parse(line).unwrap();
        assert_eq!(
            event,
            Event {
                domain: Domain::Bonus,
                key: "0195".to_owned(),
                id: "01a2".to_owned(),
                name: "GradeChanged".to_owned(),
                version: 3,
                position: 15,
            }
        );
    }

    #[test]
    fn what_is_no_row_is_no_event() {
        assert!(Event::parse("").is_err());
        assert!(Event::parse(r#"{"type":"order","stream":"0195"}"#).is_err());
    }
}
