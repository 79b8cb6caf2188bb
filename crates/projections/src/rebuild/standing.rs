//! What is served of a read model, and how well it is proved.

use event_store::generation;
use sqlx::PgConnection;

use super::show::last;
use super::{Certificate, Shown, Verdict, code};
use crate::{Model, Version};

/// How well the served version of a read model is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// No rebuild has made it, or compared it with what it made of the events.
    NotVerified,
    /// It was made of exactly the events, or was equal, row by row, to a version that was.
    Verified,
    /// Rows of a version that was made of exactly the events differ from it.
    Differs,
    /// It was looked at by another release, or in an earlier generation of the store.
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
    /// What the last check of it found; none where it was never checked, or the certificate is
    /// written as another release writes it.
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
    // The last check that it went through: its own, or that of what was to take its place.
    let stored = sqlx::query_scalar!(
        r#"
        SELECT certificate AS "certificate!" FROM read.rebuilds
        WHERE model = $1 AND certificate IS NOT NULL
          AND (to_version = $2 AND state = 'swapped' OR from_version = $2)
        ORDER BY to_version DESC
        LIMIT 1
        "#,
        model.as_str(),
        served.version,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let now = generation::latest(connection).await?;
    let is_stored = stored.is_some();
    let certificate = stored.and_then(|it| serde_json::from_value::<Certificate>(it).ok());
    let proof = match &certificate {
        None if is_stored => Proof::Stale,
        None => Proof::NotVerified,
        Some(found)
            if found.code != code()
                || (found.store, found.generation) != (now.store, now.number) =>
        {
            Proof::Stale
        }
        Some(found) => proof(found, served),
    };
    Ok(Standing {
        served,
        kept,
        proof,
        certificate,
        rebuild: last(connection, model).await?,
    })
}

/// What a certificate of today says of one of its two versions.
fn proof(found: &Certificate, served: Version) -> Proof {
    match found.verdict {
        Verdict::Equal => Proof::Verified,
        Verdict::Accepted if found.to == served.to_string() => Proof::Verified,
        Verdict::Accepted | Verdict::Differs => Proof::Differs,
        Verdict::EventsDiffer => Proof::NotVerified,
    }
}
