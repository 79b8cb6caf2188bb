//! The event store on Postgres.
//!
//! - [`Executor`] runs a command: load, decide, append, two round trips; one where it
//!   begins a stream and remembers what it looks at, in `remembered.rs`.
//!   Commands that are given at once go together: group commit, in `group_commit.rs`.
//! - [`append()`] is the one way in; [`load()`] reads whole streams, [`load_page`] a part of one.
//! - [`Feed`] delivers every event once committed, in order, without a gap; [`Reader`] brings them
//!   to a [`Sink`] under a lease and a checkpoint. What a sink cannot take parks its own stream and
//!   nothing else: [`Parked`].
//! - [`acts`] records what operators do to the system.
//! - [`audit`] says whether checkpoints and streams are what the events say.
//! - [`generation`] and [`checkpoint`] say what a position is worth after a restore.
//!
//! Deliberately absent: what any event means. Start at `executor.rs` for writing, at `feed.rs`
//! for reading, and at the migration that creates the store for both.

pub mod acts;
mod answer;
mod append;
mod append_many;
pub mod audit;
pub mod checkpoint;
mod decision;
mod event;
mod executor;
pub mod failure;
mod feed;
pub mod generation;
mod group_commit;
pub mod idempotency;
pub mod instruments;
mod lease;
mod load;
mod outcome;
mod parked;
mod queue;
mod reader;
mod remembered;
mod run;
mod shares;
mod sink;
mod stall;
mod survey;
mod token;
pub mod wake;
mod wake_up;

pub use answer::{Answer, Claim, Conditions, ExecuteError};
pub use append::{
    Append, AppendError, Appended, ClaimedAnswer, StoredAnswer, StreamAppend, append,
};
pub use checkpoint::{Checkpoint, Freshness, Lag, freshness};
pub use decision::{Accepted, Decision, DecisionError, Loaded, LoadedStream};
pub use event::{NewEvent, Position, StoredEvent, StoredJson, StreamId, Version};
pub use executor::Executor;
pub use feed::{Batch, BatchBound, Feed, Selection, watermark};
pub use generation::Generation;
pub use lease::Lease;
pub use load::{LONGEST_STREAM, Page, load, load_page, stream_bytes, streams_between, version_at};
pub use outcome::Outcome;
pub use parked::{Parked, is_parked, parked, parked_at, parked_page, parks_any};
pub use reader::{
    Condition, Ended, PARKED_COUNTED_TO, Reader, ReaderError, ReaderOptions, ReaderStatus,
    Standing, begin_anew, reader_page, reader_statuses,
};
pub use shares::Shares;
pub use sink::{Sent, Sink, SinkError};
pub use stall::{Stall, stall};
pub use survey::{PARKED_SHOWN, Surveyed, count_events, holds, survey};
pub use token::{MalformedToken, PositionToken};
pub use wake::{Wakeup, Wakeups};
