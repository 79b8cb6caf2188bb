//! `projector policy diff`: who would gain and who would lose if another policy came into force.
//! It reads the ledger once and writes nothing.

mod show;

use std::io::{self, BufWriter, Write as _};

use bonus_domain::{
    Beneficiary, Holdings, Movement, Points, PointsOverflow, PolicyVersion, Report,
};
use bonus_store::{LedgerState, WholeLedgerError, whole_ledger};
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use kernel::{Clock as _, SystemClock};
use service_runtime::DatabaseConfig;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{compiled, version};
use crate::cli::Exit;
use crate::session::{Failure, Output, Session};
use show::{HEAD, line, text, value};

/// Reading everything takes longer than an appender may.
const UNBOUNDED: [(&str, &str); 1] = [("statement_timeout", "0")];

/// Between which policies, and what may come of it.
#[derive(Debug, Args)]
pub(crate) struct DiffOptions {
    /// The policy that is left.
    #[arg(value_parser = version)]
    from: PolicyVersion,
    /// The policy that would follow.
    #[arg(value_parser = version)]
    to: PolicyVersion,
    /// A report for people, the report as one JSON object, or a line for each account that moves.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// End with 4 if those who gain gain more than this in sum.
    #[arg(long, value_name = "POINTS", value_parser = clap::value_parser!(i64).range(0..))]
    budget: Option<i64>,
}

/// How the difference is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For scripts.
    Json,
    /// For spreadsheets: every account that moves, a line each.
    Csv,
}

/// What was found, and of what.
pub(super) struct Found {
    pub(super) from: PolicyVersion,
    pub(super) to: PolicyVersion,
    /// The instant for which VIP was computed.
    pub(super) at: DateTime<Utc>,
    pub(super) ledger: LedgerState,
    /// Beneficiaries whose head is of another policy than `from`.
    pub(super) of_others: u64,
    pub(super) report: Report,
    pub(super) budget: Option<i64>,
}

impl Found {
    /// Whether the gainers gain more than they may.
    pub(super) fn passes_the_budget(&self) -> bool {
        self.budget
            .is_some_and(|budget| self.report.gained > Points::new(budget))
    }

    /// What keeps a recompute from doing just this, if anything does.
    fn warning(&self) -> Option<String> {
        (self.of_others > 0).then(|| {
            format!(
                "{} of {} beneficiaries are of another policy than {}: of them is shown what would \
                 be if they were of it, which is not what a recompute does",
                self.of_others, self.ledger.beneficiaries, self.from
            )
        })
    }
}

/// Compares, and shows what was found.
pub(super) async fn diff(
    session: Session<DatabaseConfig>,
    options: DiffOptions,
) -> Result<(), Failure> {
    let (from, to) = (compiled(options.from)?, compiled(options.to)?);
    let at = SystemClock.now();
    let connect = session.connect_options(&session.config).options(UNBOUNDED);
    let mut connection = connect.connect().await?;

    let mut lines = Lines::new(options.format);
    let mut report = Report::default();
    let mut of_others = 0;
    let mut take = |beneficiary, of: Holdings<'_>| -> Result<(), PointsOverflow> {
        of_others += u64::from(of.policy_version != from.version());
        let movement = bonus_domain::diff(from, to, of, at)?;
        lines.add(beneficiary, movement);
        report.add(beneficiary, movement)
    };
    let read = whole_ledger(&mut connection, &mut take);
    let ledger = tokio::select! {
        read = read => read.map_err(failure)?,
        () = session.stop.cancelled() => return Err(Failure::new(Exit::Failed, "stopped")),
    };
    connection.close().await?;
    lines.end()?;

    let found = Found {
        from: from.version(),
        to: to.version(),
        at,
        ledger,
        of_others,
        report,
        budget: options.budget,
    };
    if let Some(line) = found.warning() {
        eprintln!("{line}");
    }
    match options.format {
        Format::Table => Output::table().object(&value(&found), &text(&found))?,
        Format::Json => Output::json().object(&value(&found), "")?,
        Format::Csv => {}
    }
    if found.passes_the_budget() {
        let budget = found.budget.unwrap_or_default();
        let line = format!(
            "the budget is passed: {} points are gained, {budget} may be",
            found.report.gained
        );
        return Err(Failure::new(Exit::BudgetPassed, line));
    }
    Ok(())
}

fn failure(error: WholeLedgerError) -> Failure {
    match error {
        WholeLedgerError::Database(error) => error.into(),
        error @ (WholeLedgerError::Garbled(_) | WholeLedgerError::Overflow { .. }) => {
            Failure::failed(error)
        }
    }
}

/// The accounts that move, written as they are found.
struct Lines {
    /// None in other formats.
    out: Option<BufWriter<io::Stdout>>,
    written: io::Result<()>,
}

impl Lines {
    fn new(format: Format) -> Self {
        let mut out = (format == Format::Csv).then(|| BufWriter::new(io::stdout()));
        let written = match &mut out {
            Some(out) => out.write_all(HEAD.as_bytes()),
            None => Ok(()),
        };
        Self { out, written }
    }

    fn add(&mut self, beneficiary: Beneficiary, movement: Movement) {
        if let Some(out) = &mut self.out
            && self.written.is_ok()
            && !movement.is_none()
        {
            self.written = out.write_all(line(beneficiary, movement).as_bytes());
        }
    }

    fn end(mut self) -> Result<(), Failure> {
        let flushed = self.out.as_mut().map_or(Ok(()), io::Write::flush);
        match self.written.and(flushed) {
            // Who reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(Failure::failed),
        }
    }
}
