//! `projector rebuild MODEL`: the next version of a read model, built beside the one that is served,
//! compared, and served in its place.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use event_store::acts::ActKind;
use event_store::failure::{SqlFailure, classify};
use kernel::{IdSource as _, RandomIds};
use projections::rebuild::{
    Certificate, Claimed, Plan, Reading, Rebuild, RebuildError, Rebuilder, Shown, State, SwapPlan,
    Told,
};
use projections::{Model, Version};
use serde_json::{Value, json};
use service_runtime::config::{Faulty, Reader, Section};
use service_runtime::{DatabaseConfig, chain};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::acting::{Acting, Before, Tells};
use crate::cli::Exit;
use crate::config::ProjectorConfig;
use crate::session::{ActOptions, Failure, Session, terminal};

/// How often it is looked whether who was killed has a claim still.
const CLAIMED_PAUSE: Duration = Duration::from_millis(250);

/// Who rebuilds needs the store, and says how long its claim outlives it.
#[derive(Debug)]
pub(crate) struct RebuildConfig {
    pub(crate) database: DatabaseConfig,
    pub(crate) lease: Duration,
}

impl Section for RebuildConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let database = DatabaseConfig::read(reader);
        let lease = ProjectorConfig::read_lease(reader);
        Ok(Self {
            database: database?,
            lease: lease?,
        })
    }
}

/// How to rebuild.
#[derive(Debug, Args)]
pub(crate) struct RebuildOptions {
    /// Events a second at most; 0 for as many as there are.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_rate: u32,
    /// Keep the version before, followed on, to go back to with `rebuild back`.
    #[arg(long)]
    keep: bool,
    /// Serve the new version though exactly so many rows differ. It takes up the rebuild that
    /// found them.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(i64).range(1..))]
    accept_differences: Option<i64>,
    /// Write what was compared and found to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    act: ActOptions,
}

/// What to rebuild, and how.
#[derive(Debug, Clone)]
pub(crate) struct What {
    pub(crate) model: Model,
    /// Events a second at most.
    pub(crate) max_rate: Option<NonZeroU32>,
    /// Whether the version before is kept, to go back to.
    pub(crate) keep: bool,
    /// Exactly so many rows may differ.
    pub(crate) accept: Option<i64>,
    /// Where what was compared and found is written to.
    pub(crate) certificate: Option<PathBuf>,
}

/// Who rebuilds, with claims of this lease.
pub(crate) fn rebuilder(pool: &PgPool, connect: &PgConnectOptions, lease: Duration) -> Rebuilder {
    Rebuilder {
        pool: pool.clone(),
        connect: connect.clone(),
        owner: format!("projector rebuild {}", RandomIds.next()),
        lease,
    }
}

/// Says what it will do, asks, and does it, from wherever the last start of it came to.
pub(crate) async fn rebuild(
    session: Session<RebuildConfig>,
    model: Model,
    options: RebuildOptions,
) -> Result<(), Failure> {
    let terminal = options.act.terminal(None);
    let acting = session.acting(&session.config.database, 4, &options.act, &terminal);
    let what = What {
        model,
        max_rate: NonZeroU32::new(options.max_rate),
        keep: options.keep,
        accept: options.accept_differences,
        certificate: options.certificate,
    };
    carry_out(&acting, session.config.lease, &what).await
}

/// Rebuilds, from wherever the last start of it came to. What was asked for from a distance, and was
/// taken up once, goes on with the rebuild that it had, and begins no other.
pub(crate) async fn carry_out(
    acting: &Acting<'_>,
    lease: Duration,
    what: &What,
) -> Result<(), Failure> {
    let Acting {
        pool,
        connect,
        by,
        stop,
        tells,
    } = acting;
    let model = what.model;
    let rebuilder = rebuilder(pool, connect, lease);
    if let Some(before) = acting.done_before(ActKind::Rebuild).await? {
        if let Some(ended) = taken_up(acting, &rebuilder, model, &before).await? {
            return ended;
        }
    } else {
        let left = rebuilder.show(model).await?;
        let left = left.filter(|it| it.ended_at.is_none());
        tell_plan(*tells, what, left.as_ref());
        if left.is_none_or(|left| left.owner.is_none()) {
            tells.agreed("Rebuild it?")?;
        }
    }
    let plan = Plan {
        model,
        authority: by.authority(),
        takes_up_failed: what.accept.is_some(),
    };
    let (mut rebuild, claimed) = rebuilder.claim(&plan, stop).await.map_err(failure)?;
    let to = rebuild.to();
    match claimed {
        Claimed::Begun => tells.say(&format!("{to} is begun")),
        Claimed::TakenUp(state) => tells.say(&format!("{to} is taken up, {}", state.as_str())),
    }
    let done = carry_on(acting, &mut rebuild, what).await;
    if let Err(error) = rebuild.release().await {
        tells.say(&format!("the claim runs out by itself: {}", chain(&error)));
    }
    done
}

