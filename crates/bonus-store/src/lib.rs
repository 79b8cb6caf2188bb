//! The tables `bonus.*`: the ledger of facts, the head of each account, and which policy is in
//! force. This crate owns every statement on them.
//!
//! Deliberately absent: where facts come from (`messaging`), what they are worth (`bonus-domain`),
//! and accounts as they are shown (`projections`).
//!
//! Start at [`Ingest`], the one way in. A process calls [`check_policies`] before it. What is due
//! without a fact the [`VipClock`] does; [`activate`] puts another policy in force, and [`Recompute`]
//! computes the accounts that are then of another. Readers page through the ledger with
//! [`ledger_page`] and [`awards_of`]; [`vip_at`] says how an account stands at an instant, and [`whole_ledger`] reads
//! everything, for the difference of two policies.

mod account_facts;
mod accounts;
mod activate;
mod check_policies;
mod ingest;
pub mod instruments;
mod kept_types;
mod known_facts;
mod ledger;
mod ledger_page;
mod movements;
mod moving;
mod policy_in_force;
mod recompute;
mod stuck;
mod vip_at;
mod vip_clock;
mod whole_ledger;
mod write_policies;

pub use account_facts::{AccountFacts, ComputedWith, account_facts, computed_with};
pub use activate::{
    ActivateError, Activation, Queue, activate, activations, is_queued, queue_under,
};
pub use check_policies::{CheckError, check_policies};
pub use ingest::{Change, ConflictMode, Delivery, Ingest, IngestError, Ingested, Rejection};
pub use kept_types::{KeptType, mark_whole, missing_types};
pub use ledger::kept;
pub use ledger_page::{AccountAt, LedgerItem, LedgerKey, LedgerPage, awards_of, ledger_page};
pub use movements::Recomputed;
pub use policy_in_force::PolicyInForceError;
pub use recompute::{Recompute, RecomputeError, Step};
pub use stuck::{PassedOver, Stuck};
pub use vip_at::vip_at;
pub use vip_clock::{Turned, VipClock, VipClockError};
pub use whole_ledger::{LedgerState, WholeLedgerError, whole_ledger};
pub use write_policies::write_policies;
