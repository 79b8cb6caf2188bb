//! The roles that follow the feed: the read models and the relay, each a reader with its sink; and
//! how they are, by their rows.

use std::collections::BTreeMap;
use std::time::Duration;

use event_store::{
    Condition, Reader, ReaderOptions, ReaderStatus, Shares, Sink, Wakeups, reader_statuses,
};
use messaging::topics::{Retention, TopicGuard};
use messaging::{Kafka, Relay};
use projections::{Model, Version};
use service_runtime::{Dependency, Health};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::relay::messages_of;
use crate::traced::Traced;

/// How often the readers' rows are looked at for health.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is looked which versions are followed: a version that was just served waits so long
/// for its reader.
const LOOK_AT_SERVED: Duration = Duration::from_millis(200);
/// How long a row may be silent beyond the lease before nobody counts as reading.
const SILENCE: Duration = Duration::from_secs(5);
/// The name under which the relay is watched.
const RELAY: &str = "relay";

/// What every reader of this process has in common.
#[derive(Clone)]
pub(crate) struct Readers {
    pub(crate) connect: PgConnectOptions,
    pub(crate) pool: PgPool,
    pub(crate) owner: String,
    pub(crate) lease: Duration,
    pub(crate) wakeups: Wakeups,
    pub(crate) shares: Shares,
}

/// A reader that health watches.
pub(crate) struct Watched {
    reader: Watching,
    dependency: Dependency,
}

#[derive(Clone, Copy)]
enum Watching {
    ReadModel(Model),
    Relay,
}

impl Readers {
    /// Keeps the versions of the read models that are followed up to date until `stop`: those that
    /// are served, and those that are kept to go back to. What is swapped is noticed at once.
    pub(crate) async fn follow(self, stop: CancellationToken) {
        let mut readers = JoinSet::new();
        let mut followed: BTreeMap<Version, CancellationToken> = BTreeMap::new();
        while !stop.is_cancelled() {
            let looked = async {
                let mut connection = self.pool.acquire().await?;
                Version::followed(&mut connection).await
            };
            match looked.await {
                Ok(versions) => {
                    followed.retain(|version, end| {
                        let stays = versions.contains(version);
                        if !stays {
                            end.cancel();
                        }
                        stays
                    });
                    for version in versions {
                        followed.entry(version).or_insert_with(|| {
                            let end = stop.child_token();
                            readers.spawn(self.clone().follow_one(version, end.clone()));
                            end
                        });
                    }
                }
                // The readers that there are go on, or wait for the database themselves.
                Err(error) => debug!(%error, "readers.versions_unknown"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_AT_SERVED) => {}
                Some(ended) = readers.join_next() => died(ended),
            }
        }
        while let Some(ended) = readers.join_next().await {
            died(ended);
        }
    }

    async fn follow_one(self, version: Version, stop: CancellationToken) {
        let connect = version.connect(self.connect.clone());
        let mut sink = version.model.sink();
        self.drive(&version.to_string(), connect, sink.as_mut(), &stop)
            .await;
    }

    /// Sends what happens to Kafka until `stop`.
    pub(crate) async fn relay(self, kafka: Kafka, retention: Retention, stop: CancellationToken) {
        let topics = TopicGuard::new(kafka.clone(), self.pool.clone(), retention);
        let mut relay = Traced(Relay::new(kafka, messages_of).guarded_by(topics));
        self.drive(RELAY, self.connect.clone(), &mut relay, &stop)
            .await;
    }

    async fn drive(
        &self,
        name: &str,
        connect: PgConnectOptions,
        sink: &mut dyn Sink,
        stop: &CancellationToken,
    ) {
        let options = ReaderOptions {
            wakeup: Some(self.wakeups.subscribe()),
            shares: Some(self.shares.clone()),
            ..ReaderOptions::new(name, &self.owner, self.lease)
        };
        Reader::new(connect, options).drive(sink, stop).await;
    }

