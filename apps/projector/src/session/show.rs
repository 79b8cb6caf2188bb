//! What a command found: a table for people, or one JSON object for scripts, on stdout.

use std::io::{self, Write as _};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Failure, terminal};

/// How a command shows what it found.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// A table for people, or one JSON object for scripts.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// How a command shows what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For scripts.
    Json,
}

/// A row of what a command found. Serialized, it has the table's columns as camelCase keys.
pub(crate) trait Row: Serialize {
    /// The table's head.
    const COLUMNS: &'static [&'static str];

    /// The row, a cell a column. Cells may hold foreign text: it is made harmless when shown.
    fn cells(&self) -> Vec<String>;
}

impl Output {
    /// A table.
    pub(crate) const fn table() -> Self {
        Self {
            format: Format::Table,
        }
    }

    /// One JSON object.
    pub(crate) const fn json() -> Self {
        Self {
            format: Format::Json,
        }
    }

    /// Shows rows, as the member `name` of the JSON object.
    ///
    /// # Errors
    /// If stdout takes nothing.
    pub(crate) fn rows<R: Row>(self, name: &str, rows: &[R]) -> Result<(), Failure> {
        match self.format {
            Format::Table => print(&table(rows)),
            Format::Json => self.object(&Value::Object(member(name, rows)?), ""),
        }
    }

    /// Shows a page of rows, and the cursor of the next one, if there is one: in the member
    /// `nextCursor`, else on stderr.
    ///
    /// # Errors
    /// If stdout takes nothing.
    pub(crate) fn page<R: Row>(
        self,
        name: &str,
        rows: &[R],
        next: Option<&str>,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => {
                print(&table(rows))?;
                if let Some(next) = next {
                    eprintln!("there are more: --before {next}");
                }
                Ok(())
            }
            Format::Json => {
                let mut object = member(name, rows)?;
                object.insert("nextCursor".to_owned(), next.into());
                self.object(&Value::Object(object), "")
            }
        }
    }

    /// Shows one thing: as JSON whole, else as `text`, whose foreign parts are harmless already.
    ///
    /// # Errors
    /// If stdout takes nothing.
    pub(crate) fn object(self, value: &impl Serialize, text: &str) -> Result<(), Failure> {
        match self.format {
            Format::Table => print(text),
            Format::Json => {
                let json = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
                print(&format!("{}\n", terminal::json(&json)))
            }
        }
    }
}

/// An instant as all commands show it.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn member<R: Row>(name: &str, rows: &[R]) -> Result<Map<String, Value>, Failure> {
    let rows = serde_json::to_value(rows).map_err(Failure::failed)?;
    Ok(Map::from_iter([(name.to_owned(), rows)]))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        // Who reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::failed),
    }
}

/// The rows as a table: its head, and a line each.
pub(crate) fn table<R: Row>(rows: &[R]) -> String {
    let head = R::COLUMNS.iter().map(|&name| name.to_owned()).collect();
    let rows = rows.iter().map(|row| {
        let cells = row.cells();
        cells.iter().map(|cell| terminal::line(cell)).collect()
    });
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let mut widths = vec![0; R::COLUMNS.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let shown = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths);
        let padded: Vec<String> = cells
            .map(|(cell, &width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Reader {
        name: &'static str,
        lag_events: u64,
    }

    impl Row for Reader {
        const COLUMNS: &'static [&'static str] = &["NAME", "LAG EVENTS"];

        fn cells(&self) -> Vec<String> {
            vec![self.name.to_owned(), self.lag_events.to_string()]
        }
    }

    #[test]
    fn a_table_has_a_head_and_even_columns_and_no_foreign_controls() {
        let rows = [
            Reader {
                name: "orders@1",
                lag_events: 3,
            },
            Reader {
                name: "re\u{1b}lay",
                lag_events: 1200,
            },
        ];
        let expected = "NAME         LAG EVENTS\n\
                        orders@1     3\n\
                        re\\u{1b}lay  1200\n";
        assert_eq!(table(&rows), expected);
        assert_eq!(table::<Reader>(&[]), "NAME  LAG EVENTS\n");
    }
}
