//! How many streams each principal has at this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_edge::{Code, Problem};
use kernel::Actor;

/// How many streams a principal may have at a process.
const MOST: usize = 8;

/// The streams that there are.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<Actor, usize>>>);

/// One of a principal's streams, while it lives.
pub(crate) struct Place {
    places: Places,
    actor: Actor,
}

impl Places {
    /// Room for one more.
    ///
    /// # Errors
    /// 429 if there is none.
    pub(crate) fn take(&self, actor: Actor) -> Result<Place, Problem> {
        let mut places = self.lock();
        let taken = places.entry(actor).or_default();
        if *taken >= MOST {
            return Err(Problem::new(
                Code::RateLimited,
                format!("you have {MOST} streams here, as many as you may; end one of them first"),
            )
            .with_retry_after(Some(1)));
        }
        *taken += 1;
        Ok(Place {
            places: self.clone(),
            actor,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Actor, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.lock();
        let taken = places.remove(&self.actor).unwrap_or_default();
        if taken > 1 {
            places.insert(self.actor, taken - 1);
        }
    }
}
