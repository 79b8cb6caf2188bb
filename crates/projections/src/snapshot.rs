//! One view of a read model's rows and of how current they are.

use std::ops::{Deref, DerefMut};

use event_store::{Freshness, Position, PositionToken, checkpoint, generation};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::Model;

/// A read-only transaction in which the rows and the position belong together.
#[derive(Debug)]
pub struct Snapshot {
    transaction: Transaction<'static, Postgres>,
    version: String,
    freshness: Freshness,
}

impl Snapshot {
    /// Opens one of the version of the read model that is served: the statements that follow find
    /// its tables, whatever is swapped meanwhile.
    ///
    /// # Errors
    /// What the database said.
    pub async fn open(pool: &PgPool, model: Model) -> Result<Self, sqlx::Error> {
        let mut transaction = pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .await?;
        let name = model.look_at(&mut transaction).await?;
        let freshness = match checkpoint::freshness(&mut transaction, &name).await? {
            Some(freshness) => freshness,
            None => never_ran(&mut transaction, &name).await?,
        };
        Ok(Self {
            transaction,
            version: name,
            freshness,
        })
    }

    /// The name of the version that it shows.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How current the rows are.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// The same, of the events up to `position` at most: of a checkpoint that is ahead of the store
    /// after a restore, what is appended there since does not count.
    #[must_use]
    pub fn up_to(mut self, position: Position) -> Self {
        let token = &mut self.freshness.token;
        token.position = token.position.min(position);
        self
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
async fn never_ran(connection: &mut PgConnection, name: &str) -> Result<Freshness, sqlx::Error> {
    let position = Position::START;
    Ok(Freshness {
        token: PositionToken {
            generation: generation::latest(connection).await?,
            position,
        },
        lag_seconds: checkpoint::lag(connection, name, position).await?.seconds,
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
