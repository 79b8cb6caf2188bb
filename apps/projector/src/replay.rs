//! `projector replay`: stored events are sent to Kafka again, with the ids that they had.

use std::num::NonZeroU32;
use std::pin::pin;

use clap::Args;
use contracts::{Outbound, Traceparent, header};
use event_store::acts::{self, ActKind};
use event_store::{
    Condition, Ended, Position, Reader, ReaderOptions, Standing, StoredEvent, StreamId, begin_anew,
    count_events, parked_page, reader_statuses,
};
use kernel::{IdSource as _, OrderId, RandomIds};
use messaging::topics::TopicGuard;
use messaging::{Kafka, Relay, Replay, Replayed};
use publishing::Unpublishable;
use serde_json::json;
use service_runtime::chain;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cli::Exit;
use crate::config::ProjectorConfig;
use crate::relay::messages_of;
use crate::session::{ActOptions, Failure, Progress, Session};

const NAME: &str = "projector replay";
/// The names of the two readers concerned.
const RELAY: &str = "relay";
const REPLAY: &str = "replay";
/// How many streams that could not be sent are named.
const NAMED: i64 = 10;

/// What to send again, and how fast.
#[derive(Debug, Args)]
pub(crate) struct ReplayOptions {
    /// The first position.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    from: i64,
    /// The last position; as far as the relay has come if not given, and no further.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    to: Option<i64>,
    /// Only the events of this order.
    #[arg(long, value_name = "UUID")]
    order: Option<OrderId>,
    /// Events a second at most.
    #[arg(long, value_name = "N")]
    max_rate: Option<NonZeroU32>,
    #[command(flatten)]
    act: ActOptions,
}

/// Which events: after a position, up to another, of one stream or all.
struct Range {
    after: Position,
    to: Position,
    stream: Option<StreamId>,
}

/// Says how many events it is about, asks unless told not to, and sends them again.
pub(crate) async fn replay(
    session: Session<ProjectorConfig>,
    options: ReplayOptions,
) -> Result<(), Failure> {
    let config = &session.config;
    let pool = session.pool(&config.database, 2);
    let kafka = Kafka::new(&config.brokers);
    let guard = TopicGuard::new(kafka.clone(), pool.clone(), config.retention);
    let mut connection = pool.acquire().await?;
    let range = options.range(&mut connection).await?;
    let stream = range.stream.as_ref();
    let events = count_events(&mut connection, range.after, range.to, stream).await?;
    refuse_other_topics(&guard).await?;
    let Range { after, to, .. } = &range;
    let first = after.get() + 1;
    eprintln!(
        "{events} events, from position {first} to {to}, will be sent to Kafka again with the ids \
         that they had. The relay's checkpoint stays where it is."
    );
    if events == 0 {
        return Ok(());
    }
    options.act.agreed("Send them?")?;

    let reader = options.reader(&range, config);
    let act = options
        .begin(&mut connection, &reader, &range, events)
        .await?;
    let trace = Traceparent::started_by(act.as_uuid());
    let relay = Relay::new(kafka, |event: &StoredEvent| traced(event, &trace)).guarded_by(guard);
    let mut progress = Progress::of(events, "events");
    let mut sink = Replay::new(relay, pool.clone(), move |done: Replayed| {
        progress.at(done.sent + done.passed_over, events);
    });
    let reader = Reader::new(config.database.connect_options(NAME), reader);
    let ended = drive(&reader, &mut sink, &session.stop).await;
    let replayed = sink.replayed();
    // The progress ends its line.
    drop(sink);

    let reached = reached(&mut connection, *after).await?;
    let how = match &ended {
        Ok(Ended::Reached) => "reached",
        Ok(Ended::Stopped) => "stopped",
        Err(_) => "failed",
    };
    let result = json!({
        "ended": how,
        "sent": replayed.sent,
        "passedOver": replayed.passed_over,
        "position": reached.get(),
    });
    acts::ended(&mut connection, act, options.act.operator(), result).await?;
    let go_on = format!("go on with --from {}", reached.get() + 1);
    match ended {
        Ok(Ended::Reached) => tell_end(&mut connection, replayed).await,
        Ok(Ended::Stopped) => Err(Failure::new(
            Exit::Failed,
            format!("stopped after {} events: {go_on}", replayed.sent),
        )),
        Err(failure) => {
            eprintln!("{} events were sent: {go_on}", replayed.sent);
            Err(failure)
        }
    }
}

impl ReplayOptions {
    /// Which events to send: only those that the relay has passed. What lies after its checkpoint
    /// it has yet to send itself, and nothing may come before that.
    async fn range(&self, connection: &mut PgConnection) -> Result<Range, Failure> {
        let relay = reader_statuses(connection, &[RELAY.to_owned()]).await?;
        let Some(relay) = relay.into_iter().next() else {
            return Err(Failure::refused("the relay has not sent anything yet"));
        };
        if let Condition::Halted { reason, .. } = &relay.condition {
            return Err(Failure::refused(format!("the relay is halted: {reason}")));
        }
        let to = self.to.map_or(relay.position, Position::new);
        if to > relay.position {
            return Err(Failure::refused(format!(
                "the relay has come to position {}: what lies after it, it sends itself",
                relay.position
            )));
        }
        Ok(Range {
            after: Position::new(self.from - 1),
            to,
            stream: self.order.map(StreamId::order),
        })
    }

