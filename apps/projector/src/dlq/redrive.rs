//! `projector dlq redrive`: dead letters are sent again, or it is shown what that would change.

pub(crate) mod preview;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use dead_letters::Selection;
use event_store::acts::{self, ActKind};
use messaging::{Kafka, Redrive, RedriveError, Tally};
use serde_json::{Value, json};
use service_runtime::chain;
use sqlx::{Connection as _, PgPool};

use super::selection::{SelectionOptions, tell_groups, told};
use crate::acting::{Acting, Tells};
use crate::cli::Exit;
use crate::config::ProjectorConfig;
use crate::session::{ActOptions, Failure, Output, Session, terminal};

/// What is counted.
const LETTERS: &str = "dead letters";
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
    let (database, conflict) = (&session.config.database, session.config.conflict);
    match options.mode {
        Mode::Preview => {
            let pool = session.pool(database, CONNECTIONS);
            preview::preview(pool, conflict, &selection, options.output).await
        }
        Mode::Act(act) => {
            let terminal = act.terminal(Some(options.output));
            let acting = session.acting(database, CONNECTIONS, &act, &terminal);
            let kafka = Kafka::new(&session.config.brokers);
            carry_out(&acting, kafka, &selection).await
        }
    }
}

/// Sends what is selected, and waits until each was handled or came back. A letter that was sent by
/// somebody who was killed then is sent once more if it is open still: who handled it passes it over.
pub(crate) async fn carry_out(
    acting: &Acting<'_>,
    kafka: Kafka,
    selection: &Selection,
) -> Result<(), Failure> {
    let Acting {
        pool,
        by,
        stop,
        tells,
        ..
    } = acting;
    let before = acting.done_before(ActKind::Redrive).await?;
    let mut connection = pool.acquire().await?;
    let letters = dead_letters::select(&mut connection, selection).await?;
    if letters.is_empty() && before.is_none() {
        tells.say("nothing is open that was asked for: nothing was done");
        return tells.found(&result(&Tally::default()), "");
    }
    let open = count(letters.len());
    let (id, selected) = match before {
        Some(before) => {
            let selected = before.number("count").unwrap_or(open).max(open);
            tells.say(&format!(
                "taken up again: {open} of {selected} dead letters are open"
            ));
            (before.id, selected)
        }
        None => {
            tells.say(&format!(
                "send {open} dead letters again, the oldest first, until one comes back"
            ));
            tell_groups(*tells, &mut connection, selection, &letters).await?;
            tells.agreed("Send them?")?;
            let subject = json!({ "selection": told(selection), "count": open });
            let act = by.act(ActKind::Redrive, subject);
            let mut transaction = connection.begin().await?;
            let id = acts::record(&mut transaction, &act).await?;
            transaction.commit().await?;
            (id, open)
        }
    };
    drop(connection);

    let closed_before = selected - open;
    tells.count(LETTERS, closed_before, selected);
    let mut tally = Redrive::new(pool.clone(), kafka, id.as_uuid())
        .run(letters, stop, |tally: &Tally| {
            tells.count(LETTERS, closed_before + tally.closed, selected);
        })
        .await
        .map_err(failure)?;
    tally.closed += closed_before;
    let mut transaction = pool.begin().await?;
    acting.ended(&mut transaction, id, result(&tally)).await?;
    transaction.commit().await?;
    tells.found(&result(&tally), "")?;
    judge(*tells, pool, &tally).await
}

fn count(letters: usize) -> u64 {
    u64::try_from(letters).unwrap_or(u64::MAX)
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
async fn judge(tells: &dyn Tells, pool: &PgPool, tally: &Tally) -> Result<(), Failure> {
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
    tells.say(&format!("{closed} were handled"));
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
