//! `projector dlq redrive`: dead letters are sent again, or it is shown what that would change.

mod preview;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use dead_letters::Selected;
use event_store::acts::{self, ActId, ActKind};
use messaging::{Kafka, Redrive, RedriveError, Tally};
use serde_json::{Value, json};
use service_runtime::chain;
use sqlx::PgPool;

use super::selection::{SelectionOptions, tell_groups, told};
use crate::bonus::Facts;
use crate::cli::Exit;
use crate::config::ProjectorConfig;
use crate::session::{ActOptions, Failure, Output, Progress, Session, terminal};

const PREVIEW: &str = "preview";
/// For what it tells, and for the letters themselves.
const CONNECTIONS: u32 = 2;

/// Which of them to send again.
#[derive(Debug, Args)]
pub(crate) struct RedriveOptions {
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    mode: Mode,
    #[command(flatten)]
    output: Output,
}

/// What to do with them. A preview is no act: nobody has to say who asks for it.
#[derive(Debug)]
enum Mode {
    Preview,
    Act(ActOptions),
}

impl Args for Mode {
    fn augment_args(command: Command) -> Command {
        let preview = Arg::new(PREVIEW)
            .long(PREVIEW)
            .action(ArgAction::SetTrue)
            .help("Send nothing, and show what would change: all is handled, and rolled back");
        let is_act = |argument: Arg| argument.required(false).required_unless_present(PREVIEW);
        ActOptions::augment_args(command.arg(preview))
            .mut_arg("operator", is_act)
            .mut_arg("reason", is_act)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Mode {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if matches.get_flag(PREVIEW) {
            return Ok(Self::Preview);
        }
        ActOptions::from_arg_matches(matches).map(Self::Act)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Sends what is selected when it asks, and waits until each was handled or came back.
pub(super) async fn redrive(
    session: Session<ProjectorConfig>,
    options: RedriveOptions,
) -> Result<(), Failure> {
    let selection = options.selection.selection();
    let pool = session.pool(&session.config.database, CONNECTIONS);
    let mut connection = pool.acquire().await?;
    let letters = dead_letters::select(&mut connection, &selection).await?;
    let act = match options.mode {
        Mode::Preview => {
            drop(connection);
            let facts = Facts::new(pool.clone(), session.config.conflict.0);
            return preview::preview(pool, &facts, &letters, options.output).await;
        }
        Mode::Act(act) => act,
    };
    if letters.is_empty() {
        eprintln!("nothing is open that was asked for: nothing was done");
        return options.output.object(&result(&Tally::default()), "");
    }
    let count = letters.len();
    eprintln!("send {count} dead letters again, the oldest first, until one comes back");
    tell_groups(&mut connection, &selection, &letters).await?;
    drop(connection);
    act.agreed("Send them?")?;

    let subject = json!({ "selection": told(&selection), "count": count });
    let act = act.act(ActKind::Redrive, subject);
    let mut transaction = pool.begin().await?;
    let id = acts::record(&mut transaction, &act).await?;
    transaction.commit().await?;

    let tally = run(&session, &pool, id, letters).await?;
    let mut transaction = pool.begin().await?;
    acts::ended(&mut transaction, id, act.operator, result(&tally)).await?;
    transaction.commit().await?;
    options.output.object(&result(&tally), "")?;
    judge(&pool, &tally).await
}

async fn run(
    session: &Session<ProjectorConfig>,
    pool: &PgPool,
    act: ActId,
    letters: Vec<Selected>,
) -> Result<Tally, Failure> {
    let kafka = Kafka::new(&session.config.brokers);
    let total = u64::try_from(letters.len()).unwrap_or(u64::MAX);
    let mut progress = Progress::of(total, "dead letters");
    Redrive::new(pool.clone(), kafka, act.as_uuid())
        .run(letters, &session.stop, |tally| {
            progress.at(tally.closed, total);
        })
        .await
        .map_err(failure)
}

fn result(tally: &Tally) -> Value {
    let returned: Vec<String> = tally.returned.iter().map(ToString::to_string).collect();
    json!({
        "sent": tally.sent,
        "closed": tally.closed,
        "returned": returned,
        "underWay": tally.under_way,
        "left": tally.left,
    })
}

/// How it ended, for people.
async fn judge(pool: &PgPool, tally: &Tally) -> Result<(), Failure> {
    let Tally {
        closed,
        returned,
        under_way,
        left,
        ..
    } = tally;
    if let Some(id) = returned.first() {
        let mut connection = pool.acquire().await?;
        let letter = dead_letters::find(&mut connection, *id).await?;
        let why = letter.map_or_else(String::new, |letter| {
            format!("{}: {}", letter.summary.code, letter.summary.detail)
        });
        let line = format!(
            "stopped: {id} came back with {why}; {closed} were handled, {left} were not sent",
        );
        return Err(Failure::new(Exit::Failed, terminal::line(&line)));
    }
    if *under_way > 0 || *left > 0 {
        let line = format!(
            "stopped: {closed} were handled, {under_way} are under way, {left} were not sent; the \
             same command takes them up"
        );
        return Err(Failure::new(Exit::Failed, line));
    }
    eprintln!("{closed} were handled");
    Ok(())
}

fn failure(error: RedriveError) -> Failure {
    let stopped = "stopped; the same command takes up what is left";
    match error {
        RedriveError::Database(error) => Failure::from(error).during(stopped),
        error @ RedriveError::Kafka { .. } => {
            Failure::new(Exit::Unreachable, chain(&error)).during(stopped)
        }
    }
}
