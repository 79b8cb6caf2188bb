//! A request's place among those under way, of which there are only so many.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::Extensions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Code, Problem};

/// Goes with a request inwards. It is given up while the request's body arrives: who sends slowly
/// keeps others from nothing.
#[derive(Clone)]
pub(crate) struct Place(Arc<State>);

struct State {
    places: Arc<Semaphore>,
    taken: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Place {
    /// Takes one of these places.
    pub(crate) fn among(places: Arc<Semaphore>) -> Result<Self, Problem> {
        let place = Self(Arc::new(State {
            places,
            taken: Mutex::new(None),
        }));
        place.take()?;
        Ok(place)
    }

    /// The place of the request that has these extensions, if places are counted at all.
    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Self>().cloned()
    }

    /// Waits for something that is not ours without keeping the place.
    pub(crate) async fn give_up_for<T>(
        place: Option<Self>,
        work: impl Future<Output = T>,
    ) -> Result<T, Problem> {
        let Some(place) = place else {
            return Ok(work.await);
        };
        place.set(None);
        let done = work.await;
        place.take()?;
        Ok(done)
    }

    fn take(&self) -> Result<(), Problem> {
        let place = Arc::clone(&self.0.places)
            .try_acquire_owned()
            .map_err(|_| {
                Problem::new(
                    Code::Overloaded,
                    "too many requests are under way; try again in a moment",
                )
            })?;
        self.set(Some(place));
        Ok(())
    }

    fn set(&self, taken: Option<OwnedSemaphorePermit>) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    }
}
