//! Which physical history of which store positions belong to.

use sqlx::PgConnection;
use uuid::Uuid;

/// One history of one store: positions of two of them are never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generation {
    /// The store.
    pub store: Uuid,
    /// The number of its history, from 1: a restore or a promotion begins the next.
    pub number: i64,
}

/// Enters the generation that the server is in, opening a new one after a restore or a promotion.
/// Every new connection that reads positions or gives tokens calls it first.
///
/// # Errors
/// What the database said.
pub async fn enter(connection: &mut PgConnection) -> Result<Generation, sqlx::Error> {
    sqlx::query_as!(
        Generation,
        r#"
        SELECT i.store_id AS store, store.enter_generation() AS "number!"
        FROM store.identity i
        LIMIT 1
        "#
    )
    .fetch_one(connection)
    .await
}

/// The generation that was entered last, for a reader that writes nothing.
///
/// # Errors
/// What the database said.
pub async fn latest(connection: &mut PgConnection) -> Result<Generation, sqlx::Error> {
    sqlx::query_as!(
        Generation,
        "
        SELECT i.store_id AS store, g.number
        FROM (SELECT store_id FROM store.identity LIMIT 1) i
        CROSS JOIN store.generation g
        ORDER BY g.number DESC
        LIMIT 1
        "
    )
    .fetch_one(connection)
    .await
}
