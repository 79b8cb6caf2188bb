//! The event store on Postgres.
//!
//! - [`Executor`] runs a command: load, decide, append, two round trips.
//! - [`append()`] is the one way in; [`load()`] reads whole streams.
//! - [`Feed`] delivers every event once committed, in order, without a gap; [`Reader`] brings them
//!   to a [`Sink`] under a lease and a checkpoint. What a sink cannot take parks its own stream and
//!   nothing else: [`Parked`].
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
pub mod generation;
pub mod idempotency;
mod lanes;
mod load;
mod parked;
mod progress;
mod queue;
mod reader;
mod round;
mod run;
mod sink;
mod token;
pub mod wake;

pub use answer::{Answer, Claim, Conditions, ExecuteError, Outcome};
pub use append::{
    Append, AppendError, Appended, ClaimedAnswer, StoredAnswer, StreamAppend, append,
};
pub use checkpoint::{Checkpoint, Freshness, Lag, freshness};
pub use decision::{Accepted, Decision, DecisionError, Loaded, LoadedStream};
pub use event::{NewEvent, Position, StoredEvent, StreamId, Version};
pub use executor::Executor;
pub use feed::{Batch, BatchBound, Feed, Selection};
pub use load::{LONGEST_STREAM, load};
pub use parked::{Parked, parked, parked_at, parked_page};
pub use reader::{
    Condition, Ended, PARKED_COUNTED_TO, Reader, ReaderError, ReaderOptions, ReaderStatus,
    Standing, reader_statuses,
};
pub use sink::{Sent, Sink, SinkError};
pub use token::{MalformedToken, PositionToken};
pub use wake::{Wakeup, Wakeups};
