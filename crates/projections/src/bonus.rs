//! The read model `bonus`: accounts of points and grades, as their events tell them.
//!
//! The ledger is no read model: it is written with the account events, by the crate `bonus-store`,
//! which also reads it. Whoever shows both reads the account here and the ledger as of its version
//! in one [`crate::Snapshot`].

pub(crate) mod audit;
mod read_account;
mod read_model;
mod rows;
#[cfg(test)]
mod tests;
mod view;
mod walk;

pub use read_account::{UnknownPolicy, read_account};
pub use read_model::Bonus;
pub use rows::AccountRow;
pub use view::{AccountView, GradeName, NextGradeView, VipView};
pub use walk::{AccountMoves, AccountSpan, Moved, walk_account};
