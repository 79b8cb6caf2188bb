//! Which physical history of the server positions belong to.

use sqlx::PgConnection;

/// Enters the generation that the server is in, opening a new one after a restore or a promotion.
/// Every new connection that reads positions or gives tokens calls it first.
///
/// # Errors
/// What the database said.
pub async fn enter(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT store.enter_generation() AS "generation!""#)
        .fetch_one(connection)
        .await
}

/// The generation that was entered last, for a reader that writes nothing.
///
/// # Errors
/// What the database said.
pub async fn latest(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("SELECT number FROM store.generation ORDER BY number DESC LIMIT 1")
        .fetch_one(connection)
        .await
}
