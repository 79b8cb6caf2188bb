//! The next version of a read model: built beside the one that is served by the same code, compared
//! with it, and served in its place.
//!
//! [`Rebuilder::claim`] begins a rebuild or takes one up where it was left; the steps of a
//! [`Rebuild`] follow one another, each can be stopped or killed, and the next start goes on:
//! [`build`](Rebuild::build) brings the new version up, [`index`](Rebuild::index) makes what filling
//! it did not need, [`check`](Rebuild::check) compares, [`swap`](Rebuild::swap) serves it, and
//! [`clear`](Rebuild::clear) drops what nobody reads any more. [`Rebuilder::back`] serves the version
//! before again.
//!
//! Deliberately absent: a producer. What is driven here is a [`ReadModel`](crate::ReadModel), which
//! has no effect but rows.

mod back;
mod build;
mod certificate;
mod check;
mod claim;
mod clear;
mod compare;
mod hold;
mod show;
mod standing;
mod swap;

use std::time::Duration;

use event_store::acts::ActId;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

pub use certificate::{Certificate, Difference, Events, Field, Side, Table, Verdict};
pub use check::Check;
pub use claim::{Claimed, Plan, Rebuild, code};
pub use show::{Shown, State};
pub use standing::{Proof, Standing, standing};
pub use swap::SwapPlan;

use crate::analysts::Session;
use crate::{Model, Version};

/// Who rebuilds, and how the store is reached.
#[derive(Debug, Clone)]
pub struct Rebuilder {
    /// For short statements; three connections are enough.
    pub pool: PgPool,
    /// How the connections of its own are opened, with the bounds of an application.
    pub connect: PgConnectOptions,
    /// Who it is, as others are told.
    pub owner: String,
    /// How long its claim and its reader's lease outlive it.
    pub lease: Duration,
}

/// On whose authority something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Who.
    pub operator: Uuid,
    /// Why.
    pub reason: String,
    /// What asked for it from a distance, if that is how it was asked for.
    pub request: Option<ActId>,
}

/// What a step says on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// So many events are taken, of so many that the served version has taken.
    Built {
        /// Taken.
        done: u64,
        /// To be taken.
        total: u64,
    },
    /// An index was made.
    Indexed(&'a str),
    /// Events are counted up to this position, of this one.
    Counted {
        /// Counted to.
        done: u64,
        /// To be counted to.
        total: u64,
    },
    /// So many rows are compared, of about so many.
    Compared {
        /// Compared.
        done: u64,
        /// To be compared, as the statistics have it.
        total: u64,
    },
    /// A version is not served yet.
    ServesAfter {
        /// Which.
        version: Version,
        /// For whom it waits.
        reader: Reading,
    },
    /// A version is not dropped yet.
    Waits {
        /// Which.
        version: Version,
        /// For whom.
        reader: Reading,
    },
    /// A version was dropped.
    Dropped(Version),
}

/// Who may still read a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The reader that follows it.
    Reader,
    /// A session of the database.
    Session {
        /// Its process.
        pid: i32,
        /// How long its transaction has been open, in seconds.
        seconds: i64,
    },
    /// Whoever holds a lock on its tables.
    Lock,
}

impl From<Session> for Reading {
    fn from(session: Session) -> Self {
        let Session { pid, seconds } = session;
        Self::Session { pid, seconds }
    }
}

/// Hears what a step says.
pub type Hears<'a> = &'a mut (dyn FnMut(Told<'_>) + Send);

/// Why a rebuild did not go on.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Another rebuild of the model is under way.
    #[error(
        "rebuild {id} of {model} to version {to} is under way: {owner}, for operator {operator}; \
         its claim ends in {seconds} s unless it is renewed"
    )]
    Held {
        /// Of which.
        model: Model,
        /// Its number.
        id: i64,
        /// The version that it builds.
        to: i32,
        /// Who works on it.
        owner: String,
        /// For whom.
        operator: Uuid,
        /// Until its claim ends.
        seconds: i64,
    },
    /// Somebody else has taken the rebuild up.
    #[error("the claim was lost to another owner")]
    ClaimLost,
    /// It was told to stop; the next start goes on.
    #[error("stopped; the same command goes on where it was")]
    Stopped,
    /// The new version's reader cannot go on.
    #[error("the new version cannot be filled: {reason}")]
    Halted {
        /// Why.
        reason: String,
    },
    /// The two versions differ, and not in as many rows as were accepted.
    #[error("{}", .0.sentence())]
    Differs(Box<Certificate>),
    /// No version is kept to go back to.
    #[error("no other version of {model} is kept: {served} is served")]
    NothingKept {
        /// Of which.
        model: Model,
        /// What is served.
        served: Version,
    },
    /// More was stored while the versions were compared than can be compared again.
    #[error("more than {most} events came while the versions were compared: run it again")]
    Outrun {
        /// How many can be.
        most: i64,
    },
    /// What the swap needs was never free.
    #[error("the checkpoints were never free for the swap in {tries} tries: run it again")]
    Busy {
        /// How often it was tried.
        tries: u32,
    },
    /// The database failed.
    #[error("the rebuild could not be carried on")]
    Database(#[from] sqlx::Error),
}
