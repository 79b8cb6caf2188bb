//! Dropping versions that are neither served nor kept nor built, once nobody reads them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use event_store::reader_statuses;
use sqlx::PgConnection;
use tokio::time::sleep;

use super::hold::free;
use super::{Hears, Reading, Rebuild, RebuildError, Rebuilder, Told};
use crate::{Model, Version};

/// How often it is looked whether somebody still reads.
const LOOK: Duration = Duration::from_millis(200);

impl Rebuild {
    /// Drops what earlier rebuilds have left, as far as nobody reads it, before there is more of it.
    ///
    /// # Errors
    /// See [`RebuildError`].
    pub async fn sweep(&mut self, hears: Hears<'_>) -> Result<(), RebuildError> {
        let now = self.by.now().await?;
        self.by.clear(self.from.model, now, hears).await?;
        Ok(())
    }

    /// Drops what is left over of the model, and ends the rebuild if its version is served.
    ///
    /// # Errors
    /// See [`RebuildError`]; the next start goes on.
    pub async fn clear(&mut self, hears: Hears<'_>) -> Result<(), RebuildError> {
        // The swap has been committed before: who begins from now on learns of it.
        let now = self.by.now().await?;
        while !self.by.clear(self.from.model, now, hears).await? {
            self.goes_on()?;
            sleep(LOOK).await;
        }
        sqlx::query!(
            "UPDATE read.rebuilds
             SET ended_at = clock_timestamp(), owner = NULL, expires_at = NULL
             WHERE id = $1 AND epoch = $2 AND state = 'swapped'",
            self.id,
            self.epoch,
        )
        .execute(&self.by.pool)
        .await?;
        Ok(())
    }
}

impl Rebuilder {
    async fn now(&self) -> Result<DateTime<Utc>, sqlx::Error> {
        let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!: DateTime<Utc>""#);
        now.fetch_one(&self.pool).await
    }

    /// Drops the versions of a model that are left over and that nobody reads: their readers have
    /// ended, and so has every transaction from before `since`, which may have learnt that one was
    /// served. Whether none is left.
    async fn clear(
        &self,
        model: Model,
        since: DateTime<Utc>,
        hears: Hears<'_>,
    ) -> Result<bool, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let left = sqlx::query_scalar!(
            r#"SELECT version AS "version!" FROM read.left_over($1)"#,
            model.as_str(),
        );
        let left = left.fetch_all(&mut *connection).await?;
        let mut none_left = true;
        for version in left.into_iter().map(|number| model.version(number)) {
            match self.try_to_drop(&mut connection, version, since).await? {
                Some(reader) => {
                    none_left = false;
                    hears(Told::Waits { version, reader });
                }
                None => hears(Told::Dropped(version)),
            }
        }
        Ok(none_left)
    }

    /// Drops a version, unless somebody reads it: then says who.
    async fn try_to_drop(
        &self,
        connection: &mut PgConnection,
        version: Version,
        since: DateTime<Utc>,
    ) -> Result<Option<Reading>, sqlx::Error> {
        let statuses = reader_statuses(connection, &[version.to_string()]).await?;
        if statuses.iter().any(|status| status.owner.is_some()) {
            return Ok(Some(Reading::Reader));
        }
        let session = sqlx::query!(
            r#"
            SELECT pid AS "pid!",
                   extract(epoch FROM clock_timestamp() - xact_start)::bigint AS "seconds!"
            FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
              AND backend_type = 'client backend' AND backend_xmin IS NOT NULL
              AND xact_start < $1
            ORDER BY xact_start
            LIMIT 1
            "#,
            since,
        )
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(session) = session {
            return Ok(Some(Reading::Session {
                pid: session.pid,
                seconds: session.seconds,
            }));
        }
        let dropped = sqlx::query!(
            "SELECT read.drop_version($1, $2)",
            version.model.as_str(),
            version.version,
        )
        .execute(connection)
        .await;
        Ok(free(dropped)?.map_or(Some(Reading::Lock), |_| None))
    }
}
