//! The words that every other crate shares: typed ids, who acts, what time it is, and what is
//! recorded beside an event.
//!
//! Deliberately absent: anything of a domain, of storage or of a protocol. The list of files is
//! frozen (`cargo xtask tidy` holds it): what does not fit one of them belongs elsewhere.

mod actor;
mod clock;
mod ids;
mod metadata;

pub use actor::{Actor, Role, UnknownRole};
pub use clock::{Clock, SystemClock, instant_from_micros, truncate_to_micros};
pub use ids::{CommissionerId, EventId, IdSource, MalformedId, OrderId, RandomIds, WorkshopId};
pub use metadata::{MalformedMetadata, Metadata};
