//! What consumers gave up on: table `ops.dead_letters`, where operators find it.
//!
//! The consumer writes a row before the message goes to its dead-letter topic and before its offset
//! moves, and closes it once the event is handled, whatever message brought it. Times are the
//! database's, but for those of failures, which are the consumer's.
//!
//! Deliberately absent: Kafka. Who gives a message up, and who sends one again, is `messaging`.
//!
//! Start at `record.rs` for what a row says, at `find.rs` for reading them, at `claim.rs` for what
//! holds two redrives apart.

mod claim;
mod close;
mod depth;
mod discard;
mod find;
mod forget;
pub mod instruments;
mod open_code;
mod record;

pub use claim::{Claimed, Standing, claim, look, release};
pub use close::{OpenEvent, close_events, close_handled, open_events};
pub use depth::{Depth, depths};
pub use discard::discard;
pub use find::{
    DeadLetter, Group, GroupKey, LISTED_KEY, Listed, Selected, Selection, State, Summary, find,
    groups, page, select,
};
pub use forget::forget;
pub use open_code::open_code;
pub use record::{Failure, Headers, Recorded, foreign, headers, record};
