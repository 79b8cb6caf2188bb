//! The appends of several commands, in one round trip and with one commit.

use sqlx::PgConnection;

use crate::append::{Append, Appended, Columns};
use crate::{Generation, Position, PositionToken};

/// The stream has moved on; nothing was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stale;

/// Appends on `connection` as a transaction of its own. The appends change no stream in
/// common and share no key; what they only look at may be the same.
/// Nothing comes back for one whose key is in use: [`append`](crate::append()) tells what for.
///
/// # Errors
/// What the database said; none of the appends was done.
pub(crate) async fn append_many(
    connection: &mut PgConnection,
    appends: &[&Append],
) -> Result<Vec<Option<Result<Appended, Stale>>>, sqlx::Error> {
    let mut claims = Claims::default();
    appends.iter().for_each(|append| claims.push(append));
    let columns = Columns::of(appends);
    let rows = sqlx::query!(
        r#"
        SELECT outcome AS "outcome!", position, generation AS "generation!",
               store_id AS "store_id!"
        FROM store.append_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                               $16)
        ORDER BY unit
        "#,
        &claims.scopes as &[Option<&str>],
        &claims.keys as &[Option<&str>],
        &claims.fingerprints as &[Option<&[u8]>],
        &claims.statuses,
        &claims.states as &[Option<&str>],
        &columns.targets,
        &columns.stream_units,
        &columns.stream_types as &[&str],
        &columns.stream_ids as &[&str],
        &columns.expected,
        &columns.event_streams,
        &columns.event_ids,
        &columns.event_types as &[&str],
        &columns.event_versions as &[&str],
        &columns.payloads as &[&serde_json::Value],
        &columns.metadata,
    )
    .fetch_all(connection)
    .await?;

    appends
        .iter()
        .zip(rows)
        .map(|(append, row)| {
            let token = PositionToken {
                generation: Generation {
                    store: row.store_id,
                    number: row.generation,
                },
                position: Position::new(row.position.unwrap_or(0)),
            };
            match row.outcome.as_str() {
                "appended" => append
                    .answer(token)
                    .map(|answer| Some(Ok(Appended::Now(answer))))
                    .ok_or(sqlx::Error::RowNotFound),
                "stale" => Ok(Some(Err(Stale))),
                _ => Ok(None),
            }
        })
        .collect()
}

/// What the units claim; nulls where one has no key.
#[derive(Default)]
struct Claims<'a> {
    scopes: Vec<Option<&'a str>>,
    keys: Vec<Option<&'a str>>,
    fingerprints: Vec<Option<&'a [u8]>>,
    statuses: Vec<i16>,
    states: Vec<Option<&'a str>>,
}

impl<'a> Claims<'a> {
    fn push(&mut self, append: &'a Append) {
        let claim = append.claim.as_ref();
        self.scopes.push(claim.map(|c| c.claim.scope.as_str()));
        self.keys.push(claim.map(|c| c.claim.key.as_str()));
        self.fingerprints
            .push(claim.map(|c| c.claim.fingerprint.as_slice()));
        self.statuses.push(claim.map_or(200, |c| c.status_column()));
        self.states.push(claim.and_then(|c| c.state.as_deref()));
    }
}
