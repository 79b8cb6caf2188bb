//! The event store on Postgres.
//!
//! - [`Executor`] runs a command: load, decide, append, two round trips.
//!   Commands that are given at once go together: group commit, in `group_commit.rs`.
//! - [`append()`] is the one way in; [`load()`] reads whole streams, [`load_page`] a part of one.
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
pub mod failure;
mod feed;
mod follower;
pub mod generation;
mod group_commit;
mod held_back;
pub mod idempotency;
mod lease;
mod load;
mod outcome;
mod queue;
mod read_model;
mod reader;
mod run;
mod token;
mod wake_up;

pub use answer::{Answer, Claim, Conditions, ExecuteError};
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
pub use load::{LONGEST_STREAM, Page, load, load_page};
pub use outcome::Outcome;
pub use read_model::{ApplyError, ReadModel};
pub use reader::{FeedReader, Opened, ReaderError, ReaderOptions};
pub use token::{MalformedToken, PositionToken};
pub use wake_up::WAKE_UP_CHANNEL;
