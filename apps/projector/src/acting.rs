//! What an act is given, whoever asked for it: on the command line, or from a distance, where the
//! role `acts` carries it out. Each act is one function over this.

use event_store::Position;
use event_store::acts::{self, ActId, ActKind, NewAct};
use projections::rebuild::Authority;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::session::Failure;

/// What an act is given.
pub(crate) struct Acting<'a> {
    /// For what it reads and writes.
    pub(crate) pool: PgPool,
    /// How a connection of its own is opened.
    pub(crate) connect: PgConnectOptions,
    /// Who acts, and why.
    pub(crate) by: By,
    /// Cancelled, it ends where it can be taken up again.
    pub(crate) stop: CancellationToken,
    /// Who hears how it goes on.
    pub(crate) tells: &'a dyn Tells,
}

/// Who acts, and why; kept with what is done.
#[derive(Debug, Clone)]
pub(crate) struct By {
    pub(crate) operator: Uuid,
    pub(crate) reason: String,
    /// What asked for it from a distance, if that is how it was asked for.
    pub(crate) request: Option<ActId>,
}

/// Who hears how an act goes on: a terminal, or whoever asked from a distance.
pub(crate) trait Tells: Send + Sync {
    /// A line.
    fn say(&self, line: &str);

    /// Asks before anything is done.
    ///
    /// # Errors
    /// If the answer is no.
    fn agreed(&self, question: &str) -> Result<(), Failure>;

    /// So many of these, called so in the plural, are done of so many. The first count of one kind is
    /// what it begins with.
    fn count(&self, what: &'static str, done: u64, total: u64);

    /// What came of it: as JSON, and as text for people whose foreign parts are harmless.
    ///
    /// # Errors
    /// If it could not be told.
    fn found(&self, value: &Value, text: &str) -> Result<(), Failure>;
}

/// What an act has done before its process ended.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    /// The fact of it.
    pub(crate) id: ActId,
    pub(crate) position: Position,
    pub(crate) subject: Value,
}

impl By {
    /// The act as it is recorded. `subject` is a JSON object that says what it is done to.
    pub(crate) fn act(&self, kind: ActKind, subject: Value) -> NewAct {
        NewAct {
            kind,
            operator: self.operator,
            reason: self.reason.clone(),
            subject,
            request: self.request,
        }
    }

    /// On whose authority a read model is rebuilt.
    pub(crate) fn authority(&self) -> Authority {
        Authority {
            operator: self.operator,
            reason: self.reason.clone(),
            request: self.request,
        }
    }
}

impl Acting<'_> {
    /// What the request has done of this kind: whoever began it may have been killed since. A command
    /// line begins everything anew.
    pub(crate) async fn done_before(&self, kind: ActKind) -> Result<Option<Before>, sqlx::Error> {
        let Some(request) = self.by.request else {
            return Ok(None);
        };
        let mut connection = self.pool.acquire().await?;
        let found = acts::find_done(&mut connection, request, kind).await?;
        Ok(found.map(|(id, position, subject)| Before {
            id,
            position,
            subject,
        }))
    }

    /// Records how an act ended that went on after its transaction. Where it was asked for from a
    /// distance, the end of the request says it all.
    pub(crate) async fn ended(
        &self,
        connection: &mut PgConnection,
        act: ActId,
        result: Value,
    ) -> Result<(), sqlx::Error> {
        match self.by.request {
            Some(_) => Ok(()),
            None => acts::ended(connection, act, self.by.operator, result).await,
        }
    }
}

impl Before {
    /// A number that the fact holds.
    pub(crate) fn number(&self, member: &str) -> Option<u64> {
        self.subject.get(member)?.as_u64()
    }

    /// A text that the fact holds.
    pub(crate) fn text(&self, member: &str) -> Option<&str> {
        self.subject.get(member)?.as_str()
    }
}
