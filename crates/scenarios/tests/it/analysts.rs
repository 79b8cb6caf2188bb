//! What analysts are shown of a system.

use sqlx::PgPool;
use test_support::TestDatabase;

/// The views that follow events and facts.
const VIEWS: [&str; 11] = [
    "orders",
    "order_events",
    "invitations",
    "stages",
    "order_funnel_daily",
    "workshop_performance",
    "bonus_accounts",
    "bonus_facts",
    "bonus_ledger",
    "grade_history",
    "vip_history",
];

/// Every row of every view.
pub(crate) async fn rows(database: &TestDatabase) -> Vec<String> {
    let analyst = PgPool::connect_with(database.options("atlas_analyst"));
    let analyst = analyst.await.unwrap();
    let mut rows = Vec::new();
    for view in VIEWS {
        let all = format!("SELECT '{view}' || v::text FROM {view} v ORDER BY 1");
        let all = sqlx::query_scalar::<_, String>(&all).fetch_all(&analyst);
        rows.extend(all.await.unwrap());
    }
    rows
}
