//! One view of a read model's rows and of how current they are.

use std::ops::{Deref, DerefMut};

use event_store::{Freshness, Position, PositionToken, checkpoint, generation};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

/// A read-only transaction in which the rows and the position belong together.
#[derive(Debug)]
pub struct Snapshot {
    transaction: Transaction<'static, Postgres>,
    freshness: Freshness,
}

impl Snapshot {
    /// Opens one for the read model `name`.
    ///
    /// # Errors
    /// What the database said.
    pub async fn open(pool: &PgPool, name: &str) -> Result<Self, sqlx::Error> {
        let mut transaction = pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .await?;
        let freshness = match checkpoint::freshness(&mut transaction, name).await? {
            Some(freshness) => freshness,
            None => never_ran(&mut transaction).await?,
        };
        Ok(Self {
            transaction,
            freshness,
        })
    }

    /// How current the rows are.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Gives the connection back in good order.
    ///
    /// # Errors
    /// What the database said.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.transaction.rollback().await
    }
}

/// A read model that has no checkpoint yet has everything before it.
async fn never_ran(connection: &mut PgConnection) -> Result<Freshness, sqlx::Error> {
    let position = Position::START;
    Ok(Freshness {
        token: PositionToken {
            generation: generation::latest(connection).await?,
            position,
        },
        lag_seconds: checkpoint::lag(connection, position).await?.seconds,
    })
}

impl Deref for Snapshot {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.transaction
    }
}

impl DerefMut for Snapshot {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}
