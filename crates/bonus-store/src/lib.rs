//! The tables `bonus.*`: the ledger of facts, the head of each account, and which policy is in
//! force. This crate owns every statement on them.
//!
//! Deliberately absent: where facts come from (`messaging`), what they are worth (`bonus-domain`),
//! and accounts as they are shown (`projections`).
//!
//! Start at [`Ingest`], the one way in. A process calls [`check_policies`] before it; readers page
//! through the ledger with [`ledger_page`].

mod accounts;
mod check_policies;
mod ingest;
mod ledger;
mod ledger_page;
mod policy_in_force;
mod write_policies;

pub use check_policies::{CheckError, check_policies};
pub use ingest::{Change, Delivery, Ingest, IngestError, Ingested};
pub use ledger::kept;
pub use ledger_page::{AccountAt, LedgerItem, LedgerKey, LedgerPage, ledger_page};
pub use policy_in_force::PolicyInForceError;
pub use write_policies::write_policies;
