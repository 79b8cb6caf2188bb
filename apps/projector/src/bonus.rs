//! The bonus role: facts come from Kafka, and go into the ledger and onto accounts.

use std::sync::Arc;

use bonus_domain::{Beneficiary, Fact, Policies, SourceType};
use bonus_store::{
    Change, ConflictMode, Delivery, Ingest, IngestError, Rejection, check_policies, kept,
};
use contracts::{DeadLetterCode, Fault, Incoming, topics};
use event_store::AppendError;
use event_store::failure::{SqlFailure, classify};
use kernel::{Clock, EventId, OrderId, RandomIds, SystemClock};
use messaging::{BoxedError, Consumer, ConsumerOptions, HandleError, Handler, Kafka, Received};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span, warn};

use crate::config::ProjectorConfig;
use crate::traced::Spans;

/// The consumer group.
pub(crate) const GROUP: &str = "atlas-bonus";
/// What the types of order events begin with. A policy names the rest.
const ORDER_TYPES: &str = "atlas.order.";
/// The pause before the policies are looked at again.
const POLICY_PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// The consumer that takes facts in.
pub(crate) fn consumer(config: &ProjectorConfig, pool: PgPool, facts: Facts) -> Consumer<Facts> {
    let options = ConsumerOptions {
        kafka: Kafka::new(&config.brokers),
        database: pool,
        group: GROUP.to_owned(),
        topics: vec![topics::ORDER_EVENTS.to_owned()],
        session: config.lease,
    };
    Consumer::new(options, facts)
}

/// Takes facts in until `stop`. A policy that was edited after its activation ends it.
pub(crate) async fn run(
    consumer: Consumer<Facts>,
    pool: PgPool,
    stop: CancellationToken,
) -> Result<(), bonus_store::CheckError> {
    while let Err(error) = check_policies(&pool).await {
        let bonus_store::CheckError::Database(source) = error else {
            return Err(error);
        };
        warn!(
            error = service_runtime::chain(&source),
            "bonus.policies_unread"
        );
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(POLICY_PAUSE) => {}
        }
    }
    consumer.run(stop).await;
    Ok(())
}

/// Hands what a policy may reward to the ledger.
pub(crate) struct Facts {
    pool: PgPool,
    ingest: Ingest,
    clock: Arc<dyn Clock>,
}

/// What a batch would change.
#[derive(Debug)]
pub(crate) struct Preview {
    /// The messages that cannot be handled still, by index, and why.
    pub(crate) refused: Vec<(usize, DeadLetterCode, String)>,
    /// The rows that the others would change.
    pub(crate) changes: Vec<Change>,
}

impl Facts {
    /// The fact that a message tells; none where no policy rewards it.
    pub(crate) fn read(&self, incoming: &Incoming<'_>) -> Result<Option<Delivery>, Fault> {
        let Some(name) = incoming.event_type()?.strip_prefix(ORDER_TYPES) else {
            return Ok(None);
        };
        let Some(source_type) = SourceType::known(name) else {
            return Ok(None);
        };
        let told = incoming.read(self.clock.now())?;
        if !Policies::compiled().keep(source_type, told.beneficiary.role) {
            return Ok(None);
        }
        Ok(Some(Delivery {
            correlation_id: told
                .correlation_id
                .unwrap_or_else(|| told.event_id.as_uuid()),
            traceparent: told.traceparent.map(|trace| trace.to_string()),
            fact: Fact {
                source_event_id: told.event_id,
                source_type,
                beneficiary: Beneficiary::new(told.beneficiary.role, told.beneficiary.id),
                order_id: told.order_id.map(OrderId::from_uuid),
                by_dispute: told.by_dispute.unwrap_or(false),
                occurred_at: told.occurred_at,
            },
        }))
    }
}

impl Facts {
    /// Facts go into the tables of `pool`.
    pub(crate) fn new(pool: PgPool, mode: ConflictMode) -> Self {
        let clock = Arc::new(SystemClock);
        let ingest = Ingest::new(pool.clone(), mode, clock.clone(), Arc::new(RandomIds));
        Self {
            pool,
            ingest,
            clock,
        }
    }

