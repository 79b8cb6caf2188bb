//! What `docs/analytics.md` says of each column and of each event's data, from the views' own comments
//! and from the schemas that events are published by.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use super::questions::docs;
use super::story::Told;

/// Fields that every event has.
const EVERYWHERE: [&str; 3] = ["orderId", "commissionerId", "occurredAt"];
/// Sent beside the order's own events, and none of them.
const BESIDE: &str = "WorkshopCredited";

/// The page with these two parts as they are to be.
pub(crate) async fn written(told: &Told, page: &str) -> String {
    let page = with_part(page, "## Events\n", &events());
    with_part(&page, "## Columns\n", &columns(told).await)
}

/// The page with what follows a heading, down to the next one of its kind, in the place of what is
/// there; the first paragraph stays.
fn with_part(page: &str, heading: &str, part: &str) -> String {
    let at = page.find(&format!("\n{heading}")).unwrap() + heading.len() + 1;
    let (before, rest) = page.split_at(at);
    let (_, after) = rest
        .find("\n## ")
        .map_or((rest, ""), |next| rest.split_at(next + 1));
    let introduction = rest.trim().split("\n\n").next().unwrap();
    let gap = if after.is_empty() { "" } else { "\n" };
    format!("{before}\n{introduction}\n\n{part}{gap}{after}")
}

async fn columns(told: &Told) -> String {
    let columns = told
        .ask(
            "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                    col_description(c.oid, a.attnum)
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
             WHERE c.relnamespace = 'analytics'::regnamespace ORDER BY 1, a.attnum",
        )
        .await;
    let mut text = String::new();
    let mut view = "";
    for column in &columns {
        if column[0] != view {
            let gap = if view.is_empty() { "" } else { "\n" };
            view = &column[0];
            writeln!(text, "{gap}| `{view}` | type | |\n|---|---|---|").unwrap();
        }
        let kind = column[2].replace("timestamp with time zone", "timestamptz");
        writeln!(text, "| {} | {kind} | {} |", column[1], column[3]).unwrap();
    }
    text
}

fn events() -> String {
    let mut text = String::from("| event | what happened | `data` |\n|---|---|---|\n");
    let mut files: Vec<_> = fs::read_dir(docs().join("../crates/contracts/schemas/order"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let schema: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let title = schema["title"].as_str().unwrap();
        if title == BESIDE {
            continue;
        }
        let fields = schema["properties"].as_object().unwrap();
        let fields: Vec<String> = fields
            .iter()
            .filter(|(name, _)| !EVERYWHERE.contains(&name.as_str()))
            .map(|(name, field)| named(name, field, &schema["$defs"]))
            .collect();
        let what = schema["description"].as_str().unwrap();
        writeln!(text, "| {title} | {what} | {} |", fields.join(", ")).unwrap();
    }
    text
}

/// A field, with those of the object that it holds.
fn named(name: &str, field: &Value, parts: &Value) -> String {
    let reference = field["$ref"].as_str();
    let part = reference.and_then(|it| parts.get(it.strip_prefix("#/$defs/")?));
    if let Some(fields) = part.and_then(|part| part["properties"].as_object()) {
        let fields: Vec<&str> = fields.keys().map(String::as_str).collect();
        return format!("{name}{{{}}}", fields.join(", "));
    }
    match field["type"].as_str() {
        Some("array") => format!("{name}[]"),
        _ => name.to_owned(),
    }
}
