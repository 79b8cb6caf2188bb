//! `projector store adopt`: after a restore, puts right what does not match the store: checkpoints,
//! topics, and facts whose awards are missing and which Kafka will not tell again.
//!
//! Everything is found from what is there, and nothing is done twice: it can be stopped or killed,
//! and run again.

mod checkpoints;

use std::sync::Arc;

use bonus_store::{Ingest, check_policies};
use event_store::acts::{self, ActId, ActKind};
use event_store::checkpoint;
use event_store::{Feed, Position, reader_statuses};
use kernel::{RandomIds, SystemClock};
use messaging::Kafka;
use messaging::topics::{Difference, TopicGuard};
use serde_json::json;
use service_runtime::chain;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::accept_topics;
use crate::bonus::Facts;
use crate::cli::Exit;
use crate::config::ProjectorConfig;
use crate::session::{ActOptions, Failure, Progress, Session, terminal};
use crate::stored_facts::{Taken, Walk};
use checkpoints::{Foreign, Judge, Meaning, RELAY, moved};

/// How many facts that the rules refuse are named.
const NAMED: usize = 10;

/// What was found, and is to be put right.
struct Plan {
    generation: i64,
    foreign: Vec<Foreign>,
    topics: Vec<Difference>,
    /// How far the relay has come once its checkpoint is right: what lies after, it sends itself.
    relayed: Position,
    missing: Missing,
}

/// Facts of stored events as far as the relay has come.
#[derive(Default)]
struct Missing {
    events: u64,
    told: u64,
    /// Those that the ledger does not hold.
    missing: u64,
}

/// Who puts it right, and with what.
struct Adopter<'a> {
    session: &'a Session<ProjectorConfig>,
    pool: PgPool,
    guard: TopicGuard,
    facts: Facts,
}

/// Says what does not match and what is to be done about it, asks unless told not to, and does it.
pub(crate) async fn adopt(
    session: Session<ProjectorConfig>,
    act: ActOptions,
) -> Result<(), Failure> {
    let config = &session.config;
    let pool = session.pool(&config.database, 3);
    let adopter = Adopter {
        guard: TopicGuard::new(Kafka::new(&config.brokers), pool.clone(), config.retention),
        facts: Facts::new(pool.clone(), config.conflict.0),
        session: &session,
        pool,
    };
    let plan = adopter.look().await?;
    for line in plan.lines() {
        eprintln!("{}", terminal::line(&line));
    }
    if plan.acts() {
        act.agreed("Adopt this?")?;
        adopter.carry_out(&plan, &act).await?;
    }
    plan.verdict()
}

impl Adopter<'_> {
    async fn look(&self) -> Result<Plan, Failure> {
        let topics = self.guard.differences().await;
        let topics = topics.map_err(accept_topics::failure)?;
        let mut feed = self.feed().await?;
        let generation = feed.generation().number;
        let mut judge = Judge {
            pool: &self.pool,
            feed: &mut feed,
            stop: &self.session.stop,
        };
        let foreign = judge.foreign().await?;
        let relayed = self.relayed(&foreign).await?;
        let missing = self.missing(feed, relayed).await?;
        Ok(Plan {
            generation,
            foreign,
            topics,
            relayed,
            missing,
        })
    }

    async fn feed(&self) -> Result<Feed, Failure> {
        let options = self.session.connect_options(&self.session.config.database);
        Ok(Feed::connect(&options).await?)
    }

    async fn relayed(&self, foreign: &[Foreign]) -> Result<Position, Failure> {
        if let Some(relay) = foreign.iter().find(|it| it.name == RELAY) {
            return Ok(relay.to.checkpoint.position);
        }
        let mut connection = self.pool.acquire().await?;
        let relay = reader_statuses(&mut connection, &[RELAY.to_owned()]).await?;
        Ok(relay.first().map_or(Position::START, |it| it.position))
    }

    async fn missing(&self, feed: Feed, to: Position) -> Result<Missing, Failure> {
        let mut missing = Missing::default();
        let mut walk = Walk::new(&self.facts, &self.pool, feed, to);
        let mut progress = Progress::of(0, "events looked through for facts");
        while let Some(page) = walk.next().await? {
            goes_on(&self.session.stop)?;
            missing.events += page.events;
            missing.told += page.told;
            missing.missing += page.missing.len() as u64;
            progress.at(missing.events, missing.events);
        }
        Ok(missing)
    }

    /// Checkpoints first, with the act: what comes after can be found again.
    async fn carry_out(&self, plan: &Plan, act: &ActOptions) -> Result<(), Failure> {
        let id = self.put_checkpoints(plan, act).await?;
        if !plan.topics.is_empty() {
            let subject = json!({ "differences": told(&plan.topics), "adoption": id.to_string() });
            let act = act.act(ActKind::AcceptTopics, subject);
            let accepted = self.guard.accept(&act).await;
            accepted.map_err(accept_topics::failure)?;
            eprintln!("the topics are accepted");
        }
        let mut taken = Taken::default();
        let awarded = self.take_in(plan, &mut taken).await;
        let result = json!({
            "ended": if awarded.is_ok() { "reached" } else { "stopped" },
            "awarded": taken.ingested.awarded,
            "kept": taken.ingested.kept,
            "deferred": taken.ingested.deferred,
            "repeated": taken.ingested.repeated,
            "refused": taken.refused.len(),
        });
        let mut connection = self.pool.acquire().await?;
        acts::ended(&mut connection, id, act.operator(), result).await?;
        awarded?;
        tell_taken(&taken)
    }

    async fn put_checkpoints(&self, plan: &Plan, act: &ActOptions) -> Result<ActId, Failure> {
        let mut transaction = self.pool.begin().await?;
        for it in plan.foreign.iter().filter(|it| it.moves()) {
            let put = checkpoint::put_at(&mut transaction, &it.name, &it.from, &it.to).await?;
            if !put {
                return Err(moved(&it.name));
            }
        }
        let subject = json!({
            "generation": plan.generation,
            "checkpoints": plan.foreign.iter().map(Foreign::json).collect::<Vec<_>>(),
            "topics": told(&plan.topics),
            "facts": plan.missing.missing,
            "relayed": plan.relayed.get(),
        });
        let act = act.act(ActKind::Adopt, subject);
        let id = acts::record(&mut transaction, &act).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Takes the facts in that are missing, as the consumer would.
    async fn take_in(&self, plan: &Plan, taken: &mut Taken) -> Result<(), Failure> {
        if plan.missing.missing == 0 {
            return Ok(());
        }
        let stop = "the facts were not all taken in: run `projector store adopt` again";
        check_policies(&self.pool)
            .await
            .map_err(|error| Failure::failed(error).during(stop))?;
        let ids = Arc::new(RandomIds);
        let mode = self.session.config.conflict.0;
        let ingest = Ingest::new(self.pool.clone(), mode, Arc::new(SystemClock), ids);
        let feed = self.feed().await?;
        let mut walk = Walk::new(&self.facts, &self.pool, feed, plan.relayed);
        let total = plan.missing.missing;
        let mut progress = Progress::of(total, "facts taken in");
        let mut done = 0;
        while let Some(page) = walk.next().await? {
            goes_on(&self.session.stop).map_err(|failure| failure.during(stop))?;
            let took = taken.take_in(&ingest, &page.missing).await;
            took.map_err(|error| Failure::new(Exit::Failed, chain(&*error)).during(stop))?;
            done += page.missing.len() as u64;
            progress.at(done, total.max(done));
        }
        Ok(())
    }
}

