//! `projector policy recompute`: computes accounts anew that are not of the policy in force.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bonus_domain::Beneficiary;
use bonus_store::{
    PassedOver, Recompute, RecomputeError, Recomputed, Step, activations, is_queued, queue_under,
};
use clap::Args;
use event_store::acts::{self, ActKind};
use kernel::{RandomIds, Role, SystemClock};
use serde_json::{Value, json};
use service_runtime::{DatabaseConfig, chain};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::checked;
use crate::cli::Exit;
use crate::recompute::AT_ONCE;
use crate::session::{ActOptions, Failure, Output, Progress, Session};

/// Before it is looked again at accounts that others hold.
const HELD_PAUSE: Duration = Duration::from_millis(100);
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

/// Recomputes what is left, and says what it did.
pub(super) async fn recompute(
    session: Session<DatabaseConfig>,
    options: RecomputeOptions,
) -> Result<(), Failure> {
    let pool = session.pool(&session.config, 2);
    checked(&pool).await?;
    let in_force = activations(&mut *pool.acquire().await?, 1).await?;
    let version = in_force.first().map(|it| it.version);
    let version = version.ok_or_else(|| Failure::refused("no policy is in force"))?;
    let waiting = match options.account {
        Some(_) => 1,
        None => {
            let queue = queue_under(&mut *pool.acquire().await?, version).await?;
            queue.accounts + queue.without_account
        }
    };
    let waiting = waiting.unsigned_abs();
    eprintln!("{waiting} beneficiaries are recomputed under policy {version}");
    options.act.agreed("Recompute them?")?;
    let account = options.account.map(|id| Beneficiary::new(options.role, id));
    let subject = json!({
        "version": version.get(),
        "account": account.map(|it| it.to_string()),
        "maxRate": options.max_rate,
        "waiting": waiting,
    });
    let act = options.act.act(ActKind::Recompute, subject);
    let id = acts::record(&mut *pool.acquire().await?, &act).await?;

    let recompute = Recompute::new(pool.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    let mut outcome = Outcome::default();
    let ended = match account {
        Some(account) => outcome.one(&recompute, account).await,
        None => {
            let rate = options.max_rate;
            outcome
                .all(&recompute, &pool, waiting, rate, &session.stop)
                .await
        }
    };
    let result = json!({
        "ended": if ended.is_ok() { "reached" } else { "stopped" },
        "did": value(&outcome.done),
        "stuck": outcome.stuck.len(),
    });
    acts::ended(
        &mut *pool.acquire().await?,
        id,
        options.act.operator(),
        result,
    )
    .await?;
    options
        .output
        .object(&value(&outcome.done), &text(&outcome.done))?;
    ended
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

    async fn all(
        &mut self,
        recompute: &Recompute,
        pool: &PgPool,
        waiting: u64,
        max_rate: u32,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut progress = Progress::of(waiting, "beneficiaries recomputed");
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
            progress.at(done, waiting.max(done));
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
        RecomputeError::Database(error) => error.into(),
        RecomputeError::Policy(_) | RecomputeError::Append(_) => Failure::failed(error),
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
