//! The bonus side of the marketplace: accounts of points and grades, and the policies that give
//! them. Pure: no storage, no clock, no protocol.
//!
//! An account is a function of a set of [`Fact`]s (the ledger), a [`Policy`] and an instant. What
//! points are is what a policy says of facts, so facts are kept and points are not.
//!
//! Deliberately absent: where facts come from and where they are kept (`bonus-store`), and the
//! public form of the events (`publishing`).
//!
//! Start at [`award`]: what a fact does to an account. The rules are the files of `policies/`.

mod account;
mod fact;
mod grade;
mod points;
mod policy;

pub use account::{
    Account, AccountAggregate, AccountError, AccountEvent, AccountFact, Award, Corrupt, Rejection,
    Standing, award, evolve, stored,
};
pub use fact::{Beneficiary, Fact, Facts, SourceType};
pub use grade::{Grade, NextGrade, UnknownGrade};
pub use points::{Points, PointsOverflow};
pub use policy::{NoPolicyVersion, Policies, Policy, PolicyHash, PolicyVersion, VipRule};
