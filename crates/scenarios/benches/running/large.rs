//! A store of a million events, whose 100 000 orders the read models have.

use projections::Model;
use test_support::{TestDatabase, TestServer};

use crate::history::{LIFE, catch_up, fill, first, rate};

/// How many orders there are.
pub(crate) const ORDERS: i64 = 100_000;
pub(crate) const EVENTS: i64 = ORDERS * LIFE;
/// Where no Kafka is: read models are followed without it.
pub(crate) const NOWHERE: &str = "127.0.0.1:1";

/// Fills one, and brings the read models up to date.
pub(crate) async fn store() -> (TestServer, TestDatabase) {
    let server = TestServer::start().await;
    let database = TestDatabase::create_on(&server).await;
    fill(&database.pool_owner().await, ORDERS, 0).await;
    let of = |model| catch_up(&database, first(model));
    let (orders, ..) = tokio::join!(of(Model::Orders), of(Model::Workshops), of(Model::Bonus));
    println!(
        "{EVENTS} events brought into the live tables from empty: {:.0} events/s",
        rate(EVENTS, orders)
    );
    // What filling left to write is not on who comes next.
    let superuser = database.pool_superuser().await;
    for statement in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
        sqlx::raw_sql(statement).execute(&superuser).await.unwrap();
    }
    (server, database)
}
