//! Every statement that runs for each batch or page is served by an index, on an empty table and on
//! a full one, also when its plan was made for no arguments in particular.

use sqlx::{Connection as _, PgConnection};
use test_support::TestDatabase;

const STATEMENTS: [(&str, &str, &str); 13] = [
    (
        "awards_of",
        include_str!("../../queries/awards_of.sql"),
        "'commissioner', '00000000-0000-0000-0000-000000000001', 9, '{OrderPlaced}',
         '{00000000-0000-0000-0000-000000000001}', '{OrderCancelled}', '{false}', '{OrderPlaced}'",
    ),
    (
        "count_deferred",
        include_str!("../../queries/count_deferred.sql"),
        "'{commissioner}', '{00000000-0000-0000-0000-000000000001}', '{3}'",
    ),
    (
        "counted_facts_of_orders",
        include_str!("../../queries/counted_facts_of_orders.sql"),
        "'{commissioner}', '{00000000-0000-0000-0000-000000000001}',
         '{00000000-0000-0000-0000-000000000001}', NULL, 50001",
    ),
    (
        "due_heads",
        include_str!("../../queries/due_heads.sql"),
        "'2026-11-25T10:00:00Z', 500, '{commissioner}', '{00000000-0000-0000-0000-000000000001}'",
    ),
    (
        "heads_of_policies",
        include_str!("../../queries/heads_of_policies.sql"),
        "2, 2147483647, 1000, '{commissioner}', '{00000000-0000-0000-0000-000000000001}'",
    ),
    (
        "heads_with_deferred",
        include_str!("../../queries/heads_with_deferred.sql"),
        "1000, '{commissioner}', '{00000000-0000-0000-0000-000000000001}'",
    ),
    (
        "heads_without_vip",
        include_str!("../../queries/heads_without_vip.sql"),
        "500, '{commissioner}', '{00000000-0000-0000-0000-000000000001}'",
    ),
    (
        "ledger_page",
        include_str!("../../queries/ledger_page.sql"),
        "'commissioner', '00000000-0000-0000-0000-000000000001', 9, '{OrderPlaced}',
         NULL, NULL, 51, '{OrderCancelled}', '{false}', '{OrderPlaced}'",
    ),
    (
        "lock_heads",
        include_str!("../../queries/lock_heads.sql"),
        "'{commissioner}', '{00000000-0000-0000-0000-000000000001}'",
    ),
    (
        "newest_facts",
        include_str!("../../queries/newest_facts.sql"),
        "'commissioner', '{00000000-0000-0000-0000-000000000001}', NULL, '{OrderPlaced}', NULL, 33",
    ),
    (
        "whole_ledgers",
        include_str!("../../queries/whole_ledgers.sql"),
        "'{commissioner}', '{00000000-0000-0000-0000-000000000001}'",
    ),
    (
        "window_awards",
        include_str!("../../queries/window_awards.sql"),
        "'commissioner', '00000000-0000-0000-0000-000000000001', 9, '{OrderPlaced}',
         '2026-11-01T00:00:00Z', '2026-12-01T00:00:00Z', '{OrderCancelled}', '{false}',
         '{OrderPlaced}'",
    ),
    (
        "account_facts",
        include_str!("../../queries/account_facts.sql"),
        "'commissioner', '00000000-0000-0000-0000-000000000001', 9, 200001",
    ),
];

async fn plan(connection: &mut PgConnection, name: &str, text: &str, arguments: &str) -> String {
    for statement in [
        "SET plan_cache_mode = force_generic_plan".to_owned(),
        "DEALLOCATE ALL".to_owned(),
        format!("PREPARE {name} AS {text}"),
    ] {
        sqlx::raw_sql(&statement)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    let lines: Vec<String> = sqlx::query_scalar(&format!("EXPLAIN EXECUTE {name} ({arguments})"))
        .persistent(false)
        .fetch_all(connection)
        .await
        .unwrap();
    lines.join("\n")
}

#[tokio::test]
async fn no_statement_scans_a_table() {
    let database = TestDatabase::create().await;
    let mut connection = PgConnection::connect(&database.url("atlas_owner"))
        .await
        .unwrap();
    for filled in [false, true] {
        if filled {
            sqlx::raw_sql(
                "INSERT INTO bonus.accounts (beneficiary_role, beneficiary_id)
                 SELECT 'commissioner', gen_random_uuid() FROM generate_series(1, 2000);
                 INSERT INTO bonus.ledger
                     (source_event_id, event_type, beneficiary_role, beneficiary_id, order_id,
                      by_dispute, occurred_at, account_version)
                 SELECT gen_random_uuid(), 'OrderPlaced', beneficiary_role, beneficiary_id,
                        gen_random_uuid(), false, clock_timestamp(), 0
                 FROM bonus.accounts, generate_series(1, 10);
                 ANALYZE bonus.accounts, bonus.ledger;",
            )
            .execute(&mut connection)
            .await
            .unwrap();
        }
        for (name, text, arguments) in STATEMENTS {
            let plan = plan(&mut connection, name, text, arguments).await;
            assert!(plan.contains("Index Scan"), "{name}:\n{plan}");
            assert!(!plan.contains("Seq Scan"), "{name}:\n{plan}");
        }
    }
}
