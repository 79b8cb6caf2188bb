//! Values: each reads client input with every fault at once, so that only legal ones come in, and
//! has one stored form, which is read without being judged by the rules of the day.

mod deadline;
mod fault;
mod invitees;
mod money;
mod offer;
mod request;
mod revision;
mod stage;
mod text;

pub use deadline::{Deadline, parse_instant};
pub(crate) use fault::Faults;
pub use fault::{Fault, FaultKind};
pub(crate) use invitees::is_oneself;
pub use invitees::{Invitees, MAX_SEATS};
pub use money::{Currency, Money, MoneyInput};
pub use offer::{OfferDraft, OfferInput, OfferTerms, Outdated};
pub use request::{
    Request, RequestDraft, RequestEdit, RequestEditInput, RequestField, RequestInput,
};
pub use revision::{OfferRevision, RequestRevision};
pub use stage::{DurationDays, MAX_STAGES, StageInput, StageNumber, StagePlan, StagePlans};
pub use text::{
    Brief, Note, OfferDescription, Reason, StageDescription, StageName, Title, WorkshopName,
};