fn tell_plan(tells: &dyn Tells, what: &What, left: Option<&Shown>) {
    let model = what.model;
    match left {
        // It is refused then.
        Some(left) if left.owner.is_some() => {}
        Some(left) => tells.say(&format!(
            "rebuild {} of {model} to {} was left {}: it goes on, unless another release began it \
             or it has failed and nothing is accepted; then another is begun",
            left.id,
            left.to,
            left.state.as_str(),
        )),
        None => tells.say(&format!(
            "the next version of {model} is built beside the one that is served, compared with it, \
             and served if nothing differs; {}",
            if what.keep {
                "the version before is kept"
            } else {
                "the version before is dropped once nobody reads it"
            }
        )),
    }
}

/// Waits until nobody has a claim on the rebuild that was begun, as who was killed had; how it has
/// ended, if it has.
async fn taken_up(
    acting: &Acting<'_>,
    rebuilder: &Rebuilder,
    model: Model,
    before: &Before,
) -> Result<Option<Result<(), Failure>>, Failure> {
    let id = before.subject.get("rebuild").and_then(Value::as_i64);
    loop {
        let last = rebuilder.show(model).await?;
        let Some(last) = last.filter(|last| Some(last.id) == id) else {
            let line = "the rebuild was given up for another";
            return Ok(Some(Err(Failure::new(Exit::Failed, line))));
        };
        if last.ended_at.is_some() {
            return Ok(Some(tell_ended(acting.tells, &last)));
        }
        if last.state == State::Swapped {
            tell_ended(acting.tells, &last)?;
        }
        if last.owner.is_none() {
            return Ok((last.state == State::Failed).then(|| Err(differs(&last))));
        }
        let wait = tokio::time::sleep(CLAIMED_PAUSE);
        if acting.stop.run_until_cancelled(wait).await.is_none() {
            return Err(failure(RebuildError::Stopped));
        }
    }
}

fn certificate_of(shown: &Shown) -> Option<Certificate> {
    let certificate = shown.certificate.clone()?;
    serde_json::from_value(certificate).ok()
}

fn tell_ended(tells: &dyn Tells, shown: &Shown) -> Result<(), Failure> {
    if shown.state != State::Swapped {
        return Err(Failure::new(
            Exit::Failed,
            "the rebuild was given up for another",
        ));
    }
    if let Some(certificate) = certificate_of(shown) {
        tells.say(&certificate.sentence());
        tells.found(&result(shown.id, &certificate), "")?;
    }
    tells.say(&format!("{} is served", shown.to));
    Ok(())
}

fn differs(shown: &Shown) -> Failure {
    match certificate_of(shown) {
        Some(certificate) => failure(RebuildError::Differs(Box::new(certificate))),
        None => Failure::refused("the versions differ"),
    }
}

/// What came of it, for whoever asked from a distance.
fn result(rebuild: i64, certificate: &Certificate) -> Value {
    json!({
        "rebuild": rebuild,
        "from": certificate.from,
        "to": certificate.to,
        "differing": certificate.differing,
        "sentence": certificate.sentence(),
    })
}

