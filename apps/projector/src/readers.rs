//! The roles that follow the feed: the read models and the relay, each a reader with its sink; and
//! how they are, by their rows.

use std::time::Duration;

use event_store::{
    Condition, Reader, ReaderOptions, ReaderStatus, Sink, Wakeups, reader_statuses,
};
use messaging::topics::{Retention, TopicGuard};
use messaging::{Kafka, Relay};
use projections::{Model, Version};
use service_runtime::{Dependency, Health};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::relay::messages_of;

/// How often the readers' rows are looked at for health.
const LOOK: Duration = Duration::from_secs(1);
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
    /// Keeps the served version of a read model up to date until `stop`.
    pub(crate) async fn follow(self, model: Model, stop: CancellationToken) {
        let Some(version) = self.served(model, &stop).await else {
            return;
        };
        let connect = version.connect(self.connect.clone());
        let mut sink = model.sink();
        self.drive(&version.to_string(), connect, sink.as_mut(), &stop)
            .await;
    }

    /// Sends what happens to Kafka until `stop`.
    pub(crate) async fn relay(self, kafka: Kafka, retention: Retention, stop: CancellationToken) {
        let topics = TopicGuard::new(kafka.clone(), self.pool.clone(), retention);
        let mut relay = Relay::new(kafka, messages_of).guarded_by(topics);
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
            ..ReaderOptions::new(name, &self.owner, self.lease)
        };
        Reader::new(connect, options).drive(sink, stop).await;
    }

    /// Which version of a read model is served, asking for as long as the database is away; none if
    /// told to stop before.
    async fn served(&self, model: Model, stop: &CancellationToken) -> Option<Version> {
        loop {
            let asked = async {
                let mut connection = self.pool.acquire().await?;
                model.served(&mut connection).await
            };
            match asked.await {
                Ok(version) => return Some(version),
                Err(error) => warn!(%model, %error, "reader.version_unknown"),
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
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
