//! Leases on work that one process does at a time, and that no reader's checkpoint stands for.
//!
//! A lease keeps others from doing the same beside it; it does not fence. Whoever works under one is
//! right also when two do so at once, for a moment, around the end of a lease.

use std::time::Duration;

use sqlx::PgConnection;

use crate::shares::KEPT_SECONDS;

/// The right to do a work; one process has it at a time.
#[derive(Debug, Clone)]
pub struct Lease {
    name: &'static str,
    owner: String,
    duration: Duration,
}

impl Lease {
    /// Lets VIP come and go.
    pub const VIP_CLOCK: &'static str = "vip-clock";
    /// Recomputes accounts.
    pub const RECOMPUTE: &'static str = "recompute";

    /// Carries out what operators ask for.
    pub const ACTS: &'static str = "acts";
    /// Audits, and writes down what it finds.
    pub const AUDITOR: &'static str = "auditor";

    /// That of an owner, which it asks for with [`Lease::hold`].
    #[must_use]
    pub fn of(name: &'static str, owner: &str, duration: Duration) -> Self {
        Self {
            name,
            owner: owner.to_owned(),
            duration,
        }
    }

    /// Its name, among the readers'.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whose it is, once it is held.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Takes or keeps it for its duration; whether it is ours.
    ///
    /// # Errors
    /// What the database said.
    pub async fn hold(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let held = sqlx::query!(
            r#"
            UPDATE ops.leases
            SET owner = $1, expires_at = clock_timestamp() + make_interval(secs => $3)
            WHERE name = $2
              AND (owner IS NULL OR owner = $1 OR expires_at <= clock_timestamp())
            "#,
            self.owner,
            self.name,
            self.duration.as_secs_f64(),
        )
        .execute(connection)
        .await?;
        Ok(held.rows_affected() == 1)
    }

    /// Lets another owner have it at once.
    ///
    /// # Errors
    /// What the database said.
    pub async fn release(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE ops.leases SET owner = NULL, expires_at = NULL WHERE name = $1 AND owner = $2",
            self.name,
            self.owner,
        )
        .execute(connection)
        .await
        .map(drop)
    }

    /// Hands it over: it is kept for `to` for a moment, and anybody's after that.
    ///
    /// # Errors
    /// What the database said.
    pub async fn hand_over(
        &self,
        connection: &mut PgConnection,
        to: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            r#"
            UPDATE ops.leases
            SET owner = $3, expires_at = clock_timestamp() + make_interval(secs => $4)
            WHERE name = $1 AND owner = $2
            "#,
            self.name,
            self.owner,
            to,
            KEPT_SECONDS,
        )
        .execute(connection)
        .await
        .map(drop)
    }
}
