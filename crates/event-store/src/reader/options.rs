//! How a reader is set up.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::{BatchBound, Position, Shares, StreamId, Wakeup};

/// How often the parked streams are looked at again.
const LOOK_AGAIN_INTERVAL: Duration = Duration::from_secs(60);

/// How a reader presents itself, and what it reads.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// The name of its checkpoint.
    pub name: String,
    /// Who reads: shown to operators while the lease is held.
    pub owner: String,
    /// How long the lease outlives a dead owner.
    pub lease: Duration,
    /// Where it begins if it never ran: after this position.
    pub after: Position,
    /// Where it ends; none to follow for ever.
    pub to: Option<Position>,
    /// The one stream that it reads; none for all.
    pub stream: Option<StreamId>,
    /// Events a second at most; none for as many as there are.
    pub max_rate: Option<NonZeroU32>,
    /// How much it takes at once.
    pub batch: BatchBound,
    /// How often it looks at parked streams again.
    pub look_again_every: Duration,
    /// What cuts its pauses short.
    pub wakeup: Option<Wakeup>,
    /// Whether the lease is handed over, and to whom; none to keep it.
    pub shares: Option<Shares>,
}

impl ReaderOptions {
    /// A reader of everything, for ever, as fast as it can.
    #[must_use]
    pub fn new(name: &str, owner: &str, lease: Duration) -> Self {
        Self {
            name: name.to_owned(),
            owner: owner.to_owned(),
            lease,
            after: Position::START,
            to: None,
            stream: None,
            max_rate: None,
            batch: BatchBound::default(),
            look_again_every: LOOK_AGAIN_INTERVAL,
            wakeup: None,
            shares: None,
        }
    }
    /// Notes that the lease was asked for, and that another owns it.
    pub(super) fn wait(&self) {
        if let Some(shares) = &self.shares {
            shares.waits_for(&self.name);
        }
    }

    /// Who is to have the lease now, if it is to be handed over.
    pub(super) fn successor(&self) -> Option<String> {
        self.shares.as_ref()?.successor(&self.name)
    }
}
