//! Tools of others, as the analyst that they connect as: SQLAlchemy, and the notebook of the docs.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::page::{docs, told};
use super::story::Told;

/// Runs a script in the environment that `cargo xtask test` installs; what it printed.
fn run(told: &Told, script: &str, arguments: &[&Path]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = folder.join("../../target/atlas/analytics/bin/python");
    assert!(
        python.is_file(),
        "{} is missing: `cargo xtask test` installs it",
        python.display()
    );
    let connect = told.database.options("atlas_analyst");
    let output = Command::new(python)
        .arg(folder.join("tests/it/analytics").join(script))
        .args(arguments)
        .env("PGHOST", connect.get_host())
        .env("PGPORT", connect.get_port().to_string())
        .env("PGUSER", connect.get_username())
        .env("PGDATABASE", connect.get_database().unwrap())
        .env("MPLBACKEND", "Agg")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn sqlalchemy_reflects_every_view_with_types_and_comments_and_reads_it() {
    let told = told().await;
    let printed = run(&told, "reflect.py", &[]);
    let views: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(views.len(), 16);
    for view in views {
        assert_eq!(view["unknown"], serde_json::json!([]), "{view}");
        assert_eq!(view["bare"], serde_json::json!([]), "{view}");
        assert!(
            view["comment"].as_str().unwrap().contains(" Key: "),
            "{view}"
        );
        // Nothing was recomputed in the story.
        let empty = view["view"] == "policy_movements";
        assert_eq!(view["rows"] == 0, empty, "{view}");
    }
}

/// What psql prints of a command.
fn psql(told: &Told, command: &str) -> String {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--pset", "pager=off", "--command", command])
        .arg(told.database.url("atlas_analyst"))
        .env("PGCLIENTENCODING", "UTF8")
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn psql_shows_the_comment_of_every_view_and_column() {
    let told = Told::new("").await;
    let views = told
        .ask(
            "SELECT c.relname, d.description FROM pg_class c
             JOIN pg_description d ON d.objoid = c.oid AND d.objsubid = 0
             WHERE c.relnamespace = 'analytics'::regnamespace",
        )
        .await;
    assert_eq!(views.len(), 16);
    let listed = psql(&told, "\\dv+");
    for view in views {
        assert!(listed.contains(&view[1]), "{}", view[0]);
        let columns = format!(
            "SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a
             WHERE a.attrelid = 'analytics.{}'::regclass AND a.attnum > 0",
            view[0]
        );
        let described = psql(&told, &format!("\\d+ {}", view[0]));
        for column in told.ask(&columns).await {
            let shown = described
                .lines()
                .find(|line| line.split_whitespace().next() == Some(column[0].as_str()));
            assert!(
                shown.is_some_and(|line| line.contains(&column[1])),
                "{view:?} {column:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_notebook_draws_its_four_figures() {
    let told = told().await;
    let printed = run(&told, "notebook.py", &[&docs().join("analytics.ipynb")]);
    assert_eq!(printed.trim(), "4");
}
