//! Whether the process can do what it needs Kafka for: Kafka answers, and the consumer gets on. Where
//! they do not, the process is degraded, and everything else goes on. The relay has a row of its
//! own (`readers.rs`).

use std::error::Error;
use std::future::pending;

use messaging::{ConsumerState, Kafka};
use service_runtime::Dependency;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Why the process cannot do all that it needs Kafka for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Trouble {
    #[error("kafka does not answer: {0}")]
    Away(String),
    #[error("{0} partitions wait until their messages can be handled")]
    Waiting(usize),
}

/// Watches Kafka and the consumer, and reports what comes of both, until `stop`.
pub(crate) async fn watch(
    kafka: Kafka,
    mut bonus: watch::Receiver<ConsumerState>,
    dependency: Dependency,
    stop: CancellationToken,
) {
    let (answers, mut answered) = watch::channel(None);
    let asking = messaging::watch(kafka, stop, |outcome| {
        answers.send_replace(Some(outcome.map_err(|error| service_runtime::chain(error))));
    });
    let telling = async {
        loop {
            if let Some(answer) = answered.borrow_and_update().as_ref() {
                let found = judge(answer, &bonus.borrow_and_update());
                dependency.report(found.as_ref().copied().map_err(|t| t as &dyn Error));
            }
            tokio::select! {
                () = changed(&mut answered) => {}
                () = changed(&mut bonus) => {}
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = telling => {}
    }
}

/// Comes with the next state, and never after the last.
async fn changed<T>(state: &mut watch::Receiver<T>) {
    if state.changed().await.is_err() {
        pending().await
    }
}

fn judge(answer: &Result<(), String>, bonus: &ConsumerState) -> Result<(), Trouble> {
    answer.clone().map_err(Trouble::Away)?;
    match bonus.waiting {
        0 => Ok(()),
        waiting => Err(Trouble::Waiting(waiting)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_that_does_not_get_on_degrades_as_much_as_a_kafka_that_is_away() {
        let consumer = |waiting| ConsumerState { waiting };
        let away = || Err("connection refused".to_owned());
        for (answer, bonus, expected) in [
            (Ok(()), consumer(0), Ok(())),
            (
                away(),
                consumer(2),
                Err(Trouble::Away("connection refused".to_owned())),
            ),
            (Ok(()), consumer(2), Err(Trouble::Waiting(2))),
        ] {
            assert_eq!(judge(&answer, &bonus), expected);
        }
    }
}
