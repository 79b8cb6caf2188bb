//! The role that carries out the acts that operators ask for from a distance: one after the other, in
//! the order of their requests, by the functions of the command line.
//!
//! Who carries one out may be killed at any instant, and the next owner goes on: each act has either
//! left its fact, with all that it does in one transaction, or it can be begun again.

mod noting;
mod requested;

use std::time::Duration;

use event_store::acts::{ActId, End, EndState, Undertaking, find_done, take_in};
use event_store::instruments::{ACTS_CARRIED_OUT, ACTS_WAITING};
use event_store::{Lease, generation};
use messaging::topics::Retention;
use serde_json::{Value, json};
use service_runtime::{Dependency, pool_options};
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::noting::Noting;
use self::requested::{at_once, carry_out};
use crate::acting::{Acting, By};
use crate::alone::{Alone, Work};
use crate::cli::Exit;
use crate::config::{Conflicts, ProjectorConfig};
use crate::readers::Readers;
use crate::session::Failure;

/// How often it is looked whether something is asked for.
const TICK: Duration = Duration::from_millis(500);
/// How often the lease is renewed and progress is noted while an act is carried out.
const BEAT: Duration = Duration::from_millis(250);
/// Store or broker were out of reach: how long until the act is taken up again, and how often.
const AGAIN: Duration = Duration::from_secs(1);
const TRIES: u32 = 10;
/// An act that was taken up so often ends whoever carries it out.
const MOST_TAKEN: i16 = 30;
/// After so many beats it is counted again how many wait.
const COUNTED_EVERY: u32 = 4;
/// What the acts read and write with; none is open while nothing is asked for.
const CONNECTIONS: u32 = 4;
const IDLE: Duration = Duration::from_secs(30);

/// Who carries out what is asked for.
pub(crate) struct CarryingOut {
    pool: PgPool,
    tools: Tools,
    lease: Lease,
    stop: CancellationToken,
    health: Dependency,
    /// The act that store or broker were out of reach for, and how often.
    tried: Option<(ActId, u32)>,
}

/// What acts are carried out with.
pub(crate) struct Tools {
    pub(crate) pool: PgPool,
    pub(crate) connect: PgConnectOptions,
    pub(crate) brokers: String,
    pub(crate) retention: Retention,
    pub(crate) conflict: Conflicts,
    pub(crate) lease: Duration,
}

/// The role, under its lease, until `stop`.
pub(crate) fn role(
    config: &ProjectorConfig,
    readers: &Readers,
    health: Dependency,
    stop: CancellationToken,
) -> Alone<CarryingOut> {
    let name = format!("{} acts", readers.owner);
    let connect = config.database.connect_options(&name);
    let tools = Tools {
        pool: pool_options(&config.database, CONNECTIONS)
            .idle_timeout(IDLE)
            .after_connect(|connection, _| {
                Box::pin(async move { generation::enter(connection).await.map(drop) })
            })
            .connect_lazy_with(connect.clone()),
        connect,
        brokers: config.brokers.clone(),
        retention: config.retention,
        conflict: config.conflict,
        lease: config.lease,
    };
    // Who waits for its turn lacks nothing.
    health.up();
    let lease = Lease::of(Lease::ACTS, &readers.owner, config.lease);
    Alone {
        pool: readers.pool.clone(),
        lease: lease.clone(),
        shares: readers.shares.clone(),
        work: CarryingOut {
            pool: readers.pool.clone(),
            tools,
            lease,
            stop,
            health,
            tried: None,
        },
    }
}

impl Work for CarryingOut {
    type Error = sqlx::Error;

    async fn turn(&mut self) -> Result<Duration, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        count(&mut connection).await?;
        let next = Undertaking::next(&mut connection, self.lease.owner()).await?;
        drop(connection);
        match next {
            Some(undertaking) => self.carry_out(&undertaking).await,
            None => Ok(TICK),
        }
    }
}

impl CarryingOut {
    /// Carries an act out, or as much of it as it may; how long until the next turn.
    async fn carry_out(&mut self, undertaking: &Undertaking) -> Result<Duration, sqlx::Error> {
        let Undertaking { id, operator, .. } = undertaking;
        info!(act = %id, %operator, taken_up = undertaking.taken_up, "acts.carry_out");
        let noting = Noting::after(&undertaking.said);
        let halt = self.stop.child_token();
        let ended = {
            let carried = self.by_its_code(undertaking, &noting, &halt);
            let kept = self.keep(undertaking, &noting, &halt);
            tokio::pin!(carried, kept);
            tokio::select! {
                ended = &mut carried => ended,
                // It has halted the act, which ends where it can be taken up.
                () = &mut kept => carried.await,
            }
        };
        if ended.is_err() && halt.is_cancelled() {
            self.health.up();
            info!(act = %id, "acts.left");
            return Ok(Duration::ZERO);
        }
        if let Err(failure) = &ended
            && failure.may_pass()
            && self.may_try_again(*id)
        {
            warn!(act = %id, %failure, "acts.try_again");
            self.health.impaired(&failure.to_string());
            return Ok(AGAIN);
        }
        self.tried = None;
        self.health.up();
        if ended.is_err() && self.is_done(undertaking).await? {
            // By an owner that has not noticed yet that it is none, or by a commit whose answer was
            // lost: who takes it up again finds that out.
            return Ok(Duration::ZERO);
        }
        self.end(undertaking, &noting, ended).await?;
        Ok(Duration::ZERO)
    }