/// Takes the steps that are left.
async fn carry_on(acting: &Acting<'_>, rebuild: &mut Rebuild, what: &What) -> Result<(), Failure> {
    let Acting { by, tells, .. } = acting;
    let mut teller = Teller::new(*tells);
    if rebuild.state() == State::Building {
        step(rebuild.sweep(&mut |told| teller.tell(told)).await)?;
        let mut told = |told: Told<'_>| teller.tell(told);
        step(rebuild.build(what.max_rate, &mut told).await)?;
        step(rebuild.index(&mut |told| teller.tell(told)).await)?;
    }
    if rebuild.state() == State::Checking {
        let check = step(rebuild.check(&mut |told| teller.tell(told)).await)?;
        let plan = SwapPlan {
            accept: what.accept,
            keep: what.keep,
            authority: by.authority(),
        };
        let swapped = rebuild
            .swap(check, &plan, &mut |told| teller.tell(told))
            .await;
        let certificate = match &swapped {
            Ok(certificate) => Some(certificate),
            Err(RebuildError::Differs(certificate)) => Some(&**certificate),
            Err(_) => None,
        };
        if let (Some(certificate), Some(file)) = (certificate, &what.certificate) {
            write(certificate, file)?;
        }
        if let Some(certificate) = certificate {
            tells.found(&result(rebuild.id(), certificate), "")?;
        }
        let certificate = step(swapped)?;
        tells.say(&certificate.sentence());
        tells.say(&format!("{} is served", certificate.to));
    }
    step(rebuild.clear(&mut |told| teller.tell(told)).await)?;
    Ok(())
}

fn step<T>(done: Result<T, RebuildError>) -> Result<T, Failure> {
    done.map_err(failure)
}

fn write(certificate: &Certificate, file: &Path) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(certificate).map_err(Failure::failed)?;
    let told = |error| {
        let what = format!("the certificate was not written to {}", file.display());
        Failure::failed(error).during(&what)
    };
    fs::write(file, text + "\n").map_err(told)
}

/// What the steps of a rebuild say, for people.
pub(crate) struct Teller<'a> {
    tells: &'a dyn Tells,
    waits: Option<Reading>,
}

impl<'a> Teller<'a> {
    pub(crate) const fn new(tells: &'a dyn Tells) -> Self {
        Self { tells, waits: None }
    }

    /// Says what a step says.
    pub(crate) fn tell(&mut self, told: Told<'_>) {
        match told {
            Told::Built { done, total } => self.tells.count("events", done, total),
            Told::Counted { done, total } => self.tells.count("positions counted", done, total),
            Told::Compared { done, total } => self.tells.count("rows compared", done, total),
            Told::Indexed(name) => {
                let name = terminal::line(name);
                self.tells.say(&format!("index {name} is made"));
            }
            Told::Dropped(version) => self.tells.say(&format!("{version} is dropped")),
            Told::ServesAfter { version, reader } => self.waits(version, "served", reader),
            Told::Waits { version, reader } => self.waits(version, "dropped", reader),
        }
    }

    /// Says for whom it waits, once.
    fn waits(&mut self, version: Version, what: &str, reader: Reading) {
        let kind = match reader {
            Reading::Session { pid, .. } => Reading::Session { pid, seconds: 0 },
            Reading::Reader | Reading::Lock => reader,
        };
        if self.waits.replace(kind) != Some(kind) {
            let name = name(reader);
            let line = format!("{version} is {what} once {name} has ended");
            self.tells.say(&line);
        }
    }
}

fn name(reader: Reading) -> String {
    match reader {
        Reading::Reader => "its reader".to_owned(),
        Reading::Session { pid, seconds } => {
            format!("the transaction of process {pid}, which has been open for {seconds} s,")
        }
        Reading::Lock => "whoever holds a lock on its tables".to_owned(),
    }
}

/// How a rebuild that did not go on ends the command.
pub(crate) fn failure(error: RebuildError) -> Failure {
    let exit = match &error {
        RebuildError::Held { .. } | RebuildError::Differs(_) | RebuildError::NothingKept { .. } => {
            Exit::Refused
        }
        RebuildError::Database(error) if classify(error) == SqlFailure::Unreachable => {
            Exit::Unreachable
        }
        RebuildError::ClaimLost
        | RebuildError::Stopped
        | RebuildError::Halted { .. }
        | RebuildError::Outrun { .. }
        | RebuildError::Busy { .. }
        | RebuildError::Database(_) => Exit::Failed,
    };
    let failure = Failure::new(exit, terminal::line(&chain(&error)));
    // The store was away for longer than the claim lasts, or another owner has begun it.
    if matches!(error, RebuildError::ClaimLost) {
        return failure.that_may_pass();
    }
    failure
}
