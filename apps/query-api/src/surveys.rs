//! How the readers of the feed are, for the streams that show it: one look a second, however many
//! watch, and none while nobody does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_store::{PositionToken, generation, survey, watermark};
use projections::served;
use service_runtime::chain;
use tokio::sync::watch;

use crate::AppState;
use crate::refusal::ReadError;
use crate::routes::Projection;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// How many readers are looked at; there are a dozen at most.
const READERS: i64 = 200;

/// How the readers were at an instant.
pub(crate) struct Survey {
    /// How far the log was complete then.
    pub(crate) token: PositionToken,
    /// The readers, by name.
    pub(crate) items: Vec<Projection>,
}

impl Survey {
    /// Looks at them.
    ///
    /// # Errors
    /// What the database said.
    pub(crate) async fn take(app: &AppState) -> Result<Self, ReadError> {
        app.look_for(|connection| {
            Box::pin(async move {
                let served = served(connection).await?;
                let generation = generation::latest(connection).await?;
                let position = watermark(connection).await?;
                let found = survey(connection, None, READERS).await?;
                Ok(Self {
                    token: PositionToken {
                        generation,
                        position,
                    },
                    items: found
                        .into_iter()
                        .map(|one| Projection::of(one, &served))
                        .collect(),
                })
            })
        })
        .await
    }
}

type Sender = watch::Sender<Option<Arc<Survey>>>;

/// The looks that somebody watches.
#[derive(Clone, Default)]
pub(crate) struct Surveys(Arc<Mutex<Option<Sender>>>);

impl Surveys {
    /// Has the next looks told.
    pub(crate) fn watch(&self, app: &AppState) -> watch::Receiver<Option<Arc<Survey>>> {
        let mut watched = self.lock();
        if let Some(sender) = &*watched {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(None);
        *watched = Some(sender.clone());
        let looking = Looking {
            surveys: self.clone(),
            sender,
        };
        tokio::spawn(looking.go_on(app.clone()));
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sender>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who looks for all. Once it has ended, however that was, each stream has another begin.
struct Looking {
    surveys: Surveys,
    sender: Sender,
}

impl Looking {
    async fn go_on(self, app: AppState) {
        loop {
            tokio::time::sleep(PAUSE).await;
            if self.is_left() {
                return;
            }
            match Survey::take(&app).await {
                Ok(survey) => drop(self.sender.send_replace(Some(Arc::new(survey)))),
                Err(error) => {
                    tracing::warn!(error = chain(&error), "survey.not_read");
                    return;
                }
            }
        }
    }

    /// Whether nobody watches; nobody is told of its looks from then on, for somebody may come.
    fn is_left(&self) -> bool {
        let mut watched = self.surveys.lock();
        let left = self.sender.receiver_count() == 0;
        if left {
            self.leave(&mut watched);
        }
        left
    }

    fn leave(&self, watched: &mut Option<Sender>) {
        watched.take_if(|sender| sender.same_channel(&self.sender));
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.leave(&mut self.surveys.lock());
    }
}
