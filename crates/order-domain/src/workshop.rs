//! The directory: which workshops there are, what they are called, and whether they take
//! commissions. Each is a stream of its own, kept by operators.

mod aggregate;
mod decide;
mod directory;
mod event;
mod evolve;
pub mod stored;

pub use aggregate::{WorkshopAggregate, WorkshopAggregateError};
pub use decide::{PutWorkshop, Rejection, WorkshopInput, admit, decide};
pub use directory::Directory;
pub use event::{WorkshopEvent, WorkshopFact};
pub use evolve::{Corrupt, Entry, Workshop, evolve, fold};
