//! The bonus side of the marketplace: accounts of points, grades and VIP, and the policies that
//! give them. Pure: no storage, no clock, no protocol.
//!
//! An account is a function of a set of [`Fact`]s (the ledger), a [`Policy`] and an instant. What
//! points are is what a policy says of facts, so facts are kept and points are not.
//!
//! Every decision begins with [`settle`], which lets the flips of VIP happen that fell due before:
//! [`Settled::award`], [`Settled::defer`], [`Settled::recompute`], or for the VIP clock
//! [`Settled::into_moved`]. It needs the account's [`Head`] and a few facts beside it, never a whole
//! ledger: those of the same order and, for VIP, the newest ones ([`KnownFacts`]). Where these do not
//! suffice the answer is [`Undecided::More`], and the caller reads on.
//!
//! Deliberately absent: where facts come from and where they are kept (`bonus-store`), and the
//! public form of the events (`publishing`).
//!
//! Start at `account/settle.rs`. The rules are the files of `policies/`.

mod account;
mod diff;
mod explain;
mod fact;
mod grade;
mod points;
mod policy;
mod source_type;
mod vip;

pub use account::{
    Account, AccountAggregate, AccountError, AccountEvent, AccountFact, Award, Conflict, Corrupt,
    Head, Moved, Settled, Standing, Taken, Undecided, evolve, settle, stored, unsettled,
};
pub use diff::{
    Assessment, Bucket, Flow, GradeFlow, Holdings, LARGEST, Largest, Movement, Report, diff,
};
pub use explain::{Explanation, Part, Place, VipAt, explain};
pub use fact::{Beneficiary, Fact, Facts, KnownFacts};
pub use grade::{Grade, NextGrade, UnknownGrade};
pub use points::{Points, PointsOverflow};
pub use policy::{NoPolicyVersion, Policies, Policy, PolicyHash, PolicyVersion, Reversal};
pub use source_type::SourceType;
pub use vip::{Earnings, MoreFacts, VipRule};
