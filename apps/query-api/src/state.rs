//! What every route is given: the read models, time, and the gate.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use event_store::Wakeups;
use http_edge::Gate;
use kernel::Clock;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::live::Places;
use crate::moves::Moves;
use crate::positions::Positions;
use crate::surveys::Surveys;

/// What every route is given. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub(crate) pool: PgPool,
    gate: Arc<Gate>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) min_position_wait: Duration,
    pub(crate) positions: Positions,
    pub(crate) moves: Moves,
    pub(crate) surveys: Surveys,
    pub(crate) places: Places,
    /// Held by whoever reads the whole ledger.
    pub(crate) comparing: Arc<Semaphore>,
    pub(crate) closing: CancellationToken,
}

impl AppState {
    /// The state of an application whose reads wait up to `min_position_wait` for the position
    /// that a client asks for; `wakeups` tells when a checkpoint has moved.
    #[must_use]
    pub fn new(
        pool: PgPool,
        gate: Gate,
        clock: Arc<dyn Clock>,
        min_position_wait: Duration,
        wakeups: Wakeups,
    ) -> Self {
        let positions = Positions::new(pool.clone(), wakeups);
        Self {
            moves: Moves::new(pool.clone(), positions.clone()),
            positions,
            pool,
            gate: Arc::new(gate),
            clock,
            min_position_wait,
            surveys: Surveys::default(),
            places: Places::default(),
            comparing: Arc::new(Semaphore::new(1)),
            closing: CancellationToken::new(),
        }
    }

    /// The same, whose streams end when `closing` is cancelled.
    #[must_use]
    pub fn closing_with(self, closing: CancellationToken) -> Self {
        Self { closing, ..self }
    }
}

impl FromRef<AppState> for Arc<Gate> {
    fn from_ref(state: &AppState) -> Self {
        Self::clone(&state.gate)
    }
}
