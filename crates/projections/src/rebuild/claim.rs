//! The claim of a rebuild: who works on it now, by the server's clock alone. It ends with its lease,
//! and the next owner goes on.

use std::time::{Duration, Instant};

use event_store::acts::{self, ActKind, NewAct};
use event_store::failure::{SqlFailure, classify};
use event_store::{checkpoint, generation};
use serde_json::json;
use sqlx::{Acquire as _, PgConnection, PgPool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::show::State;
use super::{Authority, RebuildError, Rebuilder};
use crate::orders::FOLD_SHAPE;
use crate::{Model, ReadModel, Version};

/// What is to be rebuilt, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which read model.
    pub model: Model,
    /// Whose will it is.
    pub authority: Authority,
    /// Whether a rebuild whose versions differ is taken up; else another is begun.
    pub takes_up_failed: bool,
}

/// What a start of a rebuild came upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// There was none: a new one is begun.
    Begun,
    /// There was one, which goes on from this state.
    TakenUp(State),
}

/// A rebuild under way, held by its claim; dropped, the claim ends with its lease.
#[derive(Debug)]
pub struct Rebuild {
    pub(super) by: Rebuilder,
    pub(super) id: i64,
    pub(super) epoch: i64,
    pub(super) from: Version,
    pub(super) to: Version,
    pub(super) state: State,
    pub(super) sink: SinkOf,
    /// Cancelled when the claim is lost or the caller says stop.
    pub(super) halt: CancellationToken,
    stop: CancellationToken,
    renewal: JoinHandle<()>,
}

/// The one sink of a rebuild, which remembers what it has folded.
pub(super) struct SinkOf(pub(super) Box<dyn ReadModel>);

impl std::fmt::Debug for SinkOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SinkOf")
    }
}

/// A row of `read.rebuilds` that was taken.
struct Taken {
    id: i64,
    epoch: i64,
    from_version: i32,
    to_version: i32,
    state: String,
    code: String,
}

/// Whether a version was last moved in the generation that the store is in: one that was begun
/// before a restore may hold what the store does not.
async fn is_of_now(connection: &mut PgConnection, version: Version) -> Result<bool, sqlx::Error> {
    let reached = checkpoint::reached(connection, &version.to_string()).await?;
    let now = generation::latest(connection).await?;
    Ok(reached.is_none_or(|it| it.generation == now.number))
}

/// The release whose code builds: rows of two are not compared.
#[must_use]
pub fn code() -> String {
    format!("{} (fold shape {FOLD_SHAPE})", env!("CARGO_PKG_VERSION"))
}

impl Rebuilder {
    /// Begins a rebuild, or takes up the one that was left; one that another release began, or
    /// that was begun before a restore, or whose versions differ, is abandoned for a new one; of
    /// these the last may be to be taken up.
    ///
    /// # Errors
    /// [`RebuildError::Held`] while somebody else works on one.
    pub async fn claim(
        &self,
        plan: &Plan,
        stop: &CancellationToken,
    ) -> Result<(Rebuild, Claimed), RebuildError> {
        let model = plan.model;
        loop {
            let mut transaction = self.pool.begin().await?;
            let (taken, claimed) = match self.take_up(&mut transaction, model).await? {
                Some(taken) => {
                    let state = State::stored(&taken.state)?;
                    let to = model.version(taken.to_version);
                    let same = taken.code == code() && is_of_now(&mut transaction, to).await?;
                    let goes_on = match state {
                        State::Swapped => true,
                        State::Failed => plan.takes_up_failed && same,
                        State::Building | State::Checking => same,
                        State::Abandoned => false,
                    };
                    if !goes_on {
                        enter(&mut transaction, taken.id, taken.epoch, State::Abandoned).await?;
                        transaction.commit().await?;
                        continue;
                    }
                    (taken, Claimed::TakenUp(state))
                }
                None => match self.begin(&mut transaction, plan).await? {
                    Some(taken) => (taken, Claimed::Begun),
                    None => match self.holder(&mut transaction, model).await? {
                        Some(held) => return Err(held),
                        // It has just ended.
                        None => continue,
                    },
                },
            };
            let state = match claimed {
                Claimed::TakenUp(State::Failed) => State::Checking,
                Claimed::TakenUp(state) => state,
                Claimed::Begun => State::Building,
            };
            enter(&mut transaction, taken.id, taken.epoch, state).await?;
            let (from, to) = (
                model.version(taken.from_version),
                model.version(taken.to_version),
            );
            let subject = json!({
                "model": model.as_str(), "rebuild": taken.id, "from": from.to_string(),
                "to": to.to_string(), "takenUp": claimed != Claimed::Begun,
            });
            let act = plan.authority.act(ActKind::Rebuild, subject);
            acts::record(&mut transaction, &act).await?;
            transaction.commit().await?;
            let halt = stop.child_token();
            let renewal = renew(self.clone(), taken.id, taken.epoch, halt.clone());
            let rebuild = Rebuild {
                by: self.clone(),
                id: taken.id,
                epoch: taken.epoch,
                from,
                to,
                state,
                sink: SinkOf(model.sink()),
                halt,
                stop: stop.clone(),
                renewal: tokio::spawn(renewal),
            };
            return Ok((rebuild, claimed));
        }
    }

    /// Takes up the model's rebuild that has not ended, if nobody works on it.
    async fn take_up(
        &self,
        connection: &mut PgConnection,
        model: Model,
    ) -> Result<Option<Taken>, sqlx::Error> {
        sqlx::query_as!(
            Taken,
            "
            UPDATE read.rebuilds r
            SET owner = $2, epoch = epoch + 1,
                expires_at = clock_timestamp() + make_interval(secs => $3),
                from_version = CASE WHEN r.state = 'swapped' THEN r.from_version
                                    ELSE (SELECT version FROM read.served WHERE model = $1) END
            WHERE model = $1 AND ended_at IS NULL
              AND (owner IS NULL OR expires_at <= clock_timestamp())
            RETURNING id, epoch, from_version, to_version, state, code
            ",
            model.as_str(),
            self.owner,
            self.lease.as_secs_f64(),
        )
        .fetch_optional(connection)
        .await
    }

