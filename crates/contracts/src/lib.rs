//! What others build on: the topics, the envelope and the payloads of the messages on Kafka, and
//! how a tolerant reader takes them in.
//!
//! Changes within a major version are additive. The words are those of the wire: plain UUIDs,
//! strings and numbers, so that nothing here moves when a domain type does. Deliberately absent:
//! stored events and the mapping from them (`publishing`), and any Kafka client (`messaging`).
//!
//! `schemas/`, `asyncapi.json` and `codes/` beside the sources say the same as documents, made by the
//! tests of `documents.rs`.
//!
//! Start with [`OrderPayload`] for what a message says, [`CloudEvent`] for what its headers say,
//! and [`Incoming`] for how a message of anybody's is read.

mod account;
mod dead_letters;
#[cfg(test)]
mod documents;
mod envelope;
mod order;
mod reading;
mod terms;
pub mod topics;
mod traceparent;

pub use account::{
    AccountFact, AccountPayload, AwardDeferred, GradeChanged, PointsAwarded, PolicyRecomputed,
    VipAcquired, VipLost,
};
pub use dead_letters::{DeadLetterCode, DeadLetterKind, dead_letter_header};
pub use envelope::{CloudEvent, Domain, Outbound, header};
pub use order::{
    AllInvitationsClosed, AllResponsesReceived, CancellationDisputed, DisputeResolved,
    InvitationDeclined, OfferConfirmed, OfferRevised, OfferSubmitted, OfferWithdrawn,
    OrderCancelled, OrderCompleted, OrderFact, OrderFinished, OrderPayload, OrderPlaced,
    RequestEdited, StageApproved, StageChangesRequested, StageMarkedComplete, WorkshopCredited,
    WorkshopsInvited,
};
pub use reading::{Fact, Fault, Incoming};
pub use terms::{Money, Offer, Request, Stage};
pub use traceparent::Traceparent;
