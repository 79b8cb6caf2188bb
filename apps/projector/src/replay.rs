//! `projector replay`: stored events are sent to Kafka again, with the ids that they had.

use std::num::NonZeroU32;
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use contracts::{Outbound, Traceparent, header};
use event_store::acts::{self, ActId, ActKind};
use event_store::{
    Condition, Ended, Position, Reader, ReaderOptions, Standing, StoredEvent, StreamId, begin_anew,
    count_events, parked_page, reader_statuses,
};
use kernel::{IdSource as _, OrderId, RandomIds};
use messaging::topics::{Retention, TopicGuard};
use messaging::{Kafka, Relay, Replay, Replayed};
use publishing::Unpublishable;
use serde_json::json;
use service_runtime::chain;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::acting::{Acting, Before, Tells};
use crate::cli::Exit;
use crate::config::ProjectorConfig;
use crate::relay::messages_of;
use crate::session::{ActOptions, Failure, Session};

const NAME: &str = "projector replay";
/// The names of the two readers concerned.
const RELAY: &str = "relay";
const REPLAY: &str = "replay";
/// What is counted.
const EVENTS: &str = "events";
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

/// What to send again, and how fast.
#[derive(Debug, Clone)]
pub(crate) struct What {
    /// The first position.
    pub(crate) from: i64,
    /// The last one.
    pub(crate) to: Option<i64>,
    /// Only the events of this order.
    pub(crate) order: Option<OrderId>,
    /// Events a second at most.
    pub(crate) max_rate: Option<NonZeroU32>,
}

/// Where it is sent to, and by whom.
pub(crate) struct Sending {
    pub(crate) kafka: Kafka,
    pub(crate) retention: Retention,
    /// How long the reader's lease outlives it.
    pub(crate) lease: Duration,
}

/// Which events: after a position, up to another, of one stream or all.
struct Range {
    after: Position,
    to: Position,
    stream: Option<StreamId>,
}

/// What is sent, since when.
struct Begun {
    act: ActId,
    range: Range,
    events: u64,
    /// Whether somebody had begun it who was killed.
    taken_up: bool,
}

/// Says how many events it is about, asks unless told not to, and sends them again.
pub(crate) async fn replay(
    session: Session<ProjectorConfig>,
    options: ReplayOptions,
) -> Result<(), Failure> {
    let terminal = options.act.terminal(None);
    let config = &session.config;
    let acting = session.acting(&config.database, 2, &options.act, &terminal);
    let sending = Sending {
        kafka: Kafka::new(&config.brokers),
        retention: config.retention,
        lease: config.lease,
    };
    let what = What {
        from: options.from,
        to: options.to,
        order: options.order,
        max_rate: options.max_rate,
    };
    carry_out(&acting, sending, &what).await
}

/// Sends stored events again. Whoever goes on for one who was killed begins at the checkpoint that
/// this has left, and repeats a batch at most.
pub(crate) async fn carry_out(
    acting: &Acting<'_>,
    sending: Sending,
    what: &What,
) -> Result<(), Failure> {
    let Sending {
        kafka,
        retention,
        lease,
    } = sending;
    let Acting {
        pool, stop, tells, ..
    } = acting;
    let guard = TopicGuard::new(kafka.clone(), pool.clone(), retention);
    let mut connection = pool.acquire().await?;
    let begun = what.begin(acting, &mut connection, &guard, lease);
    let Some(begun) = begun.await? else {
        return Ok(());
    };
    let Begun {
        act,
        range,
        events,
        taken_up,
    } = begun;
    let trace = Traceparent::started_by(act.as_uuid());
    let relay = Relay::new(kafka, move |event: &StoredEvent| traced(event, &trace));
    let tells = *tells;
    tells.count(EVENTS, 0, events);
    let mut sink = Replay::new(
        relay.guarded_by(guard),
        pool.clone(),
        move |done: Replayed| {
            tells.count(EVENTS, done.sent + done.passed_over, events);
        },
    );
    let reader = Reader::new(acting.connect.clone(), what.reader(&range, lease));
    let ended = drive(&reader, &mut sink, stop, tells, taken_up).await;
    let replayed = sink.replayed();
    drop(sink);

    let reached = reached(&mut connection, range.after).await?;
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
    acting.ended(&mut connection, act, result.clone()).await?;
    tells.found(&result, "")?;
    let go_on = format!("go on with --from {}", reached.get() + 1);
    match ended {
        Ok(Ended::Reached) => tell_end(tells, &mut connection, replayed).await,
        Ok(Ended::Stopped) => Err(Failure::new(
            Exit::Failed,
            format!("stopped after {} events: {go_on}", replayed.sent),
        )),
        Err(failure) => {
            tells.say(&format!("{} events were sent: {go_on}", replayed.sent));
            Err(failure)
        }
    }
}

