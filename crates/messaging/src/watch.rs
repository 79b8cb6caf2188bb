//! Whether Kafka answers, for the health of a process.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;

use crate::client::{Kafka, apart};
use crate::topics::probe::Probe;

/// How often it is asked.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks again and again whether Kafka answers, and reports what came of it, until `stop`.
pub async fn watch(
    kafka: Kafka,
    stop: CancellationToken,
    report: impl Fn(Result<(), &KafkaError>) + Send,
) {
    let mut probe: Option<Arc<Probe>> = None;
    loop {
        let outcome = tokio::select! {
            () = stop.cancelled() => return,
            outcome = ask(&kafka, &mut probe) => outcome,
        };
        report(outcome.as_ref().copied());
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn ask(kafka: &Kafka, probe: &mut Option<Arc<Probe>>) -> Result<(), KafkaError> {
    let probe = match probe {
        Some(probe) => Arc::clone(probe),
        None => Arc::clone(probe.insert(Arc::new(Probe::new(kafka)?))),
    };
    apart(move || probe.reach(PATIENCE))
        .await
        .unwrap_or(Err(KafkaError::Canceled))
}