    /// Begins one; none where there is one that has not ended.
    async fn begin(
        &self,
        connection: &mut PgConnection,
        plan: &Plan,
    ) -> Result<Option<Taken>, sqlx::Error> {
        let mut attempt = connection.begin().await?;
        let begun = sqlx::query_scalar!(
            r#"SELECT read.begin_rebuild($1, $2, $3, $4, $5, $6) AS "id!""#,
            plan.model.as_str(),
            self.owner,
            self.lease.as_secs_f64(),
            plan.authority.operator,
            plan.authority.reason,
            code(),
        )
        .fetch_one(&mut *attempt)
        .await;
        let id = match begun {
            Ok(id) => id,
            Err(error) if classify(&error) == SqlFailure::Duplicate => {
                attempt.rollback().await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        attempt.commit().await?;
        let taken = sqlx::query_as!(
            Taken,
            "SELECT id, epoch, from_version, to_version, state, code
             FROM read.rebuilds WHERE id = $1",
            id,
        );
        taken.fetch_one(connection).await.map(Some)
    }

    /// Who works on the model's rebuild.
    pub(super) async fn holder(
        &self,
        connection: &mut PgConnection,
        model: Model,
    ) -> Result<Option<RebuildError>, sqlx::Error> {
        let row = sqlx::query!(
            r#"
            SELECT id, to_version, coalesce(owner, '') AS "owner!", operator,
                   greatest(0, ceil(extract(epoch FROM expires_at - clock_timestamp())))::bigint
                       AS seconds
            FROM read.rebuilds WHERE model = $1 AND ended_at IS NULL
            LIMIT 1
            "#,
            model.as_str(),
        )
        .fetch_optional(connection)
        .await?;
        Ok(row.map(|row| RebuildError::Held {
            model,
            id: row.id,
            to: row.to_version,
            owner: row.owner,
            operator: row.operator,
            seconds: row.seconds.unwrap_or_default(),
        }))
    }
}

impl Authority {
    /// The act as it is recorded.
    pub(super) fn act(&self, kind: ActKind, subject: serde_json::Value) -> NewAct {
        NewAct {
            kind,
            operator: self.operator,
            reason: self.reason.clone(),
            subject,
            request: self.request,
        }
    }
}

impl Rebuild {
    /// Which state it is in.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The version that was served when it began.
    #[must_use]
    pub const fn from(&self) -> Version {
        self.from
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> i64 {
        self.id
    }

    /// The version that it builds.
    #[must_use]
    pub const fn to(&self) -> Version {
        self.to
    }

    /// Gives the claim back, so that the next start need not wait for it to run out.
    ///
    /// # Errors
    /// What the database said; a claim lost before is no error.
    pub async fn release(self) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE read.rebuilds SET owner = NULL, expires_at = NULL
             WHERE id = $1 AND epoch = $2",
            self.id,
            self.epoch,
        )
        .execute(&self.by.pool)
        .await
        .map(drop)
    }

    /// Why it does not go on.
    pub(super) fn why_stopped(&self) -> RebuildError {
        if self.stop.is_cancelled() {
            RebuildError::Stopped
        } else {
            RebuildError::ClaimLost
        }
    }

    /// Makes sure that it may go on.
    pub(super) fn goes_on(&self) -> Result<(), RebuildError> {
        if self.halt.is_cancelled() {
            return Err(self.why_stopped());
        }
        Ok(())
    }

    /// Notes that it has come to `state`.
    pub(super) async fn enter(&mut self, state: State) -> Result<(), RebuildError> {
        let mut connection = self.by.pool.acquire().await?;
        enter(&mut connection, self.id, self.epoch, state).await?;
        self.state = state;
        Ok(())
    }
}

impl Drop for Rebuild {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Notes that a rebuild has come to `state`, under its claim.
async fn enter(
    connection: &mut PgConnection,
    id: i64,
    epoch: i64,
    state: State,
) -> Result<(), RebuildError> {
    let done = sqlx::query!(
        "UPDATE read.rebuilds
         SET state = $3, ended_at = CASE WHEN $4 THEN clock_timestamp() END
         WHERE id = $1 AND epoch = $2",
        id,
        epoch,
        state.as_str(),
        state == State::Abandoned,
    )
    .execute(connection)
    .await?;
    match done.rows_affected() {
        1 => Ok(()),
        _ => Err(RebuildError::ClaimLost),
    }
}

/// Renews a claim until it is lost; then everything under it is to stop.
async fn renew(by: Rebuilder, id: i64, epoch: i64, halt: CancellationToken) {
    let mut renewed = Instant::now();
    while !halt.is_cancelled() {
        tokio::time::sleep(by.lease / 4).await;
        let at = Instant::now();
        match renew_once(&by.pool, id, epoch, by.lease).await {
            Ok(true) => renewed = at,
            Ok(false) => halt.cancel(),
            Err(_) if renewed.elapsed() > by.lease => halt.cancel(),
            Err(_) => {}
        }
    }
}

async fn renew_once(
    pool: &PgPool,
    id: i64,
    epoch: i64,
    lease: Duration,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE read.rebuilds SET expires_at = clock_timestamp() + make_interval(secs => $3)
         WHERE id = $1 AND epoch = $2",
        id,
        epoch,
        lease.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}
