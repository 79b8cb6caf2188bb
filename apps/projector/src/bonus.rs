//! The bonus role: facts come from Kafka, and go into the ledger and onto accounts.

use std::sync::Arc;

use bonus_domain::{Beneficiary, Fact, Policies, SourceType};
use bonus_store::{Delivery, Ingest, IngestError, check_policies};
use contracts::{DeadLetterCode, Fault, topics};
use kernel::{Clock, OrderId};
use messaging::{Consumer, ConsumerOptions, HandleError, Handler, Kafka, Received};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::ProjectorConfig;

/// The consumer group.
const GROUP: &str = "atlas-bonus";
/// What the types of order events begin with. A policy names the rest.
const ORDER_TYPES: &str = "atlas.order.";
/// The pause before the policies are looked at again.
const POLICY_PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// The consumer that takes facts in.
pub(crate) fn consumer(
    config: &ProjectorConfig,
    ingest: Ingest,
    clock: Arc<dyn Clock>,
) -> Consumer<Facts> {
    let options = ConsumerOptions {
        kafka: Kafka::new(&config.brokers),
        group: GROUP.to_owned(),
        topics: vec![topics::ORDER_EVENTS.to_owned()],
        session: config.lease,
    };
    Consumer::new(options, Facts { ingest, clock })
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
    ingest: Ingest,
    clock: Arc<dyn Clock>,
}

/// What a message is to us.
enum Read {
    /// No policy rewards it.
    Passed,
    /// Which message of the batch it is, and the fact that it tells.
    Fact(usize, Delivery),
}

impl Facts {
    fn read(&self, index: usize, message: &Received) -> Result<Read, Fault> {
        let incoming = message.incoming();
        let Some(name) = incoming.event_type()?.strip_prefix(ORDER_TYPES) else {
            return Ok(Read::Passed);
        };
        let source_type = SourceType::new(name);
        let policies = Policies::compiled();
        if !policies.mention(&source_type) {
            return Ok(Read::Passed);
        }
        let told = incoming.read(self.clock.now())?;
        if !policies.keep(&source_type, told.beneficiary.role) {
            return Ok(Read::Passed);
        }
        let delivery = Delivery {
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
        };
        Ok(Read::Fact(index, delivery))
    }
}

impl Handler for Facts {
    async fn handle(&self, messages: &[Received]) -> Result<(), HandleError> {
        let mut places = Vec::new();
        let mut deliveries = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            match self.read(index, message) {
                Ok(Read::Passed) => {}
                Ok(Read::Fact(index, delivery)) => {
                    places.push(index);
                    deliveries.push(delivery);
                }
                Err(fault) => {
                    return Err(HandleError::Unhandled {
                        index,
                        code: fault.code.as_str().to_owned(),
                        detail: fault.detail,
                    });
                }
            }
        }
        match self.ingest.run(&deliveries).await {
            Ok(_) => Ok(()),
            Err(error) => Err(unhandled(error, &places, &deliveries)),
        }
    }
}

/// What the rules refuse is the message's own fault; everything else may pass.
fn unhandled(error: IngestError, places: &[usize], deliveries: &[Delivery]) -> HandleError {
    let IngestError::Rejected {
        source_event_id, ..
    } = &error
    else {
        return HandleError::Retry(Box::new(error));
    };
    let index = deliveries
        .iter()
        .position(|delivery| delivery.fact.source_event_id == *source_event_id)
        .and_then(|found| places.get(found));
    match index {
        Some(index) => HandleError::Unhandled {
            index: *index,
            code: DeadLetterCode::AccountRejected.as_str().to_owned(),
            detail: service_runtime::chain(&error),
        },
        None => HandleError::Retry(Box::new(error)),
    }
}
