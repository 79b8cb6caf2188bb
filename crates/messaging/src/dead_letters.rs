//! What consumers gave up on: table `ops.dead_letters`, where operators find it.
//!
//! The consumer writes a row before the message goes to its dead-letter topic and before its offset
//! moves, and closes it once the event is handled, whatever message brought it. Times are the
//! database's, but for those of failures, which are the consumer's.
//!
//! Start at `record.rs` for what a row says, at `find.rs` for reading them, at [`Redrive`] for
//! sending them again.

mod claim;
mod close;
mod discard;
mod find;
mod forget;
mod record;
mod redrive;

pub(crate) use close::close_handled;
pub use close::{OpenEvent, close_events, open_events};
pub use discard::discard;
pub use find::{
    DeadLetter, Group, GroupKey, Selected, Selection, Summary, find, groups, page, select,
};
pub use forget::forget;
pub(crate) use record::{Failure, Recorded, headers, record};
pub use redrive::{Redrive, RedriveError, Tally};
