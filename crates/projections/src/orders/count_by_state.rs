//! How many orders are in each state.

use sqlx::PgConnection;

use super::status::OrderState;
use super::words::read_word;

/// How many orders are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InState {
    /// The state.
    pub state: OrderState,
    /// How many, counted up to the bound.
    pub orders: i64,
}

/// Counts the orders of each state, of each no more than `most`: one walk along the index each.
///
/// # Errors
/// What the database said.
pub async fn count_by_state(
    connection: &mut PgConnection,
    most: i64,
) -> Result<Vec<InState>, sqlx::Error> {
    let states: Vec<&str> = OrderState::ALL.iter().map(|state| state.as_str()).collect();
    let records = sqlx::query!(
        r#"SELECT s.state AS "state!", c.orders AS "orders!"
           FROM unnest($1::text[]) WITH ORDINALITY AS s (state, place)
           CROSS JOIN LATERAL (
               SELECT count(*) AS orders
               FROM (SELECT FROM orders WHERE orders.state = s.state
                     ORDER BY placed_at, order_id LIMIT $2) AS those) AS c
           ORDER BY s.place"#,
        &states as &[&str],
        most,
    )
    .fetch_all(connection)
    .await?;
    let counted = records.into_iter().map(|record| {
        Ok(InState {
            state: read_word(&record.state, "state")?,
            orders: record.orders,
        })
    });
    counted.collect()
}
