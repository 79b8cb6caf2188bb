//! `projector policy recompute`: computes accounts anew that are not of the policy in force.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bonus_domain::Beneficiary;
use bonus_store::{
    PassedOver, Recompute, RecomputeError, Recomputed, Step, activations, is_queued, queue_under,
};
use clap::Args;
use event_store::AppendError;
use event_store::acts::{self, ActKind};
use kernel::{RandomIds, Role, SystemClock};
use serde_json::{Value, json};
use service_runtime::{DatabaseConfig, chain};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::checked;
use crate::acting::{Acting, Tells};
use crate::cli::Exit;
use crate::recompute::AT_ONCE;
use crate::session::{ActOptions, Failure, Output, Session};

/// Before it is looked again at accounts that others hold.
const HELD_PAUSE: Duration = Duration::from_millis(100);
/// What is counted.
const BENEFICIARIES: &str = "beneficiaries recomputed";
/// How many accounts are named that could not be recomputed.
const NAMED: usize = 10;

/// What to recompute, and how.
#[derive(Debug, Args)]
pub(crate) struct RecomputeOptions {
    /// This account alone, whatever policy it is of.
    #[arg(long, value_name = "ID")]
    account: Option<Uuid>,
    /// The role in which it is one.
    #[arg(long, requires = "account", default_value = "commissioner")]
    role: Role,
    /// Events a second at most; 0 for as many as there are.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_rate: u32,
    #[command(flatten)]
    act: ActOptions,
    #[command(flatten)]
    output: Output,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    done: Recomputed,
    events: u64,
    /// Who could not be recomputed.
    passed_over: PassedOver,
    /// And why.
    stuck: Vec<String>,
}

/// Whom to recompute, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whom {
    /// This one alone, whatever policy it is of; who is not of the policy in force if there is none.
    pub(crate) account: Option<Beneficiary>,
    /// Events a second at most; 0 for as many as there are.
    pub(crate) max_rate: u32,
}

/// Recomputes what is left, and says what it did.
pub(super) async fn recompute(
    session: Session<DatabaseConfig>,
    options: RecomputeOptions,
) -> Result<(), Failure> {
    let terminal = options.act.terminal(Some(options.output));
    let acting = session.acting(&session.config, 2, &options.act, &terminal);
    let account = options.account.map(|id| Beneficiary::new(options.role, id));
    let max_rate = options.max_rate;
    carry_out(&acting, Whom { account, max_rate }).await
}

/// Recomputes what is left, and says what it did. Who was recomputed already is not among them, or
/// does not change: it may be begun again.
pub(crate) async fn carry_out(acting: &Acting<'_>, whom: Whom) -> Result<(), Failure> {
    let Acting {
        pool,
        by,
        stop,
        tells,
        ..
    } = acting;
    let Whom { account, max_rate } = whom;
    checked(pool).await?;
    let in_force = activations(&mut *pool.acquire().await?, 1).await?;
    let version = in_force.first().map(|it| it.version);
    let version = version.ok_or_else(|| Failure::refused("no policy is in force"))?;
    let waiting = match account {
        Some(_) => 1,
        None => {
            let queue = queue_under(&mut *pool.acquire().await?, version).await?;
            queue.accounts + queue.without_account
        }
    };
    let waiting = waiting.unsigned_abs();
    tells.say(&format!(
        "{waiting} beneficiaries are recomputed under policy {version}"
    ));
    let id = match acting.done_before(ActKind::Recompute).await? {
        Some(before) => {
            tells.say("taken up again: what was done before is not counted");
            before.id
        }
        None => {
            tells.agreed("Recompute them?")?;
            let subject = json!({
                "version": version.get(),
                "account": account.map(|it| it.to_string()),
                "maxRate": max_rate,
                "waiting": waiting,
            });
            let act = by.act(ActKind::Recompute, subject);
            acts::record(&mut *pool.acquire().await?, &act).await?
        }
    };

    let recompute = Recompute::new(pool.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    let mut outcome = Outcome::default();
    let ended = match account {
        Some(account) => outcome.one(&recompute, account).await,
        None => {
            let left = Left {
                pool,
                waiting,
                max_rate,
                stop,
                tells: *tells,
            };
            outcome.all(&recompute, left).await
        }
    };
    let result = json!({
        "ended": if ended.is_ok() { "reached" } else { "stopped" },
        "did": value(&outcome.done),
        "stuck": outcome.stuck.len(),
    });
    acting
        .ended(&mut *pool.acquire().await?, id, result)
        .await?;
    tells.found(&value(&outcome.done), &text(&outcome.done))?;
    ended
}

/// What is left to recompute, and how that goes on.
struct Left<'a> {
    pool: &'a PgPool,
    /// How many wait as it begins.
    waiting: u64,
    max_rate: u32,
    stop: &'a CancellationToken,
    tells: &'a dyn Tells,
}

