//! The difference of two policies by SQL has the rows that the projector prints.

use std::path::Path;
use std::process::Command;

use super::ledger;
use super::page;
use super::story::{Names, Told};
use crate::program::projector;

/// Facts that the ledger is seeded with.
const FACTS: &str = "4000";

/// Facts that an account counts before another policy is in force, those that wait since for a
/// recompute, and one that then takes the points of both.
const COUNTED: &str = "
40 commissioner anna OrderPlaced    lamp
12 commissioner anna OfferConfirmed lamp
 9 commissioner ben  OrderPlaced    desk
";
const DEFERRED: &str = "
 5 commissioner anna OrderPlaced    stool
 4 commissioner anna OrderCancelled stool
 3 commissioner anna OrderCancelled lamp
 2 commissioner ben  OfferConfirmed desk
";

/// Writes orders of many people, with the program of the crate that owns the ledger.
fn seed(told: &Told) {
    let examples = Path::new(env!("CARGO_BIN_EXE_projector")).with_file_name("examples");
    let output = Command::new(examples.join("seed_ledger"))
        .args([FACTS, "7"])
        .env("ATLAS_DATABASE_URL", told.database.url_app())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The rows of both, which are the same, under the names of the statement's columns.
async fn rows(told: &Told, from: &str, to: &str) -> Vec<Vec<String>> {
    let arguments = ["policy", "diff", from, to, "--format", "csv"];
    let printed = projector(&told.database.url_app(), &arguments);
    assert_eq!(printed.code, 0, "{printed:?}");
    let mut lines = printed
        .stdout
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let head = lines.next().unwrap();

    let statement = std::fs::read_to_string(page::docs().join("sql/policy-diff.sql")).unwrap();
    let asked = statement.replace("VALUES (1, 2)", &format!("VALUES ({from}, {to})"));
    let analyst = told.analyst().await;
    let mut connection = analyst.acquire().await.unwrap();
    let columns = told.names.columns(&mut connection, &asked).await;
    let places: Vec<usize> = columns
        .iter()
        .map(|column| head.iter().position(|name| name == column).unwrap())
        .collect();
    let printed: Vec<Vec<String>> = lines
        .map(|line| places.iter().map(|place| line[*place].clone()).collect())
        .collect();
    let answered = Names::of("").ask(&mut connection, &asked).await;
    assert_eq!(answered, printed, "from {from} to {to}");
    answered
}

#[tokio::test]
async fn the_diff_by_sql_has_the_rows_of_the_projectors_for_any_two_versions() {
    let told = Told::new("").await;
    ledger::keep(&told, "").await;
    seed(&told);
    ledger::keep(&told, COUNTED).await;
    told.catch_up().await;
    let accounts = "SELECT count(*) FROM bonus_accounts WHERE beneficiary_role = 'workshop'";
    assert_eq!(told.ask(accounts).await, [["0"]]);
    let forward = rows(&told, "1", "2").await;
    let without_account = forward.iter().filter(|row| row[0] == "workshop").count();
    let commissioners = forward.len() - without_account;
    assert!(
        without_account > 10 && commissioners > 100,
        "{without_account} {commissioners}"
    );
    rows(&told, "2", "1").await;
    assert_eq!(rows(&told, "2", "2").await, Vec::<Vec<String>>::new());

    ledger::activate(&told).await;
    ledger::keep(&told, DEFERRED).await;
    let deferred = "SELECT count(*) FROM bonus_facts WHERE deferred";
    assert_eq!(told.ask(deferred).await, [["4"]]);
    for (from, to) in [("1", "2"), ("2", "1"), ("1", "1")] {
        let moved = rows(&told, from, to).await;
        let anna = super::story::id("anna").to_string();
        assert!(moved.iter().any(|row| row[1] == anna), "{from} {to}");
    }
}
