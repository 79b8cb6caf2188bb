//! What is served of a read model, and how well it is proved.

use event_store::generation;
use sqlx::PgConnection;

use super::show::last;
use super::{Certificate, Shown, code};
use crate::{Model, Version};

/// How well the served version of a read model is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It was never compared with another: no rebuild has made it.
    NotVerified,
    /// It was compared, row by row, with the version before, and was made of exactly the events.
    Verified,
    /// So it was, by another release or before a restore.
    Stale,
}

/// A read model: what is served, how well that is proved, and its last rebuild.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What queries are answered from.
    pub served: Version,
    /// What is kept to go back to.
    pub kept: Option<Version>,
    /// How well the served version is proved.
    pub proof: Proof,
    /// What its check found; none where it was never checked, or the certificate is written as
    /// another release writes it.
    pub certificate: Option<Certificate>,
    /// The last rebuild, under way or not.
    pub rebuild: Option<Shown>,
}

/// How it stands with a read model.
///
/// # Errors
/// What the database said.
pub async fn standing(
    connection: &mut PgConnection,
    model: Model,
) -> Result<Standing, sqlx::Error> {
    let (served, kept) = model.served_and_retired(connection).await?;
    let stored = sqlx::query_scalar!(
        "
        SELECT certificate FROM read.rebuilds
        WHERE model = $1 AND to_version = $2 AND state = 'swapped'
        ",
        model.as_str(),
        served.version,
    )
    .fetch_optional(&mut *connection)
    .await?
    .flatten();
    let now = generation::latest(connection).await?;
    let is_stored = stored.is_some();
    let certificate = stored.and_then(|it| serde_json::from_value::<Certificate>(it).ok());
    let is_of_now = certificate.as_ref().is_some_and(|it| {
        it.code == code() && (it.store, it.generation) == (now.store, now.number)
    });
    Ok(Standing {
        served,
        kept,
        proof: match (is_stored, is_of_now) {
            (false, _) => Proof::NotVerified,
            (true, true) => Proof::Verified,
            (true, false) => Proof::Stale,
        },
        certificate,
        rebuild: last(connection, model).await?,
    })
}
