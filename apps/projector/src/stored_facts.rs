//! Facts of stored order events that the ledger does not hold. After a restore the consumer's offsets
//! may have passed them, and Kafka will not tell them again; and no release before kept those of a
//! type that no policy rewarded.

use bonus_domain::Beneficiary;
use bonus_store::{Delivery, Ingest, IngestError, Ingested, kept};
use contracts::{Fault, Incoming, Outbound, topics};
use event_store::{BatchBound, Feed, Position, Selection, StoredEvent, StreamId};
use kernel::EventId;
use messaging::BoxedError;
use sqlx::PgPool;

use crate::bonus::{Facts, refused_at};
use crate::relay::messages_of;

/// Facts that are taken in at once.
const AT_ONCE: usize = 500;

/// A walk through the stored order events, for the facts that are missing.
pub(crate) struct Walk<'a> {
    facts: &'a Facts,
    pool: &'a PgPool,
    feed: Feed,
    after: Position,
    selection: Selection,
}

/// What a page of the events has come to.
pub(crate) struct Page {
    /// How many events were passed.
    pub(crate) events: u64,
    /// How many facts they tell.
    pub(crate) told: u64,
    /// Those of them that the ledger does not hold.
    pub(crate) missing: Vec<Delivery>,
    /// How many events cannot be read: their facts are not known.
    pub(crate) unread: u64,
}

/// What became of the facts that were missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    pub(crate) ingested: Ingested,
    /// Facts that the rules refuse, and why.
    pub(crate) refused: Vec<Refused>,
}

/// A fact that the rules refuse.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) event: EventId,
    pub(crate) beneficiary: Beneficiary,
    pub(crate) why: String,
}

impl<'a> Walk<'a> {
    /// From the first event to the one at `to`.
    pub(crate) fn new(facts: &'a Facts, pool: &'a PgPool, feed: Feed, to: Position) -> Self {
        Self {
            facts,
            pool,
            feed,
            after: Position::START,
            selection: Selection {
                to: Some(to),
                stream: None,
            },
        }
    }

    /// The next page; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Page>, sqlx::Error> {
        let bound = BatchBound::default();
        let batch = self.feed.next_batch(self.after, &self.selection, bound);
        let events = batch.await?.events;
        let Some(last) = events.last() else {
            return Ok(None);
        };
        self.after = last.position;
        let mut missing: Vec<Delivery> = Vec::new();
        let mut unread = 0;
        for event in events
            .iter()
            .filter(|it| it.stream.kind() == StreamId::ORDER)
        {
            match self.told_by(event) {
                Some(told) => missing.extend(told),
                None => unread += 1,
            }
        }
        let told = missing.len() as u64;
        let ids: Vec<EventId> = missing.iter().map(|it| it.fact.source_event_id).collect();
        let held = kept(&mut *self.pool.acquire().await?, &ids).await?;
        missing.retain(|it| !held.contains(&it.fact.source_event_id));
        Ok(Some(Page {
            events: events.len() as u64,
            told,
            missing,
            unread,
        }))
    }

    /// The facts that the consumer reads of an event's messages; none where one of them cannot be
    /// read. The relay has then parked the event, or the consumer its message among the dead
    /// letters, if it keeps such facts.
    fn told_by(&self, event: &StoredEvent) -> Option<Vec<Delivery>> {
        let messages = messages_of(event).ok()?.into_iter();
        let messages = messages.filter(|message| message.topic == topics::ORDER_EVENTS);
        let told: Result<Vec<Option<Delivery>>, Fault> =
            messages.map(|message| self.read(message)).collect();
        Some(told.ok()?.into_iter().flatten().collect())
    }

    fn read(&self, message: Outbound) -> Result<Option<Delivery>, Fault> {
        let headers = message.headers.into_iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.to_owned(), Some(value.into_bytes())))
            .collect();
        let incoming = Incoming {
            headers: &headers,
            value: Some(&message.payload),
        };
        self.facts.read(&incoming)
    }
}

impl Taken {
    /// Takes facts in, in their order; what the rules refuse is passed over, and noted.
    pub(crate) async fn take_in(
        &mut self,
        ingest: &Ingest,
        missing: &[Delivery],
    ) -> Result<(), BoxedError> {
        for part in missing.chunks(AT_ONCE) {
            let mut part = part.to_vec();
            loop {
                match ingest.run(&part).await {
                    Ok(ingested) => {
                        self.ingested.awarded += ingested.awarded;
                        self.ingested.kept += ingested.kept;
                        self.ingested.deferred += ingested.deferred;
                        self.ingested.repeated += ingested.repeated;
                        break;
                    }
                    Err(error) => self.pass_over(error, &mut part)?,
                }
            }
        }
        Ok(())
    }

    fn pass_over(
        &mut self,
        error: IngestError,
        part: &mut Vec<Delivery>,
    ) -> Result<(), IngestError> {
        let Some((at, _)) = refused_at(&error, part) else {
            return Err(error);
        };
        let Delivery { fact, .. } = part.remove(at);
        self.refused.push(Refused {
            event: fact.source_event_id,
            beneficiary: fact.beneficiary,
            why: service_runtime::chain(&error),
        });
        Ok(())
    }
}