    fn reader(&self, range: &Range, config: &ProjectorConfig) -> ReaderOptions {
        let owner = format!("{NAME} {}", RandomIds.next());
        ReaderOptions {
            after: range.after,
            to: Some(range.to),
            stream: range.stream.clone(),
            max_rate: self.max_rate,
            ..ReaderOptions::new(REPLAY, &owner, config.lease)
        }
    }

    /// Puts the reader at its begin, and records the act.
    async fn begin(
        &self,
        connection: &mut PgConnection,
        reader: &ReaderOptions,
        range: &Range,
        events: u64,
    ) -> Result<acts::ActId, Failure> {
        let mut transaction = connection.begin().await?;
        if !begin_anew(&mut transaction, reader).await? {
            return Err(another());
        }
        let subject = json!({
            "from": range.after.get() + 1,
            "to": range.to.get(),
            "orderId": self.order,
            "maxRate": self.max_rate,
            "events": events,
        });
        let act = self.act.act(ActKind::Replay, subject);
        let id = acts::record(&mut transaction, &act).await?;
        transaction.commit().await?;
        Ok(id)
    }
}

fn another() -> Failure {
    Failure::refused("another replay is under way: `projector status` shows how far it has come")
}

/// What the relay refuses, a replay refuses.
async fn refuse_other_topics(guard: &TopicGuard) -> Result<(), Failure> {
    let differences = guard
        .differences()
        .await
        .map_err(|error| Failure::new(Exit::Unreachable, chain(&error)))?;
    if differences.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    Err(Failure::refused(format!(
        "the topics are not those that are recorded: {}; `projector topics accept` goes on with \
         them as they are",
        told.join("; ")
    )))
}

/// The messages of an event, in the trace of the replay and not in that of their first time.
fn traced(event: &StoredEvent, trace: &Traceparent) -> Result<Vec<Outbound>, Unpublishable> {
    let mut messages = messages_of(event)?;
    for message in &mut messages {
        for (name, value) in &mut message.headers {
            if *name == header::TRACEPARENT {
                trace.as_str().clone_into(value);
            }
        }
    }
    Ok(messages)
}

/// Reads to the end, or to where it cannot go on.
async fn drive<M, E, F>(
    reader: &Reader,
    sink: &mut Replay<M, F>,
    stop: &CancellationToken,
) -> Result<Ended, Failure>
where
    M: Fn(&StoredEvent) -> Result<Vec<Outbound>, E> + Send + Sync,
    E: std::error::Error + Send + Sync + 'static,
    F: FnMut(Replayed) + Send + Sync,
{
    let stop = stop.child_token();
    let standing = reader.standing();
    let mut driving = pin!(reader.drive(sink, &stop));
    tokio::select! {
        ended = &mut driving => Ok(ended),
        failure = cannot_go_on(standing) => {
            stop.cancel();
            driving.await;
            Err(failure)
        }
    }
}

/// Comes once the reader cannot go on by itself; what may pass is told.
async fn cannot_go_on(mut standing: watch::Receiver<Standing>) -> Failure {
    loop {
        match &*standing.borrow_and_update() {
            Standing::Standby { .. } => return another(),
            Standing::Leading(Condition::Halted { reason, .. }) => {
                return Failure::refused(reason.as_str());
            }
            Standing::Leading(Condition::Waiting { reason } | Condition::Failing { reason }) => {
                eprintln!("{reason}; it is tried again")
            }
            Standing::Starting | Standing::Leading(Condition::Idle | Condition::Running) => {}
        }
        if standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// How far the reader has come.
async fn reached(connection: &mut PgConnection, after: Position) -> Result<Position, Failure> {
    let statuses = reader_statuses(connection, &[REPLAY.to_owned()]).await?;
    let status = statuses.into_iter().next();
    Ok(status.map_or(after, |status| status.position))
}

/// Says what was sent, and fails where streams could not be.
async fn tell_end(connection: &mut PgConnection, replayed: Replayed) -> Result<(), Failure> {
    let Replayed { sent, passed_over } = replayed;
    if passed_over > 0 {
        eprintln!("{passed_over} events were passed over: the relay has yet to send them");
    }
    let parked = parked_page(connection, REPLAY, None, NAMED).await?;
    if parked.is_empty() {
        eprintln!("{sent} events were sent again");
        return Ok(());
    }
    for waits in parked {
        eprintln!("{waits}");
    }
    Err(Failure::new(
        Exit::Failed,
        "these streams were not sent from the events named on",
    ))
}