impl What {
    /// Begins, or goes on with what was begun; none where there is nothing to send.
    async fn begin(
        &self,
        acting: &Acting<'_>,
        connection: &mut PgConnection,
        guard: &TopicGuard,
        lease: Duration,
    ) -> Result<Option<Begun>, Failure> {
        if let Some(before) = acting.done_before(ActKind::Replay).await? {
            refuse_other_topics(guard).await?;
            return self.go_on(acting, connection, &before).await.map(Some);
        }
        let tells = acting.tells;
        let range = self.range(connection).await?;
        let stream = range.stream.as_ref();
        let events = count_events(connection, range.after, range.to, stream).await?;
        refuse_other_topics(guard).await?;
        let Range { after, to, .. } = &range;
        let first = after.get() + 1;
        tells.say(&format!(
            "{events} events, from position {first} to {to}, will be sent to Kafka again with the \
             ids that they had. The relay's checkpoint stays where it is."
        ));
        if events == 0 {
            return Ok(None);
        }
        tells.agreed("Send them?")?;
        let act = self
            .record(acting, connection, &range, events, lease)
            .await?;
        Ok(Some(Begun {
            act,
            range,
            events,
            taken_up: false,
        }))
    }

    /// Goes on with what was begun, unless the reader has begun anew for somebody else since.
    async fn go_on(
        &self,
        acting: &Acting<'_>,
        connection: &mut PgConnection,
        before: &Before,
    ) -> Result<Begun, Failure> {
        let after = Position::new(self.from - 1);
        let reached = reached(connection, after).await?;
        if acts::is_followed(connection, ActKind::Replay, before.position).await? {
            return Err(Failure::new(
                Exit::Failed,
                "stopped when its process ended, and another replay has begun since",
            ));
        }
        let to = before.number("to").unwrap_or_default();
        let range = Range {
            after,
            to: Position::new(to.cast_signed()),
            stream: self.order.map(StreamId::order),
        };
        let stream = range.stream.as_ref();
        let events = count_events(connection, reached, range.to, stream).await?;
        acting.tells.say(&format!(
            "taken up again after position {reached}: {events} events are left"
        ));
        Ok(Begun {
            act: before.id,
            range,
            events,
            taken_up: true,
        })
    }

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

    fn reader(&self, range: &Range, lease: Duration) -> ReaderOptions {
        let owner = format!("{NAME} {}", RandomIds.next());
        ReaderOptions {
            after: range.after,
            to: Some(range.to),
            stream: range.stream.clone(),
            max_rate: self.max_rate,
            ..ReaderOptions::new(REPLAY, &owner, lease)
        }
    }

    /// Puts the reader at its begin, and records the act.
    async fn record(
        &self,
        acting: &Acting<'_>,
        connection: &mut PgConnection,
        range: &Range,
        events: u64,
        lease: Duration,
    ) -> Result<ActId, Failure> {
        let mut transaction = connection.begin().await?;
        if !begin_anew(&mut transaction, &self.reader(range, lease)).await? {
            return Err(another());
        }
        let subject = json!({
            "from": range.after.get() + 1,
            "to": range.to.get(),
            "orderId": self.order,
            "maxRate": self.max_rate,
            "events": events,
        });
        let act = acting.by.act(ActKind::Replay, subject);
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
    tells: &dyn Tells,
    taken_up: bool,
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
        failure = cannot_go_on(standing, tells, taken_up) => {
            stop.cancel();
            driving.await;
            Err(failure)
        }
    }
}

/// Comes once the reader cannot go on by itself; what may pass is told. Who takes one up waits for the
/// lease of whoever was killed.
async fn cannot_go_on(
    mut standing: watch::Receiver<Standing>,
    tells: &dyn Tells,
    taken_up: bool,
) -> Failure {
    loop {
        match &*standing.borrow_and_update() {
            Standing::Standby { .. } if !taken_up => return another(),
            Standing::Leading(Condition::Halted { reason, .. }) => {
                return Failure::refused(reason.as_str());
            }
            Standing::Leading(Condition::Waiting { reason } | Condition::Failing { reason }) => {
                tells.say(&format!("{reason}; it is tried again"));
            }
            Standing::Standby { .. }
            | Standing::Starting
            | Standing::Leading(Condition::Idle | Condition::Running) => {}
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
async fn tell_end(
    tells: &dyn Tells,
    connection: &mut PgConnection,
    replayed: Replayed,
) -> Result<(), Failure> {
    let Replayed { sent, passed_over } = replayed;
    if passed_over > 0 {
        tells.say(&format!(
            "{passed_over} events were passed over: the relay has yet to send them"
        ));
    }
    let parked = parked_page(connection, REPLAY, None, NAMED).await?;
    if parked.is_empty() {
        tells.say(&format!("{sent} events were sent again"));
        return Ok(());
    }
    for waits in parked {
        tells.say(&waits.to_string());
    }
    Err(Failure::new(
        Exit::Failed,
        "these streams were not sent from the events named on",
    ))
}
