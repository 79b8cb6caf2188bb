//! `projector rebuild MODEL`: the next version of a read model, built beside the one that is served,
//! compared, and served in its place.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use event_store::failure::{SqlFailure, classify};
use kernel::{IdSource as _, RandomIds};
use projections::rebuild::{
    Authority, Certificate, Claimed, Plan, Reading, Rebuild, RebuildError, Rebuilder, State,
    SwapPlan, Told,
};
use projections::{Model, Version};
use service_runtime::config::{Faulty, Reader, Section};
use service_runtime::{DatabaseConfig, chain};

use crate::cli::Exit;
use crate::config::ProjectorConfig;
use crate::session::{ActOptions, Failure, Progress, Session, terminal};

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

impl Session<RebuildConfig> {
    /// Who rebuilds in this session.
    pub(crate) fn rebuilder(&self) -> Rebuilder {
        let owner = format!("projector rebuild {}", RandomIds.next());
        Rebuilder {
            pool: self.pool(&self.config.database, 4),
            connect: self.connect_options(&self.config.database),
            owner,
            lease: self.config.lease,
        }
    }
}

impl ActOptions {
    /// On whose authority a read model is rebuilt.
    pub(crate) fn authority(&self) -> Authority {
        Authority {
            operator: self.operator(),
            reason: self.reason().to_owned(),
        }
    }
}

/// Says what it will do, asks, and does it, from wherever the last start of it came to.
pub(crate) async fn rebuild(
    session: Session<RebuildConfig>,
    model: Model,
    options: RebuildOptions,
) -> Result<(), Failure> {
    let by = session.rebuilder();
    let left = by.show(model).await?.filter(|it| it.ended_at.is_none());
    match &left {
        // It is refused below.
        Some(left) if left.owner.is_some() => {}
        Some(left) => eprintln!(
            "rebuild {} of {model} to {} was left {}: it goes on, unless another release began it \
             or it has failed and nothing is accepted; then another is begun",
            left.id,
            left.to,
            left.state.as_str(),
        ),
        None => eprintln!(
            "the next version of {model} is built beside the one that is served, compared with it, \
             and served if nothing differs; {}",
            if options.keep {
                "the version before is kept"
            } else {
                "the version before is dropped once nobody reads it"
            }
        ),
    }
    if left.is_none_or(|left| left.owner.is_none()) {
        options.act.agreed("Rebuild it?")?;
    }
    let plan = Plan {
        model,
        authority: options.act.authority(),
        takes_up_failed: options.accept_differences.is_some(),
    };
    let (mut rebuild, claimed) = by.claim(&plan, &session.stop).await.map_err(failure)?;
    let to = rebuild.to();
    match claimed {
        Claimed::Begun => eprintln!("{to} is begun"),
        Claimed::TakenUp(state) => eprintln!("{to} is taken up, {}", state.as_str()),
    }
    let done = carry_on(&mut rebuild, &options).await;
    if let Err(error) = rebuild.release().await {
        eprintln!("the claim runs out by itself: {}", chain(&error));
    }
    done
}

/// Takes the steps that are left.
async fn carry_on(rebuild: &mut Rebuild, options: &RebuildOptions) -> Result<(), Failure> {
    let mut teller = Teller::default();
    if rebuild.state() == State::Building {
        step(rebuild.sweep(&mut |told| teller.tell(told)).await)?;
        let rate = NonZeroU32::new(options.max_rate);
        step(rebuild.build(rate, &mut |told| teller.tell(told)).await)?;
        step(rebuild.index(&mut |told| teller.tell(told)).await)?;
    }
    if rebuild.state() == State::Checking {
        let check = step(rebuild.check(&mut |told| teller.tell(told)).await)?;
        let plan = SwapPlan {
            accept: options.accept_differences,
            keep: options.keep,
            authority: options.act.authority(),
        };
        let swapped = rebuild
            .swap(check, &plan, &mut |told| teller.tell(told))
            .await;
        teller.end();
        let certificate = match &swapped {
            Ok(certificate) => Some(certificate),
            Err(RebuildError::Differs(certificate)) => Some(&**certificate),
            Err(_) => None,
        };
        if let (Some(certificate), Some(file)) = (certificate, &options.certificate) {
            write(certificate, file)?;
        }
        let certificate = step(swapped)?;
        eprintln!("{}", certificate.sentence());
        eprintln!("{} is served", certificate.to);
    }
    step(rebuild.clear(&mut |told| teller.tell(told)).await)?;
    teller.end();
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
#[derive(Default)]
pub(crate) struct Teller {
    bar: Option<(&'static str, Progress)>,
    waits: Option<Reading>,
}

impl Teller {
    /// Says what a step says.
    pub(crate) fn tell(&mut self, told: Told<'_>) {
        match told {
            Told::Built { done, total } => self.bar("events", done, total),
            Told::Counted { done, total } => self.bar("positions counted", done, total),
            Told::Compared { done, total } => self.bar("rows compared", done, total),
            Told::Indexed(name) => {
                self.end();
                eprintln!("index {} is made", terminal::line(name));
            }
            Told::Dropped(version) => {
                self.end();
                eprintln!("{version} is dropped");
            }
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
            self.end();
            eprintln!("{version} is {what} once {} has ended", name(reader));
        }
    }

    fn bar(&mut self, what: &'static str, done: u64, total: u64) {
        if self.bar.as_ref().is_none_or(|(which, _)| *which != what) {
            self.end();
            self.bar = Some((what, Progress::from(done, total, what)));
        }
        if let Some((_, bar)) = &mut self.bar {
            bar.at(done, total);
        }
    }

    /// Ends the line of a bar.
    pub(crate) fn end(&mut self) {
        self.bar = None;
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
    Failure::new(exit, terminal::line(&chain(&error)))
}