    /// Reports how readers are, by their rows, until `stop`.
    pub(crate) async fn watch(self, watched: Vec<Watched>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            for Watched { reader, dependency } in &watched {
                // That the database is away is told by itself.
                if let Ok(status) = self.status(*reader).await {
                    report(dependency, status.as_ref(), self.lease + SILENCE);
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn status(&self, reader: Watching) -> Result<Option<ReaderStatus>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let name = match reader {
            Watching::ReadModel(model) => model.served(&mut connection).await?.to_string(),
            Watching::Relay => RELAY.to_owned(),
        };
        let statuses = reader_statuses(&mut connection, &[name]).await?;
        Ok(statuses.into_iter().next())
    }
}

/// The read models and the relay as dependencies of the process: one that cannot go on makes it
/// unready, one that waits or begins again degraded.
pub(crate) fn watched(health: &mut Health, read_models: bool, relay: bool) -> Vec<Watched> {
    let mut watched = Vec::new();
    for model in Model::ALL.into_iter().filter(|_| read_models) {
        watched.push(Watched {
            reader: Watching::ReadModel(model),
            dependency: health.require(model.as_str()),
        });
    }
    if relay {
        watched.push(Watched {
            reader: Watching::Relay,
            dependency: health.prefer(RELAY),
        });
    }
    watched
}

/// A reader has ended: told to, or by a panic, which ends its task here too.
fn died(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

fn report(dependency: &Dependency, status: Option<&ReaderStatus>, silence: Duration) {
    let Some(status) = status else {
        return dependency.impaired("it has not begun to read");
    };
    match &status.condition {
        Condition::Halted { reason, .. } => dependency.down_for(reason),
        Condition::Waiting { reason } | Condition::Failing { reason } => {
            dependency.impaired(reason);
        }
        Condition::Idle | Condition::Running => {
            if status.owner.is_none() && status.seen.is_none_or(|seen| seen > silence) {
                dependency.impaired("nobody reads");
            } else {
                dependency.up();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use event_store::Position;
    use service_runtime::{Readiness, ReadinessStatus};

    use super::*;

    const SILENT: Duration = Duration::from_secs(20);

    fn status(condition: Condition, owner: Option<&str>, seen: u64) -> ReaderStatus {
        ReaderStatus {
            name: "orders@1".to_owned(),
            condition,
            position: Position::new(7),
            rate: 0.0,
            owner: owner.map(ToOwned::to_owned),
            seen: Some(Duration::from_secs(seen)),
            parked: 0,
        }
    }

    /// What the process says of itself where all its readers are so.
    fn readiness(status: Option<&ReaderStatus>, read_models: bool, relay: bool) -> Readiness {
        let mut health = Health::default();
        for Watched { dependency, .. } in watched(&mut health, read_models, relay) {
            report(&dependency, status, SILENT);
        }
        health.readiness()
    }

    #[test]
    fn each_reader_is_a_dependency_under_its_name() {
        let running = status(Condition::Running, Some("a"), 0);
        let found = readiness(Some(&running), true, true);
        let names = found
            .dependencies
            .iter()
            .map(|d| (d.name, d.required, d.ok));
        let expected = [
            ("orders", true, true),
            ("workshops", true, true),
            ("bonus", true, true),
            ("relay", false, true),
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
        assert_eq!(found.status, ReadinessStatus::Ready);
        assert!(readiness(None, false, false).dependencies.is_empty());
    }

    #[test]
    fn whoever_cannot_go_on_is_never_ready_and_says_why() {
        let reason = || "the topic is another".to_owned();
        let halted = Condition::Halted {
            reason: reason(),
            event_id: None,
        };
        let failing = Condition::Failing { reason: reason() };
        let waiting = Condition::Waiting { reason: reason() };
        let nobody = || Some("nobody reads".to_owned());
        for (status, of_read_models, detail) in [
            (
                Some(status(halted, None, 0)),
                ReadinessStatus::Unready,
                Some(reason()),
            ),
            (
                Some(status(failing, Some("a"), 0)),
                ReadinessStatus::Degraded,
                Some(reason()),
            ),
            (
                Some(status(waiting, Some("a"), 0)),
                ReadinessStatus::Degraded,
                Some(reason()),
            ),
            (
                None,
                ReadinessStatus::Degraded,
                Some("it has not begun to read".to_owned()),
            ),
            (
                Some(status(Condition::Idle, None, 21)),
                ReadinessStatus::Degraded,
                nobody(),
            ),
            // It died with its lease.
            (
                Some(status(Condition::Running, None, 21)),
                ReadinessStatus::Degraded,
                nobody(),
            ),
            // Somebody is about to take over.
            (
                Some(status(Condition::Idle, None, 1)),
                ReadinessStatus::Ready,
                None,
            ),
        ] {
            let found = readiness(status.as_ref(), true, false);
            assert_eq!(found.status, of_read_models, "{status:?}");
            assert_eq!(found.dependencies[0].detail, detail, "{status:?}");
            let relay = readiness(status.as_ref(), false, true);
            let is_ready = relay.status == ReadinessStatus::Ready;
            assert_eq!(is_ready, detail.is_none(), "{status:?}");
        }
    }
}
