//! What a policy's owner does, by the command line: the report that `seed-ledger` expects is the one
//! that `policy diff` makes, and what `policy recompute` then does, account by account.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sqlx::PgPool;
use test_support::TestDatabase;

use crate::program::{Said, projector};

const ROWS: &str = "3000";
const OPERATOR: &str = "01938f6e-0000-7000-8000-0000000000f1";

/// Points, grade and VIP of an account, by role and id.
/// Points, grade and whether they are VIP.
type Standing = (i64, String, bool);
type Accounts = BTreeMap<(String, String), Standing>;
/// What each comes to before and after.
type Moves = BTreeMap<(String, String), [Option<Standing>; 2]>;

/// Writes a ledger as `cargo xtask seed-ledger` does; the report that it expects.
fn seed(database_url: &str, seed: &str) -> Value {
    let programs = Path::new(env!("CARGO_BIN_EXE_projector")).parent().unwrap();
    let output = Command::new(programs.join("examples/seed_ledger"))
        .args([ROWS, seed])
        .env("ATLAS_DATABASE_URL", database_url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn act(database_url: &str, arguments: &[&str]) -> Said {
    let by = ["--yes", "--operator", OPERATOR, "--reason", "a new year"];
    let said = projector(database_url, &[arguments, by.as_slice()].concat());
    assert_eq!(said.code, 0, "{said:?}");
    said
}

/// The accounts that there are.
async fn accounts(pool: &PgPool) -> Accounts {
    let rows: Vec<(String, String, i64, String, bool)> = sqlx::query_as(
        "SELECT beneficiary_role, beneficiary_id::text, lifetime_points, grade, is_vip
         FROM bonus.accounts WHERE version > 0",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    rows.into_iter()
        .map(|(role, id, points, grade, vip)| ((role, id), (points, grade, vip)))
        .collect()
}

/// Who moves, from a CSV: what they come to before, none without an account, and after.
fn moves(csv: &str) -> Moves {
    let side = |fields: &[&str], from: usize| {
        let points = fields[from].parse().unwrap();
        let vip = fields[from + 4].parse().unwrap();
        (points, fields[from + 2].to_owned(), vip)
    };
    csv.lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!(fields.len(), 9, "{line}");
            let opens: bool = fields[8].parse().unwrap();
            let before = (!opens).then(|| side(&fields, 2));
            let key = (fields[0].to_owned(), fields[1].to_owned());
            (key, [before, Some(side(&fields, 3))])
        })
        .collect()
}

/// The difference's report in the numbers of a recompute.
fn as_done(report: &Value) -> Value {
    let flows = report["grades"].as_array().unwrap();
    let names = ["Bronze", "Silver", "Gold", "Platinum"];
    let grade = |name: &Value| names.iter().position(|it| *it == name).unwrap();
    let sum = |rises: bool| -> u64 {
        let flows = flows.iter().filter(|flow| {
            let (from, to) = (grade(&flow["from"]), grade(&flow["to"]));
            if rises { to > from } else { to < from }
        });
        flows.map(|flow| flow["accounts"].as_u64().unwrap()).sum()
    };
    json!({
        "seen": report["seen"],
        "changed": report["changed"],
        "opened": report["opened"],
        "gradesUp": sum(true),
        "gradesDown": sum(false),
        "vipGained": report["vip"]["gained"],
        "vipLost": report["vip"]["lost"],
        "pointsGained": report["gained"],
        "pointsLost": report["lost"],
    })
}

#[tokio::test]
async fn what_was_expected_of_a_ledger_is_the_difference_and_what_the_recompute_does() {
    let database = TestDatabase::create().await;
    let (url, pool) = (database.url_app(), database.pool_app().await);
    let expected = seed(&url, "7");
    let difference = projector(&url, &["policy", "diff", "1", "2", "--format", "json"]);
    assert_eq!(difference.code, 0, "{difference:?}");
    let (found, report) = (difference.json(), difference.json()["report"].clone());
    assert_eq!(report, expected);
    assert_eq!(found["ledger"]["facts"].to_string(), ROWS);
    assert!(
        !difference.stderr.contains("of another policy"),
        "{difference:?}"
    );
    assert!(
        report["opened"].as_u64() > Some(0),
        "workshops had no accounts"
    );
    assert!(report["losers"].as_u64() > Some(0), "reversals cost points");

    // Account by account, those that do not move too.
    let csv = projector(&url, &["policy", "diff", "1", "2", "--format", "csv"]).stdout;
    let moves = moves(&csv);
    assert_eq!(Some(moves.len() as u64), report["changed"].as_u64());
    let mut after = accounts(&pool).await;
    for (who, [before, to]) in moves {
        assert_eq!(after.get(&who), before.as_ref(), "{who:?}");
        after.insert(who, to.unwrap());
    }
    act(&url, &["policy", "activate", "2"]);
    let done = act(&url, &["policy", "recompute", "--format", "json"]);
    assert_eq!(done.json(), as_done(&report));
    assert_eq!(accounts(&pool).await, after);

    // Again it has nothing to do, and a difference with the policy that was left says so.
    let again = act(&url, &["policy", "recompute", "--format", "json"]);
    assert_eq!(again.json()["seen"], 0);
    let back = projector(&url, &["policy", "diff", "1", "2", "--format", "json"]);
    assert_eq!(back.json()["report"], report);
    assert_eq!(back.json()["ledger"]["ofOtherPolicies"], report["seen"]);
    assert!(
        back.stderr.contains("are of another policy than 1"),
        "{back:?}"
    );
}

/// One account cannot be recomputed: the command names it, does all others, and fails.
#[tokio::test]
async fn an_account_that_cannot_be_recomputed_is_named_at_the_end() {
    let database = TestDatabase::create().await;
    let (url, pool) = (database.url_app(), database.pool_app().await);
    seed(&url, "8");
    act(&url, &["policy", "activate", "2"]);
    let stuck: String = sqlx::query_scalar(
        "UPDATE bonus.accounts SET version = version + 7
         WHERE (beneficiary_role, beneficiary_id) = (
             SELECT beneficiary_role, beneficiary_id FROM bonus.accounts
             WHERE version > 0 ORDER BY 1, 2 LIMIT 1)
         RETURNING beneficiary_role || ':' || beneficiary_id",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let by = ["--yes", "--operator", OPERATOR, "--reason", "a new year"];
    let said = projector(&url, &[["policy", "recompute"].as_slice(), &by].concat());
    assert_eq!(said.code, 1, "{said:?}");
    let line =
        format!("1 accounts could not be recomputed: {stuck}: its events cannot be appended");
    assert!(said.stderr.contains(&line), "{said:?}");
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM bonus.accounts WHERE policy_version <> 2")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(left, 1);
}

/// An account and one of its events in words, each part with its points; what the ledger does not hold
/// is said to count nothing.
#[tokio::test]
async fn an_account_is_explained_by_parts_that_sum_to_it() {
    let database = TestDatabase::create().await;
    let (url, pool) = (database.url_app(), database.pool_app().await);
    seed(&url, "9");
    for ((role, id), (points, grade, vip)) in accounts(&pool).await.into_iter().take(3) {
        let explain = [
            "explain", "account", &id, "--role", &role, "--format", "json",
        ];
        let said = projector(&url, &explain);
        assert_eq!(said.code, 0, "{said:?}");
        let explained = said.json();
        let parts = explained["parts"].as_array().unwrap();
        let sum: i64 = parts
            .iter()
            .map(|part| part["points"].as_i64().unwrap())
            .sum();
        assert_eq!(explained["lifetimePoints"], points);
        assert_eq!((sum, &explained["grade"]), (points, &json!(grade)));
        assert_eq!(explained["vip"], vip);

        let event = parts[0]["eventId"].as_str().unwrap();
        let one = projector(&url, &[explain.as_slice(), &["--event", event]].concat());
        assert_eq!(one.json(), parts[0]);
        let none = projector(&url, &[explain.as_slice(), &["--event", OPERATOR]].concat());
        let sentence = none.json()["sentence"].as_str().unwrap().to_owned();
        assert!(
            sentence.contains("the account's ledger does not hold it"),
            "{sentence}"
        );
    }
    let nobody = projector(&url, &["explain", "account", OPERATOR]);
    assert_eq!(nobody.code, 3, "{nobody:?}");
}
