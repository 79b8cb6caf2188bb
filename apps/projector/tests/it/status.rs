//! `projector status`.

use serde_json::json;
use test_support::TestDatabase;

use crate::program::projector;

/// A database with a reader that halted, whose reason and parked stream would move a terminal.
async fn a_hostile_reader() -> TestDatabase {
    let database = TestDatabase::create().await;
    sqlx::raw_sql(
        "INSERT INTO store.checkpoints (name, generation, state, reason)
         VALUES ('orders@1', 1, 'running', NULL),
                ('orders@2', 1, 'halted', E'\\x1b[2J gone \\u202e'),
                ('relay', 1, 'idle', NULL);
         INSERT INTO store.parked (reader, aggregate_type, aggregate_id, sequence, event_id,
                                   position, event, reason, recorded_at)
         VALUES ('relay', 'order', 'one', 2, '00000000-0000-0000-0000-000000000007', 5,
                 E'Odd\\x07 1.0', E'two\\nlines', now());",
    )
    .execute(&database.pool_owner().await)
    .await
    .unwrap();
    database
}

#[tokio::test]
async fn it_shows_every_reader_and_what_is_parked() {
    let database = a_hostile_reader().await;
    let said = projector(&database.url_app(), &["status", "--format", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let found = said.json();
    let readers = found["readers"].as_array().unwrap();
    let told: Vec<_> = readers
        .iter()
        .map(|reader| json!([reader["name"], reader["served"], reader["state"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["orders@1", true, "running"]),
            json!(["orders@2", false, "halted"]),
            json!(["relay", null, "idle"]),
        ]
    );
    // JSON stays exact.
    assert_eq!(readers[1]["reason"], "\u{1b}[2J gone \u{202e}");
    assert_eq!(readers[2]["parked"], 1);
    assert_eq!(found["parked"][0]["stream"], "order/one");
    assert_eq!(found["parked"][0]["reason"], "two\nlines");
    assert!(found["stall"].is_null());
}

#[tokio::test]
async fn nothing_that_a_terminal_obeys_is_in_its_tables() {
    let database = a_hostile_reader().await;
    let said = projector(&database.url_app(), &["status"]);
    assert_eq!(said.code, 0, "{said:?}");
    let is_plain = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
    assert!(said.stdout.chars().all(is_plain), "{:?}", said.stdout);
    for shown in [r"\u{1b}[2J gone \u{202e}", r"Odd\u{7} 1.0", r"two\nlines"] {
        assert!(said.stdout.contains(shown), "{shown}: {}", said.stdout);
    }
}

#[test]
fn a_store_that_is_away_is_told_by_the_exit_code() {
    let said = projector("postgres://atlas_app@127.0.0.1:1/atlas", &["status"]);
    assert_eq!((said.code, said.stdout.as_str()), (5, ""), "{said:?}");
    assert!(!said.stderr.is_empty());
}