    /// What handling a batch would change, and which messages of it would be refused: the rest is
    /// handled as it would be, and rolled back.
    pub(crate) async fn preview(&self, messages: &[Received]) -> Result<Preview, IngestError> {
        let mut refused = Vec::new();
        let mut places = Vec::new();
        let mut deliveries = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            match self.read(&message.incoming()) {
                Ok(None) => {}
                Ok(Some(delivery)) => {
                    places.push(index);
                    deliveries.push(delivery);
                }
                Err(fault) => refused.push((index, fault.code, fault.detail)),
            }
        }
        loop {
            match self.ingest.preview(&deliveries).await {
                Ok(changes) => return Ok(Preview { refused, changes }),
                Err(error) => {
                    let Some((at, code)) = refused_at(&error, &deliveries) else {
                        return Err(error);
                    };
                    deliveries.remove(at);
                    refused.push((places.remove(at), code, service_runtime::chain(&error)));
                }
            }
        }
    }
}

impl Handler for Facts {
    async fn handle(&self, messages: &[Received]) -> Result<(), HandleError> {
        let mut places = Vec::new();
        let mut deliveries = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            match self.read(&message.incoming()) {
                Ok(None) => {}
                Ok(Some(delivery)) => {
                    places.push(index);
                    deliveries.push(delivery);
                }
                Err(fault) => {
                    return Err(HandleError::Unhandled {
                        index,
                        code: fault.code,
                        detail: fault.detail,
                    });
                }
            }
        }
        let spans = Spans::of(
            info_span!(
                "bonus.handle",
                otel.kind = "consumer",
                messages = messages.len()
            ),
            deliveries
                .iter()
                .map(|delivery| delivery.traceparent.as_deref()),
            || info_span!("bonus.award", otel.kind = "consumer"),
        );
        let taken_in = self.ingest.run(&deliveries);
        match taken_in.instrument(spans.batch.clone()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(unhandled(error, &places, &deliveries)),
        }
    }

    async fn handled(&self, events: &[EventId]) -> Result<Vec<EventId>, BoxedError> {
        let mut connection = self.pool.acquire().await?;
        Ok(kept(&mut connection, events).await?)
    }
}

/// What the rules refuse is the message's own fault; what the tables refuse may be. Everything else
/// may pass.
fn unhandled(error: IngestError, places: &[usize], deliveries: &[Delivery]) -> HandleError {
    let refused = refused_at(&error, deliveries);
    let refused = refused.and_then(|(at, code)| Some((*places.get(at)?, code)));
    if let Some((index, code)) = refused {
        return HandleError::Unhandled {
            index,
            code,
            detail: service_runtime::chain(&error),
        };
    }
    if may_be_at_fault(&error) {
        HandleError::Failed(Box::new(error))
    } else {
        HandleError::Retry(Box::new(error))
    }
}

/// The delivery that the rules refuse, if they do, and how.
pub(crate) fn refused_at(
    error: &IngestError,
    deliveries: &[Delivery],
) -> Option<(usize, DeadLetterCode)> {
    let IngestError::Rejected {
        source_event_id,
        source,
        ..
    } = error
    else {
        return None;
    };
    let code = match source {
        Rejection::Conflict(_) => DeadLetterCode::PolicyVersionConflict,
        Rejection::Overflow(_) => DeadLetterCode::AccountRejected,
    };
    let mut ids = deliveries
        .iter()
        .map(|delivery| delivery.fact.source_event_id);
    let at = ids.position(|id| id == *source_event_id)?;
    Some((at, code))
}

/// Whether a message may have brought this about, and its neighbours pass: told from the
/// database's own trouble by what it said.
fn may_be_at_fault(error: &IngestError) -> bool {
    match error {
        IngestError::Rejected { .. } | IngestError::Corrupt { .. } => true,
        IngestError::Policy(_)
        | IngestError::NotLocked { .. }
        | IngestError::Append(AppendError::Conflict) => false,
        IngestError::Append(AppendError::Database(error)) | IngestError::Database(error) => {
            matches!(error, sqlx::Error::Decode(_)) || classify(error) == SqlFailure::RefusedRow
        }
    }
}
