//! Read models: tables that follow the event feed, their reads, and what each viewer may see.
//!
//! Each read model owns its tables: it is the only one to write them, inside the transaction that
//! moves its checkpoint, and the only one to read them. A row moves from its version to the next
//! and never otherwise, so repeated delivery changes nothing. Statements name tables without a
//! schema: which [`Version`] is meant, the connection's search path says.
//!
//! Deliberately absent: HTTP, the driving of the feed ([`event_store::Reader`] does that), and
//! anything that decides.
//!
//! Where to start: [`orders`], [`workshops`] and [`bonus`] for a read model each, [`redaction`] for
//! who may see what, [`Snapshot`] for reading rows together with their position, and [`rebuild`] for
//! the next version of a read model.

pub mod analysts;
pub mod audit;
pub mod bonus;
mod following;
pub mod orders;
mod page;
pub mod rebuild;
pub mod redaction;
mod row_sets;
mod snapshot;
mod touched;
mod version;
pub mod workshops;

pub use following::Gap;
pub use page::Slice;
pub use snapshot::Snapshot;
pub use touched::{Interest, Touched, touched};
pub use version::{Model, ReadModel, Version, served};
