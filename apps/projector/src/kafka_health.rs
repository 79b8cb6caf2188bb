//! Whether the process can do what it needs Kafka for: Kafka answers, and the roles that use it get
//! on. Where they do not, the process is degraded, and everything else goes on.

use std::error::Error;
use std::future::pending;

use kernel::EventId;
use messaging::{ConsumerState, Kafka, RelayState};
use service_runtime::Dependency;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What the roles that use Kafka are at. One that is not run here stays where it begins.
pub(crate) struct Roles {
    pub(crate) relay: watch::Receiver<RelayState>,
    pub(crate) bonus: watch::Receiver<ConsumerState>,
}

impl Default for Roles {
    fn default() -> Self {
        Self {
            relay: watch::channel(RelayState::Starting).1,
            bonus: watch::channel(ConsumerState::default()).1,
        }
    }
}

/// Why the process cannot do all that it needs Kafka for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Trouble {
    #[error("kafka does not answer: {0}")]
    Away(String),
    #[error("kafka does not acknowledge what is relayed")]
    Silent,
    #[error("the relay fails, and begins again at its checkpoint")]
    Failing,
    #[error("kafka refuses event {0} for good, and nothing later is relayed")]
    Refused(EventId),
    #[error("{0} partitions wait behind a message that cannot be handled")]
    Stuck(usize),
    #[error("{0} partitions wait for what handling their messages depends on")]
    Waiting(usize),
}

/// Watches Kafka and the roles, and reports what comes of both, until `stop`.
pub(crate) async fn watch(
    kafka: Kafka,
    mut roles: Roles,
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
                let relay = roles.relay.borrow_and_update();
                let bonus = roles.bonus.borrow_and_update();
                let found = judge(answer, &relay, &bonus);
                dependency.report(found.as_ref().copied().map_err(|t| t as &dyn Error));
            }
            tokio::select! {
                () = changed(&mut answered) => {}
                () = changed(&mut roles.relay) => {}
                () = changed(&mut roles.bonus) => {}
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

fn judge(
    answer: &Result<(), String>,
    relay: &RelayState,
    bonus: &ConsumerState,
) -> Result<(), Trouble> {
    answer.clone().map_err(Trouble::Away)?;
    match relay {
        RelayState::Starting | RelayState::Standby { .. } | RelayState::Relaying => {}
        RelayState::Waiting => return Err(Trouble::Silent),
        RelayState::Failing => return Err(Trouble::Failing),
        RelayState::Stopped(halt) => return Err(Trouble::Refused(halt.event_id)),
    }
    match (bonus.stuck.len(), bonus.waiting) {
        (0, 0) => Ok(()),
        (0, waiting) => Err(Trouble::Waiting(waiting)),
        (stuck, _) => Err(Trouble::Stuck(stuck)),
    }
}

#[cfg(test)]
mod tests {
    use event_store::Position;
    use kernel::IdSource as _;
    use messaging::{Halt, StuckPartition};

    use super::*;

    #[test]
    fn a_role_that_does_not_get_on_degrades_as_much_as_a_kafka_that_is_away() {
        let event_id = EventId::from_uuid(kernel::RandomIds.next());
        let halt = Halt {
            event_id,
            position: Position::new(7),
            event: "OrderPlaced 1.0".to_owned(),
            size: 17_000_000,
            reason: "too large".to_owned(),
        };
        let stuck = StuckPartition {
            topic: "facts".to_owned(),
            partition: 0,
            offset: 7,
            code: "TIME_INVALID".to_owned(),
            detail: "it is ahead of its time".to_owned(),
        };
        let idle = ConsumerState::default;
        let paused = |stuck: Vec<_>, waiting| ConsumerState { stuck, waiting };
        let standby = RelayState::Standby {
            owner: "another".to_owned(),
        };
        let away = || Err("connection refused".to_owned());
        for (answer, relay, bonus, expected) in [
            (Ok(()), RelayState::Starting, idle(), Ok(())),
            (Ok(()), standby, idle(), Ok(())),
            (Ok(()), RelayState::Relaying, idle(), Ok(())),
            (
                away(),
                RelayState::Relaying,
                idle(),
                Err(Trouble::Away("connection refused".to_owned())),
            ),
            (Ok(()), RelayState::Waiting, idle(), Err(Trouble::Silent)),
            (Ok(()), RelayState::Failing, idle(), Err(Trouble::Failing)),
            (
                Ok(()),
                RelayState::Stopped(halt),
                idle(),
                Err(Trouble::Refused(event_id)),
            ),
            (
                Ok(()),
                RelayState::Relaying,
                paused(vec![], 2),
                Err(Trouble::Waiting(2)),
            ),
            (
                Ok(()),
                RelayState::Relaying,
                paused(vec![stuck], 2),
                Err(Trouble::Stuck(1)),
            ),
        ] {
            assert_eq!(judge(&answer, &relay, &bonus), expected);
        }
    }
}