    async fn by_its_code(
        &self,
        undertaking: &Undertaking,
        noting: &Noting,
        halt: &CancellationToken,
    ) -> Result<(), Failure> {
        let request = undertaking.request.as_ref().map_err(|why| {
            let line = format!(
                "this release does not know what is asked for ({why}): ask again once every \
                 projector is of the release that does"
            );
            Failure::new(Exit::Failed, line)
        })?;
        if undertaking.taken > MOST_TAKEN {
            let line = format!(
                "{MOST_TAKEN} processes that carried this out have ended before it: look at what \
                 they logged, and ask for it again, or for less"
            );
            return Err(Failure::new(Exit::Failed, line));
        }
        let acting = Acting {
            pool: self.tools.pool.clone(),
            connect: self.tools.connect.clone(),
            by: By {
                operator: undertaking.operator,
                reason: request.reason.clone(),
                request: Some(undertaking.id),
            },
            stop: halt.clone(),
            tells: noting,
        };
        carry_out(
            &acting,
            &self.tools,
            &request.requested,
            undertaking.asked_at,
        )
        .await
    }

    /// Keeps the lease and notes progress, for as long as the act is this owner's; it is halted then.
    async fn keep(&self, undertaking: &Undertaking, noting: &Noting, halt: &CancellationToken) {
        for beats in 1_u32.. {
            tokio::time::sleep(BEAT).await;
            let beat = async {
                let mut connection = self.pool.acquire().await?;
                if beats.is_multiple_of(COUNTED_EVERY) {
                    count(&mut connection).await?;
                }
                let (counted, said) = noting.told();
                let is_ours = self.lease.hold(&mut connection).await?;
                let noted = undertaking.progress(&mut connection, counted.as_ref(), &said);
                Ok::<_, sqlx::Error>(is_ours && noted.await?)
            };
            match beat.await {
                Ok(true) => {}
                Ok(false) => {
                    halt.cancel();
                    break;
                }
                // The act itself says that the store is away.
                Err(error) => warn!(act = %undertaking.id, %error, "acts.not_noted"),
            }
        }
    }

    /// Whether an act that is one transaction has its fact.
    async fn is_done(&self, undertaking: &Undertaking) -> Result<bool, sqlx::Error> {
        let kind = match &undertaking.request {
            Ok(request) => at_once(&request.requested),
            Err(_) => None,
        };
        let Some(kind) = kind else {
            return Ok(false);
        };
        let mut connection = self.pool.acquire().await?;
        let done = find_done(&mut connection, undertaking.id, kind).await?;
        Ok(done.is_some())
    }

    fn may_try_again(&mut self, id: ActId) -> bool {
        let before = self.tried.filter(|(of, _)| *of == id);
        let tries = before.map_or(1, |(_, tries)| tries + 1);
        self.tried = Some((id, tries));
        tries < TRIES
    }

    async fn end(
        &self,
        undertaking: &Undertaking,
        noting: &Noting,
        ended: Result<(), Failure>,
    ) -> Result<(), sqlx::Error> {
        let exit = ended.as_ref().err().map_or(Exit::Done, Failure::exit);
        if let Err(failure) = &ended {
            noting.ends_with(&failure.to_string());
        }
        let (state, word) = match exit {
            Exit::Done => (EndState::Done, "done"),
            Exit::Refused => (EndState::Refused, "refused"),
            Exit::Failed | Exit::Usage | Exit::BudgetPassed | Exit::Unreachable => {
                (EndState::Failed, "failed")
            }
        };
        let result = noting.result();
        let end = End {
            state,
            exit_code: exit.code(),
            lasting: lasting(&result),
            result,
        };
        let mut connection = self.pool.acquire().await?;
        let (counted, said) = noting.told();
        undertaking
            .progress(&mut connection, counted.as_ref(), &said)
            .await?;
        if undertaking.end(&mut connection, &end, &said).await? {
            ACTS_CARRIED_OUT.of([word]).increment(1);
            info!(act = %undertaking.id, state = word, "acts.ended");
        }
        Ok(())
    }
}

/// Takes note of what is asked for, and tells how many wait.
async fn count(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    take_in(connection).await?;
    let waiting = Undertaking::waiting(connection).await?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    ACTS_WAITING.of([]).set(waiting as f64);
    Ok(())
}

/// What is kept of a result for good: of a preview how many letters it was of, and not their rows.
fn lasting(result: &Value) -> Option<Value> {
    result.get("changes")?;
    Some(json!({ "letters": result.get("letters"), "shown": result.get("shown") }))
}