impl Plan {
    /// Whether anything is to be done.
    fn acts(&self) -> bool {
        let moves = self.foreign.iter().any(Foreign::moves);
        moves || !self.topics.is_empty() || self.missing.missing > 0
    }

    /// What was found, for people.
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.foreign.iter().map(Foreign::to_string).collect();
        lines.extend(self.topics.iter().map(Difference::to_string));
        if !self.topics.is_empty() {
            lines.push(
                "the topics are accepted as they are; what was sent before may be missing there, \
                 and `projector replay` sends it again"
                    .to_owned(),
            );
        }
        let Missing { told, missing, .. } = self.missing;
        if missing > 0 {
            lines.push(format!(
                "{missing} of the {told} facts of events up to position {}, which the relay has \
                 passed, are not in the ledger: they are taken in from the store",
                self.relayed
            ));
        }
        if lines.is_empty() {
            lines.push(format!(
                "generation {}: every checkpoint matches the store, the topics are those that are \
                 recorded, and the ledger holds every fact that was sent: there is nothing to \
                 adopt",
                self.generation
            ));
        }
        lines
    }

    /// Refused where a read model cannot go on.
    fn verdict(&self) -> Result<(), Failure> {
        let models = self.foreign.iter().filter_map(|it| match it.meaning {
            Meaning::Rebuild { model, .. } => Some(format!("`projector rebuild {model}`")),
            Meaning::SentAgain { .. } | Meaning::GoesOn | Meaning::Left => None,
        });
        let rebuilds: Vec<String> = models.collect();
        if rebuilds.is_empty() {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "rows that are not what the store says are not adopted: run {}; it says how many rows \
             differ, and with `--accept-differences ROWS` serves those that are right",
            rebuilds.join(" and ")
        )))
    }
}

fn told(topics: &[Difference]) -> Vec<String> {
    topics.iter().map(Difference::to_string).collect()
}

/// Says what became of the facts, and fails where the rules refuse some.
fn tell_taken(taken: &Taken) -> Result<(), Failure> {
    let Taken { ingested, refused } = taken;
    eprintln!(
        "adopted: {} facts awarded, {} kept that move no points, {} that were known by then",
        ingested.awarded, ingested.kept, ingested.repeated,
    );
    for it in refused.iter().take(NAMED) {
        let line = format!("event {} for {}: {}", it.event, it.beneficiary, it.why);
        eprintln!("{}", terminal::line(&line));
    }
    if refused.is_empty() {
        return Ok(());
    }
    let line = format!("{} facts were refused by the rules", refused.len());
    Err(Failure::new(Exit::Failed, line))
}

/// Ends what was told to stop.
fn goes_on(stop: &CancellationToken) -> Result<(), Failure> {
    if stop.is_cancelled() {
        return Err(Failure::new(Exit::Failed, "stopped"));
    }
    Ok(())
}
