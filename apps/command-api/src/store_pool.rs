//! Connections to the store.

use event_store::generation;
use service_runtime::{DatabaseConfig, pool_options};
use sqlx::PgPool;

use crate::NAME;

/// How many connections the process holds at most. The executor divides them: four load, twelve
/// append, one wakes the readers up.
const MAX_CONNECTIONS: u32 = 17;

/// Every statement here reads by a whole key, so the generic plan is the plan: planning anew for
/// each value costs more than running it.
const GENERIC_PLANS: (&str, &str) = ("plan_cache_mode", "force_generic_plan");

/// A pool that opens its first connection when it is first used. Every connection enters the
/// generation that the server is in before it gives position tokens.
#[must_use]
pub fn store_pool(database: &DatabaseConfig) -> PgPool {
    pool_options(database, MAX_CONNECTIONS)
        .after_connect(|connection, _| {
            Box::pin(async move { generation::enter(connection).await.map(drop) })
        })
        .connect_lazy_with(database.connect_options(NAME).options([GENERIC_PLANS]))
}
