//! Days are UTC days, whatever the session's zone, and each view has a row for each of its keys.

use sqlx::postgres::PgRow;
use sqlx::{Row as _, ValueRef as _};

use super::ledger;
use super::page;
use super::story::Told;

const STORY: &str = "
2026-03-07 23:59:59.999999  anna  places  last   100 EUR oak
2026-03-08 00:00:00         ben   places  first  100 EUR oak
2026-03-08 23:59:59.999999  ben   places  eve    100 USD oak birch
2026-03-09 00:00:00         cleo  places  morn   100 EUR birch
2026-03-09 10:00:00         birch offers  morn   90 EUR 5 5
2026-03-09 11:00:00         cleo  confirms morn  birch
2026-03-09 12:00:00         cleo  cancels morn   moved
2026-03-09 13:00:00         desk  resolves morn  resume
2026-03-09 14:00:00         birch gives-up morn  broken
";

const ZONES: [&str; 3] = ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"];

#[tokio::test]
async fn a_day_is_the_utc_day_in_every_zone_and_the_days_sum_to_the_orders() {
    let told = Told::new(STORY).await;
    let analyst = told.analyst().await;
    let mut connection = analyst.acquire().await.unwrap();
    for zone in ZONES {
        let set = format!("SET TIME ZONE '{zone}'");
        told.names.ask(&mut connection, &set).await;
        let days = told
            .names
            .ask(
                &mut connection,
                "SELECT * FROM order_funnel_daily ORDER BY day",
            )
            .await;
        let days: Vec<String> = days.iter().map(|day| day.join(" ")).collect();
        assert_eq!(
            days,
            [
                "2026-03-07 1 0 0 0 0 0 0",
                "2026-03-08 2 0 0 0 0 0 0",
                "2026-03-09 1 1 1 0 0 0 1"
            ],
            "{zone}"
        );
        let sums = "SELECT sum(placed) - (SELECT count(*) FROM orders),
                           sum(confirmed) - (SELECT count(confirmed_at) FROM orders)
                    FROM order_funnel_daily";
        assert_eq!(told.names.ask(&mut connection, sums).await, [["0", "0"]]);
    }
}

/// Every view of the page's story, down to the bytes that its values have in any session.
#[tokio::test]
async fn every_view_has_the_same_rows_in_every_zone() {
    let told = page::told().await;
    let views = told
        .ask("SELECT relname FROM pg_class WHERE relnamespace = 'analytics'::regnamespace")
        .await
        .concat();
    assert_eq!(views.len(), 16);
    let analyst = told.analyst().await;
    // One instant for all of them.
    let mut transaction = analyst.begin().await.unwrap();
    for view in views {
        let mut first: Option<Vec<Vec<u8>>> = None;
        for zone in ZONES {
            sqlx::raw_sql(&format!("SET LOCAL TIME ZONE '{zone}'"))
                .execute(&mut *transaction)
                .await
                .unwrap();
            let rows = sqlx::query(&format!("SELECT * FROM {view}"))
                .fetch_all(&mut *transaction)
                .await
                .unwrap();
            let mut rows: Vec<Vec<u8>> = rows.iter().map(bytes).collect();
            rows.sort();
            assert_eq!(*first.get_or_insert_with(|| rows.clone()), rows, "{view}");
        }
        let empty = view == "policy_movements";
        assert_eq!(first.is_some_and(|rows| rows.is_empty()), empty, "{view}");
    }
}

/// A row as the server sends it in its own form, which knows no zone.
fn bytes(row: &PgRow) -> Vec<u8> {
    let mut bytes = Vec::new();
    for column in 0..row.len() {
        let value = row.try_get_raw(column).unwrap();
        if !value.is_null() {
            bytes.extend_from_slice(value.as_bytes().unwrap());
        }
        bytes.push(0);
    }
    bytes
}

/// The key is what the view's comment says; no view is empty.
#[tokio::test]
async fn each_view_has_one_row_a_key_and_says_which_the_key_is() {
    let told = page::told().await;
    ledger::recompute(&told).await;
    let views = told
        .ask(
            "SELECT c.relname, obj_description(c.oid) FROM pg_class c
             WHERE c.relnamespace = 'analytics'::regnamespace ORDER BY 1",
        )
        .await;
    assert_eq!(views.len(), 16);
    for view in views {
        let (_, key) = view[1].rsplit_once(" Key: ").unwrap();
        let key = key.trim_end_matches('.');
        let counted = format!(
            "SELECT count(*) > 0, count(*) - count(DISTINCT ({key})),
                    count(*) FILTER (WHERE num_nulls({key}) > 0)
             FROM {}",
            view[0]
        );
        assert_eq!(told.ask(&counted).await, [["t", "0", "0"]], "{view:?}");
    }
}

#[tokio::test]
async fn every_view_and_column_is_explained_on_one_line() {
    let told = Told::new("").await;
    let bare = told
        .ask(
            "SELECT c.relname, a.attname FROM pg_class c
             CROSS JOIN LATERAL (
                 SELECT 0 AS attnum, NULL::name AS attname
                 UNION ALL
                 SELECT a.attnum, a.attname FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0
             ) a
             LEFT JOIN pg_description d ON d.objoid = c.oid AND d.objsubid = a.attnum
             WHERE c.relnamespace = 'analytics'::regnamespace
               AND d.description !~ '^[^\\n]+\\.$' IS NOT FALSE",
        )
        .await;
    assert_eq!(bare, Vec::<Vec<String>>::new());
}

/// An amount has its currency beside it, and no view sums amounts.
#[tokio::test]
async fn money_is_numeric_with_a_currency_and_is_never_summed() {
    let told = Told::new("").await;
    let money = told
        .ask(
            "SELECT c.relname, a.attname, format_type(a.atttypid, NULL),
                    (SELECT count(*) FROM pg_attribute o WHERE o.attrelid = c.oid
                     AND o.attname = replace(a.attname, '_amount', '_currency'))
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = 'analytics'::regnamespace AND a.attname ~ 'amount' ORDER BY 1, 2",
        )
        .await;
    let money: Vec<String> = money.iter().map(|row| row.join(" ")).collect();
    assert_eq!(
        money,
        [
            "invitations offer_amount numeric 1",
            "orders agreed_amount numeric 1",
            "orders budget_amount numeric 1"
        ]
    );
}
