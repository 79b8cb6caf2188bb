//! Writes the compiled policies down as rows, for whoever cannot read their files: analysts.

use bonus_domain::{Policies, Policy};
use sqlx::{Connection as _, PgConnection};

/// A rule as its row has it.
struct Rule {
    rule: &'static str,
    event: &'static str,
    role: &'static str,
    points: Option<i64>,
    by_dispute: Option<bool>,
    reverses: Option<&'static str>,
}

/// Writes every policy of this release whose file has another hash than the one written, but none
/// that was ever activated: that one stays what it was. Drafts of other releases that are no more
/// are taken out. As the owner of the tables, whose release migrates last.
///
/// # Errors
/// What the database said.
pub async fn write_policies(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let mut versions = Vec::new();
    for policy in Policies::compiled().iter() {
        versions.push(i32::from(policy.version()));
        write(&mut transaction, policy).await?;
    }
    sqlx::query!(
        "DELETE FROM bonus.policies p
         WHERE p.version <> ALL ($1)
           AND NOT EXISTS (SELECT FROM bonus.policy_activations a WHERE a.version = p.version)",
        &versions,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    // Too few rows for anybody to analyze them by himself, and every award is joined with them.
    sqlx::query!("ANALYZE bonus.policies, bonus.policy_rules, bonus.policy_grades")
        .execute(connection)
        .await?;
    Ok(())
}

async fn write(connection: &mut PgConnection, policy: &Policy) -> Result<(), sqlx::Error> {
    let (version, hash) = (i32::from(policy.version()), policy.hash());
    let changed = sqlx::query!(
        "INSERT INTO bonus.policies AS p (version, hash, window_days, vip_threshold)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (version) DO UPDATE
         SET hash = excluded.hash, window_days = excluded.window_days,
             vip_threshold = excluded.vip_threshold
         WHERE p.hash <> excluded.hash
           AND NOT EXISTS (SELECT FROM bonus.policy_activations a WHERE a.version = p.version)",
        version,
        hash.as_bytes(),
        i32::from(policy.vip().window_days.get()),
        policy.vip().threshold.get(),
    )
    .execute(&mut *connection)
    .await?;
    if changed.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!("DELETE FROM bonus.policy_rules WHERE version = $1", version)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "DELETE FROM bonus.policy_grades WHERE version = $1",
        version
    )
    .execute(&mut *connection)
    .await?;
    for (number, rule) in (1_i32..).zip(rules(policy)) {
        sqlx::query!(
            "INSERT INTO bonus.policy_rules
                 (version, number, rule, event, beneficiary_role, points, by_dispute, reverses)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            version,
            number,
            rule.rule,
            rule.event,
            rule.role,
            rule.points,
            rule.by_dispute,
            rule.reverses,
        )
        .execute(&mut *connection)
        .await?;
    }
    for (grade, from) in policy.grades() {
        sqlx::query!(
            "INSERT INTO bonus.policy_grades (version, grade, from_points) VALUES ($1, $2, $3)",
            version,
            grade.as_str(),
            from.get(),
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The awards, and then a rule for each event that something reverses.
fn rules(policy: &Policy) -> impl Iterator<Item = Rule> {
    let awards = policy.awards().map(|(event, role, points)| Rule {
        rule: "award",
        event: event.as_str(),
        role: role.as_str(),
        points: Some(points.get()),
        by_dispute: None,
        reverses: None,
    });
    let reversals = policy.reversals().flat_map(|reversal| {
        reversal.reverses.iter().map(|reversed| Rule {
            rule: "reversal",
            event: reversal.event.as_str(),
            role: reversal.role.as_str(),
            points: None,
            by_dispute: Some(reversal.by_dispute),
            reverses: Some(reversed.as_str()),
        })
    });
    awards.chain(reversals)
}
