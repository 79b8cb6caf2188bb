//! The event store on Postgres.
//!
//! - [`Executor`] runs a command: load, decide, append, two round trips.
//! - [`append()`] is the one way in; [`load()`] reads whole streams.
//! - [`Feed`] delivers every event once committed, in order, without a gap; [`FeedReader`] adds a
//!   lease and a checkpoint, and [`Follower`] commits a [`ReadModel`]'s rows with that checkpoint.
//!   What this release cannot read holds back its own stream and nothing else: [`HeldBack`].
//! - [`generation`] and [`checkpoint`] say what a position is worth after a restore.
//!
//! Deliberately absent: what any event means. Start at `executor.rs` for writing, at `feed.rs`
//! for reading, and at the migration that creates the store for both.

mod answer;
mod append;
mod append_many;
pub mod checkpoint;
mod decision;
mod event;
mod executor;
mod failure;
mod feed;
mod follower;
pub mod generation;
mod held_back;
pub mod idempotency;
mod lanes;
mod lease;
mod load;
mod progress;
mod queue;
mod read_model;
mod reader;
mod round;
mod run;
mod token;

pub use answer::{Answer, Claim, Conditions, ExecuteError, Outcome};
pub use append::{
    Append, AppendError, Appended, ClaimedAnswer, StoredAnswer, StreamAppend, append,
};
pub use checkpoint::{Checkpoint, Freshness, Lag, freshness};
pub use decision::{Accepted, Decision, DecisionError, Loaded, LoadedStream};
pub use event::{NewEvent, Position, StoredEvent, StreamId, Version};
pub use executor::Executor;
pub use feed::{Batch, Feed};
pub use follower::{FollowError, Follower};
pub use generation::Generation;
pub use held_back::{HeldBack, held_back};
pub use load::{LONGEST_STREAM, load};
pub use read_model::{ApplyError, ReadModel};
pub use reader::{FeedReader, Opened, ReaderError, ReaderOptions};
pub use token::{MalformedToken, PositionToken};
