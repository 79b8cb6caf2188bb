//! Every answer can be dated: how far each view has come.

use super::ledger;
use super::page;
use super::story::Told;

const ORDERS: &str = "SELECT DISTINCT position, as_of = now(), as_of FROM freshness
                      WHERE view IN ('orders', 'order_events', 'invitations', 'stages',
                                     'order_funnel_daily', 'workshop_performance')";

#[tokio::test]
async fn a_view_is_as_of_the_last_event_that_it_has_taken_in_while_others_wait() {
    let told = Told::new("2026-03-07 12:00:00 anna places lamp 100 EUR oak").await;
    let pool = told.database.pool_app().await;
    let (position, recorded): (i64, String) = sqlx::query_as(
        "SELECT position, recorded_at::text FROM store.events ORDER BY position DESC LIMIT 1",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let fresh = told.ask(ORDERS).await;
    let [fresh] = &fresh[..] else {
        panic!("the views of one read model have come equally far");
    };
    assert_eq!(fresh[..2], [position.to_string(), "t".to_owned()]);

    told.tell("2026-03-08 12:00:00 ben places desk 100 EUR oak")
        .await;
    let behind = told.ask(ORDERS).await;
    let [behind] = &behind[..] else {
        panic!("the views of one read model have come equally far");
    };
    assert_eq!(behind[..], [position.to_string(), "f".to_owned(), recorded]);
    told.catch_up().await;
    assert_eq!(told.ask(ORDERS).await[0][1], "t");
}

#[tokio::test]
async fn facts_are_as_of_the_newest_one_which_an_index_finds() {
    let told = Told::new("").await;
    let as_of = "SELECT as_of FROM freshness WHERE view = 'bonus_facts'";
    assert_eq!(told.ask(as_of).await, [[""]]);
    ledger::keep(&told, &page::facts()).await;
    let newest = "SELECT max(recorded_at) FROM bonus_facts";
    assert_eq!(told.ask(as_of).await, told.ask(newest).await);

    // A few rows are read as they lie; of many the index is the way.
    let analyst = told.analyst().await;
    let mut connection = analyst.acquire().await.unwrap();
    let explain = format!("EXPLAIN {as_of}");
    told.names
        .ask(&mut connection, "SET enable_seqscan = off")
        .await;
    let plan = told.names.ask(&mut connection, &explain).await.concat();
    let plan = plan.join("\n");
    assert!(plan.contains("ledger_recorded"), "{plan}");
}
