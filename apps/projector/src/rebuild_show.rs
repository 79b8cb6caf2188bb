//! `projector rebuild show MODEL`: the last rebuild of a read model, and what its check found.

use std::fmt::Write as _;

use projections::Model;
use projections::rebuild::{Certificate, Shown};
use serde_json::{Value, json};

use crate::rebuild::{RebuildConfig, rebuilder};
use crate::session::{Failure, Output, Session, instant, terminal};

/// Shows it.
pub(crate) async fn rebuild_show(
    session: Session<RebuildConfig>,
    model: Model,
    output: Output,
) -> Result<(), Failure> {
    let RebuildConfig { database, lease } = &session.config;
    let pool = session.pool(database, 1);
    let rebuilder = rebuilder(&pool, &session.connect_options(database), *lease);
    let Some(shown) = rebuilder.show(model).await? else {
        return Err(Failure::refused(format!("{model} was never rebuilt")));
    };
    output.object(&object(&shown), &text(&shown))
}

fn object(shown: &Shown) -> Value {
    json!({
        "rebuild": shown.id,
        "model": shown.to.model.as_str(),
        "state": shown.state.as_str(),
        "from": shown.from.to_string(),
        "to": shown.to.to_string(),
        "served": shown.served.to_string(),
        "kept": shown.kept.map(|version| version.to_string()),
        "owner": shown.owner,
        "operator": shown.operator,
        "reason": shown.reason,
        "code": shown.code,
        "startedAt": instant(shown.started_at),
        "swappedAt": shown.swapped_at.map(instant),
        "endedAt": shown.ended_at.map(instant),
        "events": shown.built,
        "ofEvents": shown.of,
        "certificate": shown.certificate,
    })
}

fn text(shown: &Shown) -> String {
    let mut lines = vec![
        ("rebuild", shown.id.to_string()),
        ("state", state(shown)),
        ("from", shown.from.to_string()),
        ("to", shown.to.to_string()),
        ("served", shown.served.to_string()),
        ("operator", shown.operator.to_string()),
        ("reason", terminal::line(&shown.reason)),
        ("code", terminal::line(&shown.code)),
        ("started", instant(shown.started_at)),
        ("events", format!("{} of {}", shown.built, shown.of)),
    ];
    lines.extend(shown.kept.map(|kept| ("kept", kept.to_string())));
    lines.extend(shown.swapped_at.map(|at| ("swapped", instant(at))));
    lines.extend(shown.ended_at.map(|at| ("ended", instant(at))));
    lines.extend(
        shown
            .owner
            .as_ref()
            .map(|owner| ("by", terminal::line(owner))),
    );
    let mut text = String::new();
    for (name, value) in lines {
        // A String takes everything.
        writeln!(text, "{name:10}{value}").ok();
    }
    let certificate = shown.certificate.clone().map(serde_json::from_value);
    match certificate {
        Some(Ok(certificate)) => text + "\n" + &found(&certificate),
        Some(Err(_)) => text + "\nits certificate is of another release: --format json shows it\n",
        None => text,
    }
}

fn state(shown: &Shown) -> String {
    let state = shown.state.as_str();
    let open = shown.ended_at.is_none();
    if open && shown.owner.is_none() {
        return format!("{state}; nobody works on it");
    }
    state.to_owned()
}

/// What a check found, table by table and row by row.
fn found(certificate: &Certificate) -> String {
    let Certificate { events, .. } = certificate;
    let mut text = format!(
        "{}\n{} events after position {} up to {}, digest {}\n",
        certificate.sentence(),
        events.count,
        events.after,
        events.to,
        events.digest,
    );
    for table in &certificate.tables {
        writeln!(
            text,
            "{:16}{} rows {}, before {} rows {}, {} differ",
            terminal::line(&table.table),
            table.new.rows,
            table.new.digest,
            table.old.rows,
            table.old.digest,
            table.differing,
        )
        .ok();
    }
    for row in &certificate.differences {
        let what = match &row.missing {
            Some(version) => format!("missing in the {version} version"),
            None => row
                .fields
                .iter()
                .map(|field| format!("{}: {} before, now {}", field.field, field.old, field.new))
                .collect::<Vec<_>>()
                .join("; "),
        };
        let line = format!("{} {} {what}", row.table, row.key);
        writeln!(text, "{}", terminal::line(&line)).ok();
    }
    text
}
