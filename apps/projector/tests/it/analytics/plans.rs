//! A million facts: each query of the page in time.

use std::time::{Duration, Instant};

use super::page::questions_of_the_page;
use super::story::Told;

const QUERY: Duration = Duration::from_secs(2);
const FUNNEL: Duration = Duration::from_millis(300);

/// The best of three: the machine has other things to do.
#[tokio::test]
#[ignore = "half a minute to write a million rows, and figures mean nothing on a busy machine"]
async fn each_query_of_the_page_is_answered_in_time_over_a_million_facts() {
    let told = Told::new("").await;
    let pool = told.database.pool_app().await;
    bonus_store::check_policies(&pool).await.unwrap();
    let mut writer = told
        .database
        .pool_superuser()
        .await
        .acquire()
        .await
        .unwrap();
    bonus_store::write_policies(&mut writer).await.unwrap();
    let million = sqlx::raw_sql(include_str!("million.sql"));
    million.execute(&mut *writer).await.unwrap();
    drop(writer);

    let analyst = told.analyst().await;
    let mut connection = analyst.acquire().await.unwrap();
    let funnel = "SELECT * FROM order_funnel_daily ORDER BY day".to_owned();
    let mut late = Vec::new();
    for (query, bound) in questions_of_the_page()
        .into_iter()
        .map(|query| (query, QUERY))
        .chain([(funnel, FUNNEL)])
    {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let began = Instant::now();
            sqlx::raw_sql(&query)
                .fetch_all(&mut *connection)
                .await
                .unwrap();
            best = best.min(began.elapsed());
        }
        println!("{best:>9.1?}  {}", query.lines().next().unwrap_or_default());
        if best > bound {
            late.push((query, best));
        }
    }
    assert!(late.is_empty(), "{late:#?}");
}