impl Outcome {
    async fn one(&mut self, recompute: &Recompute, account: Beneficiary) -> Result<(), Failure> {
        let step = recompute.one(account).await.map_err(failure)?;
        if step.done.seen == 0 {
            return Err(Failure::refused(format!("{account} has no facts")));
        }
        self.add(step);
        self.verdict()
    }

    async fn all(&mut self, recompute: &Recompute, left: Left<'_>) -> Result<(), Failure> {
        let Left {
            pool,
            waiting,
            max_rate,
            stop,
            tells,
        } = left;
        tells.count(BENEFICIARIES, 0, waiting);
        let started = Instant::now();
        // At a rate it is a second's events at most, as far as an account has two.
        let at_once = match max_rate {
            0 => AT_ONCE,
            rate => (i64::from(rate) / 2).clamp(1, AT_ONCE),
        };
        loop {
            let step = recompute.step(at_once, &self.passed_over).await;
            let step = step.map_err(failure)?;
            if step.done.seen == 0 {
                if !is_queued(&mut *pool.acquire().await?, &self.passed_over).await? {
                    return self.verdict();
                }
                pause(HELD_PAUSE, stop).await?;
                continue;
            }
            self.add(step);
            let done = self.done.seen;
            tells.count(BENEFICIARIES, done, waiting.max(done));
            let paid = match max_rate {
                0 => 0.0,
                rate => self.events as f64 / f64::from(rate),
            };
            let paid = Duration::from_secs_f64(paid).saturating_sub(started.elapsed());
            pause(paid, stop).await?;
        }
    }

    fn add(&mut self, step: Step) {
        for (beneficiary, why) in step.stuck {
            self.stuck.push(format!("{beneficiary}: {}", chain(&why)));
            self.passed_over.insert(beneficiary);
        }
        self.done.add(step.done);
        self.events += step.events;
    }

    fn verdict(&self) -> Result<(), Failure> {
        if self.stuck.is_empty() {
            return Ok(());
        }
        let named: Vec<&str> = self.stuck.iter().take(NAMED).map(String::as_str).collect();
        let what = format!(
            "{} accounts could not be recomputed: {}",
            self.stuck.len(),
            named.join("; ")
        );
        Err(Failure::new(Exit::Failed, what))
    }
}

async fn pause(pause: Duration, stop: &CancellationToken) -> Result<(), Failure> {
    tokio::select! {
        () = stop.cancelled() => Err(Failure::new(
            Exit::Failed,
            "stopped: the same command, or the daemon, goes on with what is left",
        )),
        () = tokio::time::sleep(pause) => Ok(()),
    }
}

fn failure(error: RecomputeError) -> Failure {
    match error {
        RecomputeError::Database(error) | RecomputeError::Append(AppendError::Database(error)) => {
            error.into()
        }
        // Another has moved the account meanwhile.
        RecomputeError::Append(AppendError::Conflict) => Failure::failed(error).that_may_pass(),
        RecomputeError::Policy(_) => Failure::failed(error),
    }
}

fn value(done: &Recomputed) -> Value {
    json!({
        "seen": done.seen,
        "changed": done.changed,
        "opened": done.opened,
        "gradesUp": done.grades_up,
        "gradesDown": done.grades_down,
        "vipGained": done.vip_gained,
        "vipLost": done.vip_lost,
        "pointsGained": done.points_gained,
        "pointsLost": done.points_lost,
    })
}

fn text(done: &Recomputed) -> String {
    let Recomputed {
        seen,
        changed,
        opened,
        grades_up,
        grades_down,
        vip_gained,
        vip_lost,
        points_gained,
        points_lost,
    } = done;
    format!(
        "{seen} beneficiaries seen, {changed} accounts changed, {opened} made\n\
         grades: {grades_up} up, {grades_down} down\n\
         VIP: {vip_gained} gained, {vip_lost} lost\n\
         points: {points_gained} gained, {points_lost} lost\n"
    )
}
