//! Whether a read model grows slower with what lies behind it: the same 200 000 events into empty
//! tables, and into those of a million events before them.

use projections::Model;
use test_support::TestDatabase;

use crate::history::{LIFE, catch_up, fill, first, rate};
use crate::large;

const LIVES: i64 = 20_000;

pub(crate) async fn measure() {
    let (_server, large) = large::store().await;
    let small = TestDatabase::create().await;
    let small = taken(&small, 0).await;
    println!("into empty tables: {small:.0} events/s = 1.00");
    let large = taken(&large, large::ORDERS).await;
    println!(
        "with {} events behind them: {large:.0} events/s = {:.2}",
        large::EVENTS,
        large / small
    );
}

/// Events a second of the read model of orders, over new lives from this number on.
async fn taken(database: &TestDatabase, from: i64) -> f64 {
    fill(&database.pool_owner().await, LIVES, from).await;
    rate(LIVES * LIFE, catch_up(database, first(Model::Orders)).await)
}
