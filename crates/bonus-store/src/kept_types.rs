//! From when on facts of each type are kept: a policy that rewards a type of which earlier facts
//! may be missing is not activated.

use bonus_domain::{Policies, Policy, SourceType};
use event_store::{StreamId, holds};
use kernel::Role;
use sqlx::PgConnection;

/// A type of facts, and the role of those who benefit.
pub type KeptType = (Role, SourceType);

/// Notes the types that this release keeps and no earlier one did. Where orders have happened
/// already, some of their facts may be missing.
pub(crate) async fn register(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let kept: Vec<KeptType> = Policies::compiled().iter().flat_map(minded).collect();
    let (roles, types) = columns(&kept);
    let known = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM bonus.kept_types k
           WHERE (k.beneficiary_role, k.event_type)
                 IN (SELECT * FROM unnest($1::text[], $2::text[]))"#,
        &roles as &[&str],
        &types as &[&str],
    )
    .fetch_one(&mut *connection)
    .await?;
    let distinct: std::collections::BTreeSet<KeptType> = kept.iter().copied().collect();
    if usize::try_from(known).is_ok_and(|known| known == distinct.len()) {
        return Ok(());
    }
    let begun = holds(connection, StreamId::ORDER).await?;
    sqlx::query!(
        "INSERT INTO bonus.kept_types (beneficiary_role, event_type, whole_since)
         SELECT DISTINCT k.role, k.type, CASE WHEN NOT $3 THEN clock_timestamp() END
         FROM unnest($1::text[], $2::text[]) AS k (role, type)
         ON CONFLICT DO NOTHING",
        &roles as &[&str],
        &types as &[&str],
        begun,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The types that a policy gives or takes points for, and of which facts may be missing.
///
/// # Errors
/// What the database said.
pub async fn missing_types(
    connection: &mut PgConnection,
    policy: &Policy,
) -> Result<Vec<KeptType>, sqlx::Error> {
    let minded: Vec<KeptType> = minded(policy).collect();
    let whole = sqlx::query!(
        "SELECT beneficiary_role, event_type FROM bonus.kept_types
         WHERE whole_since IS NOT NULL LIMIT 10000"
    )
    .fetch_all(connection)
    .await?;
    let is_whole = |(role, event): &KeptType| {
        whole
            .iter()
            .any(|row| row.beneficiary_role == role.as_str() && row.event_type == event.as_str())
    };
    Ok(minded.into_iter().filter(|it| !is_whole(it)).collect())
}

/// Notes that every fact of these types is kept that there ever was.
///
/// # Errors
/// What the database said.
pub async fn mark_whole(
    connection: &mut PgConnection,
    types: &[KeptType],
) -> Result<(), sqlx::Error> {
    let (roles, types) = columns(types);
    sqlx::query!(
        "UPDATE bonus.kept_types SET whole_since = clock_timestamp()
         WHERE (beneficiary_role, event_type) IN (SELECT * FROM unnest($1::text[], $2::text[]))
           AND whole_since IS NULL",
        &roles as &[&str],
        &types as &[&str],
    )
    .execute(connection)
    .await
    .map(drop)
}

fn columns(types: &[KeptType]) -> (Vec<&'static str>, Vec<&'static str>) {
    types
        .iter()
        .map(|(role, event)| (role.as_str(), event.as_str()))
        .unzip()
}

/// What a policy gives or takes points for.
fn minded(policy: &Policy) -> impl Iterator<Item = KeptType> {
    let awarded = policy.awards().map(|(event, role, _)| (role, event));
    let reversing = policy.reversals().map(|it| (it.role, it.event));
    awarded.chain(reversing)
}
